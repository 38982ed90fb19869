import os
import stat
import sys
from pathlib import Path

import pytest

from lab.errors import LabError, MissingPart
from lab.runtime import debian, tools
from lab.runtime.parts import PARTS
from lab.runtime.tools import Program, Tools, go_version, is_as_new, version_of

pytestmark = pytest.mark.e2e


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing on it but what a test puts into `bin`."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(tools, "PLACES", ())
    monkeypatch.delenv("TOXIPROXY", raising=False)
    return tmp_path


def program(path, script="exit 0"):
    """Put a program there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_what_is_on_the_path_comes_first(machine):
    """A server on PATH is taken before one in .lab, and one in .lab/bin before an unpacked package."""
    unpacked = program(machine / ".lab/debian/nats-server/usr/sbin/nats-server")
    found = Tools(machine / ".lab")
    assert found.need("nats")["nats-server"].path == unpacked
    own = program(machine / ".lab/bin/nats-server")
    assert Tools(machine / ".lab").need("nats")["nats-server"].path == own
    installed = program(machine / "bin/nats-server")
    assert Tools(machine / ".lab").need("nats")["nats-server"].path == installed
    assert found.need("nats")["nats-server"].path == unpacked, "looked for once a run"


def test_one_that_is_too_old_is_passed_over(machine):
    """Of several the first that is new enough is taken; where none is, that is said, with ways that lead to one."""
    old = program(machine / "bin/nats-server", "echo nats-server: v2.9.10")
    assert Tools(machine / ".lab").find("nats>=2.10") is None
    with pytest.raises(MissingPart) as error:
        Tools(machine / ".lab").need("nats>=2.10")
    assert "NATS 2.10 or newer (experiments on messaging): here is 2.9.10" in str(error.value)
    assert "`go install github.com/nats-io/nats-server/v2@" in str(error.value)
    assert "apt-get" not in str(error.value)
    new = program(machine / ".lab/bin/nats-server", "echo nats-server: v2.14.5")
    found = Tools(machine / ".lab")
    assert found.need("nats>=2.10", "nats")["nats-server"].path in {old, new}
    assert found.need("nats>=2.10")["nats-server"].path == new
    assert found.versions() == {"NATS": "2.14.5"}
    assert found.need("nats")["nats-server"].path == old


@pytest.mark.parametrize(
    ("version", "as_new"),
    [("2.10", True), ("2.9.10", False), ("10.0", True), ("2.10.0-1+b2", True), ("unknown", False)],
)
def test_versions_are_compared_as_numbers(version, as_new):
    """2.9 is older than 2.10, and what is not known is no match."""
    assert is_as_new(version, "2.10") is as_new


def test_places_of_distributions_are_searched_newest_first(machine, monkeypatch):
    """Servers that are not on PATH are found where distributions put them, of several versions the newest."""
    monkeypatch.setattr(tools, "PLACES", (f"{machine}/lib/postgresql/*/bin",))
    for version in (9, 15, 14):
        for name in ("postgres", "initdb"):
            program(machine / f"lib/postgresql/{version}/bin/{name}")
    assert Tools(machine / ".lab").need("postgres")["initdb"].path == machine / "lib/postgresql/15/bin/initdb"


def test_libraries_of_a_package_go_with_its_programs_only(machine):
    """A program of an unpacked package gets its libraries in its own environment; nothing else does."""
    root = machine / ".lab/debian/redis-server"
    program(root / "usr/bin/redis-server")
    (root / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    assert Tools(machine / ".lab").need("redis")["redis-server"].env == {}
    (root / "usr/lib/x86_64-linux-gnu/libjemalloc.so.2").touch()
    found = Tools(machine / ".lab").need("redis")["redis-server"]
    assert found.env == {"LD_LIBRARY_PATH": str(root / "usr/lib/x86_64-linux-gnu")}


def test_everything_missing_is_named_at_once_with_the_ways_to_get_it(machine):
    """One error names each part that cannot be had, what it is for, and every way to get it."""
    with pytest.raises(MissingPart) as error:
        Tools(machine / ".lab").need("prometheus", "redis", "nats")
    first, *rest = str(error.value).splitlines()
    assert first == "3 parts are missing:"
    assert [line.split(" (")[0].strip() for line in rest] == ["Prometheus", "Redis", "NATS"]
    assert "collects the metrics of every run" in rest[0]
    assert (
        "`apt-get install redis-server redis-tools`, `brew install redis`, or run with `--runtime compose`." in rest[1]
    )
    assert "`go install github.com/nats-io/nats-server/v2@" in rest[2]


def test_a_part_with_one_of_its_programs_missing_is_missing(machine):
    """PostgreSQL without initdb is not there."""
    program(machine / "bin/postgres")
    assert Tools(machine / ".lab").find("postgres") is None


def test_what_apt_complains_of_is_in_the_error(machine):
    """When a package cannot be fetched the error carries apt's own first error."""
    program(machine / "bin/apt-get", "echo 'W: old' >&2; echo 'E: Unable to locate package prometheus' >&2; exit 100")
    program(machine / "bin/dpkg")
    said = []
    with pytest.raises(MissingPart, match="`apt-get` failed: Unable to locate package prometheus"):
        Tools(machine / ".lab", said.append).need("prometheus")
    assert said == []
    assert not list((machine / ".lab/debian").glob("*")), "nothing half-made is left"


