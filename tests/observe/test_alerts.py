"""Which alerts fired, out of what Prometheus answers."""

from __future__ import annotations

from lab.observe.alerts import FIRING, Row, fired
from lab.observe.promql import legends
from lab.record import FiredAlert

FAST = "LabFastBurn/page/availability/exchange"


def rows(series: str, *times_s: float) -> list[Row]:
    """A sample at each of these times."""
    return [{"panel": FIRING.title, "series": series, "at_s": at_s, "value": 1.0} for at_s in times_s]


def test_each_stretch_is_one_alert() -> None:
    """A gap ends an alert; one that fires at the end of the variant has no end; order is that of time."""
    found = fired([*rows("LabSlowBurn/page/latency/a/b", 12.0), *rows(FAST, 3, 4, 5, 8, 9, 29, 30)], lasts_s=30.0)
    assert found == [
        FiredAlert("LabFastBurn", "page", "availability", "exchange", 3.0, 6.0),
        FiredAlert("LabFastBurn", "page", "availability", "exchange", 8.0, 10.0),
        FiredAlert("LabSlowBurn", "page", "latency", "a/b", 12.0, 13.0),
        FiredAlert("LabFastBurn", "page", "availability", "exchange", 29.0, None),
    ]


def test_an_alert_that_ended_just_before_the_variant_did_is_over() -> None:
    """Firing at 28 s and 29 s, and no longer at 30 s, the last moment asked for: it ended at 30 s."""
    assert [alert.ended_s for alert in fired(rows(FAST, 28, 29), lasts_s=30.0)] == [30.0]
    assert [alert.ended_s for alert in fired(rows(FAST, 28), lasts_s=30.0)] == [29.0]
    assert [alert.ended_s for alert in fired(rows(FAST, 28, 29), lasts_s=29.6)] == [None]


def test_nothing_fired() -> None:
    """No row, no alert."""
    assert fired([], 30.0) == []


def test_alerts_of_one_kind_keep_their_own_names() -> None:
    """What the panel's legend makes of an alert's labels is what is read back."""
    labels = {
        "alertname": "LabFastBurn", "severity": "page", "slo": "availability", "service": "exchange",
        "alertstate": "firing", "long": "1m", "short": "5s", "scale": "lab",
    }  # fmt: skip
    other = {**labels, "slo": "latency"}
    names = legends(FIRING.legend, FIRING.title, [labels, other], frozenset())
    assert names == [FAST, "LabFastBurn/page/latency/exchange"]
