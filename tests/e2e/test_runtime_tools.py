import os
import pwd
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.runtime import debian

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.untraced,
    pytest.mark.skipif(not debian.available(), reason="no apt on this system"),
]

ROOT = Path(__file__).parents[2]
FETCH = """
import sys
from pathlib import Path
from lab.runtime import tools
tools.PLACES = ()  # as if nothing were installed
found = tools.Tools(Path(sys.argv[1])).need(*sys.argv[2:])
for program in found.values():
    print(program.path, tools.version_of(program))
"""


@pytest.fixture
def home(tmp_path_factory):
    """An empty `.lab` that belongs to an unprivileged user where we are root, with a PATH that has no servers."""
    home = tmp_path_factory.mktemp("someone") / ".lab"
    home.mkdir()
    for folder in (home, *home.parents):
        if "pytest-of-" in str(folder):
            folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(home, "nobody")
    return home


def unprivileged():
    """What stands before a command so that it runs without root, where we are root."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--inh-caps=-all"]


@pytest.fixture(scope="module")
def python():
    """A Python that an unprivileged user can run; that of root may be hidden in root's home."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        probe = [*unprivileged(), candidate, "-c", "import lab.runtime.tools"]
        if (
            subprocess.run(probe, env={"PYTHONPATH": str(ROOT)}, cwd="/", capture_output=True, check=False).returncode
            == 0
        ):
            return candidate
    return pytest.skip("no Python here that a user other than root can run")


def fetch(home, *parts, python, prefix=(), options=""):
    """Fetch parts in a process of its own; gives the process's result."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    if options:
        environment["APT_CONFIG"] = options
    if not prefix:
        environment |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return subprocess.run(
        [*prefix, python, "-c", FETCH, str(home), *parts],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        cwd="/",
        check=False,
    )


def fetched(done):
    """What was fetched, or a skip where this machine has no way to its packages."""
    if done.returncode and any(
        word in done.stderr for word in ("Could not resolve", "Failed to fetch", "Cannot initiate")
    ):
        pytest.skip(f"Debian's packages are not reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_server_is_fetched_without_root_and_with_empty_lists(home, tmp_path, python):
    """An unprivileged user on a machine whose package lists are empty gets a server that runs."""
    (tmp_path / "lists").mkdir()
    options = tmp_path / "apt.conf"
    options.write_text(f'Dir::State::Lists "{tmp_path}/lists";\n')
    for path in (tmp_path, options):
        path.chmod(0o755)
    asked = {"python": python, "prefix": unprivileged(), "options": str(options)}
    done = fetch(home, "nats", **asked)
    said = fetched(done)
    assert said.startswith(f"{home}/debian/nats-server/usr/sbin/nats-server 2.")
    assert done.stderr.splitlines() == ["fetching NATS (Debian package, 4 MB, once)"]
    assert fetch(home, "nats", **asked).stderr == "", "fetched once"


def test_two_labs_fetch_one_after_the_other(home):
    """Two labs that need the same server at the same time both get it, with its libraries, and it is fetched once."""
    with ThreadPoolExecutor() as threads:
        both = list(threads.map(lambda _: fetch(home, "redis", python=sys.executable), range(2)))
    outputs = [fetched(done) for done in both]
    assert outputs[0] == outputs[1]
    assert " 7." in outputs[0] or " 8." in outputs[0]
    assert sum("fetching Redis" in done.stderr for done in both) == 1
    assert [folder.name for folder in (home / "debian").iterdir()] == ["redis-server"]
