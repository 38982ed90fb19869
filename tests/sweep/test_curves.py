"""A sweep's curves: where a claim holds, where it crosses its bound, and a page that shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab.record import ClaimResult, ClaimSpec, Interval, MetricSpec, Run, Turned, Verdict
from lab.report.sweep import Curve, Swept, curves, write_sweep
from lab.report.sweep.chart import chart

KNOB = "on:exchange.BREAKER_OPEN_S"
BACK = "payments is let back in"


def point(run: Run, value: str, y: float | None, verdict: Verdict, text: str = BACK) -> tuple[str, Run]:
    """A point at which one claim was measured as `y`."""
    judged = run.record.judgement
    assert judged
    claims = [
        replace(r, value=y, verdict=verdict, why="planted", interval=y and Interval(y * 0.9, y * 1.1, 0.75, 3))
        if r.claim.text == text
        else r
        for r in judged.claims
    ]
    turned, lent = [Turned(KNOB, value, "5")], {"off": "first"}
    record = replace(
        run.record, turned=turned, lent=lent, trials=3, judgement=replace(judged, claims=claims, verdict=verdict)
    )
    return value, replace(run, record=record)


def swept(*points: tuple[str, Run], knob: str = KNOB) -> Swept:
    """A sweep of these points."""
    return Swept(knob, [value for value, _ in points], points, "make sweep NAME=circuit-breaker")


def finding(sweep: Swept, text: str = BACK) -> str:
    """What is said of a claim."""
    return " ".join(next(curve.finding for curve in curves(sweep) if curve.claim.text == text).split())


def test_a_crossing_is_named(passing: Run) -> None:
    """Between which values, and where a straight line between the medians meets the bound of 6 s."""
    found = swept(*(point(passing, v, float(v) + 1, "PASS" if v in "14" else "FAIL") for v in ("1", "4", "6", "10")))
    crosses = "crosses its bound (≤ 6 s) between 4 and 6, by a straight line near 5."
    assert finding(found) == f"Holds at 1 and 4; fails at 6 and 10; {crosses}"


def test_a_logarithmic_axis_has_its_own_straight_line(passing: Run) -> None:
    """From 1 to 100 the middle is 10."""
    found = swept(point(passing, "1", 1.0, "PASS"), point(passing, "100", 11.0, "FAIL"))
    assert found.is_log
    assert "near 10." in finding(found)


def test_the_order_of_the_values_does_not_matter(passing: Run) -> None:
    """A sweep may be asked for downwards."""
    found = swept(point(passing, "10", 9.0, "FAIL"), point(passing, "2", 3.0, "PASS"))
    assert "between 2 and 10, by a straight line near 6." in finding(found)


def test_no_crossing_names_the_nearest_point(passing: Run) -> None:
    """And three values or more in a row as a range."""
    points = [point(passing, v, 1 + float(v) / 10, "PASS") for v in ("1", "2", "5")]
    assert finding(swept(*points)) == ("Holds at every value, 1 to 5; nearest to its bound (≤ 6 s) at 5: 1.50 s.")
    points.append(point(passing, "20", None, "UNKNOWN"))
    assert finding(swept(*points)).startswith("Holds at 1 to 5; is undecided at 20; nearest")


def test_words_have_no_place_between_them(passing: Run) -> None:
    """A switch crosses from one value to the next."""
    points = point(passing, "on", 3.0, "PASS"), point(passing, "off", 9.0, "FAIL")
    found = swept(*points, knob="on:exchange.BREAKER")
    assert found.numbers is None
    assert finding(found) == "Holds at on; fails at off; crosses its bound (≤ 6 s) from on to off."


def test_what_the_knob_does_not_touch_is_no_curve(passing: Run) -> None:
    """The lent control; but a claim held against the control moves with its own variant."""
    turned = {curve.claim.text: curve.turned for curve in curves(swept(point(passing, "1", 3.0, "PASS")))}
    assert turned == {
        "callers wait out the timeout": False,
        "refusals are immediate": True,
        "payments is spared": True,
        BACK: True,
        "health costs nothing": True,
    }


def test_the_page_shows_every_curve_with_its_bound(passing: Run, tmp_path: Path) -> None:
    """One file below 2 MB that loads nothing; points lead to their runs; what is missing says how to go on."""
    points = [point(passing, "1", 2.0, "PASS"), point(passing, "10", 9.0, "FAIL")]
    sweep = replace(swept(*points), values=["1", "10", "20"])
    html = write_sweep(tmp_path / "sweeps" / "x", sweep).read_text("utf-8")
    assert len(html.encode()) < 2_000_000
    assert not re.search(r'(?:src|href)="https?:', html)
    assert html.count('<figure class="chart"') == 4
    assert f'href="../../{passing.path.name}/index.html"' in html
    assert "crosses its bound" in html
    assert "Not finished: 20 is missing. Resume with: <code>make sweep NAME=circuit-breaker</code>" in html
    assert "The knob does not touch off: run once, and held against every value." in html
    assert "callers wait out the timeout" in html.partition("Not touched by the knob")[2]


@pytest.mark.parametrize(
    ("metric", "ys", "bound", "low", "high", "kind"),
    [
        (MetricSpec("success_ratio", ""), (0.99, 1.0), 0.995, 98, 102, "linear"),
        (MetricSpec("success_ratio", ""), (0.1, 0.9), 0.5, 0, 104, "linear"),
        (MetricSpec("recovery_s", "s"), (1.0, 9.0), 6.0, 0, 11, "linear"),
        (MetricSpec("p90_ms", "ms"), (1.0, 900.0), 50.0, 0.4, 1500, "log"),
    ],
)
def test_an_axis_shows_points_and_bound(
    passing: Run, metric: MetricSpec, ys: tuple[float, float], bound: float, low: float, high: float, kind: str
) -> None:
    """A share up to all of it, close up where all are close to it; logarithmic where the small would vanish."""
    claim = ClaimSpec("it", "on", "fault", metric, at_least=bound)
    judged = passing.record.judgement
    assert judged
    runs = [
        (value, replace(passing, record=replace(passing.record, judgement=replace(judged, claims=[made]))))
        for value, made in zip(("1", "2"), (ClaimResult(claim, "PASS", y, "") for y in ys), strict=True)
    ]
    sweep = swept(*runs)
    [curve] = curves(sweep)
    assert isinstance(curve, Curve)
    scale = chart(sweep, 0, curve).definition.to_dict()["layer"][0]["encoding"]["y"]["scale"]
    assert scale["type"] == kind
    assert low <= scale["domain"][0] < scale["domain"][1] <= high
