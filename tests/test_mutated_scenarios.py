"""Wrong scenario files without end: each is answered with sentences that name it, whatever is wrong.

`MUTATED_SCENARIOS=300 pytest tests/test_mutated_scenarios.py -s` draws more of them, and counts.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from pathlib import Path

import msgspec
from mutated_scenarios import spoiled
from test_bad_scenarios import GOOD

from lab.catalogue import read
from lab.errors import ScenarioError
from lab.load.arrivals import schedule, stream
from lab.load.wire import render

WRONG = int(os.environ.get("MUTATED_SCENARIOS", "60"))
SENTENCE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{20,700}")
OPERATION = (
    """[Operation("POST /trades", lambda rng, n: Request("POST", "/trades", {"n": n}, key=f"k{n}", value="1"))]"""
)
SOUND = (
    GOOD.replace("Readback, ", "Readback, Request, ")
    .replace('"POST /trades", to', f"{OPERATION}, to")
    .replace("exchange = Service(", 'exchange = Service(env={"A": 1}, name=')
)


def sentences_of(file: Path) -> list[str]:
    """What is said of a file by what reads it and makes its requests; none where it is sound after all."""
    try:
        entry = read(file)
        msgspec.json.encode(asdict(entry.spec()))
        load = entry.scenario.load
        arrivals = schedule(load, 1, seed=1) if load.is_open else [next(stream(load, 1))]
        for arrival in arrivals[:100]:
            render(arrival, "127.0.0.1:1")
    except ScenarioError as error:
        return error.problems
    return []


def test_each_wrong_file_is_answered_in_sentences(tmp_path: Path) -> None:
    """Printable, on one line each, with the file (or the operation) and no word of Python's insides."""
    (tmp_path / "sound.py").write_text(SOUND)
    assert sentences_of(tmp_path / "sound.py") == []
    wrong = sound = seed = 0
    for seed in range(WRONG * 10):
        if wrong == WRONG:
            break
        file = tmp_path / f"spoiled_{seed}.py"
        file.write_text(spoiled(SOUND, seed), "utf-8")
        problems = sentences_of(file)
        wrong, sound = wrong + bool(problems), sound + (not problems)
        for problem in problems:
            assert SENTENCE.fullmatch(problem), (seed, problem)
            assert str(file) in problem or problem.startswith('operation "'), (seed, problem)
            assert "object at 0x" not in problem, (seed, problem)
            assert "NoneType" not in problem, (seed, problem)
    print(f"{wrong} wrong files, each answered in sentences; {sound} others stayed sound")
    assert wrong == WRONG
