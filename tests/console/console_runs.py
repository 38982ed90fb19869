"""Runs of each kind, for what the terminal shows of them."""

from __future__ import annotations

from report.fabricate import Recipe

RECIPES = {
    "sound": Recipe(per_s=20),
    "again": Recipe(per_s=20, run="2026-10-21T09-00-00", seed=8),
    "ignored": Recipe(per_s=20, breaker_ignored=True, run="2026-10-22T09-00-00"),
    "no fault": Recipe(per_s=20, fault_missing=True, run="2026-10-23T09-00-00"),
    "trials": Recipe(per_s=20, trials=3, run="2026-10-24T09-00-00"),
    "cut": Recipe(per_s=20, ends_in=("on", 1), run="2026-10-25T09-00-00"),
}
