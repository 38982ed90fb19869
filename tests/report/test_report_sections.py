from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.record import (
    Anomaly,
    Dose,
    ExerciseSpec,
    InvariantResult,
    Judgement,
    LinkSpec,
    PanelSpec,
    PhaseSpec,
    Receipt,
    Run,
    Spec,
    WorkerFacts,
    write_table,
)
from lab.report.sections import (
    anomalies,
    claims,
    exercises,
    idea,
    machine,
    naive,
    panels,
    predict,
    receipts,
    recovery,
    repeat,
    traces,
    variants,
)
from lab.report.view import FaultWindow, View

pytestmark = pytest.mark.e2e

ViewOf = Callable[[str], View]


def with_spec(view: View, **changes: object) -> View:
    """The same run of another scenario."""
    spec: Spec = replace(view.spec, **changes)  # type: ignore[arg-type]
    return View(replace(view.run, record=replace(view.record, spec=spec)), view.handbook)


def test_a_claim_says_what_its_metric_measures(view_of: ViewOf) -> None:
    """Where the number stands, in the words of docs/metrics.md."""
    data = claims.build(view_of("pass"))
    assert data is not None
    meant = {row.result.claim.metric.name: row.meaning for row in data.rows}
    assert meant["p90_ms"] == "The wait that 90 % of operations did not exceed (nearest rank)."


def test_recovery_is_measured_for_every_variant(view_of: ViewOf) -> None:
    """Detection, attempts, losses and recovery stand beside each other; what could not be measured says why."""
    data = recovery.build(view_of("pass"))
    assert data is not None
    rows = {(row.name, row.phase): [cell.text for cell in row.cells] for row in data.rows}
    assert rows["Attempts per request, exchange→payments", "fault"] == ["1", "0.0630"]
    assert rows["Requests lost", "fault"] == ["1,000", "1,000"]
    assert rows["Time to recover", "recovery"] == ["0 s", "4.18 s"]
    unknown = recovery.build(view_of("unknown"))
    assert unknown is not None
    assert unknown.rows[0].cells[0].text == "–"
    assert unknown.rows[0].cells[0].why == "no fault was injected in fault of off"


def test_attempts_are_shown_of_links_that_can_have_them(view_of: ViewOf) -> None:
    """A link that does not speak HTTP has no attempts, and what members of a cluster tell each other are none."""
    view = view_of("pass")
    database = LinkSpec("exchange->postgres", "exchange", "postgres")
    back = LinkSpec("payments->exchange", "payments", "exchange")
    for more, attempts in (([database], {"exchange→payments"}), ([database, back], set())):
        links = [*view.spec.links, *more]
        data = recovery.build(with_spec(view, links=links))
        assert data is not None
        assert {row.name.rpartition(" ")[2] for row in data.rows if row.name.startswith("Attempts")} == attempts


