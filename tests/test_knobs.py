"""A knob is turned for one run: what there is to turn, what is refused before a start, what a run says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from report.fabricate import Recipe, fabricate

from lab import catalogue
from lab.catalogue import Entry, knobs, read_all
from lab.catalogue.knobs import offered
from lab.catalogue.validate.reach import out_of_reach
from lab.cli import console
from lab.errors import LabError
from lab.kit.places import ROOT
from lab.record import Record, Turned, read_run, unlike, write_record
from targets.kit import offered as targets


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The targets answer here, as they do in a process of their own."""
    monkeypatch.setattr(offered, "exchange", targets.answer)
    offered._settings.cache_clear()
    yield
    offered._settings.cache_clear()


def turned(name: str, *asked: str) -> Entry:
    """An experiment with its knobs turned."""
    return knobs.turn(catalogue.find(name), asked)


def test_the_targets_answer_in_a_process_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they take, and what is wrong with an environment, without the lab importing them."""
    monkeypatch.undo()
    env = {"SERVICE_NAME": "exchange", "PAYMENTS_URL": "", "BREAKER_PROBES": "0"}
    told = offered.exchange({"exchange": [env, {**env, "BREAKER_PROBES": "2"}]})
    assert {"name": "BREAKER_PROBES", "takes": "a whole number from 1 to 1,000,000", "default": "1"} in (
        told["exchange"]["settings"]
    )
    [wrong], right = told["exchange"]["problems"]
    assert wrong.startswith("BREAKER_PROBES='0' cannot be: give a whole number from 1")
    assert right == []
    with pytest.raises(LabError, match=r"the settings of the targets cannot be read: .*no_such"):
        offered.exchange({"no_such": []})


def test_each_kind_of_knob() -> None:
    """A setting of one variant and of all, the load, a phase and its fault; the rest stays as it is."""
    before = catalogue.find("circuit-breaker").spec()
    asked = "on:exchange.BREAKER_OPEN_S=10 exchange.PAYMENTS_TIMEOUT_S=1 load.per_s=80 fault.lasts_s=30"
    entry = turned("circuit-breaker", asked)
    spec = entry.spec()
    assert spec.variants[1].env == {"exchange": {"BREAKER": "on", "BREAKER_OPEN_S": 10}}
    assert spec.settings == {"exchange": {"PAYMENTS_TIMEOUT_S": 1}}
    assert spec.load.per_s == 80
    assert [phase.lasts_s for phase in spec.phases] == [6, 4, 9, 30, 11]
    back = {name: getattr(before, name) for name in ("variants", "settings", "load", "phases")}
    assert replace(spec, **back) == before
    assert [each.text for each in entry.turned] == [
        "on:exchange.BREAKER_OPEN_S=10 (otherwise 5)",
        "exchange.PAYMENTS_TIMEOUT_S=1 (otherwise 0.5)",
        "load.per_s=80 (otherwise 50)",
        "fault.lasts_s=30 (otherwise 20)",
    ]
    storm = turned("retry-storm", "fault.latency.ms=100").spec()
    assert storm.phases[1].faults[0].args["ms"] == 100
    assert storm.phases[1].faults[0].text == "standby +100 ms"


def test_several_services_turn_together() -> None:
    """Instances of one target by the target's name; `*` for all that have such a setting."""
    raft = turned("raft-leader-kill", "raft.RAFT_ELECTION_HIGH_MS=1300").spec()
    assert {name for name, env in raft.settings.items() if env.get("RAFT_ELECTION_HIGH_MS") == 1300} == {
        "client", *(f"raft-{n}" for n in range(1, 6)),
    }  # fmt: skip
    budget = turned("retry-storm", "budget:*.RETRY_BUDGET=0.2").spec().variants[2].env
    assert {service: env["RETRY_BUDGET"] for service, env in budget.items()} == {"exchange": 0.2, "payments": 0.2}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("BREAKER_OPEN_S=10", 'has no knob "BREAKER_OPEN_S"; did you mean "on:exchange.BREAKER_OPEN_S"?'),
        ("on:exchange.BREAKER_OPN_S=1", 'did you mean "on:exchange.BREAKER_OPEN_S"? (make show NAME=circuit-breaker'),
        ("onn:exchange.BREAKER_OPEN_S=1", 'did you mean "on:exchange.BREAKER_OPEN_S"?'),
        ("fualt.lasts_s=3", 'did you mean "fault.lasts_s"?'),
        ("nothing.like_it=3", "make show NAME=circuit-breaker lists them."),
        ("exchange.BREAKER_OPEN_S=9", "set in on by itself; turn on:exchange.BREAKER_OPEN_S=..."),
        ("on:exchange.BREAKER_OPEN_S=x", "BREAKER_OPEN_S='x' cannot be: give a number from 0.001 to 3,600 seconds"),
        ("on:exchange.BREAKER_MIN_CALLS=1.5", "BREAKER_MIN_CALLS='1.5' cannot be: give a whole number"),
        ("load.per_s=-1", "load has per_s=-1; it takes arrivals a second, above 0."),
        ("load.per_s=many", "per_s is 'many'; it takes a number"),
        ("load.arrivals=possion", 'did you mean "poisson"?'),
        ("load.users=3", 'did you mean "load.per_s"?'),
        ("fault.lasts_s=0", 'phase "fault" has lasts_s=0'),
        ("fault.silence.swallows=request", "swallows is 'request'; it takes \"answer\" or None"),
        ("off:exchange.BREAKER=on off:exchange.BREAKER_OPEN_S=5", 'variants "off" and "on" have the same environment'),
        ("load.per_s", '"load.per_s" turns no knob; write it as NAME=VALUE'),
        ("load.per_s=", '"load.per_s=" turns no knob'),
        ("load.per_s=1 load.per_s=2", "load.per_s is given two values; leave one out"),
    ],
)
def test_what_cannot_be_turned_is_one_sentence(asked: str, said: str) -> None:
    """Name and value are checked before anything starts, against the scenario and the target's own settings."""
    with pytest.raises(LabError) as caught:
        turned("circuit-breaker", asked)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_that_do_not_fit_together_are_refused() -> None:
    """The target's own rule, over all that it is told."""
    with pytest.raises(LabError, match="would refuse it: RAFT_ELECTION_LOW_MS must be twice"):
        turned("raft-leader-kill", "raft.RAFT_ELECTION_HIGH_MS=500")
    found = catalogue.find("cache-stampede")
    server = next(member for member in found.scenario.members if member.name == "postgres")
    told = replace(found.scenario, settings={**found.scenario.settings, server: {"max_connections": 50}})
    with pytest.raises(LabError, match="postgres takes a number for max_connections; it is 50 in the file"):
        knobs.turn(replace(found, scenario=told), ["postgres.max_connections=many"])


