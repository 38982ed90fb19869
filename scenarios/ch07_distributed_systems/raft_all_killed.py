"""
Raft, all killed: what is left when all copies die at the same moment?

Five servers, 25 ms apart, keep a replicated map. Twice all five are killed with SIGKILL and started again a second
later. Where they keep term, vote and log in memory, as if five copies were durable enough, acknowledged writes are
gone; where each syncs them to its disk before it answers, all are there. Before that, answers come so late that the
client repeats many of its attempts: a write that arrives three times is applied once.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.raft import PATIENT, Panels, between, client, outliving, servers, to_servers

success, stale_reads, write_gap_s = metrics.success_ratio(), metrics.stale_reads(), metrics.longest_gap_s("write")
attempts = metrics.counter_increase(client, "http_client_request_duration_seconds_count")
commits = metrics.highest_rise(servers, "raft_commit_index")
all_killed = [faults.kill(server, restart_after_s=1.0) for server in servers]

scenario = Scenario(
    title="Raft: all killed",
    handbook=["7.5.1.1", "7.5.1"],
    question="Which writes outlive the death of all servers at once?",
    links=[*between(distance_ms=25), *to_servers],
    load=outliving(2, ["baseline", "late", "killed", "killed-again"], forgets_in=["memory"], durable=["disk"]),
    settings=PATIENT,
    phases=[
        Phase("baseline", lasts_s=7),
        # A commit takes 50 ms, and the answer 150 ms to 450 ms more: a third of all attempts at the leader is given up.
        Phase("late", lasts_s=10, faults=[faults.latency(link, ms=300, jitter_ms=150) for link in to_servers]),
        Phase("between", lasts_s=3),
        Phase("killed", lasts_s=7, faults=all_killed),
        Phase("killed-again", lasts_s=7, faults=all_killed),
        Phase("recovery", lasts_s=3),
    ],
    variants=[
        Variant("memory", {server: {"RAFT_STORAGE": "memory"} for server in servers}),
        Variant("disk"),
    ],
    claims=[
        # 9 changes/s for 20 s, some of them repeated, are 180 entries or more, which are gone; those of this phase, 63
        # or so, come after that.
        Claim("memory: the commit index falls", "memory", "killed", commits, at_most=-50, control=True),
        Claim("disk: the commit index rises", "disk", "killed", commits, at_least=30),
        Claim("disk: no read is stale after the first restart", "disk", "killed", stale_reads, at_most=0),
        Claim("disk: no read is stale after the second restart", "disk", "killed-again", stale_reads, at_most=0),
        # 1 s until the start, 2 s for five starts on two cores, an election of 0.6 s to 1.2 s and its three round
        # trips: up to 4.4 s. A split vote costs as much as an election again.
        Claim("disk: five starts and an election, then writes go on", "disk", "killed", write_gap_s, at_most=6),
        # Two of three attempts at the leader succeed, and the next one begins 1 s later at most: 10 s are ten of them.
        Claim("disk: requests succeed in baseline", "disk", "baseline", success, at_least=0.99),
        Claim("disk: requests succeed in late", "disk", "late", success, at_least=0.99),
        Claim("disk: requests succeed in between", "disk", "between", success, at_least=0.99),
        Claim("disk: requests succeed in killed", "disk", "killed", success, at_least=0.99),
        Claim("disk: requests succeed in killed-again", "disk", "killed-again", success, at_least=0.99),
        Claim("disk: requests succeed in recovery", "disk", "recovery", success, at_least=0.99),
        # 150 requests, give or take 12, are one call each if all answers come in time, and nearly twice as many by the
        # shares above: a third is repeated, and mostly asks a follower on the way.
        Claim("disk: attempts are repeated", "disk", "late", attempts, at_least=200),
        # A write waits for the round trip of 50 ms, and for two syncs, the leader's and a follower's.
        Claim(
            "the price: two syncs for each write",
            "disk",
            "baseline",
            metrics.p50_ms("write", of="ok"),
            at_most=1.5,
            of="memory",
            price=True,
        ),
    ],
    panels=[Panels.leads, Panels.term, Panels.committed, Panels.waiting],
)
