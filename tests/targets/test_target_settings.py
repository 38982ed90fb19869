"""Settings from the environment: what is right is typed, what is wrong is named at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from targets.exchange import ExchangeSettings
from targets.kit import Between, Count, Millis, NatsUrl, Port, Ratio, Seconds, Settings, SettingsError, Url
from targets.kit.settings import read, without_login
from targets.rates import RatesSettings


@dataclass(frozen=True, kw_only=True)
class Sample(Settings):
    """One field of each kind."""

    upstream_url: Url
    broker_url: NatsUrl = "nats://h:1"
    wait_s: Seconds = 2.0
    work_ms: Millis = 2.0
    share: Ratio = 0.5
    callers: Count = 3
    admin_port: Port = 0
    offset: Annotated[int, Between(-5, 5)] = 0
    factor: float = 1.0
    mode: Literal["fast", "slow"] = "fast"
    label: str = "none"
    retries: bool = False


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What several targets may have."""

    pool: Count = 4
    pool_wait_s: Seconds = 1.0

    def __post_init__(self) -> None:
        if self.pool == 13:
            raise ValueError("POOL=13 cannot be")


@dataclass(frozen=True, kw_only=True)
class Pooled(Settings):
    """Has a group, and a setting of its own."""

    speed: Ratio = 1.0
    shared: Pool = field(default_factory=Pool)


GIVEN = {"SERVICE_NAME": "sample", "UPSTREAM_URL": "http://127.0.0.1:1/"}


def test_defaults_and_given_values_are_typed() -> None:
    """Each variable becomes a value of its field's type; what is not given keeps its default."""
    said = {"WAIT_S": "0.25", "CALLERS": "7", "RETRIES": "on", "MODE": "Slow", "LABEL": " x ", "OFFSET": "-5"}
    assert read(Sample, GIVEN | said) == Sample(
        service_name="sample",
        upstream_url="http://127.0.0.1:1",
        wait_s=0.25,
        callers=7,
        retries=True,
        mode="slow",
        label="x",
        offset=-5,
    )


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("1", True), ("OFF", False), ("false", False), ("0", False)]
)
def test_switches_take_the_usual_words(text: str, value: bool) -> None:
    """Switches understand on, true, 1, off, false and 0 in any case."""
    assert read(Sample, GIVEN | {"RETRIES": text}).retries is value


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("WAIT_S", "2s", "give a number from 0.001 to 3,600 seconds, or leave it out for 2.0"),
        ("WAIT_S", "0", "give a number from 0.001 to 3,600 seconds, or leave it out for 2.0"),
        ("WAIT_S", "nan", "give a number from 0.001 to 3,600 seconds, or leave it out for 2.0"),
        ("WORK_MS", "-1", "give a number from 0 to 3,600,000 milliseconds, or leave it out for 2.0"),
        ("SHARE", "1.01", "give a number from 0.001 to 1, or leave it out for 0.5"),
        ("CALLERS", "2.5", "give a whole number from 1 to 1,000,000, or leave it out for 3"),
        ("ADMIN_PORT", "65536", "give a whole number from 0 to 65,535, or leave it out for 0"),
        ("FACTOR", "inf", "give a number, or leave it out for 1.0"),
        ("MODE", "medium", "give fast or slow, or leave it out for fast"),
        ("LABEL", "", "give a text, or leave it out for none"),
        ("RETRIES", "maybe", "give on or off, or leave it out for off"),
        ("LOG_LEVEL", "loud", "give debug or info or warning or error, or leave it out for info"),
        ("UPSTREAM_URL", "127.0.0.1:80", "give a base URL such as http://127.0.0.1:8080"),
        ("UPSTREAM_URL", "http://", "give a base URL such as http://127.0.0.1:8080"),
        ("UPSTREAM_URL", "http://host:eighty", "give a base URL such as http://127.0.0.1:8080"),
        ("UPSTREAM_URL", "http://host/?a=b", "give a base URL such as http://127.0.0.1:8080"),
        ("UPSTREAM_URL", "nats://host:4222", "give a base URL such as http://127.0.0.1:8080"),
        ("BROKER_URL", "http://host", "give a base URL such as nats://127.0.0.1:4222, or leave it out for nats://h:1"),
    ],
)
def test_a_value_that_cannot_be_says_what_can(variable: str, text: str, sentence: str) -> None:
    """A value that cannot be is one line: the variable, what it is, what would be right."""
    with pytest.raises(SettingsError) as wrong:
        read(Sample, GIVEN | {variable: text})
    assert wrong.value.problems == [f"{variable}={text!r} cannot be: {sentence}"]


