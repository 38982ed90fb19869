"""
Paxos: three proposers get commands into the slots of one log, by the votes of three acceptors.

    clients -> proposer-1, proposer-2, proposer-3 -> acceptor-1, acceptor-2, acceptor-3; proposers tell each other
"""

from itertools import permutations
from random import Random

from lab import Invariant, Link, Load, Operation, Panel, Readback, Request, Service, checkers

_names = [f"{kind}-{n}" for kind in ("acceptor", "proposer") for n in (1, 2, 3)]
acceptors, proposers = (
    [Service(name, {"PAXOS_MEMBERS": ",".join(_names)}, module="paxos") for name in part]
    for part in (_names[:3], _names[3:])
)
to_acceptors = [Link(proposer, acceptor) for proposer in proposers for acceptor in acceptors]
between = [Link(one, other) for one, other in permutations(proposers, 2)]


def _append(rng: Random, n: int) -> Request:
    return Request("PUT", f"/log/c{n}", key=f"c{n}", keep_response=True)


def commands(per_s: float) -> Load:
    """Poisson arrivals of commands, a third at each proposer, each to be chosen in one slot and to stay there."""
    learned = [Readback(proposer.name, proposer, "/chosen") for proposer in proposers]
    votes = [Readback(acceptor.name, acceptor, "/votes") for acceptor in acceptors]
    return Load(
        Operation("append", _append),
        proposers,
        per_s,
        "poisson",
        timeout_s=6,
        readbacks=[*learned, *votes],
        invariants=[
            Invariant("one value a slot, proposed and kept", checkers.agreement(learned, votes, least=100)),
        ],
    )


class Panels:
    """What shows this system."""

    rounds = Panel(
        "Rounds that a decision took, p90",
        "histogram_quantile(0.9, sum by (le) (rate(paxos_rounds_bucket[5s])))",
        legend="rounds",
    )
    median_rounds = Panel(
        "Rounds that a decision took, median",
        "histogram_quantile(0.5, sum by (le) (rate(paxos_rounds_bucket[5s])))",
        legend="rounds",
    )
    requests = Panel(
        "Requests to acceptors", "sum by (kind) (rate(paxos_requests_total[5s]))", unit="reqps", legend="{{kind}}"
    )
    leads = Panel(
        "Who leads", "max by (service) (paxos_is_leader)", legend="{{service}}", values={0: "follows", 1: "leads"}
    )
