"""A fault that a record tells of is made again, judges as the one that was there, and needs no scenario file."""

from types import SimpleNamespace

import pytest
from test_doses import IN_FORCE, NOT_IN_FORCE

from lab import faults
from lab.faults.kit.plain import fault_of
from lab.model import Backing, Link, Peers, Service
from lab.record import FaultSpec, LinkSpec, MemberSpec

MEMBERS = [MemberSpec("exchange", "service"), MemberSpec("payments", "service"), MemberSpec("ledger", "service")]
RUN = SimpleNamespace(
    members=[*MEMBERS, MemberSpec("postgres", "postgres"), MemberSpec("etcd-1", "etcd")],
    links=[
        LinkSpec("exchange->payments", "exchange", "payments"),
        LinkSpec("exchange->ledger", "exchange", "ledger"),
        LinkSpec("exchange->postgres", "exchange", "postgres"),
        LinkSpec("peers->etcd-1", "peers", "etcd-1", distance_ms=10),
    ],
)
CASES = {**{name: case[:2] for name, case in IN_FORCE.items()}, **{n: case[:2] for n, case in NOT_IN_FORCE.items()}}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_made_again_judges_the_same(name):
    """Whatever fault and probes: the dose from plain data is that of the fault itself."""
    fault, probes = CASES[name]
    again = fault_of(faults.spec(fault), RUN)
    assert type(again) is type(fault)
    assert again.dose(probes) == fault.dose(probes)


def test_a_link_of_a_cluster_keeps_its_distance():
    """What a record says of a link is enough: its caller may be no member, and how far apart both ends are counts."""
    etcd = Backing("etcd", "etcd-1")
    link = Link(Peers(), etcd, distance_ms=10)
    assert fault_of(faults.spec(faults.silence(link)), RUN) == faults.silence(link)


@pytest.mark.parametrize(
    "spec",
    [
        FaultSpec("silence", "exchange->payments", "payments silent"),
        FaultSpec("meteor", "payments", "payments hit", on={"member": "payments"}),
        FaultSpec("kill", "nobody", "nobody killed", on={"member": "nobody"}),
        FaultSpec("latency", "exchange->payments", "", {"ms": 0}, {"link": "exchange->payments"}),
    ],
)
def test_what_cannot_be_made_again_is_none(spec):
    """A record without names, a fault that this lab lacks, a member that is not there, a senseless number: None."""
    assert fault_of(spec, RUN) is None


def test_who_may_be_hit_is_told_beforehand():
    """A fault at whoever plays a role lists what it may become, each of which can be made again."""
    from lab.model import Role

    members = [Service("exchange"), Service("payments")]
    killed = faults.spec(faults.at(Role("leader", members, gauge="is_leader"), faults.kill, "leader killed"))
    assert fault_of(killed, RUN) is None
    assert [fault_of(one, RUN) for one in killed.among] == [faults.kill(member) for member in members]