def test_a_variant_without_a_link_has_no_attempts_on_it(view_of: ViewOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one variant has no such caller, there is a dash and not a zero."""
    view = view_of("pass")
    fewer = [row for row in view.run.snapshots if row["variant"] == "on"]
    monkeypatch.setitem(view.run.__dict__, "snapshots", fewer)
    data = recovery.build(view)
    assert data is not None
    (row,) = [row for row in data.rows if row.name.startswith("Attempts")]
    assert [cell.text for cell in row.cells] == ["–", "0.0630"]


def test_recovery_over_trials_is_a_median_with_its_range(view_of: ViewOf) -> None:
    """Several trials give the middle and both ends."""
    data = recovery.build(view_of("quick trials"))
    assert data is not None
    assert data.trials == 3
    assert any(" to " in cell.text for row in data.rows for cell in row.cells)


def test_nothing_broken_nothing_to_recover_from(view_of: ViewOf) -> None:
    """A scenario without faults has neither receipts nor recovery."""
    calm = with_spec(view_of("pass"), phases=[PhaseSpec("baseline", 5)])
    assert recovery.build(calm) is None
    assert receipts.build(calm) is None


def test_a_fault_without_receipt_is_named(view_of: ViewOf) -> None:
    """What was asked and never added stands above the table, for each variant."""
    data = receipts.build(view_of("unknown"))
    assert data is not None
    assert data.rows == []
    assert data.never == ["payments silent in fault of off", "payments silent in fault of on"]
    proven = receipts.build(view_of("pass"))
    assert proven is not None
    assert proven.never == []
    assert [row.variant for row in proven.rows] == ["off", "on"]
    assert [chart.name for chart in proven.charts] == ["canary-1-off", "canary-1-on"]


def test_receipts_that_say_the_same_are_folded(view_of: ViewOf) -> None:
    """Thirty faults of which one was not in force: that one is seen, first, and six others."""
    view = view_of("pass")
    episode = view.episode("off")
    (proof,) = episode.receipts
    lost = replace(proof, dose=replace(proof.dose, in_force=False))
    record = replace(view.record, episodes=[replace(episode, receipts=[*[proof] * 29, lost])])
    data = receipts.build(View(Run(view.run.path, record), {}))
    assert data is not None
    assert [row.receipt.dose.in_force for row in data.shown] == [False, *[True] * receipts.SHOWN]
    assert len(data.folded) == 29 - receipts.SHOWN


def test_many_canaries_are_named_and_not_drawn(view_of: ViewOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of many links has charts for some of its canaries, and the names of the others."""
    monkeypatch.setattr(receipts, "MAX_CANARIES", 0)
    data = receipts.build(view_of("pass"))
    assert data is not None
    assert data.charts == []
    assert data.undrawn == ["exchange->payments"]


def test_fault_windows_are_those_of_the_receipts(view_of: ViewOf) -> None:
    """From injection to removal; an interrupted run's fault ends where the run did; one not in force says so."""
    (window,) = view_of("pass").faults("off")
    assert (round(window.start_s, 3), round(window.end_s, 3), window.label) == (5.012, 25.009, "payments silent")
    (cut,) = view_of("interrupted").faults("on")
    assert cut.end_s == view_of("interrupted").ended_s("on")
    (asked,) = view_of("unknown").faults("off")
    assert asked == FaultWindow("payments silent", 4.0, 11.0, in_force=False)
    assert asked.label == "payments silent (asked, not in force)"


def test_overlapping_faults_get_a_line_each(view_of: ViewOf) -> None:
    """Labels of faults that are in at the same time stand above each other; later ones reuse the lines."""
    from lab.report.charts.timeline import label_rows

    view = view_of("pass")
    episode = view.episode("off")
    fault = view.spec.phases[1].faults[0]
    dose = Dose("", "", in_force=True)
    made = [
        Receipt(replace(fault, text=text), "fault", start, end, {}, dose)
        for text, start, end in (("one", 1.0, 10.0), ("two", 2.0, 12.0), ("three", 20.0, 30.0))
    ]
    spec = replace(view.spec, phases=[PhaseSpec("fault", 37, [receipt.fault for receipt in made])])
    record = replace(view.record, spec=spec, episodes=[replace(episode, receipts=made)])
    phases = 2  # on a phone the name of the first, which lasts 5 s, reaches into the second
    assert label_rows(View(Run(view.run.path, record), {})) == phases + 2


def test_naive_and_intended_are_held_against_each_other(view_of: ViewOf) -> None:
    """Where requests left on time both agree; where they left late the section says by how much and where."""
    view = view_of("pass")
    data = naive.build(view)
    assert data is not None
    assert data.is_open
    pairs = [naive.Pair("off", "fault", 100.0, 250.0), naive.Pair("on", "fault", 0.0, 5.0)]
    assert "2.5 times as long" in naive._finding(pairs)
    assert "off" in naive._finding(pairs)
    assert naive._finding([naive.Pair("off", "fault", 100.0, 101.0)]).startswith("They agree")


def test_too_few_operations_for_a_p99_are_said_to_be(view_of: ViewOf) -> None:
    """A dash in the table is explained below it."""
    data = variants.build(view_of("quick trials"))
    assert data is not None
    assert "the metric takes at least 100" in data.short
    enough = variants.build(view_of("pass"))
    assert enough is not None
    assert enough.short == ""


def test_outcomes_are_folded_where_every_request_succeeded(view_of: ViewOf, tmp_path: Path) -> None:
    """One failure in one variant, and they are seen."""
    view = view_of("pass")
    rows = [{**row, "outcome": "ok"} for row in view.run.table("operations").to_pylist()]
    for folder, failed, folded in (("all", None, True), ("one", "fail", False)):
        (tmp_path / folder).mkdir()
        rows[7]["outcome"] = failed or "ok"
        write_table(tmp_path / folder, "operations", rows)
        data = variants.build(View(Run(tmp_path / folder, view.record), {}))
        assert data is not None
        assert data.all_ok is folded


def test_phases_not_reached_are_empty_cells(view_of: ViewOf) -> None:
    """The table has every phase that was asked."""
    data = variants.build(view_of("interrupted"))
    assert data is not None
    assert [(name, [cell is not None for cell in cells]) for name, _, cells in data.table] == [
        ("baseline", [True, True]),
        ("fault", [True, True]),
        ("recovery", [True, False]),
    ]


def test_the_slowest_traces_come_first_with_their_spans(view_of: ViewOf) -> None:
    """The caller's wait, then each span below it, placed by time; what went wrong is marked."""
    data = traces.build(view_of("pass"))
    assert data is not None
    (off, slowest), (on, _) = data.variants
    assert (off, on) == ("off", "on")
    assert len(slowest) == traces.A_VARIANT
    first = slowest[0]
    assert first.title.endswith("in fault, never answered")
    assert [(bar.depth, bar.who, bar.kind) for bar in first.bars] == [
        (0, "load", "load"),
        (1, "exchange", "server"),
        (2, "exchange", "client"),
    ]
    assert first.bars[2].what == "POST /charges → payments"
    assert all(bar.failed for bar in first.bars)
    assert all(0 <= bar.left <= 100 and bar.left + bar.width <= 100.01 for w in slowest for bar in w.bars)


def test_no_logs_no_traces(tmp_path: Path, view_of: ViewOf) -> None:
    """Operations alone are no waterfall."""
    view = view_of("first only")
    table = view.run.table("operations")
    write_table(tmp_path, "operations", table.to_pylist())
    assert traces.build(View(Run(tmp_path, view.record), {})) is None


def test_panels_draw_what_they_can(tmp_path: Path, view_of: ViewOf) -> None:
    """Panels without samples are named; more series than colours are counted, not drawn."""
    view = view_of("unknown")
    rows = [
        {"trial": 1, "variant": "off", "panel": "Breaker state", "series": f"s{k}", "at_s": float(at), "value": 1.0}
        for k in range(9)
        for at in range(3)
    ]
    write_table(tmp_path, "series", rows)
    data = panels.build(View(Run(tmp_path, view.record), {}))
    assert data is not None
    assert (len(data.panels[0].series), data.panels[0].left_out) == (6, 3)
    empty = panels.build(View(Run(tmp_path / "nothing", view.record), {}))
    assert empty is not None
    assert empty.empty == ["Breaker state"]
    assert panels.build(with_spec(view, panels=[])) is None


def test_rates_that_stay_at_0_are_not_drawn(tmp_path: Path, view_of: ViewOf) -> None:
    """Every answer that could come is exported at 0: a panel draws those that came, and of a state panel all."""
    view = view_of("unknown")
    rows = [
        {"trial": 1, "variant": "off", "panel": "Answers", "series": name, "at_s": float(at), "value": value * at}
        for name, value in (("201", 2.0), ("500", 0.0), ("504", 1.0))
        for at in range(6)
    ]
    write_table(tmp_path, "series", rows)

    def drawn(expr: str) -> list[str]:
        panel = PanelSpec("Answers", expr, "reqps", "", {})
        data = panels.build(View(Run(tmp_path, with_spec(view, panels=[panel]).record), {}))
        assert data is not None
        return list(data.panels[0].series)

    assert drawn("sum by (status) (rate(answers_total[5s]))") == ["201", "504"]
    assert drawn("max by (status) (answers)") == ["201", "500", "504"]


def test_notes_stand_where_they_matter(view_of: ViewOf) -> None:
    """A Prometheus that ended is told with the panels, with the variant it happened in; other notes are not."""
    view = view_of("pass")
    ended = replace(view.episode("off"), notes=["Prometheus ended 12.0 s into the load: panels stop there", "else"])
    record = replace(view.record, episodes=[ended, view.episode("on")])
    data = panels.build(View(Run(view.run.path, record), {}))
    assert data is not None
    assert data.notes == ["off: Prometheus ended 12.0 s into the load: panels stop there"]


def test_anomalies_show_the_operations_of_their_trial(view_of: ViewOf) -> None:
    """Operation numbers begin again in every trial; an anomaly brings its own, and the greater part is left out."""
    view = view_of("quick trials")
    invariant = view.spec.invariants[0]
    many = Anomaly("many", list(range(40)), trial=2)
    result = InvariantResult(replace(invariant, broken_in=["on"]), "on", "PASS", "", 40, [many])
    judged = Judgement("PASS", [], [], [], [result])
    data = anomalies.build(View(Run(view.run.path, replace(view.record, judgement=judged)), {}))
    assert data is not None
    (broken,) = data.broken[invariant.text]
    (found,) = broken.shown
    assert broken.expected
    assert (len(found.operations), found.left_out) == (anomalies.MAX_OPERATIONS, 28)
    second = view.run.operations("on", 2)
    assert found.operations[3].key == second.key[3]


def test_variants_in_which_the_same_was_found_share_a_row(view_of: ViewOf) -> None:
    """Eight variants times four invariants are 32 rows of which most say the same; what differs keeps its row."""
    view = view_of("pass")
    invariant = replace(view.spec.invariants[0], broken_in=["c"])
    judged = [
        InvariantResult(invariant, variant, "PASS", why, 10, anomalies=found)
        for variant, why, found in (
            ("a", "10 are fine", []),
            ("b", "10 are fine", []),
            ("c", "10 are fine", []),
            ("d", "9 are fine", [Anomaly("one", [1])]),
        )
    ]
    record = replace(view.record, judgement=Judgement("PASS", [], [], [], judged))
    data = claims.build(View(Run(view.run.path, record), {}))
    assert data is not None
    assert [(row.variants, row.checked, row.expected_broken, row.has_anomalies) for row in data.invariants] == [
        (["a", "b"], 20, False, False),
        (["c"], 10, True, False),
        (["d"], 10, False, True),
    ]


def test_more_anomalies_than_anybody_reads_are_folded_away(view_of: ViewOf) -> None:
    """The first few of a variant are shown, the others are there to be unfolded."""
    view = view_of("pass")
    result = InvariantResult(
        view.spec.invariants[0], "on", "FAIL", "", 40, [Anomaly(f"number {k}", [k]) for k in range(5)], found=70
    )
    record = replace(view.record, judgement=Judgement("FAIL", [], [], [], [result]))
    data = anomalies.build(View(Run(view.run.path, record), {}))
    assert data is not None
    ((broken,),) = data.broken.values()
    assert [each.anomaly.text for each in broken.shown] == ["number 0", "number 1", "number 2"]
    assert [each.anomaly.text for each in broken.more] == ["number 3", "number 4"]


def test_sections_that_the_author_left_empty_are_left_out(view_of: ViewOf) -> None:
    """No exercises, no predictions: no sections of that name; no idea: the summary stands in."""
    bare = with_spec(view_of("pass"), exercises=[], predict=[], look_at=[], idea="")
    assert exercises.build(bare) is None
    assert predict.build(bare) is None
    assert idea.build(bare).paragraphs[0].startswith("Circuit breaker: stop calling")
    assert exercises.build(with_spec(bare, exercises=[ExerciseSpec("x", "")])) is not None


def test_the_command_repeats_the_run(view_of: ViewOf) -> None:
    """Seed, trials and scale are in it where they matter."""
    assert repeat.build(view_of("pass")).again == "make scenario NAME=circuit-breaker SEED=7"
    again = repeat.build(view_of("quick trials")).again
    assert again == "make scenario NAME=circuit-breaker SEED=7 TRIALS=3 SCALE=0.3"


def test_notes_say_which_pass_they_are_of(view_of: ViewOf) -> None:
    """Notes of the run come first, then those of each pass."""
    assert machine.build(view_of("interrupted")).notes[0].startswith("interrupted by Ctrl-C")
    assert machine.build(view_of("quick trials")).notes[1].startswith("on, trial 1: py-spy")
    unknown_load = replace(view_of("pass").record.machine, load_average_1min=None)
    view = view_of("pass")
    data = machine.build(View(Run(view.run.path, replace(view.record, machine=unknown_load)), {}))
    assert "Load average before" not in dict(data.facts)


def test_each_load_worker_has_a_line(view_of: ViewOf) -> None:
    """Its share, its lateness, its clock, and how it was lost; one process alone has none."""
    view = view_of("pass")
    assert machine.build(view).workers == []
    first, *others = view.record.episodes
    crew = [
        WorkerFacts(0, "here", 253, 253, 253, 1.5, 9.0, 0.25, 0.01, 0.06, 0.02),
        WorkerFacts(1, "there", 252, 100, 99, 2.5, 9.0, 0.5, -3.25, 0.4, lost="died after 4.0 s"),
    ]
    shared = replace(first, load=replace(first.load, workers=crew))
    lines = machine.build(View(Run(view.run.path, replace(view.record, episodes=[shared, *others])), {})).workers
    assert lines == [
        "off: worker 0 on here started 253 of 253, p99 1.5 ms late, CPU 250 ms; "
        "its clock was 0.01 ms ahead, known within 0.06 ms, drift 0.02 ms",
        "off: worker 1 on there started 100 of 252, p99 2.5 ms late, CPU 500 ms; "
        "its clock was -3.25 ms ahead, known within 0.4 ms; died after 4.0 s",
    ]


def test_a_variant_that_was_not_run_is_none_to_ask_for(view_of: ViewOf) -> None:
    """`episode` gives a pass or raises."""
    with pytest.raises(KeyError):
        view_of("first only").episode("on")
    assert view_of("pass").section_title("99.9") == "99.9"
