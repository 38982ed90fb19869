"""
Raft, the network cut: what may a server answer that has lost the others?

The leader and one follower are cut off from three servers, which elect a leader of their own. Later the leader can
send but not receive. A read from any server gets values that were overwritten long ago; a read for which the leader
asks a majority first (ReadIndex) gets the latest or none.
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
client = Service("client", CLUSTER, module="raft")  # reaches everybody, has a session, and asks again
between = [Link(one, other, distance_ms=10) for one, other in permutations(servers, 2)]
leader = Role("leader", servers, gauge="raft_is_leader")


def cut_off(leader: Service) -> faults.partition:
    """The leader and a follower on one side, three servers on the other."""
    few = [leader, servers[servers.index(leader) - 1]]
    return faults.partition(few, [server for server in servers if server not in few], between)


def deafen(leader: Service) -> faults.partition:
    """Whatever the others send to the leader, requests and answers, is lost."""
    return faults.partition([server for server in servers if server != leader], [leader], between, one_way=True)


stale_reads, write_gap_s = metrics.stale_reads(), metrics.longest_gap_s("write")
success, terms_begun = metrics.success_ratio(), metrics.highest_rise(servers, "raft_term")

scenario = Scenario(
    title="Raft: the network cut",
    handbook=["7.5.1.2", "7.5.1.3", "7.1.1.1"],
    question="What may a partitioned server safely answer?",
    links=[*between, *(Link(client, server) for server in servers)],
    load=Load(workloads.registers(keys=5), to=client, per_s=30, arrivals="poisson", timeout_s=8),
    phases=[
        Phase("baseline", lasts_s=5),
        Phase("minority", lasts_s=9, faults=[faults.at(leader, cut_off, "leader + 1 | 3 others")]),
        Phase("healed", lasts_s=5),
        Phase("deaf", lasts_s=9, faults=[faults.at(leader, deafen, "4 others -x> leader")]),
        Phase("recovery", lasts_s=5),
    ],
    variants=[
        Variant("stale", {client: {"RAFT_READS": "stale"}}),
        Variant("read-index", {client: {"RAFT_READS": "read-index"}}),
    ],
    claims=[
        # 15 reads/s, 2 of 5 by the minority: 50 in the 8 s after the others have elected a leader and written.
        Claim("minority reads are stale", "stale", "minority", stale_reads, at_least=15, control=True),
        # One server in five: 20 in the 7 s after it has been replaced. Without any fault a follower is behind by what
        # is on its way to it: 3 or 4 in as long a time.
        Claim("so does a leader that was replaced", "stale", "deaf", stale_reads, at_least=12, control=True),
        Claim("read index: nothing old in the minority", "read-index", "minority", stale_reads, at_most=0),
        Claim("read index: nothing old from the deaf", "read-index", "deaf", stale_reads, at_most=0),
        # A time-out of 0.6 s to 1.2 s, then the election; a split vote costs as much again.
        Claim("the majority goes on", "read-index", "minority", write_gap_s, at_most=3),
        # The deaf leader goes on for 1.2 s until it notices that nobody answers (check quorum); only then do the
        # others miss it, for 0.6 s to 1.2 s. A split vote costs as much again.
        Claim("a deaf leader steps down", "read-index", "deaf", write_gap_s, at_most=4),
        # All wait for the next leader, none fails: that takes less than the client's 5 s. One in a hundred may meet a
        # busy machine.
        Claim("all is served before", "read-index", "baseline", success, at_least=0.99),
        Claim("no request fails in the cut", "read-index", "minority", success, at_least=0.99),
        Claim("nor when it heals", "read-index", "healed", success, at_least=0.99),
        Claim("nor while the leader is deaf", "read-index", "deaf", success, at_least=0.99),
        Claim("nor when it hears again", "read-index", "recovery", success, at_least=0.99),
        # The two that were cut off have asked for pre-votes for 9 s and got none, so their term has not grown. Without
        # pre-vote each of their elections raises it, some ten in the cut: on their return the leader steps down before
        # a higher term, and another election follows. All five tell their terms; one begun is one too many.
        Claim("those who return disturb nobody", "read-index", "healed", terms_begun, at_most=0),
        # The leader asks the others, 10 ms there and 10 ms back. Without that a read takes 2 ms here.
        Claim(
            "the price: a round trip for each read",
            "read-index",
            "baseline",
            metrics.p50_ms("read", of="ok"),
            at_least=20,
        ),
    ],
    invariants=[
        Invariant("every key is linearizable", checkers.ask("linearizable"), broken_in=["stale"]),
        # The first leader, that of the majority, and the one that follows the deaf: three terms with a leader.
        Invariant("at most one leader a term", checkers.ask("one_leader_a_term", readbacks=", ".join(NAMES), least=3)),
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
        Panel("Applied", "max by (service) (raft_last_applied)", legend="{{service}}"),
        Panel("Waiting clients", 'sum(http_server_active_requests{service="client"})', legend="requests"),
    ],
    idea=(
        "A leader that is cut off can suspect it: no majority answers, and after 1.2 s it steps down (check quorum). "
        "What it cannot know is whether the others have elected another meanwhile, with new values. What it may still "
        "do follows from quorums: it cannot commit, since any two majorities share a server, so no acknowledged write "
        "is ever lost. But it can answer reads from what it holds, and these are of the past. ReadIndex closes that "
        "door: a leader that has committed an entry of its own term notes its commit index, makes sure by one round "
        "of heartbeats that it still leads, waits until it has applied that far, and only then reads. The price is "
        "that round trip, and that a minority answers nothing. Followers that answer by themselves are behind "
        "without any fault, by the entries that are on their way."
    ),
    predict=[
        "Reads go to five servers in turn, two of which are in the minority. What share of all reads is stale?",
        "The deaf leader's heartbeats arrive. How long do the others follow it, and what ends that?",
        "Which invariants does the control break, and which does it keep all the same?",
    ],
    look_at=[
        "The anomalies: the few operations of a key that have no order, a read that goes back in time among them.",
        "`Applied`: which servers stand still in the cut, and how fast they catch up when it heals.",
        "`Who leads`: for a moment there are two, in different terms. Who of them could commit?",
    ],
    exercises=[
        Exercise("Cut the leader off alone, with nobody. What changes for reads, what for writes?", "cut_off"),
        Exercise("Let the others be deaf to the leader instead. Which is noticed sooner, and why?", "one_way"),
        Exercise("Move the servers further apart. Who pays for ReadIndex, and for what else?", "distance_ms"),
    ],
)
