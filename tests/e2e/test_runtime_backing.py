import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import aiomysql
import asyncpg
import psutil
import pytest
from run_ids import fresh
from waits import until

from lab.errors import StartError
from lab.model import Backing, Link, Peers, Service
from lab.model.bench import Toxic
from lab.observe.snapshots import snapshot
from lab.runtime import backing, leash, processes
from lab.runtime.base import Address, Stack
from lab.runtime.credentials import Credentials
from lab.runtime.local import LocalRuntime
from lab.runtime.ready import http_ok
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools
from targets.kv_client import etcd

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

payments = Service("payments")


@asynccontextmanager
async def started(folder, *members, links=()):
    """A stack that is up."""
    run = fresh("backing")
    async with Supervisor.open(folder / "runs" / run, run) as supervisor:
        runtime = LocalRuntime(supervisor, Tools())
        running = await runtime.start(Stack(members, list(links)), folder / "logs")
        running.runtime = runtime
        yield running
        await running.stop()
    assert leash.survivors(run, folder / "runs" / run) == []


async def exchange(address, *requests, until_said=b"\n"):
    """Send each line of a text protocol and give what is answered, the last one until something is said."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    answers = []
    try:
        for number, request in enumerate(requests, start=1):
            writer.write(request)
            end = until_said if number == len(requests) else b"\n"
            answers.append(await asyncio.wait_for(reader.readuntil(end), 10))
    finally:
        writer.close()
    return answers


class Postgres:
    """A session of PostgreSQL that shows every value as a text."""

    def __init__(self, connection):
        self.connection = connection
        self.sent = None

    @classmethod
    async def connect(cls, url):
        return cls(await asyncpg.connect(url, statement_cache_size=0))

    async def ask(self, sql):
        """Rows of the only query among some statements, each a list of texts."""
        if ";" in sql or not sql.startswith(("SELECT", "SHOW")):
            return await self.connection.execute(sql)
        return [[str(value) for value in row] for row in await self.connection.fetch(sql)]

    def send(self, sql):
        """A query whose answer is not awaited yet."""
        self.sent = asyncio.ensure_future(self.ask(sql))

    async def answer(self):
        return await self.sent

    async def silent(self, for_s):
        """Whether the query that was sent is not answered within that time."""
        return not (await asyncio.wait([self.sent], timeout=for_s))[0]

    async def close(self):
        self.connection.terminate()
        if self.sent:
            await asyncio.gather(self.sent, return_exceptions=True)


async def test_postgres_is_durable_and_takes_settings(tmp_path):
    """PostgreSQL runs with fsync on and the settings given; a committed row outlives `kill -9` and a restart."""
    server = Backing("postgres", settings={"default_transaction_isolation": "serializable", "autovacuum": False})
    async with started(tmp_path, server) as running:
        database = await Postgres.connect(running.url(server))
        for name, value in {
            "fsync": "on",
            "default_transaction_isolation": "serializable",
            "autovacuum": "off",
        }.items():
            assert await database.ask(f"SHOW {name}") == [[value]]
        await database.ask("CREATE TABLE account (cents int); INSERT INTO account VALUES (42)")
        pids = running.pids(server)
        assert len(pids) > 3
        await running.process(server).kill()
        assert not any(processes.look(pid) for pid in pids)
        await database.close()
        await running.process(server).restart()
        assert [(moment.source, moment.text) for moment in running.moments] == [
            (server.name, "killed"),
            (server.name, "ready again"),
        ]
        database = await Postgres.connect(running.url(server))
        assert await database.ask("SELECT cents FROM account") == [["42"]]
        await database.close()
        assert running.deaths() == []
        assert running.runtime.versions()["PostgreSQL"][0].isdigit()


async def test_each_postgres_is_fresh(tmp_path):
    """Two servers of one stack share nothing, and both come from one cluster that is made once."""
    first, second = Backing("postgres", "first"), Backing("postgres", "second")
    async with started(tmp_path, first, second) as running:
        for server in (first, second):
            database = await Postgres.connect(running.url(server))
            await database.ask("CREATE TABLE mine (n int)")
            await database.close()


async def test_a_paused_postgres_answers_nobody(tmp_path):
    """Pausing stops the processes of open connections as well, and resuming loses nothing."""
    server = Backing("postgres")
    async with started(tmp_path, server) as running:
        database = await Postgres.connect(running.url(server))
        control = running.process(server)
        await control.pause()
        database.send("SELECT 1")
        assert await database.silent(0.3)
        await control.resume()
        assert await database.answer() == [["1"]]
        await database.close()


async def test_a_busy_postgres_ends_with_its_run(tmp_path):
    """A query in full swing does not outlive the run when its server is killed, though PostgreSQL hides its mark."""
    run, server = fresh("busy"), Backing("postgres")
    folder = tmp_path / "runs" / run
    async with Supervisor.open(folder, run) as supervisor:
        running = await LocalRuntime(supervisor, Tools()).start(Stack([server], []), tmp_path / "logs")
        database = await Postgres.connect(running.url(server))
        await database.ask("SET jit = off")
        database.send("SELECT sum(n) FROM generate_series(1, 100000000000) n")
        onlooker = await Postgres.connect(running.url(server))
        busy = "SELECT 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active' AND query ~ 'sum'"
        async with asyncio.timeout(15):
            while not await onlooker.ask(busy):  # noqa: ASYNC110 - another process sets no Event
                await asyncio.sleep(0.02)
        await onlooker.close()
        main = running.pids(server)[0]
        children = set(running.pids(server)) - {main}
        os.kill(main, signal.SIGKILL)
        await until(lambda: running.pids(server) == [])
        left = set(leash.survivors(run, folder, supervisor.for_servers())) & children
        await database.close()
    assert left, "the busy one was to outlive its server, else this shows nothing"
    assert not any(processes.look(pid) for pid in children)


async def test_postgres_behind_a_link(tmp_path):
    """A link to PostgreSQL is a proxy like any other: a silent one is silent for the database's clients."""
    server = Backing("postgres")
    link = Link(payments, server)
    async with started(tmp_path, server, payments, links=[link]) as running:
        database = await Postgres.connect(running.url(link))
        assert await database.ask("SELECT 1") == [["1"]]
        await running.link(link).add(Toxic("silence", "timeout", attributes={"timeout": 0}))
        database.send("SELECT 2")
        assert await database.silent(0.3)
        await database.close()


