"""A fault as plain data and back again, so that a record's doses can be judged without the scenario's file."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from lab.model import Backing, Fault, Link, Member, Peers, Scalar, Service
from lab.record import FaultSpec, Spec


def told(fault: Fault, links: Sequence[Link]) -> str:
    """The fault in a few words; where several links lead to its callee, with the caller: `exchange→payments silent`."""
    for link in fault.targets:
        several = isinstance(link, Link) and sum(other.callee == link.callee for other in links) > 1
        if isinstance(link, Link) and several and fault.text.startswith(f"{link.callee.name} "):
            return f"{link.caller.name}→{fault.text}"
    return fault.text


def spec(fault: Fault, links: Sequence[Link] = ()) -> FaultSpec:
    """The fault as plain data: its file's name, what it attaches to, its text, its numbers with their units.

    `links` are the scenario's, so that the text can tell them apart.
    """
    args: dict[str, Scalar] = {}
    on: dict[str, str | list[str]] = {}
    for one in fields(fault):  # type: ignore[arg-type]  # every fault is a dataclass; a test holds it
        value = getattr(fault, one.name)
        if isinstance(value, str | int | float | bool):
            args[one.name] = value
        elif isinstance(value, Service | Backing | Link):
            on[one.name] = value.name
        elif isinstance(value, tuple):
            on[one.name] = [each.name for each in value]
    kind = type(fault).__module__.rpartition(".")[2]
    among = [spec(each, links) for each in fault.candidates if each is not fault]
    return FaultSpec(kind, fault.where, told(fault, links), args, on, among)


def fault_of(plain: FaultSpec, run: Spec) -> Fault | None:
    """The fault that a record tells of, as this lab makes it.

    None where the record does not say what it attaches to, as older ones do not, or this lab has no such fault.
    """
    if not plain.on:
        return None
    there = _named(run)
    try:
        make = getattr(importlib.import_module(f"lab.faults.{plain.kind}"), plain.kind)
        on = {
            name: there[value] if isinstance(value, str) else tuple(there[each] for each in value)
            for name, value in plain.on.items()
        }
        fault: Fault = make(**on, **plain.args)
    except (ImportError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return fault


def _named(run: Spec) -> Mapping[str, Any]:
    """The members and links of a record by name, as the model's words."""
    members: dict[str, Member] = {m.name: _member(m.name, m.kind) for m in run.members}
    links = {
        link.name: Link(_caller(members.get(link.caller), link.caller), members[link.callee], link.distance_ms)
        for link in run.links
        if link.callee in members
    }
    return {**members, **links}


def _member(name: str, kind: Any) -> Member:
    return Service(name) if kind == "service" else Backing(kind, name)


def _caller(member: Member | None, name: str) -> Service | Backing | Peers:
    return Peers(name) if member is None else member
