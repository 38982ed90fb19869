import pytest

from lab.errors import LabError
from lab.load.crew import Crew
from lab.load.joining import address_of, crew_of
from lab.model import Load, Service

TARGET = Service("target")
OPEN = Load("GET /", to=TARGET, per_s=10)


def port() -> int:
    """Give a port."""
    return 20_001


def test_one_process_needs_no_master():
    """The default is one process; more get a master on this machine alone."""
    assert crew_of(OPEN, 1, "", port).is_alone
    assert crew_of(OPEN, 3, "", port) == Crew(3, "127.0.0.1", 20_001)
    assert not crew_of(OPEN, 3, "", port).is_alone


def test_workers_join_an_address():
    """With an address all workers come from elsewhere, a single one too, and find the way in above its port."""
    crew = crew_of(OPEN, 1, "10.0.0.5:5557", port)
    assert crew == Crew(1, "10.0.0.5", 5557, joined=True)
    assert (crew.is_alone, crew.entry_port) == (False, 5558)


@pytest.mark.parametrize("text", ["5557", "host", "host:", ":5557", "host:0", "host:65535", "host:x"])
def test_what_is_no_address(text):
    """An address has a host and a port with another above it; anything else is said with an example."""
    with pytest.raises(LabError, match="--master takes HOST:PORT, such as"):
        address_of(text, "--master")


def test_an_ipv6_address():
    """The brackets of an IPv6 address are not part of it."""
    assert address_of("[fd00::5]:5557", "--master") == ("fd00::5", 5557)


def test_users_are_not_split():
    """A closed model with fewer users than workers is refused: a worker without a user would send nothing."""
    load = Load("GET /", to=TARGET, users=2)
    assert crew_of(load, 2, "", port).workers == 2
    with pytest.raises(LabError, match="3 load workers cannot share 2 users"):
        crew_of(load, 3, "", port)
