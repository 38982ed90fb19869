"""
Raft, the network cut: what may a server answer that has lost the others?

The leader and one follower are cut off from three servers, which elect a leader of their own. Later the leader can
send but not receive. A read from any server gets values that were overwritten long ago; a read for which the leader
asks a majority first (ReadIndex) gets the latest or none.
"""

from lab import Claim, Phase, Scenario, Service, Variant, faults, metrics
from scenarios.systems.raft import Panels, between, client, leader, registers, servers, to_servers

links = between(distance_ms=10)


def cut_off(leader: Service) -> faults.partition:
    """The leader and a follower on one side, three servers on the other."""
    few = [leader, servers[servers.index(leader) - 1]]
    return faults.partition(few, [server for server in servers if server not in few], links)


def deafen(leader: Service) -> faults.partition:
    """Whatever the others send to the leader, requests and answers, is lost."""
    return faults.partition([server for server in servers if server != leader], [leader], links, one_way=True)


stale_reads, write_gap_s = metrics.stale_reads(), metrics.longest_gap_s("write")
success, terms_begun = metrics.success_ratio(), metrics.highest_rise(servers, "raft_term")

scenario = Scenario(
    title="Raft: the network cut",
    handbook=["7.5.1.2", "7.5.1.3", "7.1.1.1"],
    question="What may a partitioned server safely answer?",
    links=[*links, *to_servers],
    load=registers(
        per_s=30,
        keys=5,
        stale_in=["stale"],
        played_in="baseline, minority, healed, recovery",
        terms=3,  # the first leader's, that of the majority's, and that of the one that follows the deaf
    ),
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
        Claim("a replaced leader's reads are stale", "stale", "deaf", stale_reads, at_least=12, control=True),
        Claim("read index: no stale read in the minority", "read-index", "minority", stale_reads, at_most=0),
        Claim("read index: no stale read from the deaf leader", "read-index", "deaf", stale_reads, at_most=0),
        # A timeout of 0.6 s to 1.2 s, then the election; a split vote costs as much again.
        Claim("the majority goes on", "read-index", "minority", write_gap_s, at_most=3),
        # The deaf leader goes on for 1.2 s until it notices that no majority answers (check quorum); only then do the
        # others miss it, for 0.6 s to 1.2 s. A split vote costs as much again.
        Claim("a deaf leader steps down", "read-index", "deaf", write_gap_s, at_most=4),
        # All wait for the next leader, none fails: that takes less than the client's 5 s. One in a hundred may meet a
        # busy machine.
        Claim("requests succeed in baseline", "read-index", "baseline", success, at_least=0.99),
        Claim("requests succeed in minority", "read-index", "minority", success, at_least=0.99),
        Claim("requests succeed in healed", "read-index", "healed", success, at_least=0.99),
        Claim("requests succeed in deaf", "read-index", "deaf", success, at_least=0.99),
        Claim("requests succeed in recovery", "read-index", "recovery", success, at_least=0.99),
        # The two that were cut off have asked for pre-votes for 9 s and got none, so their term has not grown. Without
        # pre-vote each of their elections raises it, some ten in the cut: on their return the leader steps down before
        # a higher term, and another election follows. All five tell their terms; one begun is one too many.
        Claim("a rejoin starts no election", "read-index", "healed", terms_begun, at_most=0),
        # The leader asks the others, 10 ms there and 10 ms back. Without that a read takes 2 ms here.
        Claim(
            "the price: a round trip for each read",
            "read-index",
            "baseline",
            metrics.p50_ms("read", of="ok"),
            at_least=20,
            price=True,
        ),
    ],
    panels=[Panels.leads, Panels.term, Panels.applied, Panels.waiting],
)