def test_all_problems_are_named_at_once() -> None:
    """Missing, unreadable, out of range and mistyped: one reading finds them all."""
    with pytest.raises(SettingsError) as wrong:
        read(Sample, {"PORT": "-1", "CALLERS": "many", "RETRIS": "on"})
    assert wrong.value.problems == [
        "SERVICE_NAME is missing: give a text",
        "PORT='-1' cannot be: give a whole number from 0 to 65,535, or leave it out for 0",
        "UPSTREAM_URL is missing: give a base URL such as http://127.0.0.1:8080",
        "CALLERS='many' cannot be: give a whole number from 1 to 1,000,000, or leave it out for 3",
        "RETRIS is set but no setting is called that: is RETRIES meant?",
    ]


def test_a_group_is_read_by_its_own_names() -> None:
    """Its variables are as any others: typed, checked, told when mistyped, and they may not fit together."""
    env = {"SERVICE_NAME": "p"}
    assert read(Pooled, env) == Pooled(service_name="p")
    assert read(Pooled, env | {"POOL": "7", "SPEED": "0.5"}).shared == Pool(pool=7)
    for wrong, line in (
        ({"POOL": "0"}, "POOL='0' cannot be: give a whole number from 1 to 1,000,000, or leave it out for 4"),
        ({"POOL_WAITS": "2"}, "POOL_WAITS is set but no setting is called that: is POOL_WAIT_S meant?"),
        ({"POOL": "13"}, "POOL=13 cannot be"),
    ):
        with pytest.raises(SettingsError) as told:
            read(Pooled, env | wrong)
        assert told.value.problems == [line]


def test_other_programs_variables_are_left_alone() -> None:
    """What a shell, a container or another service sets is no typing error of ours."""
    others = ("HOME", "HOSTNAME", "PATH", "PORTS", "LOGLEVEL", "PYTHONPATH", "UPSTREAM_PORT", "LABELS_FILE", "WAIT")
    assert read(Sample, GIVEN | dict.fromkeys(others, "x")) == read(Sample, GIVEN)


def test_numbers_must_fit_together() -> None:
    """More calls wanted than the breaker's window holds is a problem of both settings."""
    env = {"SERVICE_NAME": "exchange", "PAYMENTS_URL": "http://127.0.0.1:1", "BREAKER_MIN_CALLS": "30"}
    with pytest.raises(SettingsError, match="BREAKER_MIN_CALLS=30 cannot be with BREAKER_WINDOW=20"):
        read(ExchangeSettings, env)
    assert read(ExchangeSettings, env | {"BREAKER_WINDOW": "30"}).breaker.breaker_window == 30


def test_a_login_is_not_shown() -> None:
    """What is wrong with a URL is told without its user and password: the message ends in a log, and in a report."""
    given = {"SERVICE_NAME": "rates", "POSTGRES_URL": "mysql://lab:secret@h:1/p", "REDIS_URL": "redis://:secret@"}
    with pytest.raises(SettingsError) as told:
        read(RatesSettings, given)
    assert "secret" not in str(told.value)
    assert "POSTGRES_URL='mysql://h:1/p' cannot be" in str(told.value)
    assert without_login("two: a://u:p@h/x and a://v@h/y") == "two: a://h/x and a://h/y"
