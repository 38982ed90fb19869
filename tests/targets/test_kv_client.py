"""The client of either cluster: the same answers, whether our own Raft is behind it or etcd's API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from target_bench import Start, series

from targets.kit import Service, Settings, SettingsError
from targets.kit.settings import read
from targets.kv_client.etcd import text64
from targets.kv_client.server import build
from targets.kv_client.settings import KvClientSettings
from targets.raft import server as raft
from targets.raft.settings import RaftSettings

pytestmark = pytest.mark.e2e
NOBODY = "http://127.0.0.1:1"


def client(**said: object) -> KvClientSettings:
    """Its settings."""
    return KvClientSettings(service_name="client", **said)  # type: ignore[arg-type]


def member(*answers: tuple[int, dict[str, Any]]) -> Any:
    """A server that gives these answers to what etcd is asked, the last one again and again."""

    def application(settings: Settings, service: Service) -> web.Application:
        left = list(answers)

        async def answer(request: web.Request) -> web.Response:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            return web.json_response(body, status=status)

        app = web.Application()
        app.router.add_post("/v3/kv/{what}", answer)
        return app

    return application


async def put(http: ClientSession, url: str) -> int:
    """The status of a write."""
    async with http.put(f"{url}/kv/k", json={"value": "v"}) as response:
        return response.status


@pytest.mark.parametrize("urls", [{}, {"RAFT_1_URL": NOBODY, "ETCD_1_URL": NOBODY}])
def test_it_speaks_to_one_cluster(urls: dict[str, str]) -> None:
    """Links to none, or to both, are a mistake."""
    with pytest.raises(SettingsError, match="give the URLs of one cluster, not both and not neither"):
        read(KvClientSettings, {"SERVICE_NAME": "client", **urls})


async def test_our_raft_answers_through_it(http: ClientSession, start: Start, tmp_path: Path) -> None:
    """Writes, reads and compare-and-set, with a member of our own behind it."""
    settings = RaftSettings(service_name="raft-1", raft_peers="raft-1", data_dir=str(tmp_path))
    behind = await start(settings, raft.build)
    target = await start(client(raft_1_url=behind.url), build)
    assert await put(http, target.url) == 200
    async with http.get(f"{target.url}/kv/k") as response:
        assert await response.json() == {"key": "k", "value": "v"}
    for expect, swapped in (("w", False), ("v", True), (None, False)):
        async with http.post(f"{target.url}/kv/k/cas", json={"expect": expect, "value": "x"}) as response:
            assert await response.json() == {"key": "k", "swapped": swapped}
    async with http.get(f"{target.url}/kv/absent") as response:
        assert await response.json() == {"key": "absent", "value": None}


async def test_another_member_is_asked_and_stays_the_first(http: ClientSession, start: Start) -> None:
    """A member that is gone, or says that it cannot, costs one try; who answered is asked first from then on."""
    unable = await start(Settings(service_name="etcd"), member((503, {"error": "no leader"})))
    able = await start(Settings(service_name="etcd"), member((200, {"succeeded": True})))
    target = await start(client(etcd_1_url=NOBODY, etcd_2_url=unable.url, etcd_3_url=able.url), build)
    assert [await put(http, target.url) for _ in range(3)] == [200, 200, 200]
    tries = [series(target, "http_client_request_duration_seconds_count", peer=f"etcd-{n}") for n in (1, 2, 3)]
    assert tries == [1, 1, 3]


@pytest.mark.parametrize("heard", [True, False])
async def test_what_is_not_known_is_said(http: ClientSession, start: Start, heard: bool) -> None:
    """504 where a member may have done it, 503 where none was ever reached."""
    unable = await start(Settings(service_name="etcd"), member((503, {"error": "timed out"})))
    target = await start(client(etcd_1_url=unable.url if heard else NOBODY, kv_timeout_s=0.3), build)
    assert await put(http, target.url) == (504 if heard else 503)


@pytest.mark.parametrize("marked", [True, False])
async def test_a_swap_of_an_earlier_try_counts(http: ClientSession, start: Start, marked: bool) -> None:
    """Where the second try finds the mark of the first, the first one has swapped."""
    found = {"responses": [{"response_range": {"kvs": [{"value": text64("")}]} if marked else {}}]}
    etcd = await start(Settings(service_name="etcd"), member((503, {}), (200, found)))
    target = await start(client(etcd_1_url=etcd.url), build)
    async with http.post(f"{target.url}/kv/k/cas", json={"expect": "a", "value": "b"}) as response:
        assert await response.json() == {"key": "k", "swapped": marked}
