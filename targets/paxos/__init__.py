"""
Paxos, written from the paper and with its names: proposers that get a value for each slot chosen by a majority.

Sources: Lamport, "Paxos Made Simple" (2001), here "the paper"; "The Part-Time Parliament" (1998); Chandra, Griesemer
and Redstone, "Paxos Made Live" (2007); handbook 7.5.2.

`acceptor`, `proposer` and `learner` decide, and do no input or output; `node` drives them in real time; `server` is the
HTTP around. What it leaves out: a state machine, snapshots, and membership. A proposer that restarts has
forgotten what it had learned, and learns it again from the acceptors.
"""
