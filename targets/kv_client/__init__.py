"""A client that asks our own Raft and etcd the same, so that they can be held against each other."""
