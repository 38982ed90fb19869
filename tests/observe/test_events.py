"""Events: what targets write in their logs is what the lab reads there, and nothing else is."""

from __future__ import annotations

import json
import time
from pathlib import Path

from lab.model.bench import Moment
from lab.observe import events
from lab.record import ActionReceipt, ActionSpec, Dose, Event, FaultSpec, FiredAlert, Receipt
from targets.kit.breaking import Moments
from targets.kit.logs import Log
from targets.patterns.breaker import Breaker, Policy, Refused

T0_S = 1_700_000_000.0


def planted(folder: Path, *lines: object) -> Path:
    """A folder with the log of one service; texts stand as they are."""
    (folder / "exchange.log").write_text("\n".join(x if isinstance(x, str) else compact(x) for x in lines) + "\n")
    return folder


def compact(line: object) -> str:
    """As the targets write."""
    return json.dumps(line, separators=(",", ":"))


def moment(at_s: float, text: object = "breaker opened", **more: object) -> dict[str, object]:
    """A line of an event."""
    return {"ts": T0_S + at_s, "level": "info", "service": "exchange", "event": "moment", "text": text, **more}


def test_a_breaker_tells_the_lab_each_of_its_moves(tmp_path: Path) -> None:
    """Opened, a probe, opened again, a probe, closed: in order, at the log's own times, whatever its level."""
    now_s, written = [0.0], bytearray()
    log = Log("exchange", "error", written.extend)
    policy = Policy(open_s=5, window=4, window_s=60, failure_ratio=0.5, min_calls=2, probes=1, probe_s=4)
    breaker = Breaker(policy, clock=lambda: now_s[0], listeners=[Moments(log, "payments")])
    t0_epoch_s = time.time()
    for _ in range(2):
        breaker.admit().failed()
    for answered in (False, True):
        try:
            breaker.admit()
        except Refused:
            now_s[0] += 5
        probe = breaker.admit()
        probe.succeeded() if answered else probe.failed()
    log.close()
    (tmp_path / "exchange.log").write_bytes(bytes(written))
    found = events.told(tmp_path, t0_epoch_s, lasts_s=60)
    states = ["open", "half-open", "open", "half-open", "closed"]
    assert [event.facts for event in found] == [{"peer": "payments", "breaker": state} for state in states]
    assert [event.text for event in found][:2] == ["breaker opened", "breaker lets a probe through"]
    assert {(event.source, event.kind) for event in found} == {("exchange", "told")}


def test_what_is_no_event_of_the_load_is_left_out(tmp_path: Path) -> None:
    """Before the load, after it, other lines, lines of another shape: none of them is one."""
    logs = planted(
        tmp_path,
        moment(-0.1),
        moment(10.1),
        {"ts": T0_S + 1, "service": "exchange", "event": "span", "text": '"event":"moment"'},
        moment(1, text=7),
        moment(2, facts=["no", "facts"]),
        moment(3, facts={"deep": {"er": 1}}),
        '{"event":"moment"',
        moment(4, facts={"peer": "payments", "after": 3}),
    )
    assert events.told(logs, T0_S, 10) == [
        Event(4.0, "exchange", "breaker opened", "told", {"peer": "payments", "after": 3})
    ]


def test_etcd_tells_its_elections_in_words_of_its_own(tmp_path: Path) -> None:
    """The log of the server that won has the moment and the term; what the others heard of it is not told again."""
    lines = [
        {"level": "info", "ts": "2023-11-14T22:13:25.500Z", "msg": "af45 became leader at term 4"},
        {"level": "info", "ts": "2023-11-14T22:13:25.500Z", "msg": "raft.node: af45 elected leader af45 at term 4"},
        {"level": "info", "ts": "yesterday", "msg": "af45 became leader at term 5"},
        {"level": "info", "ts": "2023-11-14T22:13:26.500Z", "msg": "af45 became leader at term soon"},
    ]
    (tmp_path / "etcd-2.log").write_text("".join(compact(line) + "\n" for line in lines) + "became leader at term 6\n")
    assert events.told(tmp_path, T0_S, 10) == [Event(5.5, "etcd-2", "elected leader", "told", {"term": 4})]


def test_texts_and_facts_have_an_end(tmp_path: Path) -> None:
    """A target that tells a novel gets its beginning into the record."""
    many = {f"fact {k}": "x" * 1_000 for k in range(100)}
    (event,) = events.told(planted(tmp_path, moment(1, text="y" * 1_000, facts=many)), T0_S, 10)
    assert len(event.text) == events.LONGEST
    assert len(event.facts) == events.MOST_FACTS
    assert {len(str(fact)) for fact in event.facts.values()} == {events.LONGEST}


def test_faults_and_alerts_are_events_too() -> None:
    """In and out as the receipts have it, but not of a fault that was not in force; fired and, where it ended, over."""
    fault = FaultSpec("silence", "exchange->payments", "payments silent")
    receipts = [
        Receipt(fault, "fault", 5.01, 25.02, {}, Dose("", "", in_force=True)),
        Receipt(fault, "again", 30.0, None, {}, Dose("", "", in_force=True)),
        Receipt(fault, "never", 40.0, 50.0, {}, Dose("", "", in_force=False)),
    ]
    assert [(e.at_s, e.text) for e in events.of_faults(receipts)] == [
        (5.01, "fault in: payments silent"),
        (25.02, "fault out: payments silent"),
        (30.0, "fault in: payments silent"),
    ]
    alerts = [FiredAlert("Fast", "page", "latency", "exchange", 7.0, None), FiredAlert("Slow", "page", "x", "y", 8, 9)]
    assert [(e.at_s, e.source, e.kind) for e in events.of_alerts(alerts)] == [
        (7.0, "exchange", "alert"),
        (8, "y", "alert"),
        (9, "y", "alert"),
    ]


def test_the_record_keeps_the_first_of_too_many() -> None:
    """In order of time, whoever told them, and it is known how many were left out; a fault is never one of them."""
    told = [Event(k / 10, "exchange", "breaker opened", "told") for k in range(events.MOST + 2)]
    seen = events.seen([Moment(T0_S + 0.05, "payments", "killed"), Moment(T0_S - 1, "payments", "x")], T0_S, 10)
    out = Event(1000.0, "payments", "fault out: payments silent", "fault")
    kept, left_out = events.in_order(told, seen, [out])
    assert [event.source for event in kept[:3]] == ["exchange", "payments", "exchange"]
    assert kept[-1] == out
    assert (len(kept), left_out) == (events.MOST + 2, 2)


def test_an_action_that_was_done_is_a_moment_of_its_first_member() -> None:
    """With what was read back; one that could not be done did not happen."""
    spec = ActionSpec("promote", "silent", 5.0, "primary killed, a standby promoted", ["primary", "standby-a"])
    done, failed = ActionReceipt(spec, 9.0, 9.4, {"timeline": 2}), ActionReceipt(spec, 9.0, 9.4, {}, "no standby")
    found = [Event(9.4, "primary", "primary killed, a standby promoted", "seen", {"timeline": 2})]
    assert events.of_actions([done, failed]) == found
