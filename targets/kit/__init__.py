"""What every target shares, and all that a target's file needs to import."""

from targets.kit.bodies import answer, read_json
from targets.kit.effects import effects
from targets.kit.peers import Answer, NoAnswer, Peer
from targets.kit.problems import Problem
from targets.kit.serve import serve
from targets.kit.service import Running, Service, running
from targets.kit.settings import (
    Between,
    Count,
    Millis,
    NatsUrl,
    Port,
    PostgresUrl,
    Ratio,
    RedisUrl,
    Seconds,
    Settings,
    SettingsError,
    Url,
)

__all__ = [
    "Answer",
    "Between",
    "Count",
    "Millis",
    "NatsUrl",
    "NoAnswer",
    "Peer",
    "Port",
    "PostgresUrl",
    "Problem",
    "Ratio",
    "RedisUrl",
    "Running",
    "Seconds",
    "Service",
    "Settings",
    "SettingsError",
    "Url",
    "answer",
    "effects",
    "read_json",
    "running",
    "serve",
]
