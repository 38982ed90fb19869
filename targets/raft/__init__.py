"""
Raft, written from the paper and with its names: a replicated map of keys to values that survives its members.

Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended Version)" (2014), here
"the paper"; Ongaro, "Consensus: Bridging Theory and Practice" (2014), here "the thesis"; handbook 7.5.1.

`core` decides, and does no input or output; `storage` keeps what must survive; `turns` is the order in which a core is
driven; `node` does that in real time; `client` finds the leader for a client; `server` is the HTTP around it.
"""
