"""Where the lab's dashboards are in a Grafana, and what the annotations on them are found by. Asks nobody anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlencode

# What the dashboards' annotations are found by.
TAG, FAULT, PHASE, VARIANT, EVENT = "chaos-lab", "fault", "phase", "variant", "event"
OVERVIEW = "lab-overview"
REPORTS = "http://127.0.0.1:8475"  # what docker-compose.yml serves them at: another origin than Grafana's
LONGEST = 40  # letters of a uid
ALL = "$__all"  # every variant, as Grafana has it in a link


@dataclass(frozen=True)
class Place:
    """A Grafana: its address without credentials, who named it, and how one logs in (a token, or user and password).

    One that does not stay ends with the run, and no report can link to it.
    """

    url: str
    origin: str
    login: str | tuple[str, str] | None = field(default=None, repr=False)
    stays: bool = True
    cure: str = field(default="", compare=False)  # what to do where it does not take the login


def uid_of(scenario: str) -> str:
    """The uid of an experiment's dashboard; a name that is too long for one ends in a hash of the whole name."""
    uid = f"lab-{scenario}"
    return uid if len(uid) <= LONGEST else f"{uid[: LONGEST - 9]}-{sha256(scenario.encode()).hexdigest()[:8]}"


def dashboard_url(
    base: str, scenario: str, run: str, variant: str = ALL, between_epoch_s: tuple[float, float] | None = None
) -> str:
    """An experiment's dashboard with a run chosen, between two times, else over the last five minutes."""
    first, last = (f"{at_s * 1000:.0f}" for at_s in between_epoch_s) if between_epoch_s else ("now-5m", "now")
    chosen = {"from": first, "to": last, "var-run": run, "var-variant": variant}
    return f"{base.rstrip('/')}/d/{uid_of(scenario)}?{urlencode(chosen)}"
