"""What differs between runs before anything was measured: settings, code, machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.model import Scalar
from lab.record import Record, Spec
from lab.report.numbers import bytes_of

NONE = "–"


@dataclass(frozen=True)
class Fact:
    """One thing that was so in each run, in the runs' order."""

    name: str
    values: Sequence[str]

    @property
    def differs(self) -> bool:
        """Whether it was not the same in all."""
        return len(set(self.values)) > 1


def facts(records: Sequence[Record]) -> list[Fact]:
    """Every fact that any of the runs has; a run that lacks it has a dash."""
    told = [dict(_of(record)) for record in records]
    longest_first = sorted(told, key=len, reverse=True)  # so that what one run lacks stands where the others have it
    names = dict.fromkeys(name for each in longest_first for name in each)
    return [Fact(name, [each.get(name, NONE) for each in told]) for name in names]


def _of(record: Record) -> Iterator[tuple[str, str]]:
    yield "knobs turned", " ".join(f"{each.knob}={each.value}" for each in record.turned) or "none"
    yield "scale", f"{record.scale:g}"
    yield "seed", str(record.seed)
    yield "trials", str(record.trials)
    yield from _asked(record.spec)
    commit = (record.git_commit or "none")[:12]
    yield "commit", commit + (" and uncommitted changes" if record.git_dirty else "")
    yield "runtime", record.runtime
    yield "proxy", record.proxy
    machine = record.machine
    yield "machine", f"{machine.cpu}, {machine.cores} cores, {bytes_of(machine.memory_bytes)}"
    yield "system", f"{machine.system}, {machine.kernel}"
    if machine.load_average_1min is not None:
        yield "load average before", f"{machine.load_average_1min:g}"
    yield "Python", machine.python
    yield from record.versions.items()


def _asked(spec: Spec) -> Iterator[tuple[str, str]]:
    """What the scenario asks: load, phases, settings of all and of each variant."""
    yield "load", spec.load.text
    yield "request timeout", f"{spec.load.timeout_s:g} s"
    for phase in spec.phases:
        done = [f"{each.text} after {each.after_s:g} s" for each in spec.actions if each.phase == phase.name]
        broken = ", ".join([*(fault.text for fault in phase.faults), *done])
        yield f"phase {phase.name}", f"{phase.lasts_s:g} s" + (f": {broken}" if broken else "")
    yield from _settings("all", spec.settings)
    for variant in spec.variants:
        yield from _settings(variant.name, variant.env)


def _settings(whose: str, told: Mapping[str, Mapping[str, Scalar]]) -> Iterator[tuple[str, str]]:
    for member, settings in told.items():
        yield from ((f"{whose}: {member}.{name}", str(value)) for name, value in settings.items())
