"""
Take the picture of a report that the README shows, from a run on disk.

    .venv/bin/python scripts/screenshot.py reports/circuit-breaker/latest

Needs the development environment (`make setup-dev`) and Chromium; `--browser` or CHROMIUM names another one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "report.png"
MOST_BYTES = 300_000
WIDTH, HEIGHT = 1280, 890  # a desktop's width; what a reader sees before scrolling
SHARPNESS = 1.3  # pixels of the picture for each pixel of the page: sharp enough on most screens, and still small
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


def main(arguments: list[str]) -> int:
    """Take the picture, or say in a sentence why not (exit 3)."""
    parser = argparse.ArgumentParser(description="Take the picture of a report that the README shows.")
    parser.add_argument("run", type=Path, help="a run's folder, such as reports/circuit-breaker/latest")
    parser.add_argument("--to", type=Path, default=PICTURE, help="where the picture goes (default: docs/images)")
    parser.add_argument("--browser", default=os.environ.get("CHROMIUM") or browser(), help="Chromium's program")
    asked = parser.parse_args(arguments)
    page = asked.run.resolve() / "index.html"
    if not page.is_file():
        return _fail(f"{asked.run}: no report there (no index.html); `lab report` writes it again")
    if not asked.browser:
        return _fail("no Chromium on this machine: apt-get install chromium, or name one with --browser")
    picture = take(page, asked.browser)
    if len(picture) > MOST_BYTES:
        return _fail(f"the picture has {len(picture):,} bytes; {MOST_BYTES:,} are allowed. Take less of the page")
    asked.to.parent.mkdir(parents=True, exist_ok=True)
    asked.to.write_bytes(picture)
    print(f"{asked.to}: {len(picture):,} bytes")
    return 0


def browser() -> str | None:
    """A Chromium on the PATH."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def take(page: Path, program: str) -> bytes:
    """The top of a page as PNG, in light colours, once its charts are drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            tab = chromium.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SHARPNESS, color_scheme="light"
            )
            tab.goto(page.as_uri(), wait_until="load")
            tab.wait_for_timeout(1_000)
            return tab.screenshot()
        finally:
            chromium.close()


def _fail(text: str) -> int:
    print(f"screenshot: {text}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
