"""A run whose output nobody reads to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab_runs import ROOT

from lab.record import read_run, runs_of

pytestmark = [pytest.mark.e2e, pytest.mark.greenlets]


def test_a_run_goes_on_when_its_reader_goes_away(tmp_path: Path) -> None:
    """`lab run NAME | head -2`: it is played and judged to its end, and exits with its verdict."""
    command = [sys.executable, "-m", "lab", "run", "circuit-breaker", "--scale", "0.05", "--reports", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as lab:
        assert lab.stdout
        assert lab.stderr
        lab.stdout.readline()
        lab.stdout.close()
        said = lab.stderr.read()
        code = lab.wait()
    [path] = runs_of(tmp_path, "circuit-breaker")
    run = read_run(path)
    assert run.record.judgement
    assert code == {"PASS": 0, "FAIL": 1, "UNKNOWN": 2}[run.record.judgement.verdict], said
    assert len(run.record.episodes) == len(run.record.spec.variants)
