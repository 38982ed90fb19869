"""A client that sends the same requests to our own Raft and to etcd, so that the two can be compared."""
