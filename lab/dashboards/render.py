"""All dashboards as JSON, the same for the same scenarios."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from lab.dashboards import experiment, overview
from lab.record import Spec

SCHEMA = 39  # of Grafana 11, which newer ones read and bring up to their own; the builders write that of the newest


def rendered(specs: Sequence[Spec]) -> Mapping[str, str]:
    """File name to text, as Grafana's file provisioning takes it."""
    built = {"overview.json": overview.build(specs)}
    built |= {f"{spec.name}.json": experiment.build(spec) for spec in specs}
    return {name: _json(dashboard.build()) for name, dashboard in built.items()}


def _json(dashboard: object) -> str:
    plain = json.loads(JSONEncoder(sort_keys=True).encode(dashboard))
    plain["schemaVersion"] = SCHEMA
    for shown in (*plain["links"], *plain["annotations"]["list"]):
        shown.pop("placement", None)  # the builders hide them in a menu; without it they stand in the head of the page
    for number, panel in enumerate(plain["panels"], start=1):
        panel["id"] = number  # links to a panel and annotations on it need one, and provisioning gives none
    return json.dumps(plain, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
