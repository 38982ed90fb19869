"""
Raft against etcd: is ours as quick to elect a leader as the one that many run?

Three members of our own Raft, then three of etcd, 10 ms apart, draw their time-outs from the same range and get the
same load and the same fault: seven times the leader is killed with SIGKILL, and comes back 2 s later. The control is
ours with time-outs twice as long.
"""

from itertools import permutations

from lab import (
    Backing,
    Claim,
    Exercise,
    Invariant,
    Link,
    Load,
    Panel,
    Peers,
    Phase,
    Role,
    Scenario,
    Service,
    Variant,
    checkers,
    faults,
    metrics,
    workloads,
)

# A leader speaks every 0.1 s. Asked for 0.6 s, etcd draws 6 to 11 ticks of 0.1 s, of which the first may be nearly
# over: 0.5 s to 1.1 s. Ours draws from there; the control from twice as much.
TIMING = {"RAFT_HEARTBEAT_MS": 100, "RAFT_ELECTION_LOW_MS": 500, "RAFT_ELECTION_HIGH_MS": 1_100}
PATIENT = {"RAFT_ELECTION_LOW_MS": 1_000, "RAFT_ELECTION_HIGH_MS": 2_200}
ETCD = {"HEARTBEAT_INTERVAL": 100, "ELECTION_TIMEOUT": 600, "PRE_VOTE": True}
ours = [Service(f"raft-{n}", {"RAFT_PEERS": "raft-1,raft-2,raft-3", **TIMING}, module="raft") for n in (1, 2, 3)]
etcd = [Backing("etcd", f"etcd-{n}", ETCD) for n in (1, 2, 3)]
client = Service("client", module="kv_client")  # speaks to whichever cluster is there, and retries
leader = Role("leader", [*ours, *etcd], gauge=["raft_is_leader", "etcd_server_is_leader"])
KILLS = [f"kill-{n}" for n in range(1, 8)]
median_gap_s, success = metrics.median_gap_s("write", over=", ".join(KILLS)), metrics.success_ratio()


def killed(member: Service | Backing) -> faults.kill:
    """Dead for longer than an election takes, and back and caught up before the next."""
    return faults.kill(member, restart_after_s=2.0)


def served(variant: str) -> list[Claim]:
    """All wait, none fails: a gap is shorter than the client's 5 s. One in a hundred may meet a busy machine."""
    before = Claim(f"{variant}: all is served before", variant, "baseline", success, at_least=0.99)
    after = Claim(f"{variant}: all is served after", variant, "recovery", success, at_least=0.99)
    through = [Claim(f"{variant}: clients wait out {kill}", variant, kill, success, at_least=0.99) for kill in KILLS]
    return [before, *through, after]


