"""Sabotage: what is broken on purpose is never reported as a pass, and nothing outlives the lab.

Patterns that do nothing are mutants (tests/mutants), of which CI runs three each time.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from lab_runs import ROOT, changed, lab, logged, of_a_run, start, until

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
QUICK = ("--scale", "0.2", "--json")


def test_a_toxic_that_is_taken_and_not_applied_is_unknown(tmp_path: Path) -> None:
    """The proxy lists the toxic and lets every byte through: UNKNOWN, the fault was not in force."""
    proxy = tmp_path / "lying-proxy"
    proxy.write_text(
        f"#!{sys.executable}\n"
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from lab.proxy.toxics.timeout import Timeout\n"
        "def pass_on(self):\n"
        "    while self.queue:\n"
        "        self.after.take(self.pop())\n"
        "Timeout.work = pass_on\n"
        "runpy.run_module('lab.proxy', run_name='__main__')\n"
    )
    proxy.chmod(0o755)
    done = lab("run", "circuit-breaker", *QUICK, "--reports", tmp_path / "reports", env={"TOXIPROXY": str(proxy)})
    assert done.code == 2, done.out + done.err
    assert done.data["verdict"] == "UNKNOWN"
    # Not the first reason on a machine that somebody else keeps busy, which stands before it.
    assert any("the fault was not in force" in reason for reason in done.data["reasons"]), done.data["reasons"]


def test_a_load_that_is_held_to_half_is_unknown(tmp_path: Path) -> None:
    """Every second operation is lost in the load generator: UNKNOWN, and the reason is the load reached."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import os\n"
        "if os.environ.get('LAB_LOAD_DIR'):\n"
        "    from lab.load import forms\n"
        "    more = forms.RequestReader.more\n"
        "    forms.RequestReader.more = lambda self: more(self)[::2]\n"
    )
    path = os.pathsep.join([str(hook), str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = lab("run", "circuit-breaker", *QUICK, "--reports", tmp_path / "reports", env={"PYTHONPATH": path})
    assert done.code == 2, done.out + done.err
    assert done.data["verdict"] == "UNKNOWN"
    assert any("the load was not sent as scheduled" in reason for reason in done.data["reasons"])


def test_a_target_that_exits_at_start_is_shown_with_its_last_lines(tmp_path: Path) -> None:
    """A setting that payments refuses: exit 3, and its own words stand in the error."""
    file = changed(tmp_path, "settings={", 'settings={charge.callee: {"WORK_MS": "many"}, ')
    done = lab("run", file, *QUICK, "--reports", tmp_path / "reports")
    assert done.code == 3
    assert "payments" in done.err
    assert "WORK_MS" in done.err
    assert "Traceback" not in done.err
    assert not list((tmp_path / "reports").glob("*/2*"))


def test_prometheus_killed_in_the_middle_costs_panels_and_no_verdict(tmp_path: Path) -> None:
    """The run goes on to its end, judges its claims, and says what is missing."""
    reports = tmp_path / "reports"
    running = start("run", "circuit-breaker", *QUICK, "--reports", reports)
    until(lambda: logged(reports, "1-off/exchange.log"))
    time.sleep(3)
    [pid] = [pid for pid, command in of_a_run(reports).items() if "--config.file" in command]
    os.kill(pid, signal.SIGKILL)
    done = running.finish()
    assert done.code in (0, 1, 2), done.err
    notes = " ".join(note for note in done.data["notes"])
    assert "Prometheus" in notes
    assert done.data["claims"][0]["verdict"] == "PASS"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_lab_stops_everything_and_says_so(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM: a word, the shell's exit code, no process left, no half run on disk."""
    reports = tmp_path / "reports"
    running = start("run", "circuit-breaker", *QUICK, "--reports", reports)
    until(lambda: logged(reports, "1-off/exchange.log"))
    runs = of_a_run(reports)
    assert runs
    running.signal(number)
    done = running.finish()
    assert done.code == code, done.err
    assert "interrupted" in done.err
    assert not [pid for pid in runs if psutil.pid_exists(pid)]


def test_a_killed_lab_leaves_nothing_after_3_s_and_the_next_run_works(tmp_path: Path) -> None:
    """kill -9 of the lab: processes, ports and faults go with it; `lab heal` finds nothing alive."""
    reports = tmp_path / "reports"
    running = start("run", "circuit-breaker", *QUICK, "--reports", reports)
    until(lambda: logged(reports, "1-off/exchange.log"))
    until(lambda: len(of_a_run(reports)) >= 4)
    running.signal(signal.SIGKILL)
    running.finish()
    time.sleep(3)
    assert of_a_run(reports) == {}
    healed = lab("heal")
    assert healed.code == 0
    done = lab("run", "circuit-breaker", *QUICK, "--reports", reports)
    assert done.code in (0, 1, 2), done.err


def test_everything_listens_on_this_machine_alone(tmp_path: Path) -> None:
    """During a run no process of it listens on anything but 127.0.0.1."""
    reports = tmp_path / "reports"
    running = start("run", "circuit-breaker", *QUICK, "--reports", reports)
    until(lambda: logged(reports, "1-off/exchange.log"))
    time.sleep(2)
    mine = {running.popen.pid, *of_a_run(reports)}
    listening = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in mine]
    running.signal(signal.SIGINT)
    running.finish()
    assert len(listening) >= 4
    assert {connection.laddr.ip for connection in listening} <= {"127.0.0.1", "::1"}
