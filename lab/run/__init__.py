"""How an experiment is run: the runtime is chosen, each episode played, the record judged and reported."""