scenario = Scenario(
    title="Raft against etcd",
    handbook=["7.5.1.1", "7.5.1"],
    question="When the leader dies, is our Raft as soon able to write again as etcd?",
    links=[
        *(Link(one, other, distance_ms=10) for one, other in permutations(ours, 2)),
        *(Link(Peers(), member, distance_ms=10) for member in etcd),
        *(Link(client, member) for member in ours),
        *(Link(client, member) for member in etcd),
    ],
    load=Load(
        workloads.registers(keys=5, read=3, write=6, cas=1),
        to=client,
        per_s=40,
        arrivals="poisson",
        timeout_s=8,  # the client gives up by itself after 5 s
    ),
    phases=[
        Phase("baseline", lasts_s=4),
        *(Phase(kill, lasts_s=4.5, faults=[faults.at(leader, killed, "leader killed")]) for kill in KILLS),
        Phase("recovery", lasts_s=3),
    ],
    variants=[
        Variant("patient", dict.fromkeys(ours, PATIENT), needs=ours),
        Variant("ours", needs=ours),
        Variant("etcd", needs=etcd),
    ],
    claims=[
        # A gap is the first of two time-outs (0.7 s on average), less the 0.05 s since the leader was last heard, three
        # round trips of 20 ms, and the time until a client asks again, with 24 writes/s 0.05 s: 0.75 s, and 1.4 s with
        # twice the time-outs. A split vote, one election in forty, costs a time-out more. By simulation the median of
        # seven draws is above 1.1 s once in a thousand runs, and below it with twice the time-outs once in sixty.
        Claim("twice the time-outs make a long gap", "patient", KILLS[-1], median_gap_s, at_least=1.1, control=True),
        Claim("etcd soon has a leader again", "etcd", KILLS[-1], median_gap_s, at_most=1.1),
        Claim("so has ours", "ours", KILLS[-1], median_gap_s, at_most=1.1),
        # Of two medians that draw alike one is 1.5 times the other in one run of 700; twice the time-outs make it 1.85
        # times, and pass in one run of seventeen, which the bound above then stops.
        Claim("chance apart, ours is as quick at it as etcd", "ours", KILLS[-1], median_gap_s, at_most=1.5, of="etcd"),
        *served("ours"),
        *served("etcd"),
    ],
    # Some 70 answers in each kill say what a key held.
    invariants=[
        Invariant("every key is linearizable", checkers.ask("linearizable", played_in=", ".join(KILLS), least=20))
    ],
    panels=[
        Panel(
            "Who leads",
            "max by (service) (raft_is_leader or etcd_server_is_leader)",
            legend="{{service}}",
            values={0: "follows", 1: "leads"},
        ),
        Panel(
            "Committed",
            "max by (service) (raft_commit_index or etcd_server_proposals_committed_total)",
            legend="{{service}}",
        ),
        Panel("Waiting clients", 'sum(http_server_active_requests{service="client"})', legend="requests"),
    ],
    idea=(
        "etcd is Raft as many run it, so it is the yardstick for a Raft of one's own. How long no write succeeds after "
        "the leader's death is mostly the election time-out, and that is a setting: a comparison of two systems sets "
        "it alike, or compares the settings. Here both draw from 0.5 s to 1.1 s, for which etcd has to be asked for "
        "0.6 s. The distances, the load, the fault, the client's limits and the checker are the same. A single "
        "election is mostly chance, so the leader is killed seven times and the medians are compared. Not alike: etcd "
        "counts its time-out in whole heartbeats, ours in any fraction; each pair of our members has a proxy each "
        "way, an etcd member one for all who call it; an etcd follower passes a request on, our client finds the "
        "leader; etcd has no sessions, so each write to it also writes a mark, which a retry looks for; and it is Go, "
        "asked in JSON, where ours is Python. Timers are what is compared here. Raft implementations also differ in "
        "the latency of a sync, throughput and recovery, which this experiment does not measure."
    ),
    predict=[
        "Two members are left, each waits 0.5 s to 1.1 s: when is the first of them done, on average?",
        "etcd draws 6 to 11 heartbeats. How often do two members draw the same, and must they then split the vote?",
        "Which of the differences above could be seen in the write gap, and which only in the wait of each write?",
    ],
    look_at=[
        "`Committed`: each flat piece is a gap. Where it begins anew, the slope is steep: those who waited.",
        "The waits in baseline: one round trip to a majority, and another where an etcd follower was asked.",
        "The slowest requests of a kill: SIGKILL closes the leader's connections, so that what it had taken itself "
        "ends at once; a write that an etcd follower had passed on to it is given up after 1 s.",
    ],
    exercises=[
        Exercise("Give etcd the defaults, 1 s. Which of the two is the better Raft now?", "ELECTION_TIMEOUT"),
        Exercise(
            "Kill the leader once. How often does the comparison then say which has the longer time-outs?", "KILLS"
        ),
        Exercise("Give each attempt up after 0.2 s. Whose clients wait less, and what do the members pay?", "KV_TRY_S"),
    ],
)
