"""Every mistake in a scenario file is found before anything starts, and told in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.catalogue import find, read
from lab.catalogue.validate.reach import out_of_reach
from lab.errors import LabError, ScenarioError

GOOD = '''"""A sound scenario."""

from lab import (
    Backing, Claim, Invariant, Link, Load, Operation, Panel, Phase, Readback, Scenario, Service, Variant,
    actions, checkers, faults, metrics,
)

exchange = Service("exchange")
payments = Service("payments")
charge = Link(exchange, payments)
other = Link(payments, exchange)
stranger = Service("stranger", module="payments")

scenario = Scenario(
    title="Sound",
    handbook="7.6.1.3",
    question="Is it sound?",
    links=[charge],
    load=Load("POST /trades", to=exchange, per_s=50),
    phases=[Phase("baseline", lasts_s=1), Phase("fault", lasts_s=2, faults=[faults.silence(charge)])],
    variants=[Variant("off", {exchange: {"BREAKER": "off"}}), Variant("on", {exchange: {"BREAKER": "on"}})],
    claims=[
        Claim("it hurts", "off", "fault", metrics.p90_ms(of="all"), at_least=900, control=True),
        Claim("it helps", "on", "fault", metrics.p90_ms(of="all"), at_most=50),
    ],
    invariants=[Invariant("once", checkers.exactly_once("charges"))],
    readbacks=[Readback("charges", payments, "/charges")],
    panels=[Panel("State", "breaker_state")],
    profile=[exchange],
)
'''

TO = "to=exchange"
TRADES = f'"POST /trades", {TO}'
ON = 'Variant("on", {exchange: {"BREAKER": "on"}})'
HELPS = 'Claim("it helps", "on", "fault", metrics.p90_ms(of="all"), at_most=50)'

# what is changed in GOOD, into what, and words that the one error must hold
MISTAKES = [
    (
        "links=[charge]",
        "links=[charge, Link(Backing('redis'), exchange)]",
        "may call only a primary of its kind",
    ),
    (
        "links=[charge]",
        "links=[charge, *(Link(Backing('postgres', 'b'), Backing('postgres', name)) for name in ('a', 'c'))]",
        "b follows several servers; a standby has one primary",
    ),
    (
        "links=[charge]",
        "links=[charge, Link(Backing('postgres', 'b'), Backing('postgres', 'a')), "
        "Link(Backing('postgres', 'c'), Backing('postgres', 'b'))]",
        "b is a standby itself; let c follow the primary",
    ),
    (
        "faults=[faults.silence(charge)])",
        "actions=[actions.promote([Backing('postgres', 'b')], instead_of=Backing('postgres', 'b'), after_s=3)])",
        "after 3 s; the phase lasts 2 s",
    ),
    (
        "faults=[faults.silence(charge)])",
        "actions=[actions.promote([], instead_of=Backing('postgres', 'b'))])",
        "promote: among cannot be promoted; give standbys of PostgreSQL",
    ),
    ('"""A sound scenario."""', "", "has no docstring"),
    ("scenario = Scenario(", "experiment = Scenario(", "has no `scenario`"),
    ("scenario = Scenario(", "scenario = dict(", "has scenario = {"),
    ("from lab import (", "from lab import (Breaker, ", 'lab has no "Breaker"; there are Backing, Claim'),
    ('title="Sound",', 'title="Sound"', "invalid syntax"),
    ('    question="Is it sound?",\n', "", 'Scenario needs "question"'),
    ('title="Sound"', 'title=" "', "title is empty"),
    ('handbook="7.6.1.3"', 'handbook="7.6.1.9"', 'section "7.6.1.9" does not exist'),
    ('handbook="7.6.1.3"', "handbook=[]", "handbook names no section"),
    ("links=[charge]", "links=charge", "links is the link exchange->payments; it takes a list"),
    ("links=[charge]", "links=[charge, charge]", "is there twice"),
    ("charge = Link(exchange, payments)", "charge = Link(exchange, payments, 60_001)", "it takes 0 to 60,000 milli"),
    ("charge = Link(exchange, payments)", "charge = Link(exchange, payments, True)", ":10: Link: distance_ms is True"),
    ('Service("payments")', 'Service("prometheus", module="payments")', "is what the lab calls a part of its own"),
    ('Service("payments")', 'Service("payments-2")', 'write Service("payments-2", module="payments")'),
    ("per_s=50", "per_s=1e7", "a record holds at most 5,000,000"),
    ("per_s=50", "users=10_001", "a whole number from 1 to 10,000"),
    ("faults.silence(charge)", "faults.silence(payments)", ":20: faults.silence: link is the service payments"),
    ("faults.silence(charge)", "faults.latency(charge, delay=50)", ':20: faults.latency takes no "delay"'),
    (
        HELPS,
        HELPS.replace('p90_ms(of="all")', "sucess_ratio()"),
        'metrics has no "sucess_ratio"; did you mean "success_ratio"?',
    ),
    ('exactly_once("charges")', "exactly_once(5)", "checkers.exactly_once: readback is 5; it takes"),
    ("links=[charge]", "links=[other]", "breaks link exchange->payments, which is not in links"),
    ("charge = Link(exchange, payments)", "charge = Link(exchange, exchange)", "from a service to itself"),
    (
        "charge = Link(exchange, payments)",
        "charge = Link(exchange, payments, 0.5)",
        "distance_ms is 0.5; it takes a whole number",
    ),
    ('exactly_once("charges")', 'log_matching("charges, x")', "looks at readback x"),
    (
        'exactly_once("charges")',
        'exactly_once("charges", played_in="fault, killed")',
        "looks at phase killed, which is not in this scenario",
    ),
    ('Service("payments")', 'Service("Pay ments")', "is no name for a service"),
    ('Service("payments")', 'Service("paiments")', "targets/paiments.py, which does not exist"),
    ('Service("payments")', 'Service("payments", env={"work ms": 1})', 'sets "work ms"'),
    ("per_s=50", "per_s=0", "per_s=0"),
    ("per_s=50", "per_s=50, users=3", "either per_s (open model) or users"),
    (", per_s=50", "", "either per_s (open model) or users"),
    ("per_s=50", "users=0", "users=0"),
    ("per_s=50", 'per_s=50, arrivals="bursty"', '"uniform" or "poisson"'),
    ("per_s=50", "per_s=50, timeout_s=-1", "timeout_s=-1"),
    ('Load("POST /trades"', 'Load("trades"', "it takes a verb and a path"),
    ('Load("POST /trades"', "Load([]", "empty mix"),
    (TRADES, f'Operation("t", print, phases=["fault"]), {TO}', 'phase "baseline" has nothing to send'),
    (
        TRADES,
        f'["GET /", Operation("t", print, phases=["fautl"])], {TO}',
        '"fautl"; did you mean "fault"?',
    ),
    (f"{TRADES}, per_s=50", f'[Operation("t", print, phases=["fault"]), "GET /"], {TO}, users=2', "(closed model)"),
    (ON, ON[:-1] + ', needs=[Backing("redis")])', 'variant "on" needs redis, which no link leads to'),
    ("to=exchange", 'to="exchange"', "to is 'exchange'; it takes a Service or a list"),
    ("to=exchange", "to=[]", "load goes to no service"),
    ("to=exchange", 'to=[exchange, "payments"]', "to[1] is 'payments'; it takes a Service"),
    ("lasts_s=2", "lasts_s=0", 'phase "fault" has lasts_s=0'),
    ("lasts_s=2", 'lasts_s="2"', "lasts_s is '2'; it takes a number"),
    ('Phase("baseline"', 'Phase("fault"', 'two phases are called "fault"'),
    ("faults.silence(charge)", "faults.silence", "write it as a call"),
    ("faults.silence(charge)", "faults.silense(charge)", '20: faults has no "silense"; did you mean "silence"?'),
    ("faults.silence(charge)", "faults.kill(stranger)", "breaks stranger, which is not in this scenario"),
    ("faults.silence(charge)", "faults.slow_fsync(stranger, ms=20)", "breaks stranger, which is not in this scenario"),
    (
        "faults=[faults.silence(charge)]",
        'faults=[faults.kill(payments)]), Phase("next", lasts_s=2, faults=[faults.silence(charge)]',
        'phase "fault" has "payments killed", which starts again when the phase ends',
    ),
    (', Variant("on", {exchange: {"BREAKER": "on"}})', "", "variants holds 1; it takes two or more"),
    ('Variant("on", {exchange', 'Variant("off", {exchange', 'two variants are called "off"'),
    ('Variant("on", {exchange', 'Variant("on", {stranger', "changes stranger, which is not in this scenario"),
    (
        'Variant("on", {exchange: {"BREAKER": "on"}',
        'Variant("on", {exchange: {"BREAKER": ["on"]}',
        "['BREAKER'] is ['on']; it takes text, a number or True or False",
    ),
    (HELPS, HELPS.replace('"fault"', '"faults"'), 'names phase "faults"; did you mean "fault"?'),
    (HELPS, HELPS.replace('"on"', '"protected"'), 'names variant "protected"'),
    (HELPS, HELPS.replace(", at_most=50", ""), "has no bound"),
    (HELPS, HELPS.replace("at_most=50", "at_most=50, at_least=60"), "nothing is both"),
    (HELPS, HELPS.replace("at_most=50", 'at_most="50"'), "at_most is '50'; it takes a number or None"),
    (HELPS, HELPS.replace("at_most=50", 'at_most=50, of="none"'), 'against variant "none"'),
    (HELPS, HELPS.replace("at_most=50", 'at_most=50, of="on"'), "the ratio is always 1"),
    (HELPS, HELPS.replace("at_most=50", "at_most=50, control=True"), "the control is the first variant"),
    (HELPS, HELPS.replace('metrics.p90_ms(of="all")', "metrics.p90_ms"), "write it as a call"),
    (
        HELPS,
        HELPS.replace('metrics.p90_ms(of="all")', 'metrics.counter_increase([exchange, stranger], "x_total")'),
        "measures service stranger, which is not in this scenario",
    ),
    (HELPS, HELPS.replace('of="all"', ""), 'say whose waits it takes, of="ok", of="refused" or of="all"'),
    (HELPS, HELPS.replace('metrics.p90_ms(of="all")', "metrics.p90()"), 'metrics has no "p90"; did you mean "p90_ms"?'),
    (HELPS, HELPS.replace('metrics.p90_ms(of="all")', "metrics.attempts(other)"), "measures link payments->exchange"),
    (
        HELPS,
        HELPS.replace('metrics.p90_ms(of="all")', 'metrics.profile_fall_points(exchange, "f", since="none")'),
        "measures since none, which is not in this scenario",
    ),
    (
        HELPS,
        HELPS.replace('metrics.p90_ms(of="all")', 'metrics.messages_lost("mail")'),
        "measures readback mail, which is not",
    ),
    (HELPS, HELPS.replace("it helps", "it hurts"), 'two claims read "it hurts"'),
    (", control=True", "", "no claim says that the control"),
    (
        "checkers.exactly_once",
        "checkers.exactly_twice",
        'checkers has no "exactly_twice"; did you mean "exactly_once"?',
    ),
    ('Readback("charges"', 'Readback("charge"', 'did you mean "charge"?'),
    (
        f'{HELPS},\n    ],\n    invariants=[Invariant("once", checkers.exactly_once("charges"))]',
        "]",
        "about the control",
    ),
    ('"/charges")', '"charges")', "a path begins with /"),
    ('Readback("charges", payments', 'Readback("charges", stranger', "asks stranger"),
    ('Panel("State", "breaker_state")', 'Panel("State", "")', "has no expression"),
    ("profile=[exchange]", "profile=[stranger]", "profile names stranger"),
    # names within a claim or an invariant
    (
        HELPS,
        HELPS.replace('p90_ms(of="all")', 'requests_lost("POST /trade")'),
        "trade, which is not in this scenario; did you",
    ),
    (HELPS, HELPS.replace('p90_ms(of="all")', 'longest_gap_s("write")'), "measures operation write, which is not"),
    (HELPS, HELPS.replace('p90_ms(of="all")', 'panel_max("Sate")'), 'did you mean "State"?'),
    (
        HELPS,
        HELPS.replace('p90_ms(of="all")', "stale_reads()"),
        "operations whose first word is read, of which there are none",
    ),
    ('exactly_once("charges")', 'exactly_once(reedback="charges")', 'takes no "reedback"; did you mean "readback"?'),
    ('exactly_once("charges")', "exactly_once()", "readback"),
    ('exactly_once("charges")', 'as_expected("POST /")', "looks at operation POST /"),
    # bounds that leave nothing to decide
    (HELPS, HELPS.replace("at_most=50", "at_most=10_001"), "the load waits for 10000 ms: more is never known"),
    (HELPS, HELPS.replace('p90_ms(of="all")', "recovery_s()"), '"fault" lasts 2 s: it cannot fail'),
    (
        HELPS,
        HELPS.replace('p90_ms(of="all"), at_most=50', "longest_gap_s(), at_least=2"),
        '"fault" lasts 2 s: it cannot hold',
    ),
    (HELPS, HELPS.replace('p90_ms(of="all"), at_most=50', "requests_lost(), at_least=102"), "some 100 are due in"),
    (HELPS, HELPS.replace('p90_ms(of="all"), at_most=50', "success_ratio(), at_least=99"), "of a share; it is 0 to 1"),
    (ON, ON.replace('"BREAKER": "on"', '"BREAKER": "off"'), 'variants "off" and "on" have the same environment'),
]


def write(folder: Path, text: str, name: str = "planted.py") -> Path:
    """Put a scenario file into a folder."""
    file = folder / name
    file.write_text(text)
    return file


def test_the_template_of_these_mistakes_is_sound(tmp_path: Path) -> None:
    """Without a planted mistake the file is read, so each error below comes from its mistake alone."""
    entry = read(write(tmp_path, GOOD))
    assert entry.name == "planted"
    assert entry.spec(scale=0.5).phases[1].lasts_s == 1


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES, ids=[f"{i:02}" for i in range(len(MISTAKES))])
def test_a_mistake_is_told_in_one_sentence(tmp_path: Path, old: str, new: str, words: str) -> None:
    """A planted mistake gives an error that names the file and says what is wrong, once."""
    assert GOOD.count(old) == 1, f"{old!r} must be found once in the template"
    file = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        read(file)
    matching = [problem for problem in caught.value.problems if words in problem]
    assert len(matching) == 1, caught.value.problems
    assert len(caught.value.problems) <= 2, caught.value.problems  # one mistake, at most one consequence
    assert matching[0].startswith(str(file))
    assert "Traceback" not in str(caught.value)


def test_a_claim_about_an_operation_that_is_not_sent_in_its_phase(tmp_path: Path) -> None:
    """It would be about nothing."""
    text = GOOD.replace(TRADES, f'[Operation("POST /trades", print, phases=["baseline"]), "GET /x"], {TO}')
    text = text.replace(HELPS, HELPS.replace('p90_ms(of="all")', 'p90_ms("POST /trades", of="all")'))
    with pytest.raises(ScenarioError, match="measures operation POST /trades in fault; it is sent in baseline alone"):
        read(write(tmp_path, text))


def test_what_a_scale_puts_out_of_reach_is_named_before_the_run(tmp_path: Path) -> None:
    """A gap of 1.5 s fits a fault of 2 s and not one of 1 s; a p99 takes 100 operations; a whole run names nothing."""
    text = GOOD.replace('metrics.p90_ms(of="all"), at_least=900', "metrics.longest_gap_s(), at_least=1.5")
    scenario = read(write(tmp_path, text.replace('p90_ms(of="all"), at_most', 'p99_ms(of="all"), at_most'))).scenario
    assert out_of_reach(scenario, 1.0) == []
    assert out_of_reach(scenario, 0.5) == [
        'At scale 0.5 claim "it hurts" asks for at least 1.5 s, and "fault" lasts 1 s: it cannot hold.',
        'At scale 0.5 claim "it helps" rests on some 50 operations in "fault"; it takes 100.',
    ]


def test_the_leader_kill_at_half_its_length_cannot_show_its_gap() -> None:
    """A gap of at least 5 s in a phase of 5 s: told before the run."""
    found = out_of_reach(find("raft-leader-kill").scenario, 0.5)
    assert any('asks for at least 5 s, and "killed" lasts 5 s: it cannot hold.' in sentence for sentence in found)


def test_a_count_that_a_shorter_phase_may_not_reach_is_named_before_the_run() -> None:
    """A bound of 130 updates in 6 s may be out of reach in 3 s; a rate does not depend on the length."""
    found = out_of_reach(find("lost-update").scenario, 0.5)
    assert any('counts at least 130, and "fault" lasts 3 s instead of 6 s: it may not hold.' in each for each in found)
    assert not any("may not hold" in each for each in out_of_reach(find("lost-update").scenario, 2.0))
    assert not any("denied" in each for each in out_of_reach(find("retry-storm").scenario, 0.5))


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    """A file with three mistakes gives three sentences, not the first."""
    text = (
        GOOD.replace("lasts_s=2", "lasts_s=0")
        .replace('handbook="7.6.1.3"', 'handbook="99"')
        .replace("per_s=50", "per_s=-1")
    )
    with pytest.raises(ScenarioError) as caught:
        read(write(tmp_path, text))
    assert len(caught.value.problems) == 3


def test_an_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    """A mistyped experiment is answered with the one that was meant."""
    write(tmp_path, GOOD, "circuit_breaker.py")
    with pytest.raises(LabError, match='did you mean "circuit-breaker"'):
        find("circuit-braker", tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """An experiment's name leads to one file."""
    (tmp_path / "ch1").mkdir()
    (tmp_path / "ch2").mkdir()
    write(tmp_path / "ch1", GOOD)
    write(tmp_path / "ch2", GOOD)
    with pytest.raises(ScenarioError) as caught:
        find("planted", tmp_path)
    assert len(caught.value.problems) == 2


def test_a_chain_of_a_thousand_services_is_one_sentence(tmp_path: Path) -> None:
    """Neither the order of starting nor any rule recurses along it."""
    chain = "links=[charge, *(Link(Service(f's{n}', module='payments'), Service(f's{n + 1}', module='payments'))"
    text = GOOD.replace("links=[charge]", f"{chain} for n in range(1_000))]")
    with pytest.raises(ScenarioError) as caught:
        read(write(tmp_path, text))
    assert [problem.rpartition(": ")[2] for problem in caught.value.problems] == [
        "there are 1,003 services and servers; a run starts at most 100.",
        "there are 1,001 links; each is a fault proxy, and a run starts at most 500.",
    ]


def test_a_list_that_was_changed_after_its_word_was_made(tmp_path: Path) -> None:
    """The types are looked at once more before the rules."""
    with pytest.raises(ScenarioError, match=r"Scenario: panels\[1\] is None; it takes a Panel"):
        read(write(tmp_path, GOOD + "scenario.panels.append(None)\n"))