def test_what_a_link_gives_is_there_for_a_knob_that_needs_it() -> None:
    """The folder of a server's data: without it, no mark of a watermark could be turned."""
    assert turned("disk-full", "watermark:outbox.WATERMARK_REFUSE_MB=4").turned
    with pytest.raises(LabError, match="WATERMARK_ACCEPT_MB=51 cannot be with WATERMARK_REFUSE_MB=60"):
        turned("disk-full", "watermark:outbox.WATERMARK_REFUSE_MB=60")


def test_where_a_knob_stands() -> None:
    """A switch that is off and a number that is 0 stand somewhere; several servers of a kind turn together."""
    now = {knob.name: knob.now for knob in knobs.knobs_of(catalogue.find("raft-against-etcd").scenario)}
    assert now["etcd.PRE_VOTE"] == "on"
    assert now["etcd.ELECTION_TIMEOUT"] == "600"
    off = {knob.name: knob.now for knob in knobs.knobs_of(catalogue.find("isolation-matrix").scenario)}
    assert off["mariadb.INNODB_SNAPSHOT_ISOLATION"] == "off"
    spec = turned("raft-against-etcd", "etcd.ELECTION_TIMEOUT=1000").spec()
    assert [spec.settings[f"etcd-{n}"]["ELECTION_TIMEOUT"] for n in (1, 2, 3)] == [1000, 1000, 1000]


@pytest.mark.parametrize("entry", read_all()[0], ids=lambda entry: entry.name)
def test_every_experiment_has_knobs_and_its_page_turns_those_there_are(entry: Entry) -> None:
    """Names are unique, each can be turned to where it stands, and each SET line of the page resolves."""
    found = knobs.knobs_of(entry.scenario)
    assert len({knob.name for knob in found}) == len(found)
    listed = knobs.listed(entry.scenario)
    assert {knob.name for knob in listed} <= {knob.name for knob in found}
    assert any(knob.name.endswith(".lasts_s") for knob in listed)
    for each in entry.page.tries:
        if each.knob.startswith("SET="):
            assert knobs.turn(entry, [each.knob.removeprefix("SET=").strip('"')]).turned, each.knob


def test_bounds_that_a_knob_puts_out_of_reach_are_named_before_the_run() -> None:
    """The bounds stay what they are, and the plan says which cannot be decided now."""
    scenario = turned("circuit-breaker", "recovery.lasts_s=5").scenario
    [said] = out_of_reach(scenario, 1.0, turned=True)
    assert said.startswith('With these knobs claim "payments is let back in" asks for at most 6 s')
    assert out_of_reach(scenario, 0.5, turned=True)[0].startswith("At scale 0.5 with these knobs claim")
    assert not out_of_reach(catalogue.find("circuit-breaker").scenario, 1.0)


def test_a_run_with_knobs_is_beside_the_catalogues_and_not_in_its_place(tmp_path: Path) -> None:
    """Nor is a quick look; each says how it differs, in the terminal and for a machine."""
    small = Recipe(per_s=20)
    fabricate(tmp_path, replace(small, run="2026-01-01"))
    for run, change in (("2026-01-02", {"scale": 0.5}), ("2026-01-03", {"turned": [Turned("load.per_s", "9", "50")]})):
        made = fabricate(tmp_path, replace(small, run=run, breaker_ignored=True))
        write_record(made.path, replace(made.record, **change))
    entries = [catalogue.find("circuit-breaker")]
    [data] = console.catalogue_data(entries, tmp_path, runs=False)
    assert data["last_verdict"] == "PASS"
    assert (data["last_run"]["run"], data["last_run"]["verdict"]) == ("2026-01-03", "FAIL")
    assert data["last_run"]["turned"] == [{"knob": "load.per_s", "value": "9", "before": "50"}]
    kept = read_run(tmp_path / "circuit-breaker" / "2026-01-03")
    assert console.run_data(kept)["turned"] == data["last_run"]["turned"]
    assert kept.record.unlike == "with load.per_s=9"
    assert unlike(0.5, kept.record.turned) == "at scale 0.5 with load.per_s=9"


def test_a_record_of_an_older_lab_turned_nothing() -> None:
    """The example in the repository is one."""
    file = ROOT / "reports" / "example" / "circuit-breaker" / "record.json"
    record: Record = read_run(file.parent).record
    assert "turned" not in json.loads(file.read_text()) or record.turned == []
    assert record.is_full
    assert record.unlike == ""
