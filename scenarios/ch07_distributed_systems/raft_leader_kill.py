"""
Raft, the leader killed: how long can no write succeed?

Five servers, 25 ms apart, keep a replicated map. Their leader is killed with SIGKILL, and comes back ten seconds later.
With election time-outs that are all the same, the four that are left wake up at the same moment, vote for themselves,
and do so again and again; with random ones, one is first.
"""

from itertools import permutations

from lab import (
    Claim,
    Exercise,
    Invariant,
    Link,
    Load,
    Panel,
    Phase,
    Readback,
    Role,
    Scenario,
    Service,
    Variant,
    checkers,
    faults,
    metrics,
    workloads,
)

NAMES = [f"raft-{n}" for n in range(1, 6)]
CLUSTER = {"RAFT_PEERS": ",".join(NAMES)}
# Each server waits 0.6 s to 1.2 s for its leader, which speaks every 0.1 s. No snapshots: the checkers read whole logs.
TIMING = {"RAFT_HEARTBEAT_MS": 100, "RAFT_ELECTION_LOW_MS": 600, "RAFT_ELECTION_HIGH_MS": 1_200}
servers = [Service(name, {**CLUSTER, **TIMING, "RAFT_SNAPSHOT_EVERY": 100_000}, module="raft") for name in NAMES]
client = Service("client", CLUSTER, module="raft")  # finds the leader, has a session, and may ask again
leader = Role("leader", servers, gauge="raft_is_leader")
write_gap_s, success = metrics.longest_gap_s("write"), metrics.success_ratio()

scenario = Scenario(
    title="Raft: the leader killed",
    handbook=["7.5.1.1", "7.5.1"],
    question="How long can no write succeed when the leader dies?",
    links=[
        *(Link(one, other, distance_ms=25) for one, other in permutations(servers, 2)),
        *(Link(client, server) for server in servers),
    ],
    load=Load(
        workloads.registers(keys=5, read=5, write=4, cas=1),
        to=client,
        per_s=30,
        arrivals="poisson",
        timeout_s=8,  # the client gives up by itself after 5 s
    ),
    phases=[
        Phase("start", lasts_s=2),  # the first leader: 0.6 s to 1.2 s after the servers have started, half of it before
        Phase("baseline", lasts_s=5),
        Phase("killed", lasts_s=10, faults=[faults.at(leader, faults.kill, "leader killed")]),
        Phase("back", lasts_s=6),
    ],
    variants=[
        Variant("fixed", {client: {"RAFT_RETRY": "off"}, **{one: {"RAFT_ELECTION": "fixed"} for one in servers}}),
        Variant("random", {client: {"RAFT_RETRY": "off"}}, unclaimed={"start": "there may be no leader yet"}),
        Variant("retry", {client: {"RAFT_RETRY": "on"}}),
    ],
    claims=[
        # An election takes 0.65 s and fails: a time-out of 0.6 s and the round trip of the pre-vote. The four ask for
        # votes within a few ms of one another, and a request is 25 ms under way. Here it took until the fifth came
        # back, out of step; 5 s are seven elections in vain.
        Claim("the same time-outs split every vote", "fixed", "killed", write_gap_s, at_least=5, control=True),
        # The first of four time-outs, 0.72 s on average, less the 0.05 s since the leader was last heard, and three
        # round trips (pre-vote, vote, the first entry): 0.8 s. A split vote costs as much again.
        Claim("random time-outs elect a leader", "random", "killed", write_gap_s, at_most=3),
        # 30/s x 0.5 s, the shortest time-out less a heartbeat, are 15 requests that the callers have to repeat.
        Claim("the gap is left to the callers", "random", "killed", metrics.requests_lost(), at_least=5),
        Claim("a client that retries waits it out", "retry", "killed", write_gap_s, at_most=3),
        # Each loses what the gap takes, at most 3 of the 10 s; who retries loses none, since the gap is shorter than
        # the client's 5 s. One in a hundred may meet a busy machine.
        Claim("without retries the gap is all that is lost", "random", "killed", success, at_least=0.7),
        Claim("with them next to nothing is", "retry", "killed", success, at_least=0.99),
        Claim("retry: clients wait for the first leader too", "retry", "start", success, at_least=0.99),
        # A request takes 60 ms, so at 30/s two of the baseline are in flight when the leader dies, and no client
        # retries: 2 of 150, and more than 6 in one run of two hundred.
        Claim("random: all but those in flight are served before", "random", "baseline", success, at_least=0.96),
        Claim("retry: all is served before", "retry", "baseline", success, at_least=0.99),
        # The server that comes back hears the leader within 0.1 s, in the term that it left: it disturbs none, with
        # pre-vote and without. Whom pre-vote restrains is a server that was cut off: `raft-partition` has that.
        Claim("random: all is served when the fifth is back", "random", "back", success, at_least=0.99),
        Claim("retry: all is served when the fifth is back", "retry", "back", success, at_least=0.99),
    ],
    invariants=[
        Invariant("every key is linearizable", checkers.ask("linearizable")),
        Invariant("at most one leader a term", checkers.ask("one_leader_a_term", readbacks=", ".join(NAMES))),
        Invariant("logs match", checkers.ask("log_matching", readbacks=", ".join(NAMES))),
        Invariant(
            "acknowledged writes persist, refused writes never apply",
            checkers.ask("acknowledged_stay", readbacks=", ".join(NAMES)),
        ),
    ],
    readbacks=[Readback(server.name, server, "/log") for server in servers],
    panels=[
        Panel(
            "Who leads", "max by (service) (raft_is_leader)", legend="{{service}}", values={0: "follows", 1: "leads"}
        ),
        Panel("Term", "max by (service) (raft_term)", legend="{{service}}"),
        Panel("Committed", "max by (service) (raft_commit_index)", legend="{{service}}"),
        Panel("Waiting clients", 'sum(http_server_active_requests{service="client"})', legend="requests"),
    ],
    idea=(
        "A Raft cluster has at most one leader a term. A server that has heard of none for an election time-out asks "
        "the others for their votes. A vote is given once a term, first come, first served. Servers that wake up "
        "together each vote for themselves, none has a majority, the term ends without a leader, and after another "
        "time-out they do it again. Random time-outs are all it takes: one server is first, by more than a message's "
        "way. With and without them is the Raft paper's own comparison (section 9.3, figure 16), repeated here. Until "
        "there is a leader no write succeeds. The client either hands on the error or retries, under a session and a "
        "sequence number, so that a write that arrives twice is applied once."
    ),
    predict=[
        "Four time-outs between 0.6 s and 1.2 s: when is the first of them over, on average?",
        "A vote takes a round trip of 50 ms, and a pre-vote before it another. How close may the second time-out come?",
        "Of the requests that were under way when the leader died, which may be asked again without harm?",
    ],
    look_at=[
        "`Term`: it climbs by one each 0.65 s in the control, and by one in all with random time-outs.",
        "Indeterminate writes: the checkers must allow each to have been applied or not.",
        "The wait of those that came in the gap: the client's retries turn errors into one slow second.",
    ],
    exercises=[
        Exercise("Draw the time-outs from 0.6 s to 0.65 s. How random is random enough?", "RAFT_ELECTION_HIGH_MS"),
        Exercise(
            "Let all servers stand side by side. Why do fixed time-outs work now, and for how long?", "distance_ms"
        ),
        Exercise("Halve all the times. What limits how far you can go?", "RAFT_HEARTBEAT_MS, RAFT_ELECTION_LOW_MS"),
    ],
)