async def test_a_wrong_setting_is_shown_in_postgres_own_words(tmp_path):
    """A setting that PostgreSQL does not know ends the start with its own words."""
    with pytest.raises(StartError, match=r'(?s)postgres ended before.*unrecognized configuration parameter "no_such"'):
        async with started(tmp_path, Backing("postgres", settings={"no_such": 1})):
            pass


@asynccontextmanager
async def asking(url):
    """A function that asks MariaDB: statement in, rows out."""
    parts = urlsplit(url)
    where = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password}
    connection = await aiomysql.connect(**where, db=parts.path.strip("/"), autocommit=True)
    async with connection.cursor() as cursor:

        async def ask(sql):
            await cursor.execute(sql)
            return await cursor.fetchall()

        yield ask
    connection.close()


async def test_mariadb_is_durable_and_takes_settings(tmp_path):
    """MariaDB runs with its log flushed at each commit, not as root; a committed row outlives `kill -9`."""
    first = Backing("mariadb", settings={"INNODB_SNAPSHOT_ISOLATION": True, "lock_wait_timeout": 7})
    second = Backing("mariadb", "second")
    async with started(tmp_path, first, second) as running:
        pid = running.pids(first)[0]
        assert psutil.Process(pid).uids().effective != 0
        async with asking(running.url(first)) as ask:
            asked = ("flush_log_at_trx_commit", "doublewrite", "snapshot_isolation")
            assert [await ask(f"SELECT @@innodb_{name}") for name in asked] == [((1,),), ((1,),), ((1,),)]
            assert await ask("SELECT @@lock_wait_timeout, @@autocommit, current_user()") == ((7, 1, "lab@%"),)
            await ask("CREATE TABLE account (cents int) ENGINE=InnoDB")
            await ask("INSERT INTO account VALUES (42)")
        async with asking(running.url(second)) as ask:
            assert await ask("SHOW TABLES") == (), "servers of one stack share nothing"
        await running.process(first).kill()
        await running.process(first).restart()
        async with asking(running.url(first)) as ask:
            assert await ask("SELECT cents FROM account") == ((42,),)
        assert running.deaths() == []
        assert running.runtime.versions()["MariaDB"][:2].isdigit()


