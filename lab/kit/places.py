"""Where things are: the project's folders, each named once."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "scenarios"
TARGETS = ROOT / "targets"
REPORTS = ROOT / "reports"
DASHBOARDS = ROOT / "dashboards"  # with their provisioning, for Grafana
RULES = DASHBOARDS / "rules" / "slo-lab.yml"  # what the lab's Prometheus records and when it alerts
HOME = ROOT / (os.environ.get("LAB_HOME") or ".lab")  # what the lab fetches and keeps for itself
STATE = HOME / "runs"  # journals and scratch data of runs in progress
