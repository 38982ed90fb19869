"""
etcd: power loss. Is what etcd acknowledges still there when all of its members have lost power?

Three members of our Raft, with and without syncs, then three of etcd as it is shipped, 25 ms apart, each on a disk that
forgets what was not synced. Three times all members lose power at the same moment and start again.
"""

from functools import partial

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.raft_and_etcd import TIMING, Panels, client, etcd, links, members, ours, registers

success, stale_reads, write_gap_s = metrics.success_ratio(), metrics.stale_reads(), metrics.longest_gap_s("write")
write_p50_ms = metrics.p50_ms("write", of="ok")
commits = metrics.highest_rise(ours, "raft_commit_index")
# Machines do not boot at one pace, and two cores would not start three servers at once in less than 1 s either.
all_cut = [
    faults.at(role, partial(faults.power_loss, restart_after_s=0.8 + 0.4 * n), f"{role.name} loses power")
    for n, role in enumerate(members)
]
CUTS, DURABLE = ("cut", "cut-again", "cut-thirdly"), ("synced", "etcd")

scenario = Scenario(
    title="etcd: power loss",
    handbook=["7.5.1.1", "7.2.1.4"],
    question="Which writes that etcd acknowledged outlive a power loss of all its members at once?",
    links=links(distance_ms=25),
    load=registers(
        per_s=15, keys=3, read=4, write=4, cas=2, timeout_s=13, played_in=", ".join(CUTS), forgets_in=["unsynced"]
    ),
    settings={
        # An attempt is given up after 0.4 s, and the request after 10 s: longer than a restart and an election take.
        client: {"KV_TRY_S": 0.4, "KV_TIMEOUT_S": 10},
        **TIMING,
    },
    phases=[
        Phase("baseline", lasts_s=14),
        *(Phase(cut, lasts_s=6, faults=all_cut) for cut in CUTS),
        Phase("recovery", lasts_s=3),
    ],
    variants=[
        Variant("unsynced", {server: {"RAFT_FSYNC": False} for server in ours}, needs=ours),
        Variant("synced", needs=ours),
        Variant("etcd", needs=etcd),
    ],
    claims=[
        # 9 changes/s for 14 s are 126 entries, which are gone; those of this phase, 54, come after that, since clients
        # retry what they sent during the outage. The rest is 72, less three standard deviations of both.
        Claim("unsynced: the commit index falls", "unsynced", "cut", commits, at_most=-20, control=True),
        *(Claim(f"synced: the commit index rises ({cut})", "synced", cut, commits, at_least=5) for cut in CUTS),
        *(
            Claim(f"{variant}: no read is stale ({cut})", variant, cut, stale_reads, at_most=0)
            for variant in DURABLE
            for cut in CUTS
        ),
        # The second of three, a majority, is dark for 1.2 s and starts in 0.5 s to 1 s; an election of 0.5 s to 1.1 s
        # and its three round trips: up to 3.5 s. A split vote costs as much as an election again.
        *(
            Claim(f"{variant}: the cluster recovers by itself ({cut})", variant, cut, write_gap_s, at_most=5)
            for variant in DURABLE
            for cut in CUTS
        ),
        # The client retries for 10 s.
        *(
            Claim(f"{variant}: requests succeed ({phase})", variant, phase, success, at_least=0.99)
            for variant in DURABLE
            for phase in ("baseline", *CUTS, "recovery")
        ),
        # A write waits for the round trip of 50 ms and for two syncs, the leader's and a follower's.
        Claim("the price: two syncs", "synced", "baseline", write_p50_ms, at_most=1.5, of="unsynced", price=True),
    ],
    panels=[Panels.leads, Panels.committed, Panels.unsynced],
)