async def test_a_wrong_setting_is_shown_in_mariadbs_own_words(tmp_path):
    """A setting that MariaDB does not know ends the start with its own words."""
    with pytest.raises(StartError, match=r"(?s)mariadb ended before.*unknown variable 'no-such=1'"):
        async with started(tmp_path, Backing("mariadb", settings={"no_such": 1})):
            pass


async def redis(url, request, until_said=b"\n"):
    """Redis's answer to one request after the password."""
    parts = urlsplit(url)
    login = f"AUTH {parts.password}\r\n".encode()
    return (await exchange(Address(parts.hostname, parts.port), login, request, until_said=until_said))[1:]


async def test_redis_keeps_nothing_unless_told(tmp_path):
    """Redis forgets at a restart by default, and keeps every write with `appendonly` and `appendfsync always`."""
    plain = Backing("redis", "plain")
    durable = Backing(
        "redis", "durable", {"appendonly": True, "appendfsync": "always", "maxmemory-policy": "noeviction"}
    )
    async with started(tmp_path, plain, durable) as running:
        for server in (plain, durable):
            assert await redis(running.url(server), b"SET k v\r\n") == [b"+OK\r\n"]
            await running.process(server).kill()
            await running.process(server).restart()
        assert await redis(running.url(plain), b"GET k\r\n") == [b"$-1\r\n"]
        assert await redis(running.url(durable), b"GET k\r\n", until_said=b"v\r\n") == [b"$1\r\nv\r\n"]
        assert (await redis(running.url(plain), b"CONFIG GET save\r\n", until_said=b"$0\r\n\r\n"))[0]


async def nats(url, subject, body):
    """Publish to NATS with a reply subject and give the reply."""
    parts = urlsplit(url)
    login = json.dumps({"verbose": False, "user": parts.username, "pass": parts.password})
    hello = f"CONNECT {login}\r\nSUB inbox 1\r\n".encode()
    text = json.dumps(body).encode()
    request = hello + f"PUB {subject} inbox {len(text)}\r\n".encode() + text + b"\r\n"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        info = await reader.readline()
        writer.write(request)
        while not (await asyncio.wait_for(reader.readline(), 10)).startswith(b"MSG inbox"):
            pass
        return info, json.loads(await reader.readline())
    finally:
        writer.close()


async def test_nats_keeps_its_streams(tmp_path):
    """A message that JetStream has acknowledged outlives `kill -9` and a restart; settings reach the server."""
    server = Backing("nats", settings={"max_payload": 4096, "max_file_store": 1_000_000_000})
    async with started(tmp_path, server) as running:
        url = running.url(server)
        stream = {"name": "S", "subjects": ["trades"], "storage": "file"}
        info, made = await nats(url, "$JS.API.STREAM.CREATE.S", stream)
        assert b'"max_payload":4096' in info
        assert "error" not in made
        assert (await nats(url, "trades", {"id": 1}))[1]["seq"] == 1
        await running.process(server).kill()
        await running.process(server).restart()
        assert (await nats(url, "$JS.API.STREAM.INFO.S", {}))[1]["state"]["messages"] == 1


