"""What an experiment asks for, so that a result can be told from one of another experiment: texts may change."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import replace

import msgspec

from lab.catalogue import Entry
from lab.model import Operation, Service
from lab.record import Spec


def decides(spec: Spec) -> object:
    """What decides a verdict, of a record or of a scenario; what it is called does not."""
    claims = [replace(claim, text="", price=False) for claim in spec.claims]
    invariants = [replace(one, text="") for one in spec.invariants]
    done = [[replace(action, text="") for action in spec.actions]] if spec.actions else []  # most have none
    return [spec.load, spec.phases, spec.variants, claims, invariants, *done]


def fingerprint(entry: Entry) -> bytes:
    """Changes with what is started, sent and claimed; not with the words, nor with the files in which it stands."""
    spec, scenario = entry.spec(), entry.scenario
    told = {member.name: scenario.shared_settings(member) for member in scenario.members}
    sent = [_source(operation) for operation in scenario.load.operations]
    return msgspec.json.encode([decides(spec), spec.members, spec.links, told, sent], order="sorted")


def own_targets(entry: Entry) -> list[str]:
    """The modules of `targets` that an experiment starts, such as `exchange`."""
    return sorted({member.target for member in entry.scenario.members if isinstance(member, Service)})


def _source(operation: Operation) -> str:
    """The code that makes an operation's requests."""
    try:
        return textwrap.dedent(inspect.getsource(operation.make)).strip()
    except (OSError, TypeError):  # a built-in, or a file that has gone
        return repr(operation)
