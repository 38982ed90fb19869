"""Faults on links to servers that we did not write, seen by a canary that speaks to each in its own way."""

import pytest
from fault_season import season, stack_up

from lab import faults
from lab.errors import MissingPart
from lab.model import Backing, Link, Service
from lab.runtime.tools import Tools

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

LATE, MUTE, THIN, LINGERING, SHUT = (Service(name) for name in ("late", "mute", "thin", "lingering", "shut"))


@pytest.mark.parametrize("where", ["local", "compose"])
@pytest.mark.parametrize("kind", ["postgres", "redis", "nats"])
async def test_a_server_is_asked_in_its_own_way(kind, where, tmp_path):
    """Late, silent, thin, lingering and shut links and a paused server are told apart, and leave nothing behind."""
    if where == "local":
        try:
            Tools().need(kind)
        except MissingPart as error:
            pytest.skip(str(error).splitlines()[0])
    server = Backing(kind)
    links = {caller: Link(caller, server) for caller in (LATE, MUTE, THIN, LINGERING, SHUT)}
    given = {
        "latency": faults.latency(links[LATE], ms=100),
        "silence": faults.silence(links[MUTE]),
        "bandwidth": faults.bandwidth(links[THIN], kilobytes_per_s=100),
        "slow_close": faults.slow_close(links[LINGERING], ms=200),
        "down": faults.down(links[SHUT]),
    }
    async with stack_up(tmp_path, [server], list(links.values()), where) as running:
        passed = await season(running, given, lasts_s=2.6)
        paused = await season(running, {"pause": faults.pause(server)}, lasts_s=2.6)
        killed = await season(running, {"kill": faults.kill(server)}, lasts_s=1.8, settles_s=1.0)
    for name, fault in {**passed, **paused, **killed}.items():
        assert fault.dose.in_force, (name, fault.dose)
        assert (fault.before, fault.after, fault.left) == ({"answered"}, {"answered"}, []), name
    shown = "too small to show" not in passed["bandwidth"].dose.observed
    assert shown == (kind == "redis"), "only redis can be asked at length"
