"""One server of each kind for the whole suite, emptied after each test."""

from collections.abc import Callable, Iterator

import pytest
from proxy_harness import BUILTIN, TOXIPROXY, Edge, Toxiproxy, Upstream, echo, running


@pytest.fixture(scope="session", params=[BUILTIN, TOXIPROXY])
def running_server(request: pytest.FixtureRequest) -> Iterator[Toxiproxy]:
    """Both servers, one after the other."""
    with running(request.param, "-proxy-metrics") as server:
        yield server


@pytest.fixture
def server(running_server: Toxiproxy) -> Iterator[Toxiproxy]:
    """A server without proxies."""
    yield running_server
    running_server.clear()


@pytest.fixture(params=[BUILTIN, TOXIPROXY])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of a server that the test starts for itself, because it may break it."""
    return str(request.param)


@pytest.fixture
def upstream() -> Iterator[Callable[..., Upstream]]:
    """Makes servers to stand behind a proxy."""
    made: list[Upstream] = []

    def make(*arguments: object, **keywords: object) -> Upstream:
        made.append(Upstream(*arguments, **keywords))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def edge(server: Toxiproxy, upstream: Callable[..., Upstream]) -> Edge:
    """A proxy in front of an echo server."""
    return server.proxy(upstream(echo).address)
