"""A fault at whoever plays a role: found by asking, checked beforehand for everybody, judged as what it became."""

import sys
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from planted_probes import always
from planted_probes import probes as planted

from lab import faults
from lab.errors import LabError
from lab.model import Backing, Link, Role, Service
from lab.model.bench import Address
from lab.record import FaultSpec

pytestmark = pytest.mark.e2e

members = [Service(f"payments-{n}", module="payments") for n in range(3)]
leader = Role("leader", members, gauge="is_leader")
killed = faults.at(leader, faults.kill, "leader killed")


class Bench:
    """Knows where members listen, and nothing else."""

    def __init__(self, addresses):
        self.addresses = addresses

    def members(self):
        return [member for member in members if member.name in self.addresses]

    def address(self, member):
        return self.addresses[member.name]


@asynccontextmanager
async def cluster(says):
    """Real servers whose gauges stand as `says` gives them, a number a member; None: that one is gone."""
    async with AsyncExitStack() as stack:
        addresses = {}
        for member in members:
            app = web.Application()

            async def metrics(request, member=member):
                return web.Response(text=f"is_leader {says[member.name]}\nother 1\n")

            app.add_routes([web.get("/metrics", metrics)])
            server = TestServer(app, host="127.0.0.1")
            await stack.enter_async_context(server)
            if says[member.name] is None:
                await server.close()
            addresses[member.name] = Address("127.0.0.1", server.port)
        yield Bench(addresses)


async def test_it_becomes_the_fault_at_the_member_that_says_so():
    """The one whose gauge is 1 is hit, though another does not answer at all."""
    async with cluster({"payments-0": 0, "payments-1": 1, "payments-2": None}) as bench:
        assert await killed.resolve(bench) == faults.kill(members[1])


async def test_a_role_may_show_itself_by_several_gauges_and_be_played_by_those_who_are_there():
    """Members of two kinds, of which this variant has one: the gauge of either kind will do."""
    rivals = [*members, Backing("etcd")]
    either = faults.at(Role("leader", rivals, gauge=["is_chief", "is_leader"]), faults.kill, "leader killed")
    async with cluster({"payments-0": 0, "payments-1": 1, "payments-2": 0}) as bench:
        assert await either.resolve(bench) == faults.kill(members[1])


async def test_a_role_without_a_gauge_is_played_by_the_one_that_is_there():
    """Nobody is asked; where two are there, or none, no one is hit."""
    pair = Role("member 1", [members[1], Backing("etcd", "etcd-1")])
    cut = faults.at(pair, faults.kill, "member 1 killed")
    assert await cut.resolve(Bench({"payments-0": None, "payments-1": None})) == faults.kill(members[1])
    both = faults.at(Role("member 1", members), faults.kill, "member 1 killed")
    with pytest.raises(LabError, match="member 1 is one member a variant, and here is payments-0, payments-1"):
        await both.resolve(Bench({"payments-0": None, "payments-1": None}))
    with pytest.raises(LabError, match="and here is no one"):
        await both.resolve(Bench({}))


async def test_it_waits_for_the_end_of_an_election():
    """While nobody plays the role, or two say that they do, it asks again."""
    says = {"payments-0": 1, "payments-1": 1, "payments-2": 0}
    async with cluster(says) as bench:

        class Electing(Bench):
            asked = 0

            def address(self, member):
                self.asked += 1
                if self.asked > len(members):
                    says["payments-0"] = 0
                return super().address(member)

        assert await killed.resolve(Electing(bench.addresses)) == faults.kill(members[1])


@pytest.mark.parametrize(("gauges", "words"), [((0, 0, 0), "no one of 3"), ((1, 0, 1), "payments-0, payments-2 of 3")])
async def test_it_says_so_where_there_is_no_one_to_break(monkeypatch, gauges, words):
    """Without exactly one who plays the role, the lab says who claimed it, and breaks nothing."""
    monkeypatch.setattr(sys.modules["lab.faults.at"], "WITHIN_S", 0.1)
    async with cluster({member.name: gauge for member, gauge in zip(members, gauges, strict=True)}) as bench:
        with pytest.raises(LabError, match=f"leader killed: for 0.1 s {words} members had is_leader at 1"):
            await killed.resolve(bench)


async def test_other_faults_are_what_they_are():
    """A fault that names its target needs nobody's answer."""
    fault = faults.kill(members[0])
    assert await fault.resolve(Bench({})) is fault
    assert list(fault.candidates) == [fault]


def test_as_plain_data():
    """A record knows it by the role and by what the scenario calls it, which say the same in every variant."""
    among = [faults.spec(faults.kill(member)) for member in members]
    assert faults.spec(killed) == FaultSpec("at", "leader", "leader killed", {"called": "leader killed"}, among=among)
    assert killed.targets == ()


def test_every_candidate_is_looked_at_beforehand():
    """What `make` cannot do for one of the members is known when the file is read."""
    links = [Link(members[0], members[1])]
    with pytest.raises(ValueError, match="none of links leads"):
        faults.at(leader, lambda it: faults.partition([it], [m for m in members if m != it], links), "cut off")
    with pytest.raises(ValueError, match="role chief has no members"):
        faults.at(Role("chief", [], gauge="is_chief"), faults.kill, "chief killed")


def test_what_it_becomes_is_judged():
    """The dose is that of the fault that went in."""
    fault = killed.candidates[0]
    probes = planted(None, always("refused"), target="payments-0")
    assert fault.dose(probes).in_force
    assert not killed.candidates[1].dose(probes).in_force
