"""
A small replicated key-value store: N nodes over links, each of which serves any client.

KV_MODE says what a node does before it answers.

quorum: a read asks R replicas and a write W of them (Gifford, "Weighted Voting for Replicated Data", 1979; DeCandia
et al., "Dynamo", 2007, 4.5). A write first asks R replicas for the highest version and writes the next one
(Lynch and Shvartsman, "Robust emulation of shared memory", 1997). A read with read repair writes what it returns back
to W replicas before it returns (Attiya, Bar-Noy and Dolev, "Sharing memory robustly in message-passing systems", 1995).
Handbook 7.1.1.4 and 7.3.1.

last-writer-wins, crdt: a node answers by itself, sends changes to the others, and repairs what they missed by
anti-entropy. Handbook 7.1.1.2 and 7.3.1.3. raft: a member of targets/raft in the node's place. Handbook 7.1.1.1.

What it leaves out: hinted hand-off and sloppy quorums (Dynamo, 4.6), deletes of keys, and membership.

`registers` keeps what a replica must not forget, `quorum` is the coordinator, `server` the HTTP around both. `clock`,
`objects`, `gossip` and `local` are the same for nodes that answer by themselves.
"""
