"""What must be so of the faults of a run: in force in all of their window, and out before and after it.

Doses are judged again from the recorded probes; the stored ones count only in records of older labs, whose faults
cannot be made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from lab.faults.at import asked_first
from lab.faults.kit.absence import Watch
from lab.faults.kit.plain import fault_of
from lab.faults.kit.window import GAP_S
from lab.model import Disk, Fault, Link, Member
from lab.model.fault import Takes
from lab.record import Condition, Dose, Episode, FaultSpec, PhaseWindow, Probe, Receipt, Run, Spec
from lab.verdict.where import where_in

# A toxic is in 5 to 50 ms after the phase began; the canary leaves out 0.3 s at either end. What is counted in the
# window is off by a twentieth at most.
LATE_S = 0.25
LATE_SHARE = 0.05
Watched = Link | Member | Disk


@dataclass(frozen=True)
class _Seen:
    """One episode of a run, with what its canary saw."""

    run: Run
    episode: Episode

    @cached_property
    def probes(self) -> list[Probe]:
        """All of them, by time."""
        return self.run.probes(self.episode.variant, self.episode.trial)

    @property
    def spec(self) -> Spec:
        """What was asked."""
        return self.run.record.spec

    def within(self, start_s: float, end_s: float) -> list[Probe]:
        """Those begun then."""
        return [probe for probe in self.probes if start_s <= probe.at_s <= end_s]

    def where(self, phase: str) -> str:
        """For a sentence: `fault, at-once`."""
        return f"{phase}, {where_in(self.run, self.episode)}"


def fault_conditions(run: Run) -> list[Condition]:
    """Three conditions over every pass: each fault was in force, injected and removed on time, and out otherwise."""
    episodes = [_Seen(run, episode) for episode in run.record.episodes]
    told = [
        ("faults in force", "every fault was read back and was in force throughout its window", _not_in_force),
        ("faults on time", "every fault was injected and removed at the edges of its phase", _not_on_time),
        ("faults out", "no fault was in force outside its phases", _not_out),
    ]
    conditions = []
    for name, well, look in told:
        problem = next((problem for seen in episodes for problem in look(seen)), None)
        conditions.append(Condition(name, problem is None, problem or well))
    return conditions


def _receipts(seen: _Seen, phase: str, number: int, fault: FaultSpec) -> list[Receipt]:
    """Those of the fault that is the `number`-th (from 1) of a phase; older records know it by what it is alone."""
    of_phase = [receipt for receipt in seen.episode.receipts if receipt.phase == phase and receipt.fault == fault]
    return [receipt for receipt in of_phase if receipt.id in ("", f"{phase}#{number}")]


# --- in force ---------------------------------------------------------------------------------------------------


def _not_in_force(seen: _Seen) -> Iterator[str]:
    for phase in seen.spec.phases:
        for number, fault in enumerate(phase.faults, 1):
            receipts = _receipts(seen, phase.name, number, fault)
            where = f"{fault.text} in {seen.where(phase.name)}"
            if not receipts:
                yield f"the fault was not in force ({where}): it was never injected"
            for receipt in receipts:
                if receipt.read_back.get("reached") is False:
                    at, within_s = (receipt.read_back.get(name, "?") for name in ("barrier", "within_s"))
                    yield f"the fault was not in force ({where}): no operation came by {at} within {within_s} s"
                dose = _dose(seen, receipt)
                if not dose.in_force:
                    yield f"the fault was not in force ({where}): {dose.why or dose.observed}"


def _dose(seen: _Seen, receipt: Receipt) -> Dose:
    """The dose as this lab judges it from the probes of the record."""
    start_s, end_s = receipt.in_force_s
    fault = fault_of(receipt.resolved or receipt.fault, seen.spec)
    if fault is None or end_s is None:
        return receipt.dose
    probes = seen.within(start_s, end_s)
    dose = fault.dose(probes)
    watched = (*fault.targets, *fault.watched_disks)
    unseen = next((gap for target in watched if (gap := _unwatched(probes, target, start_s, end_s))), None)
    return dose if unseen is None or not dose.in_force else Dose(dose.asked, dose.observed, False, unseen)


def _unwatched(probes: Sequence[Probe], target: Watched, start_s: float, end_s: float) -> str | None:
    """A part of this time in which the canary did not look at a target, if there is one."""
    paths = {Link: ("through", "beside"), Disk: ("through",)}.get(type(target), ("beside",))
    for path in paths:
        times = [probe.at_s for probe in probes if probe.target == target.name and probe.path == path]
        wide = max(pairwise([start_s, *times, end_s]), key=lambda pair: pair[1] - pair[0])
        if wide[1] - wide[0] > GAP_S:
            return f"the canary did not look at {target.name} from {wide[0]:.1f} to {wide[1]:.1f} s"
    return None


# --- on time ----------------------------------------------------------------------------------------------------


def _not_on_time(seen: _Seen) -> Iterator[str]:
    planned = {window.name: window for window in seen.episode.phases}
    for receipt in seen.episode.receipts:
        where = f"{receipt.fault.text} in {seen.where(receipt.phase)}"
        if "error" in receipt.read_back:
            yield f"the fault did not go as asked ({where}): {receipt.read_back['error']}"
        if receipt.id and receipt.phase in planned:
            yield from (f"the fault {why} ({where})" for why in _late(seen, receipt, planned[receipt.phase]))


def _late(seen: _Seen, receipt: Receipt, window: PhaseWindow) -> Iterator[str]:
    limit_s = max(LATE_S, LATE_SHARE * (window.end_s - window.start_s))
    fault = fault_of(receipt.resolved or receipt.fault, seen.spec)
    takes = fault.takes if fault else Takes()
    if receipt.fault.kind == "at":
        takes = asked_first(takes)
    why = f" ({takes.why})" if takes.why else ""
    late_s = receipt.injected_s - window.start_s
    if late_s > limit_s + takes.in_s:
        yield f"was injected {late_s:.2f} s after its phase began, where {limit_s + takes.in_s:.2f} s are allowed{why}"
    if receipt.removing_s is None or receipt.removed_s is None:
        yield "was never removed"
        return
    early_s = window.end_s - receipt.removing_s
    if early_s > limit_s:
        yield f"began to be removed {early_s:.2f} s before its phase ended, where {limit_s:.2f} s are allowed"
    late_s = receipt.removed_s - window.end_s
    if late_s > limit_s + takes.out_s:
        yield f"was removed {late_s:.2f} s after its phase ended, where {limit_s + takes.out_s:.2f} s are allowed{why}"


# --- out --------------------------------------------------------------------------------------------------------


def _not_out(seen: _Seen) -> Iterator[str]:
    in_force = list(_touched(seen))
    for watch, sure in _watches(seen.spec):
        target = watch.target
        if not sure and not any(probe.target == target.name for probe in seen.probes):
            continue  # one that might have been hit, in a variant that does not have it
        for phase in seen.episode.phases:
            if any(_ends(target) & names and receipt.phase == phase.name for receipt, names in in_force):
                continue
            start_s, end_s = _free(phase, target, in_force)
            probes = seen.within(start_s, end_s)
            why = _unwatched(probes, target, start_s, end_s) or watch.still_in(probes)
            if why:
                yield (
                    "a fault was in force outside its phases, or its absence is not shown, at "
                    f"{target.name} ({seen.where(phase.name)}): {why}"
                )


def _ends(target: Watched) -> set[str]:
    """Itself, and the callee of a link: where that is down nothing is shown about the link."""
    return {target.name, target.callee.name} if isinstance(target, Link) else {target.name}


def _touched(seen: _Seen) -> Iterator[tuple[Receipt, set[str]]]:
    """Each receipt that can be made a fault again, with the names of all that it touched."""
    for receipt in seen.episode.receipts:
        fault = fault_of(receipt.resolved or receipt.fault, seen.spec)
        if fault is not None and receipt.id:
            yield receipt, {target.name for target in (*fault.targets, *fault.watched_disks)}


def _watches(spec: Spec) -> Iterator[tuple[Watch, bool]]:
    """What to watch for at each link and member that any fault of any phase may touch; whether it is named outright."""
    touching: dict[Watched, list[Fault]] = {}
    named: set[Watched] = set()
    for plain in (fault for phase in spec.phases for fault in phase.faults):
        for candidate in plain.among or [plain]:
            fault = fault_of(candidate, spec)
            if fault is None:
                continue
            for target in (*fault.targets, *fault.watched_disks):
                touching.setdefault(target, []).append(fault)
                if not plain.among:
                    named.add(target)
    for target, faults in touching.items():
        yield Watch.over(target, faults), target in named


def _free(phase: PhaseWindow, target: Watched, in_force: Sequence[tuple[Receipt, set[str]]]) -> tuple[float, float]:
    """The part of a phase in which no fault of another one comes or goes at this target, or at this link's callee."""
    ends = _ends(target)
    start_s, end_s = phase.start_s, phase.end_s
    for receipt, names in in_force:
        if not ends & names or receipt.removed_s is None or receipt.began_s is None:
            continue
        if receipt.began_s < phase.end_s and receipt.removed_s > phase.start_s:
            if receipt.began_s <= phase.start_s:
                start_s = max(start_s, receipt.removed_s)
            else:
                end_s = min(end_s, receipt.began_s)
    return start_s, max(start_s, end_s)
