"""What two targets agree on: the messages and routes that both know, so that neither has to import the other."""