async def ask_etcd(address, path, **content):
    """etcd's answer to a question as JSON; keys and values are base64 there."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address.url}/v3/kv/{path}", json=content, raise_for_status=True) as response,
    ):
        return await response.json()


async def healthy(address):
    """Whether etcd knows a leader and can read."""
    return await http_ok(address, "/health")


async def test_etcd_is_a_cluster_that_outlives_a_member(tmp_path):
    """Three members behind proxies elect a leader; what one has acknowledged another knows, and a killed one too."""
    servers = [Backing("etcd", f"etcd-{n}", {"ELECTION_TIMEOUT": 500, "HEARTBEAT_INTERVAL": 50}) for n in (1, 2, 3)]
    links = [Link(Peers(), server, distance_ms=5) for server in servers]
    async with started(tmp_path, *servers, links=links) as running:
        first, second, third = (running.address(server) for server in servers)
        await ask_etcd(first, "put", key="a2V5", value="b25l")
        await running.process(servers[0]).kill()
        async with asyncio.timeout(15):
            while not await healthy(second):  # they may be electing  # noqa: ASYNC110 - another process sets no Event
                await asyncio.sleep(0.05)
        await ask_etcd(second, "put", key="a2V5", value="dHdv")
        assert (await ask_etcd(third, "range", key="a2V5"))["kvs"][0]["value"] == "dHdv"
        await running.process(servers[0]).restart()
        assert (await ask_etcd(first, "range", key="a2V5"))["kvs"][0]["value"] == "dHdv"
        rows, notes = await snapshot({"etcd-1": first.url}, at_s=0.0)
        assert notes == []
        assert "etcd_server_is_leader" in {row["metric"] for row in rows}
        assert running.runtime.versions()["etcd"][:1].isdigit()
        for link in links:
            await running.link(link).set_enabled(False)
        async with asyncio.timeout(15):  # the way between members leads through the proxies: nobody can lead now
            while await healthy(second):  # noqa: ASYNC110 - another process sets no Event
                await asyncio.sleep(0.05)


async def test_etcd_may_stand_alone(tmp_path):
    """One server without peers is a cluster of its own; the client's words reach it; a wrong setting ends its start."""
    server, client = Backing("etcd", "etcd-1"), Service("client", module="kv_client")
    async with started(tmp_path, server, client, links=[Link(client, server)]) as running:
        await ask_etcd(running.address(server), "put", key="a2V5", value="b25l")
        again = etcd.transaction("key", "two", "a mark", etcd.expected("key", "one"))
        first, second = [await ask_etcd(running.address(server), "txn", **again) for _ in range(2)]
        assert first["succeeded"]
        assert "kvs" in second["responses"][0]["response_range"], "a second try finds the mark of the first"
        here = f"{running.address(client).url}/kv/key"
        async with aiohttp.ClientSession() as session:
            for expect, swapped in (("one", False), ("two", True)):
                async with session.post(f"{here}/cas", json={"expect": expect, "value": "three"}) as response:
                    assert (await response.json())["swapped"] is swapped
            async with session.put(here, json={"value": "four"}) as response:
                assert response.status == 200
            async with session.get(here) as response:
                assert (await response.json())["value"] == "four"
    with pytest.raises(StartError, match=r"(?s)etcd ended before it was ready \(exit code 2\).*etcd \[flags\]"):
        async with started(tmp_path, Backing("etcd", settings={"no_such": 1})):
            pass


def test_callers_are_told_where_in_the_words_of_each_kind():
    """Each kind gives its URL in the form its clients take, with what lets them in."""
    address, login = Address("127.0.0.1", 5), Credentials("word", "other")
    assert {kind: backing.kind_of(kind).url(address, login) for kind in backing.kinds()} == {
        "etcd": "http://127.0.0.1:5",
        "mariadb": "mysql://lab:word@127.0.0.1:5/lab",
        "nats": "nats://lab:word@127.0.0.1:5",
        "postgres": "postgresql://lab:word@127.0.0.1:5/postgres",
        "redis": "redis://:word@127.0.0.1:5/0",
    }
    makers = {kind: backing.kind_of(kind).statistics_url for kind in backing.kinds()}
    assert {kind: make(address, login) for kind, make in makers.items() if make} == {
        "mariadb": "mysql://lab_statistics:other@127.0.0.1:5/information_schema",
        "postgres": "postgresql://lab_statistics:other@127.0.0.1:5/postgres",
    }
