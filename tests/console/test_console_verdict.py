"""What the terminal shows of runs, at any width, with colours and without: verdicts, next steps, comparisons."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from console_runs import RECIPES
from rich.cells import cell_len

from lab.catalogue import find
from lab.cli import console
from lab.cli.console import shapes
from lab.cli.console.advice import try_next, typed
from lab.kit.screen import lasting
from lab.record import Condition, Interval, Run, Turned, Verdict
from lab.run.arithmetic import arithmetic


def judged(run: Run, verdict: Verdict, **changes: object) -> Run:
    """The same run with another verdict."""
    judgement = run.record.judgement
    assert judgement
    return replace(run, record=replace(run.record, judgement=replace(judgement, verdict=verdict, **changes)))  # type: ignore[arg-type]


# --- a verdict --------------------------------------------------------------------------------------------------


def test_the_verdict_reads_well_at_80_columns(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """Each claim is whole in its line, with where it was taken below it, and no bound is broken."""
    lines = screen(lambda: console.verdict(made["sound"])).splitlines()
    claims = [result.claim for result in made["sound"].record.judgement.claims]  # type: ignore[union-attr]
    for claim in claims:
        [at] = [n for n, line in enumerate(lines) if claim.text in line]
        assert lines[at].startswith("✓ PASS")
        assert lines[at + 1].strip().startswith(f"{claim.variant}, {claim.phase}")
    assert any("at least 950 ms" in line for line in lines)
    assert any("(control: must hurt)" in line for line in lines)
    assert max(map(cell_len, lines)) <= 80
    assert not any(line != line.rstrip() for line in lines)


def test_an_invariant_is_said_once_for_all_variants(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """Its text stands once, and each variant has its row."""
    run = made["sound"]
    text = screen(lambda: console.verdict(run), width=120)
    invariant = run.record.judgement.invariants[0].invariant  # type: ignore[union-attr]
    assert text.count(invariant.text) == 1
    assert text.count("whole run") == len(run.record.judgement.invariants)  # type: ignore[union-attr]


@pytest.mark.parametrize("width", [20, 40, 63, 64, 80, 120, 200])
@pytest.mark.parametrize("name", RECIPES)
def test_no_width_is_too_narrow(made: dict[str, Run], screen: Callable[..., str], name: str, width: int) -> None:
    """No line is wider than the terminal, but the one with the path, which stays whole to be copied."""
    text = screen(lambda: console.verdict(made[name]), width=width)
    wide = [line for line in text.splitlines() if cell_len(line) > width and "index.html" not in line]
    assert not wide
    if width < shapes.NARROW or width >= 120:  # between these a claim may take two lines of its column
        for result in made[name].record.judgement.claims:  # type: ignore[union-attr]
            assert "".join(result.claim.text.split()) in "".join(text.split())


def test_a_failed_claim_is_told_with_its_number(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """FAIL, and each reason in a line of its own."""
    text = screen(lambda: console.verdict(made["ignored"]), width=120)
    assert "✗ FAIL  Circuit breaker" in text
    reasons = made["ignored"].record.judgement.reasons  # type: ignore[union-attr]
    assert len(reasons) > 1
    assert all(reason in text for reason in reasons)


def test_an_unknown_verdict_says_why(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """The condition that was not met stands below the verdict, once."""
    text = screen(lambda: console.verdict(made["no fault"]), width=160)
    assert "? UNKNOWN  Circuit breaker" in text
    assert text.count("the fault was not in force") == 1


def test_many_reasons_are_cut_short(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """Five are told, the others are counted."""
    many = judged(made["sound"], "FAIL", reasons=[f"reason {n}" for n in range(8)])
    text = screen(lambda: console.verdict(many))
    assert "reason 4" in text
    assert "reason 5" not in text
    assert "and 3 more" in text


def test_trials_show_their_interval(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """Where there were several trials the interval stands below the claim, with the coverage that three can give."""
    text = screen(lambda: console.verdict(made["trials"]), width=120)
    assert re.search(r"75% interval \S+ ms to \S+ ms, 3 trials", text)
    assert "; seed 7, 3 trials" in text


def test_what_could_not_be_measured_says_why(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """A dash alone would leave one to guess."""
    text = screen(lambda: console.verdict(made["cut"]), width=120)
    assert "could not be measured: " in text


def test_notes_are_told_with_their_episode(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """What went wrong and was survived is not hidden; in trials it says in which."""
    record = made["trials"].record
    episodes = [replace(record.episodes[0], notes=["Prometheus was gone"]), *record.episodes[1:]]
    noted = replace(made["trials"], record=replace(record, episodes=episodes, notes=["interrupted"]))
    text = screen(lambda: console.verdict(noted, "one more"))
    assert "note    interrupted" in text
    assert "note    off, trial 1: Prometheus was gone" in text
    assert "note    one more" in text


def test_a_run_that_was_not_judged_says_so(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """A run that the lab did not finish has no verdict to show."""
    bare = replace(made["sound"], record=replace(made["sound"].record, judgement=None))
    assert "was not judged" in screen(lambda: console.verdict(bare), width=200)
    assert "not judged" in screen(lambda: console.compare([bare, made["sound"]]))
    assert "not claimed" in screen(lambda: console.compare([bare, made["sound"]]))


def test_the_report_is_a_link_where_the_terminal_knows_links(
    made: dict[str, Run], screen: Callable[..., str], tmp_path: Path
) -> None:
    """OSC 8 with a file:// address in a terminal; the bare path in a pipe and a dumb terminal."""
    run = made["sound"]
    assert "report" not in screen(lambda: console.verdict(run))
    page = run.path / "index.html"
    page.write_text("report")
    try:
        link = f"]8;id=\\d+;{re.escape(page.as_uri())}"
        assert re.search(link, screen(lambda: console.verdict(run), terminal=True))
        assert re.search(link, screen(lambda: console.verdict(run), terminal=True, NO_COLOR="1"))
        for plain in (
            screen(lambda: console.verdict(run)),
            screen(lambda: console.verdict(run), terminal=True, TERM="dumb"),
        ):
            assert "\x1b" not in plain
            assert f"  report  {page}" in plain.splitlines()
    finally:
        page.unlink()


