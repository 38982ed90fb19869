"""`python -m lab.dashboards`: write every dashboard to `dashboards/json`, remove those of no experiment."""

from __future__ import annotations

import sys

from lab.catalogue import read_all
from lab.errors import ScenarioError
from lab.kit.places import ROOT
from lab.kit.streams import say, tell

FOLDER = ROOT / "dashboards" / "json"


def main() -> int:
    """Write what has changed, and say so."""
    try:
        from lab.dashboards.render import rendered
    except ModuleNotFoundError:
        say("grafana-foundation-sdk is not installed; `make setup-dev` installs it")
        return 3
    entries, mistakes = read_all()
    if mistakes:
        raise ScenarioError(mistakes)
    wanted = rendered([entry.spec() for entry in entries])
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in FOLDER.glob("*.json"):
        if file.name not in wanted:
            file.unlink()
            tell(f"removed {file.relative_to(ROOT)}")
    for name, text in wanted.items():
        file = FOLDER / name
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")
            tell(f"wrote {file.relative_to(ROOT)}")
    tell(f"{len(wanted)} dashboards in {FOLDER.relative_to(ROOT)} are current")
    return 0


if __name__ == "__main__":
    sys.exit(main())
