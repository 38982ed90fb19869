"""What was fetched is told with its age, and renewed whole or not at all."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.run import doctor
from lab.runtime import debian, processes, renew, tools
from lab.runtime.journal import JOURNAL, Journal
from lab.runtime.parts import PARTS
from lab.runtime.tools import Tools

pytestmark = pytest.mark.e2e

APT = """
echo "$0 $*" >> {said}
case "$*" in
*print-uris*) echo "'http://x/y.deb' y.deb 2000000 SHA256:0";;
*" download "*) {download};;
esac
"""
DPKG = """
mkdir -p "$3/usr/bin"
printf '#!/bin/sh\\necho v=9.9.9\\n' > "$3/usr/bin/redis-server"
chmod +x "$3/usr/bin/redis-server"
"""


def program(path: Path, script: str) -> None:
    """Put a program there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Redis 7.0.15 in `.lab`, fetched 70 days ago, an apt that has 9.9.9, and no server of its own."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(tools, "PLACES", ())
    monkeypatch.setattr(tools.shutil, "which", which_in(tmp_path))
    old = tmp_path / ".lab/debian/redis-server"
    program(old / "usr/bin/redis-server", "echo v=7.0.15")
    os.utime(old, (time.time() - 70 * 86_400 - 60,) * 2)
    program(tmp_path / "bin/apt-get", APT.format(said=tmp_path / "asked", download=": > y.deb"))
    program(tmp_path / "bin/dpkg", DPKG)
    program(tmp_path / "bin/ldd", "true")
    return tmp_path


def which_in(folder: Path):
    """`shutil.which` for a machine that has what is below a folder, and nothing else."""
    real = tools.shutil.which

    def which(name: str, path: str | None = None) -> str | None:
        found = real(name, path=path)
        return found if found and Path(found).is_relative_to(folder) else None

    return which


def test_the_age_and_version_of_what_was_fetched_are_told(machine: Path) -> None:
    """What is older than a point release of Debian is named with the way to renew it; what is new is well."""
    (one,) = renew.fetched(Tools(machine / ".lab"))
    assert (one.part.name, one.version, int(one.days(time.time()))) == ("redis", "7.0.15", 70)
    finding = doctor._fetched(Tools(machine / ".lab"))
    assert (finding.ok, finding.needed, finding.remedy) == (False, False, "`make renew`")
    assert finding.found.endswith(".lab: Redis 7.0.15 (70 days old)")
    os.utime(one.path)
    finding = doctor._fetched(Tools(machine / ".lab"))
    assert finding.ok
    assert finding.found.endswith("Redis 7.0.15 (of today)")
    assert doctor._fetched(Tools(machine / "empty")).found == "none"


def test_a_server_of_the_machine_is_the_machines_to_renew(machine: Path) -> None:
    """What the package manager has installed is not named."""
    program(machine / "bin/redis-server", "echo v=8.0.0")
    assert renew.fetched(Tools(machine / ".lab")) == []
    assert renew.renew(Tools(machine / ".lab")) == []


def test_renewal_takes_package_lists_of_now(machine: Path) -> None:
    """The lists are fetched before anything is asked of them; the new server is in the old one's place."""
    assert renew.renew(Tools(machine / ".lab", lambda sentence: None)) == ["Redis 7.0.15 -> 9.9.9"]
    asked = (machine / "asked").read_text().splitlines()
    assert asked[0].endswith(" update")
    assert f"-oDir::State::Lists={machine / '.lab/apt'}/lists" in asked[0]
    (one,) = renew.fetched(Tools(machine / ".lab"))
    assert (one.version, int(one.days(time.time()))) == ("9.9.9", 0)
    assert [path.name for path in (machine / ".lab/debian").iterdir()] == ["redis-server"]


def test_what_cannot_be_had_stays(machine: Path) -> None:
    """Without a mirror the old server is still there, and the sentence says why."""
    refusing = APT.format(said=machine / "asked", download="echo 'E: Could not connect to the mirror' >&2; exit 100")
    program(machine / "bin/apt-get", refusing)
    (said,) = renew.renew(Tools(machine / ".lab", lambda sentence: None))
    assert said == "Redis stays at 7.0.15: `apt-get` failed: Could not connect to the mirror"
    (one,) = renew.fetched(Tools(machine / ".lab"))
    assert (one.version, int(one.days(time.time()))) == ("7.0.15", 70)
    assert [path.name for path in (machine / ".lab/debian").iterdir()] == ["redis-server"]


def test_what_go_built_is_built_again(machine: Path) -> None:
    """At the pinned version; without Go it stays."""
    program(machine / ".lab/bin/nats-server", "echo v2.0.0")
    assert "NATS stays at 2.0.0: there is no Go to build it" in renew.renew(Tools(machine / ".lab", lambda said: None))
    program(machine / "bin/go", 'printf "#!/bin/sh\\necho ${2#*@}\\n" > "$GOBIN/x"; chmod +x "$GOBIN/x"')
    pinned = PARTS["nats"].go["nats-server"].rpartition("@v")[2]
    assert f"NATS 2.0.0 -> {pinned}" in renew.renew(Tools(machine / ".lab", lambda said: None))


def test_a_run_in_progress_keeps_its_servers(machine: Path) -> None:
    """A server that is killed and started again within a run is the same one; after the run they are renewed."""
    folder = machine / ".lab/runs/20260101-120000-abcd"
    folder.mkdir(parents=True)
    me = processes.look(os.getpid())
    assert me
    Journal(folder / JOURNAL).write("run begins", pid=os.getpid(), started=me.started, **processes.here())
    with pytest.raises(LabError, match="run 20260101-120000-abcd is in progress"):
        renew.renew(Tools(machine / ".lab"))
    assert not (machine / "asked").exists()


def test_the_folder_that_was_there_stays_until_the_new_one_is_whole(machine: Path) -> None:
    """A package without the program does not take the place of one that has it."""
    program(machine / "bin/dpkg", "true")
    with pytest.raises(debian.FetchError, match="the packages hold no redis-server"):
        debian.fetch(
            "Redis",
            ["redis-server"],
            ["redis-server"],
            machine / ".lab/debian/redis-server",
            machine / ".lab/apt",
            lambda sentence: None,
        )
    assert (machine / ".lab/debian/redis-server/usr/bin/redis-server").exists()
