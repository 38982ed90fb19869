"""
Raft, all killed: what is left when all copies die at the same moment?

Five servers, 25 ms apart, keep a replicated map. Twice all five are killed with SIGKILL and started again a second
later. Where they keep term, vote and log in memory, as if five copies were durable enough, acknowledged writes are
gone; where each syncs them to its disk before it answers, all are there. Before that, answers come so late that the
client repeats many of its attempts: a write that arrives three times is applied once.
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
# Gives an attempt up after 0.4 s, and the request after 10 s: longer than it takes five servers to start and elect.
client = Service("client", {**CLUSTER, "RAFT_TRY_S": 0.4, "RAFT_CLIENT_TIMEOUT_S": 10}, module="raft")
to_servers = [Link(client, server) for server in servers]
PLAYED = "baseline, late, killed, killed-again"

success, stale_reads, write_gap_s = metrics.success_ratio(), metrics.stale_reads(), metrics.longest_gap_s("write")
attempts = metrics.counter_increase(client, "http_client_request_duration_seconds_count")
commits = metrics.highest_rise(servers, "raft_commit_index")
all_killed = [faults.kill(server, restart_after_s=1.0) for server in servers]

scenario = Scenario(
    title="Raft: all killed",
    handbook=["7.5.1.1", "7.5.1"],
    question="Which writes outlive the death of all servers at once?",
    links=[*(Link(one, other, distance_ms=25) for one, other in permutations(servers, 2)), *to_servers],
    load=Load(
        workloads.registers(keys=3, read=4, write=4, cas=2),
        to=client,
        per_s=15,
        arrivals="poisson",
        timeout_s=13,  # the client gives up by itself after 10 s
    ),
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
        Claim("disk: it rises", "disk", "killed", commits, at_least=30),
        Claim("disk: all of it is there", "disk", "killed", stale_reads, at_most=0),
        Claim("disk: and there again", "disk", "killed-again", stale_reads, at_most=0),
        # 1 s until the start, 2 s for five starts on two cores, an election of 0.6 s to 1.2 s and its three round
        # trips: up to 4.4 s. A split vote costs as much as an election again.
        Claim("disk: five starts and an election, then writes go on", "disk", "killed", write_gap_s, at_most=6),
        # Two of three attempts at the leader succeed, and the next one begins 1 s later at most: 10 s are ten of them.
        Claim("disk: all is served before", "disk", "baseline", success, at_least=0.99),
        Claim("disk: late answers fail no request", "disk", "late", success, at_least=0.99),
        Claim("disk: nor do they afterwards", "disk", "between", success, at_least=0.99),
        Claim("disk: clients wait out the death of all", "disk", "killed", success, at_least=0.99),
        Claim("disk: and the second", "disk", "killed-again", success, at_least=0.99),
        Claim("disk: all is served in the end", "disk", "recovery", success, at_least=0.99),
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
        ),
    ],
    invariants=[
        Invariant(
            "every key is linearizable", checkers.ask("linearizable", played_in=PLAYED, least=10), broken_in=["memory"]
        ),
        Invariant(
            "acknowledged writes persist, refused writes never apply",
            checkers.ask("acknowledged_stay", readbacks=", ".join(NAMES), played_in=PLAYED, least=10),
            broken_in=["memory"],
        ),
        # The first leader, and one after each death of all. What members without a disk have forgotten they cannot
        # tell: there a term may well have had two leaders.
        Invariant(
            "at most one leader a term",
            checkers.ask("one_leader_a_term", readbacks=", ".join(NAMES), least=3),
            variants=["disk"],
        ),
        Invariant("logs match", checkers.ask("log_matching", readbacks=", ".join(NAMES), least=50), variants=["disk"]),
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
        "Five copies in memory outlive the death of any two, so it is tempting to leave the disk out. A power cut, a "
        "bad release or an exhausted host kills all five. Raft therefore has each server keep its term, its vote and "
        "its log on stable storage before it answers (figure 2 of the paper). After the restart a term has at most "
        "one leader, since none has forgotten its vote, and every later leader has every acknowledged entry. The "
        "table of sessions is rebuilt from the log, so that a write that the client repeats after all this is still "
        "applied once. SIGKILL ends processes and not the machine: the page cache stays, so a server that writes and "
        "never syncs passes here. A power cut shows that, which the tests do on a disk in memory that loses what was "
        "not synced. A lost vote alone, with the term kept, and an entry of an earlier term committed by counting "
        "(figure 8) take a crash at a moment that no signal from outside hits: the simulation of the tests has them."
    ),
    predict=[
        "All five are gone for one second. When is the first write acknowledged again, and what takes longest?",
        "An attempt is given up after 0.4 s. How often does a write arrive in `late`, and how often is it applied?",
        "What must be on disk before a server answers a vote, and what before it answers an entry?",
    ],
    look_at=[
        "`Term`: with disks it goes on from where it was, in memory it begins at 1 again.",
        "`Committed`: where it falls, acknowledged writes are gone.",
        "The waits in baseline, `memory` against `disk`: what two syncs cost.",
    ],
    exercises=[
        Exercise("Kill four of five. What does the fifth keep in memory, and who believes it?", "all_killed"),
        Exercise("Make attempts longer than any answer takes. What is left of the repetitions?", "RAFT_TRY_S"),
        Exercise("Which of the guarantees would hold if only the log were synced, and not term and vote?", ""),
    ],
)
