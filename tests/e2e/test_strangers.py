"""Another user of this machine reaches every port of a run on 127.0.0.1, and gets nothing by it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import aiomysql
import asyncpg
import psutil
import pytest
from aiohttp import ClientSession
from fault_season import stack_up
from run_ids import fresh

from lab.model import Backing, Link, Service
from lab.runtime import backing
from lab.runtime.base import Running, Stack
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools
from targets.kit.redis import open_redis

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a second user can be had by root alone")
STRANGER = 54_321  # a user id that has nothing here


def by_a_stranger(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as another user."""
    who = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    return subprocess.run([*who, *words], capture_output=True, text=True, timeout=30, check=False)


async def refusal_of_postgres(running: Running, server: Backing, **login: str) -> str:
    """What PostgreSQL says to somebody who tries."""
    address = running.address(server)
    try:
        connection = await asyncpg.connect(host=address.host, port=address.port, database="postgres", **login)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return str(error)
    await connection.close()
    return ""


async def test_postgres_lets_no_stranger_in_and_gives_services_their_schema_alone(tmp_path: Path) -> None:
    """`COPY ... FROM PROGRAM` over 127.0.0.1 ran any command of any local user, as the server's user."""
    server = Backing("postgres")
    async with stack_up(tmp_path, [server], []) as running:
        for user in ("lab", "postgres", "lab_statistics", "nobody", "root"):
            for login in ({"user": user}, {"user": user, "password": ""}, {"user": user, "password": user}):
                assert await refusal_of_postgres(running, server, **login), login
        service = await asyncpg.connect(running.url(server))
        try:
            await service.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
            assert await service.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = 't'") == "lab"
            assert await service.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
            for sql in (
                f"COPY t FROM PROGRAM 'touch {tmp_path}/it'",
                f"COPY t TO '{tmp_path}/it'",
                "COPY t FROM '/etc/passwd'",
                "SELECT pg_read_file('/etc/passwd')",
                "SELECT lo_import('/etc/passwd')",
                "ALTER SYSTEM SET archive_command = 'x'",
                "CREATE TABLE public.t (n int)",
                "CREATE EXTENSION file_fdw",
                "SET ROLE postgres",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await service.execute(sql)
            statistics = await asyncpg.connect(running.statistics_url(server))
            assert await statistics.fetchval("SELECT sum(calls) FROM pg_stat_statements WHERE query ~ 'pg_tables'") == 1
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await statistics.execute("SELECT * FROM lab.t")
            await statistics.close()
        finally:
            await service.close()


async def mariadb(url: str) -> aiomysql.Connection:
    """Log in by a URL."""
    parts = urlsplit(url)
    login = {"user": parts.username, "password": parts.password or ""}
    return await aiomysql.connect(host=parts.hostname, port=parts.port, **login, autocommit=True)


async def test_mariadb_lets_no_stranger_in_and_gives_services_their_database_alone(tmp_path: Path) -> None:
    """It had a user without a password, with every right and every file."""
    server = Backing("mariadb")
    async with stack_up(tmp_path, [server], []) as running:
        for user in ("lab", "root", "lab_statistics", ""):
            for password in ("", user):
                with pytest.raises(aiomysql.OperationalError, match="Access denied"):
                    await mariadb(f"mysql://{user}:{password}@{running.address(server)}")
        connection = await mariadb(running.url(server))
        async with connection.cursor() as cursor:
            await cursor.execute("CREATE TABLE lab.t (n int)")
            await cursor.execute("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx")
            await cursor.execute("SELECT @@secure_file_priv, @@local_infile")
            ((files, local),) = await cursor.fetchall()
            assert (os.listdir(files), local) == ([], 0)  # noqa: PTH208 - a text
            for sql in (
                f"SELECT 1 INTO OUTFILE '{tmp_path}/it'",
                f"SELECT 1 INTO OUTFILE '{files}it'",
                "LOAD DATA INFILE '/etc/passwd' INTO TABLE lab.t",
                "CREATE DATABASE other",
                "SELECT * FROM mysql.user",
                "INSTALL SONAME 'ha_archive'",
                "GRANT ALL ON *.* TO lab@'%'",
                "SET GLOBAL general_log_file = '/tmp/it'",
            ):
                with pytest.raises(aiomysql.MySQLError, match=r"denied|privilege"):
                    await cursor.execute(sql)
        connection.close()
        statistics = await mariadb(running.statistics_url(server))
        async with statistics.cursor() as cursor:
            await cursor.execute("SHOW GLOBAL STATUS LIKE 'Queries'")
            with pytest.raises(aiomysql.MySQLError, match="denied"):
                await cursor.execute("SELECT * FROM lab.t")
        statistics.close()


async def said(running: Running, server: Backing, sent: bytes, until: bytes) -> bytes:
    """What a server says at once."""
    address = running.address(server)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.readuntil(until), 10)
    finally:
        writer.close()


