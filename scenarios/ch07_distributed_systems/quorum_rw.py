"""
Quorums: how many replicas must a read and a write wait for, and what does each choice miss?

What one of three replicas and the others send each other comes 500 ms late. Later a writer is killed when its write has
reached one replica, its own. It comes back, and for the reads that follow it answers the others 50 ms late. R + W > N
makes reads current; read repair, or a read of all replicas, also makes them agree with one another.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.kv import Panels, between, clients_of_each_node, nodes

slow = [faults.latency(link, ms=500, delays="request") for link in between if nodes[2] in (link.caller, link.callee)]
stale, success, p50_ms, p99_ms = metrics.stale_reads(), metrics.success_ratio(), metrics.p50_ms, metrics.p99_ms
repairs_per_read = metrics.counter_quotient(nodes, "kv_repairs_total", per="kv_reads_total")

HELPED, WELL = ("r2-w2", "r1-w3", "r3-w1", "r2-w2-repair"), ("baseline", "far", "settled", "back", "reads")
SLOW, TWICE = (475, 650), (950, 1_300)  # at least, at most, in ms


def quorums(name: str, reads: int, writes: int, repair: str = "off", **more: str) -> Variant:
    """Each node with these quorums."""
    env: dict[str, str | int] = {"KV_READ_QUORUM": reads, "KV_WRITE_QUORUM": writes, "KV_READ_REPAIR": repair}
    return Variant(name, dict.fromkeys(nodes, env), unclaimed=more)


scenario = Scenario(
    title="Quorums of reads and writes",
    handbook=["7.1.1.4", "7.3.1"],
    question="Which reads are stale, and which requests wait for the slowest replica, by R and W?",
    links=between,
    load=clients_of_each_node(
        per_s=45,
        writes_in=["baseline", "far", "settled"],
        apart_in="killed",
        not_regular=["r1-w1"],
        not_linearizable=["r1-w1", "r2-w2", "r1-w3"],
    ),
    phases=[
        Phase("baseline", lasts_s=3),
        Phase("far", lasts_s=6, faults=slow),
        Phase("settled", lasts_s=2),
        Phase("killed", lasts_s=4, faults=[faults.kill(nodes[0], at="between-replicas", within_s=1.5)]),
        Phase("back", lasts_s=3),
        # The others' quorums are without the replica that has the write, that node's own reads are with it.
        Phase("reads", lasts_s=3, faults=[faults.latency(link, ms=50) for link in between if link.callee == nodes[0]]),
    ],
    variants=[
        quorums("r1-w1", 1, 1),
        quorums("r2-w2", 2, 2),
        quorums("r1-w3", 1, 3),
        quorums("r3-w1", 3, 1, killed="a read asks every replica, and one is dead: the price"),
        quorums("r2-w2-repair", 2, 2, "on"),
    ],
    claims=[
        # Arrivals take nodes and keys in turn, half are writes: the one before of a key came by the node before. So the
        # last write was another node's, and within 0.5 s, for 0.83 of the far node's reads, and the far one's for 0.42
        # of the others': 0.83 x 7.5/s + 0.42 x 15/s = 12.5/s, 69 in 5.5 s; more, since the far node's writes begin from
        # old versions and lose to older ones.
        Claim("reads are stale", "r1-w1", "far", stale, at_least=25, control=True),
        *(Claim(f"no stale read with {v}", v, "far", stale, at_most=0) for v in HELPED),
        *(Claim(f"{v}: requests succeed in {p}", v, p, success, at_least=0.98) for v in HELPED for p in WELL),
        # A third of the clients is the dead node's; the others find their two of three.
        *(Claim(f"{v}: two of three go on", v, "killed", success, at_least=0.6) for v in ("r2-w2", "r2-w2-repair")),
        Claim("r1-w3: reads go on", "r1-w3", "killed", metrics.success_ratio(operation="read"), at_least=0.6),
        # Two of three replicas are near, so two thirds of the requests wait for no slow one: some 5 ms.
        Claim("r2-w2: the median waits for no slow replica", "r2-w2", "far", p50_ms(of="ok"), at_most=100),
        # One way takes 500 ms more. The far clients' writes need it twice: for the versions, then for the copies.
        Claim("r1-w3: each write waits for the slowest", "r1-w3", "far", p50_ms("write", of="ok"), *SLOW, price=True),
        Claim("r3-w1: each read waits for the slowest", "r3-w1", "far", p50_ms("read", of="ok"), *SLOW, price=True),
        Claim("r2-w2: far writes wait twice", "r2-w2", "far", p99_ms(of="ok"), *TWICE, price=True),
        Claim("r3-w1: one dead replica ends reads", "r3-w1", "killed", success, at_most=0.3, price=True),
        # The far node's reads, a third, find the near replicas newer; where both answer at once, W have it and nothing
        # is written. The others' quorums are the two near replicas, which differ for some ms only: 0.33 at most.
        Claim("the price: reads that write", "r2-w2-repair", "far", repairs_per_read, at_most=0.6, price=True),
    ],
    panels=[Panels.waiting, Panels.calls, Panels.repairs],
)
