"""
CAP, measured: two of five nodes are cut off from three, and clients on both sides go on.

Last-writer-wins nodes answer by themselves and gossip when they can: available on both sides, and not linearizable. The
members of our Raft ask a majority: linearizable, and the two refuse. Without a partition, Raft still waits for a
majority and gossip does not (PACELC).
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.kv_local import Panels, between, nodes_of, registers

nodes = nodes_of(5)
links = between(nodes, distance_ms=10)
few, most = nodes[:2], nodes[2:]
success, stale_reads, p50_ms = metrics.success_ratio(), metrics.stale_reads(), metrics.p50_ms(of="ok")
of_kv = {"http_route": "/kv/{key}", "http_response_status_code": "200"}
answered = metrics.counter_increase(few, "http_server_request_duration_seconds_count", **of_kv)


def mode(name: str, kv_mode: str) -> Variant:
    """Every node in this mode."""
    return Variant(name, {node: {"KV_MODE": kv_mode} for node in nodes})


scenario = Scenario(
    title="CAP, measured",
    handbook=["7.1.1", "7.1.1.2", "7.1.1.3", "7.1.1.1"],
    question="What do clients on both sides of a partition get: an answer, or the right one?",
    links=links,
    load=registers(nodes, per_s=40, stale_in=["ap"], equal_in=["ap"]),
    # The two wait longer for a leader, so that the first one is of the three and the cut costs no election.
    settings={node: {"KV_ELECTION_LOW_MS": 1_500} for node in few},
    phases=[
        Phase("baseline", lasts_s=5),
        Phase("cut", lasts_s=8, faults=[faults.partition(few, most, links)]),
        Phase("healed", lasts_s=5),
    ],
    variants=[mode("ap", "last-writer-wins"), mode("cp", "raft")],
    claims=[
        # Arrivals take nodes and keys in turn: the one before of a key came by the next node, and half are writes. So
        # the latest write is the other side's for 0.68 of the 8 reads/s of the two nodes and 0.45 of the 12 of the
        # three: 10.8/s, 87 in 8 s. In health a change takes 10 ms, and a key's arrivals are 0.1 s apart: next to none.
        Claim("AP: answers are stale", "ap", "cut", stale_reads, at_least=35, control=True),
        Claim("AP: both sides answer", "ap", "cut", success, at_least=0.99),
        Claim("CP: no answer is stale", "cp", "cut", stale_reads, at_most=0),
        # Each fifth arrival is for each node: three fifths are answered, and those of the minority's last 2 s, which
        # still wait when the cut heals: 0.6 + 0.4 x 2/8 = 0.7.
        Claim("CP: the majority goes on", "cp", "cut", success, at_least=0.57),
        Claim("the price of C: the minority refuses", "cp", "cut", success, at_most=0.74, price=True),
        # 128 are due there. Some 8 come before all 24 toxics are in, 0.5 s after the phase began.
        Claim("CP: the minority answers nothing", "cp", "cut", answered, at_most=20),
        Claim("CP: requests succeed in baseline", "cp", "baseline", success, at_least=0.98),
        Claim("CP: requests succeed in healed", "cp", "healed", success, at_least=0.97),
        # No node is asked: some 3 ms. By Raft four clients of five ask a leader 10 ms away, and it a majority: 40 ms.
        Claim("else: AP answers at once", "ap", "baseline", p50_ms, at_most=15),
        Claim("the price of C without a partition: two round trips", "cp", "baseline", p50_ms, at_least=38, price=True),
    ],
    panels=[Panels.waiting, Panels.calls, Panels.leads],
)