def test_a_package_without_the_program_is_an_error(machine):
    """A package that unpacks and holds no such program is an error, not a server that is missing later."""
    size = "echo \"'http://x/y.deb' y.deb 19000001 SHA256:0\""
    program(machine / "bin/apt-get", f'case "$*" in *print-uris*) {size};; *) echo fetched; : > y.deb;; esac')
    program(machine / "bin/dpkg")
    said = []
    with pytest.raises(MissingPart, match="the packages hold no prometheus"):
        Tools(machine / ".lab", said.append).need("prometheus")
    assert said == ["fetching Prometheus (Debian package, 20 MB, once)"]


def test_go_builds_what_no_package_has(machine, monkeypatch):
    """Where there is no apt and there is Go, a part that Go can build is built at its pinned version."""
    monkeypatch.setenv("PATH", f"{machine}/bin:/usr/bin:/bin")
    monkeypatch.setattr(debian, "available", lambda: False)
    program(machine / "bin/go", '[ "$1" = install ] && echo "echo $2" > "$GOBIN/built" && chmod +x "$GOBIN/built"')
    said = []
    found = Tools(machine / ".lab", said.append).need("toxiproxy")
    assert found["toxiproxy-server"].path == machine / ".lab/bin/toxiproxy-server"
    assert "cmd/cli@v2.12.0" in found["toxiproxy-cli"].path.read_text()
    assert len(said) == 2


def test_a_build_that_fails_says_why(machine, monkeypatch):
    """A failed build is an error with Go's last words, and leaves nothing behind."""
    monkeypatch.setattr(debian, "available", lambda: False)
    program(machine / "bin/go", "echo 'no such host' >&2; exit 1")
    with pytest.raises(MissingPart, match=r"`go install github.com/nats-io.*` failed: no such host"):
        Tools(machine / ".lab", lambda sentence: None).need("nats")
    assert list((machine / ".lab/bin").iterdir()) == []


class TestFaultProxy:
    """Which fault proxy stands in the links."""

    def test_the_built_in_one_needs_nothing(self, machine):
        """Where no Toxiproxy is there the built-in one is used, with its version."""
        found = Tools(machine / ".lab").fault_proxy()
        assert found.argv == (sys.executable, "-m", "lab.proxy")
        assert found.text.startswith("built-in fault proxy 2.")

    def test_toxiproxy_is_used_where_it_is(self, machine):
        """A toxiproxy-server that is found is used, and named with its version and no folder of this machine."""
        program(machine / ".lab/bin/toxiproxy-server", "echo toxiproxy-server version 2.12.0")
        assert Tools(machine / ".lab").fault_proxy().text == "Toxiproxy 2.12.0 (toxiproxy-server)"

    def test_the_environment_decides(self, machine, monkeypatch):
        """TOXIPROXY names the built-in one or a program; anything else is an error with both ways."""
        program(machine / "bin/toxiproxy-server")
        other = program(machine / "other", "echo nothing")
        monkeypatch.setenv("TOXIPROXY", "builtin")
        assert "built-in" in Tools(machine / ".lab").fault_proxy().text
        monkeypatch.setenv("TOXIPROXY", str(other))
        assert Tools(machine / ".lab").fault_proxy().argv == (str(other),)
        monkeypatch.setenv("TOXIPROXY", "/no/such")
        with pytest.raises(LabError, match="TOXIPROXY=/no/such: no such program; give `builtin` or the path"):
            Tools(machine / ".lab").fault_proxy()


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("prometheus, version 2.42.0+ds (branch: debian/sid)", "2.42.0+ds"),
        ("Redis server v=7.0.15 sha=00000000:0", "7.0.15"),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
        ("nats-server: v2.9.10", "2.9.10"),
        ("nothing of the kind", "unknown"),
    ],
)
def test_versions_are_read_from_what_programs_say(tmp_path, said, version):
    """The version is what stands in a program's own answer."""
    assert version_of(Program("x", program(tmp_path / "x", f"echo '{said}'"))) == version


def test_a_program_that_cannot_say_its_version(tmp_path):
    """A program that cannot be run has an unknown version; one that Go built has it inside."""
    assert version_of(Program("x", tmp_path / "none")) == "unknown"
    built = tmp_path / "built"
    built.write_bytes(b"\x7fELF...\npath\tgithub.com/a/b/cmd\nmod\tgithub.com/a/b/v2\tv2.12.0\th1:x=\n")
    assert go_version(built) == "2.12.0"


def test_versions_are_of_what_was_needed(machine):
    """The versions of a run are those of the parts it needed."""
    program(machine / "bin/nats-server", "echo v2.9.10")
    program(machine / "bin/redis-server", "echo v=7.0.15")
    found = Tools(machine / ".lab")
    found.need("nats")
    assert found.versions() == {"NATS": "2.9.10"}
    assert found.version("redis") == "7.0.15"
    assert found.version("postgres") == "missing"


def test_every_part_can_be_had_on_every_system():
    """Each part has a way on Debian, or with Go, and one on macOS."""
    for part in PARTS.values():
        assert part.debian or part.go, part.name
        assert part.brew, part.name


def test_folders_of_an_unpacked_tree_are_relative_to_it():
    """The library path of a tree that is not there is empty."""
    assert debian.library_path(Path(os.devnull)) == ""
