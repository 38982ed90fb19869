"""
Raft against etcd: is ours as quick to elect a leader as the one that many run?

Three members of our own Raft, then three of etcd, 10 ms apart, draw their timeouts from the same range and get the
same load and the same fault: seven times the leader is killed with SIGKILL, and comes back 2 s later. The control is
ours with timeouts twice as long.
"""

from lab import Backing, Claim, Phase, Scenario, Service, Variant, faults, metrics
from scenarios.systems.raft_and_etcd import TIMING, Panels, client, etcd, leader, links, ours, registers

# The control draws from twice as much as the others: raft_and_etcd.TIMING.
PATIENT = {"RAFT_ELECTION_LOW_MS": 1_000, "RAFT_ELECTION_HIGH_MS": 2_200}
KILLS = [f"kill-{n}" for n in range(1, 8)]
median_gap_s, success = metrics.median_gap_s("write", over=", ".join(KILLS)), metrics.success_ratio()


def killed(member: Service | Backing) -> faults.kill:
    """Dead for longer than an election takes, and back and caught up before the next."""
    return faults.kill(member, restart_after_s=2.0)


def served(variant: str) -> list[Claim]:
    """All wait, none fails: a gap is shorter than the client's 5 s. One in a hundred may meet a busy machine."""
    before = Claim(f"{variant}: requests succeed in baseline", variant, "baseline", success, at_least=0.99)
    after = Claim(f"{variant}: requests succeed in recovery", variant, "recovery", success, at_least=0.99)
    through = [Claim(f"{variant}: requests succeed in {kill}", variant, kill, success, at_least=0.99) for kill in KILLS]
    return [before, *through, after]


scenario = Scenario(
    title="Raft against etcd",
    handbook=["7.5.1.1", "7.5.1"],
    question="When the leader dies, is our Raft as soon able to write again as etcd?",
    links=links(distance_ms=10),
    load=registers(
        per_s=40,
        keys=5,
        read=3,
        write=6,
        cas=1,
        timeout_s=8,  # the client gives up by itself after 5 s
        played_in=", ".join(KILLS),  # some 70 answers in each say what a key held
    ),
    # A member that was killed in a container has no address any more, so an attempt there ends when it is given up, not
    # at once. 0.4 s are many times what a write takes, and less than an election.
    settings={**TIMING, client: {"KV_TRY_S": 0.4}},
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
        # A gap is the first of two timeouts (0.7 s on average), less the 0.05 s since the leader was last heard, three
        # round trips of 20 ms, and the time until a client asks again, with 24 writes/s 0.05 s: 0.75 s, and 1.4 s with
        # twice the timeouts. A split vote, one election in forty, costs a timeout more. By simulation the median of
        # seven draws is above 1.1 s once in a thousand runs, and below it with twice the timeouts once in sixty.
        Claim("twice the timeouts make a longer gap", "patient", KILLS[-1], median_gap_s, at_least=1.1, control=True),
        Claim("etcd soon has a leader again", "etcd", KILLS[-1], median_gap_s, at_most=1.1),
        Claim("ours soon has a leader again", "ours", KILLS[-1], median_gap_s, at_most=1.1),
        # Of two medians that draw alike one is 1.5 times the other in one run of 700; twice the timeouts make it 1.85
        # times, and pass in one run of seventeen, which the bound above then stops.
        Claim("ours elects as fast as etcd, chance apart", "ours", KILLS[-1], median_gap_s, at_most=1.5, of="etcd"),
        *served("ours"),
        *served("etcd"),
    ],
    panels=[Panels.leads, Panels.committed, Panels.waiting],
)