def test_no_color_takes_the_colours_and_leaves_the_marks(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """Signs and words tell the verdict where colours do not."""
    colours = re.compile(r"\x1b\[[0-9;]*(3[0-9]|9[0-7])[0-9;]*m")
    coloured = screen(lambda: console.verdict(made["ignored"]), terminal=True)
    plain = screen(lambda: console.verdict(made["ignored"]), terminal=True, NO_COLOR="1")
    assert colours.search(coloured)
    assert not colours.search(plain)
    assert "✗ FAIL" in plain


def test_brackets_in_texts_are_no_markup(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """A claim that reads like markup is shown as it is."""
    odd = judged(made["sound"], "FAIL", reasons=["[red]not[/red] :smile: [/]"])
    assert "[red]not[/red] :smile: [/]" in screen(lambda: console.verdict(odd))


# --- what to do next --------------------------------------------------------------------------------------------


def test_the_next_step_fits_the_verdict(made: dict[str, Run]) -> None:
    """Chance after one trial, the full length after a quick look, the machine after a load that was not reached."""
    sound = made["sound"].record
    assert try_next(sound) == "make scenario NAME=circuit-breaker TRIALS=6, to see how far chance moves the numbers"
    assert "BREAKER" in try_next(replace(sound, trials=6))
    bare = replace(sound, trials=6, spec=replace(sound.spec, exercises=[]))
    assert try_next(bare).startswith("make show NAME=circuit-breaker")
    assert "at full length" in try_next(replace(sound, scale=0.5))
    knob = Turned("load.per_s", "9", "50")
    assert try_next(replace(sound, turned=[knob])).startswith("make scenario NAME=circuit-breaker, which is the cata")
    failed = made["ignored"].record
    assert "whether it was chance" in try_next(failed)
    assert "compare each claim with what the report shows" in try_next(replace(failed, trials=6))
    assert try_next(made["no fault"].record).endswith("once you have fixed what the reason names")
    assert try_next(replace(sound, judgement=None)) == sound.command


def test_a_load_that_was_not_reached_leads_to_the_doctor(made: dict[str, Run]) -> None:
    """It is the machine, not the experiment."""
    conditions = [Condition("load reached", False, "load reached 50 %")]
    late = judged(made["sound"], "UNKNOWN", conditions=conditions)
    assert try_next(late.record).startswith("make doctor")


def test_who_runs_bin_lab_is_told_bin_lab(made: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit codes are what it was typed for; make hides them."""
    monkeypatch.setenv("LAB_COMMAND", "bin/lab")
    assert try_next(made["sound"].record).startswith("bin/lab run circuit-breaker --trials 6, to see how far")
    assert typed("make scenario NAME=x SEED=3 SET='a:b.C=1 d.e=2' LOAD_WORKERS=2") == (
        "bin/lab run x --seed 3 --set 'a:b.C=1 d.e=2' --load-workers 2"
    )
    assert typed("make doctor") == "bin/lab doctor"


def test_an_interval_around_the_bound_asks_for_more_trials(made: dict[str, Run]) -> None:
    """Twice as many as there were."""
    judgement = made["trials"].record.judgement
    assert judgement
    first = judgement.claims[0]
    bound = first.claim.at_least or first.claim.at_most or 0.0
    wide = replace(first, verdict="UNKNOWN", interval=Interval(bound - 1, bound + 1, 0.75, 3))
    run = judged(made["trials"], "UNKNOWN", claims=[wide, *judgement.claims[1:]])
    assert "TRIALS=6: more trials" in try_next(run.record)


def test_a_run_of_a_file_is_named_by_its_file(made: dict[str, Run]) -> None:
    """What the catalogue does not know is repeated by its path."""
    record = replace(made["ignored"].record, command="make scenario NAME='/tmp/my file.py' SEED=1")
    assert try_next(record).startswith("make scenario NAME='/tmp/my file.py' TRIALS=6")


def test_the_plan_is_the_arithmetic_of_the_run() -> None:
    """Phases, variants, trials, the sum, and what comes on top."""
    spec = find("circuit-breaker").spec(0.5)
    assert arithmetic(spec) == (
        "2 variants (off, on) x 25 s (baseline 3 s, blip 2 s, healed 4.5 s, fault 10 s, recovery 5.5 s) = 50 s,"
        " and about 12 s to start and stop"
    )
    assert "fault 10 s, recovery 5.5 s) x 3 trials = 2 min 30 s, and about 36 s" in arithmetic(spec, 3)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0.4 s"), (2.5, "2.5 s"), (10.4, "10 s"), (59.4, "59 s"), (60, "1 min"), (100, "1 min 40 s"),
        (3599.7, "1 h"), (3600, "1 h"), (7500, "2 h 5 min"),
    ],
)  # fmt: skip
def test_lengths_of_time_are_said_as_people_say_them(seconds: float, words: str) -> None:
    """Seconds, then minutes, then hours, and never 60 of one."""
    assert lasting(seconds) == words


# --- several runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [30, 60, 80, 140])
def test_runs_stand_side_by_side_under_letters(made: dict[str, Run], screen: Callable[..., str], width: int) -> None:
    """Each run is named once with its facts, and each claim has a value for each."""
    text = screen(lambda: console.compare([made["sound"], made["ignored"], made["trials"]]), width=width)
    whole = " ".join(text.split())
    for letter, name in zip("ABC", ("sound", "ignored", "trials"), strict=True):
        assert text.count(made[name].record.run) == 1 or width < 40
        assert f"{letter} " in whole
    assert max(map(cell_len, text.splitlines())) <= width
    if width >= 80:
        [at] = [n for n, line in enumerate(text.splitlines()) if "refusals are immediate" in line]
        assert text.splitlines()[at].count("✓") == 2
        assert text.splitlines()[at].count("✗") == 1


def test_a_bound_that_changed_between_runs_is_shown(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """A value is read against the bound of its own run."""
    judgement = made["again"].record.judgement
    assert judgement
    first = replace(judgement.claims[0], claim=replace(judgement.claims[0].claim, at_least=123.0))
    other = judged(made["again"], "PASS", claims=[first])
    text = screen(lambda: console.compare([made["sound"], other]))
    assert "at least 123 ms" in text
    assert "not claimed" in text


def test_a_summary_of_many(screen: Callable[..., str]) -> None:
    """A line for each, with where its report is or what went wrong."""
    results = [("circuit-breaker", "PASS", "reports/x"), ("retry", "BROKEN", "retry.py:3: odd")]
    text = screen(lambda: console.summary(results))
    assert re.search(r"✓ PASS +circuit-breaker +reports/x", text)
    assert re.search(r"! BROKEN +retry +retry.py:3: odd", text)


def test_a_claim_says_whose_latency_and_how_much_of_it_is_lateness(
    made: dict[str, Run], screen: Callable[..., str]
) -> None:
    """Of all requests, or of successes; and the load generator's part where it is more than next to nothing."""
    judgement = made["sound"].record.judgement
    assert judgement
    first = judgement.claims[0]
    metric = replace(first.claim.metric, args={"of": "ok"})
    claim = replace(first.claim, metric=metric, at_least=900.0, at_most=None)
    late = replace(first, claim=claim, late=42.0)
    text = screen(lambda: console.verdict(judged(made["sound"], "PASS", claims=[late])), width=160)
    assert "off, fault, p90 of successes" in text
    assert "of which 42 ms lateness" in text
    punctual = replace(late, late=2.0)
    assert "lateness" not in screen(
        lambda: console.verdict(judged(made["sound"], "PASS", claims=[punctual])), width=160
    )


def test_a_control_that_did_not_hurt_says_so(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """UNKNOWN and its reason, never FAIL."""
    judgement = made["no fault"].record.judgement
    assert judgement
    text = screen(lambda: console.verdict(made["no fault"]), width=160)
    assert "did not hurt: is" in text
    mine = next(line for line in text.splitlines() if "callers wait" in line or judgement.claims[0].claim.text in line)
    assert mine.startswith("? UNKNOWN")


def test_a_run_says_how_many_claims_it_judges_at_once(made: dict[str, Run], screen: Callable[..., str]) -> None:
    """Several claims miss by chance more often than one; intervals say how many of them may."""
    assert "5 claims judged at once, from 1 draw each: if each held in 99 runs of 100, up to 5 % of runs" in screen(
        lambda: console.verdict(made["sound"]), width=160
    )
    text = screen(lambda: console.verdict(made["trials"]), width=160)
    assert "5 claims judged at once, from 3 draws each: 5 intervals of the median, of which 1.2 miss it" in text
