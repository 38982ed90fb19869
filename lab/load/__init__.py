"""Load: arrivals fixed by the seed before the run, issued by Locust when each is due, every operation recorded.

`arrivals` and `wire` are pure; `driver` is what a run uses; `locustfile`, `client` and `alarm` live only in the Locust
process, because importing Locust or gevent there changes how the whole interpreter waits.
"""