async def test_redis_and_nats_want_the_password(tmp_path: Path) -> None:
    """Redis gives a service no command that writes files, loads code or follows another server."""
    redis, nats = Backing("redis"), Backing("nats")
    async with stack_up(tmp_path, [redis, nats], []) as running:
        assert (await said(running, redis, b"GET k\r\n", b"\n")).startswith(b"-NOAUTH")
        assert (await said(running, redis, b"AUTH lab\r\n", b"\n")).startswith(b"-WRONGPASS")
        hello = b'CONNECT {"verbose":false}\r\nPING\r\n'
        assert b"Authorization Violation" in await said(running, nats, hello, b"Violation'\r\n")
        async with open_redis(running.url(redis), 5.0) as client:
            assert await client.set("k", "v")
            assert await client.info("stats")
            for command in (
                "CONFIG SET dir /tmp",
                "MODULE LIST",
                "SAVE",
                "REPLICAOF no one",
                "ACL LIST",
            ):
                with pytest.raises(Exception, match="has no permissions"):
                    await client.execute_command(*command.split())


async def test_no_page_reads_etcd(tmp_path: Path) -> None:
    """It told pages of every site that they may read its answers, and answered to any name for its address."""
    server = Backing("etcd")
    async with stack_up(tmp_path, [server], []) as running, ClientSession() as http:
        url = f"{running.address(server).url}/v3/kv/range"
        for method in ("POST", "OPTIONS"):
            for origin in ("https://evil.test", "null", "http://127.0.0.1:3000"):
                async with http.request(method, url, json={"key": "a2V5"}, headers={"Origin": origin}) as answer:
                    assert "Access-Control-Allow-Origin" not in answer.headers
        for host, status in (("evil.test:2379", 421), ("127.0.0.1.evil.test", 421), ("localhost:2379", 200)):
            async with http.post(url, json={"key": "a2V5"}, headers={"Host": host}) as answer:
                assert answer.status == status, host


async def test_no_password_is_on_a_command_line_or_in_a_log(tmp_path: Path) -> None:
    """Every user reads every command line of the machine; logs go into reports."""
    servers = {kind: Backing(kind) for kind in backing.kinds()}
    rates, feed = Service("rates"), Service("feed")
    links = [Link(rates, servers["redis"]), Link(rates, servers["postgres"]), Link(feed, servers["nats"])]
    async with stack_up(tmp_path, [*servers.values(), rates, feed], links) as running:
        secrets = {urlsplit(running.url(server)).password for server in servers.values()} - {None}
        secrets |= {urlsplit(running.statistics_url(server)).password for server in servers.values()} - {None}
        assert len(secrets) == 2
        lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        assert not [line for line in lines for secret in secrets if str(secret) in line]
        assert not [file for secret in secrets for file in files_with(str(secret).encode(), tmp_path)]


def files_with(secret: bytes, folder: Path) -> list[Path]:
    """Files below a folder that others may read and that have something in them."""
    readable = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_mode & 0o077]
    return [file for file in readable if secret in file.read_bytes()]


def status_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    lines = [line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return {name: value.strip() for name, _, value in lines}


@as_root
async def test_servers_are_nobody_and_have_no_capability(tmp_path: Path) -> None:
    """They kept root's way past permissions: another user's file appeared in a folder of root's with mode 0700."""
    servers = [Backing(kind) for kind in backing.kinds()]
    async with stack_up(tmp_path, servers, []) as running:
        for server in servers:
            for pid in running.pids(server):
                status = status_of(pid)
                assert status["Uid"].split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4, server.name
                held = {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
                assert held == {"0" * 16}, server.name
                assert status["NoNewPrivs"] == "1"


@as_root
@pytest.mark.parametrize("umask", [0o027, 0o077])
async def test_servers_start_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """They pass through folders of root's to their data, and read a configuration that root has written."""
    before = os.umask(umask)
    try:
        async with stack_up(tmp_path, [Backing("postgres"), Backing("nats")], []) as running:
            assert all(running.pids(member) for member in running.members())
    finally:
        os.umask(before)


@as_root
async def test_a_clone_that_only_root_reaches_works_too(tmp_path: Path) -> None:
    """Data and fetched programs are then where the servers' user can reach them, and go with the run.

    There are two servers: each waited for no other's copy, and one of them started from half of it.
    """
    parts = Tools().need("mariadb", "postgres")
    trees = {program.tree for program in parts.values() if program.tree}
    if not trees:
        pytest.skip("both servers are installed here, and so within everybody's reach")
    home = tmp_path / "clone" / ".lab"
    for tree in trees:
        shutil.copytree(tree, home / "debian" / tree.name, symlinks=True)
    (tmp_path / "clone").chmod(0o700)
    run, servers = fresh("reach"), [Backing("mariadb"), Backing("postgres")]
    async with Supervisor.open(tmp_path / "clone" / run, run) as supervisor:
        running = await LocalRuntime(supervisor, Tools(home)).start(Stack(servers, []), tmp_path / "logs")
        made = supervisor.for_servers()
        assert (made.stat().st_uid, made.stat().st_mode & 0o777) == (0, 0o711)
        for server in servers:
            program = Path(psutil.Process(running.pids(server)[0]).exe())
            assert program.is_relative_to(made) or not any(tree.name in str(program) for tree in trees)
            assert by_a_stranger("ls", str(made / "stack-1" / server.name)).returncode
        assert by_a_stranger("ls", str(made)).returncode
        await running.stop()
    assert not made.exists()
