"""Writes docs/metrics.md from the docstrings of the metrics: `make metrics`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import metrics  # noqa: E402 - the project runs from its own folder and need not be installed

PAGE = ROOT / "docs" / "metrics.md"


def main() -> None:
    """Write the page, and say so where it changed."""
    text = metrics.page()
    if not PAGE.exists() or PAGE.read_text("utf-8") != text:
        PAGE.write_text(text, "utf-8")
        print(f"wrote docs/{PAGE.name}")
    print(f"{len(metrics.names())} metrics in docs/{PAGE.name} are current")


if __name__ == "__main__":
    main()
