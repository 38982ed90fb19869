"""
Raft: power loss. All copies lose power at the same moment, again and again.

Five servers, 25 ms apart, keep a replicated map, each on a disk that forgets what was not synced. Three times all five
lose power and start again 0.8 s to 2.4 s later. Where they write term, vote and log without a sync, a kill would lose
nothing, and a power loss takes everything; where each syncs before it answers, all that was acknowledged is there.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.raft import PATIENT, Panels, between, outliving, servers, to_servers

success, stale_reads, write_gap_s = metrics.success_ratio(), metrics.stale_reads(), metrics.longest_gap_s("write")
commits = metrics.highest_rise(servers, "raft_commit_index")
# Machines do not boot at one pace, and two cores would not start five servers at once in less than 2 s either.
all_cut = [faults.power_loss(server, restart_after_s=0.8 + 0.4 * n) for n, server in enumerate(servers)]
CUTS = ("cut", "cut-again", "cut-thirdly")

scenario = Scenario(
    title="Raft: power loss",
    handbook=["7.5.1.1", "7.5.1"],
    question="Which writes outlive a power loss of all servers at once?",
    links=[*between(distance_ms=25), *to_servers],
    load=outliving(len(CUTS), ["baseline", *CUTS], forgets_in=["unsynced"], durable=["synced"]),
    settings=PATIENT,
    phases=[
        Phase("baseline", lasts_s=14),
        *(Phase(cut, lasts_s=7, faults=all_cut) for cut in CUTS),
        Phase("recovery", lasts_s=3),
    ],
    variants=[
        Variant("unsynced", {server: {"RAFT_FSYNC": False} for server in servers}),
        Variant("synced"),
    ],
    claims=[
        # 9 changes/s for 14 s are 126 entries, which are gone; those of this phase, 63, come after that, since
        # clients retry what they sent during the outage. The rest is 63, less three standard deviations of both.
        Claim("unsynced: the commit index falls", "unsynced", "cut", commits, at_most=-20, control=True),
        *(Claim(f"synced: the commit index rises ({cut})", "synced", cut, commits, at_least=5) for cut in CUTS),
        *(Claim(f"synced: no read is stale ({cut})", "synced", cut, stale_reads, at_most=0) for cut in CUTS),
        # The third of five, a majority, is dark for 1.6 s and starts in 0.5 s to 1 s; an election of 0.6 s to 1.2 s and
        # its three round trips: up to 4 s. A split vote costs as much as an election again.
        *(
            Claim(f"synced: the cluster recovers by itself ({cut})", "synced", cut, write_gap_s, at_most=6)
            for cut in CUTS
        ),
        # The client retries for 10 s.
        *(
            Claim(f"synced: requests succeed ({phase})", "synced", phase, success, at_least=0.99)
            for phase in ("baseline", *CUTS, "recovery")
        ),
        # A write waits for the round trip of 50 ms, and for two syncs, the leader's and a follower's.
        Claim(
            "the price: two syncs for each write",
            "synced",
            "baseline",
            metrics.p50_ms("write", of="ok"),
            at_most=1.5,
            of="unsynced",
            price=True,
        ),
    ],
    panels=[Panels.leads, Panels.term, Panels.committed, Panels.unsynced],
)
