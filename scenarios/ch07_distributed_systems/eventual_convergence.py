"""
Eventual convergence: one of three nodes is cut off, all go on, and in the end they are equal. What was lost?

Clients add to sets, remove from them and count. Each set and counter is one last-writer-wins register, or a CRDT. The
clock of one node is 10 s ahead. Changes lost in the cut arrive later by anti-entropy, or never.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.kv_local import Panels, between, nodes_of, sets_and_counters

nodes = nodes_of(3)
links = between(nodes, distance_ms=0)
success = metrics.success_ratio()
# Of the adds that were due in the phase, the share that the second node has in the end. A tenth is removed again.
kept = metrics.listed_ratio(nodes[1].name, at="members", operation="add")
size = metrics.gauge_max(nodes[1], "kv_state_bytes")
PHASES = ("baseline", "cut", "healed")


def mode(name: str, kv_mode: str, **env: str | int) -> Variant:
    """Every node in this mode."""
    return Variant(name, {node: {"KV_MODE": kv_mode, **env} for node in nodes})


scenario = Scenario(
    title="Eventual convergence",
    handbook=["7.3.1.3", "7.3.1.2", "7.3.1.1"],
    question="Replicas are equal after a partition: what was lost on the way?",
    links=links,
    load=sets_and_counters(nodes, per_s=40, loses_in=["lww", "lww-wall", "broadcast"], apart_in=["broadcast"]),
    settings={nodes[2]: {"KV_CLOCK_AHEAD_S": 10}},
    phases=[
        Phase("baseline", lasts_s=7),
        Phase("cut", lasts_s=6, faults=[faults.partition(nodes[:1], nodes[1:], links)]),
        Phase("healed", lasts_s=4),
    ],
    variants=[
        mode("lww", "last-writer-wins"),
        mode("lww-wall", "last-writer-wins", KV_CLOCK="wall"),
        mode("broadcast", "crdt", KV_GOSSIP_MS=0),
        mode("crdt", "crdt"),
    ],
    claims=[
        # The stamps of the node that is cut off stay where they were, 10 s ahead; those of the others follow the clock
        # that is ahead. So their side wins every set, and the third of the adds that came by the one is lost: 0.62.
        Claim("one side's adds are lost", "lww", "cut", kept, at_most=0.75, control=True),
        Claim("both sides' adds are kept", "crdt", "cut", kept, at_least=0.8),
        # Arrivals of one set are 8 apart, 0.2 s on average, and a change needs 5 ms: nothing is lost in health, 0.9.
        Claim("hybrid clocks: a clock that is ahead does no harm", "lww", "baseline", kept, at_least=0.8),
        # What the node ahead has written wins for 10 s over what the two others add or remove. Its own third is left,
        # and one add or so of each set that came before its first write: 0.38.
        Claim("wall clocks: the others' adds are lost in health", "lww-wall", "baseline", kept, at_most=0.5),
        Claim("CRDT: adds are kept in health", "crdt", "baseline", kept, at_least=0.8),
        *(
            Claim(f"{name}: requests succeed in {p}", v, p, success, at_least=0.98)
            for v, name in {"crdt": "CRDT", "lww-wall": "wall clocks", "broadcast": "broadcast"}.items()
            for p in PHASES
        ),
        # An element and its tag are some 20 bytes, removed ones too; the register has 8 for each that it has not lost.
        Claim("the price: bytes of metadata", "crdt", "healed", size, at_most=4, of="lww", price=True),
    ],
    panels=[Panels.size, Panels.calls],
)
