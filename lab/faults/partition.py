"""Two groups that cannot hear each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.dose import judge, stays_silent, too_few
from lab.faults.kit.inject import both_ways, toxic, toxics
from lab.faults.kit.window import window
from lab.model import Fault, Link, Member, Scalar, Takes
from lab.model.bench import Bench, Toxic
from lab.record import Dose, Probe

ORDER_S = 0.02  # to add a toxic and read it back took 6 ms on two free cores, 18 ms on busy ones


@dataclass(frozen=True)
class Partition(Fault):
    """Every one of `links` that leads from one group to the other is silent, all cut at once and healed at once.

    At once means as fast as the proxy takes orders; the receipt says how long that took.
    Members within a group go on hearing each other. `one_way`: only what `group` sends to `other` is lost. What
    it asks over links of its own never arrives; what it is asked over links of the others does, and its answers are
    lost. A proxy can hold back bytes but not the end of a connection: where `group` closes one, `other` sees that.
    """

    group: Sequence[Member]
    other: Sequence[Member]
    links: Sequence[Link]
    one_way: bool = False

    def __post_init__(self) -> None:
        for name in ("group", "other", "links"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        both = {member.name for member in self.group} & {member.name for member in self.other}
        if both:
            raise ValueError(f"partition: {', '.join(sorted(both))} is in both groups")
        if not self.targets:
            raise ValueError("partition: none of links leads from one group to the other, so there is nothing to cut")

    @property
    def targets(self) -> tuple[Link, ...]:
        """The links that lead across."""
        return tuple(link for link in self.links if self._leads_over(link) or self._leads_back(link))

    @property
    def text(self) -> str:
        """`kv-1 kv-2 | kv-3 kv-4 kv-5`."""
        group, other = (" ".join(member.name for member in side) for side in (self.group, self.other))
        return f"{group} {'-x>' if self.one_way else '|'} {other}"

    @property
    def takes(self) -> Takes:
        """The proxy takes its orders one after the other."""
        orders_s = ORDER_S * sum(len(self._cut(link)) for link in self.targets)
        return Takes(orders_s, orders_s, f"{len(self.targets)} links are cut one after the other")

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Silence all links across at once, and let them speak again at once on exit."""
        return toxics(bench, f"partition {self.text}", {link: self._cut(link) for link in self.targets})

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where every single link across was silent, while its callee was not.

        An answer needs both ways, so the canary cannot tell a one-way partition from a full one; what was read back
        can.
        """
        seen = [window(probes, link) for link in self.targets]
        reasons = [(each.target, too_few(each) or stays_silent(each)) for each in seen]
        answered, of = (sum(len(each.through.answered) for each in seen), sum(len(each.through) for each in seen))
        beside = f"{sum(len(s.beside.answered) for s in seen):,} of {sum(len(s.beside) for s in seen):,}"
        return judge(
            f"{self.text}: no answer through the {len(seen)} links across",
            f"through {len(seen)} links {answered:,} of {of:,} probes answered; beside them {beside}",
            *(f"{name}: {reason}" for name, reason in reasons if reason),
        )

    def _leads_over(self, link: Link) -> bool:
        return link.caller in self.group and link.callee in self.other

    def _leads_back(self, link: Link) -> bool:
        return link.caller in self.other and link.callee in self.group

    def _cut(self, link: Link) -> tuple[Toxic, ...]:
        if not self.one_way:
            return both_ways("timeout", timeout=0)
        return (toxic("timeout", "upstream" if self._leads_over(link) else "downstream", timeout=0),)


partition = Partition
