"""A page of a run in a real browser whose reader is logged in to Grafana: it gets nothing of that session."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "report"))

from fabricate import Recipe, fabricate

from lab.report import write_report
from scripts.serve_reports import server

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
ATTACK = """<title>waits</title><img src="{grafana}/img"><iframe src="{grafana}/frame"></iframe><script>
const seen = [];
const note = what => error => {{ seen.push(what + (error instanceof Error ? "" : " came")); }};
try {{ seen.push("cookies " + document.cookie); }} catch {{ seen.push("no cookies"); }}
Promise.all([
  fetch("{grafana}/a", {{credentials: "include", mode: "no-cors"}}).then(note("get"), note("get")),
  fetch("{grafana}/b", {{method: "POST", credentials: "include", mode: "no-cors"}}).then(note("post"), note("post")),
]).then(() => {{ document.title = seen.join(", "); }});
</script>"""


class Grafana(BaseHTTPRequestHandler):
    """Logs its reader in, as far as cookies go, and notes what came with the session."""

    came: list[str]

    def do_GET(self) -> None:
        """Answer anything."""
        if "grafana_session" in (self.headers.get("Cookie") or ""):
            self.came.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.send_header("Set-Cookie", "grafana_session=of-the-admin; Path=/; HttpOnly; SameSite=Lax")
        self.end_headers()

    def do_POST(self) -> None:
        """Likewise."""
        self.do_GET()

    def log_message(self, form: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def running(it: ThreadingHTTPServer) -> Iterator[str]:
    """Its address, while it serves."""
    thread = threading.Thread(target=it.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{it.server_address[1]}"
    finally:
        it.shutdown()
        it.server_close()
        thread.join()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: `apt-get install chromium` or `brew install chromium`")
def test_a_page_of_a_run_has_no_session_of_grafana(tmp_path: Path) -> None:
    """Cookies know no ports: without the sandbox each of its requests would carry the session. A report works there."""
    run = fabricate(tmp_path, Recipe(phases_s=(4, 7, 7), panels=1))
    write_report(run)
    came: list[str] = []
    grafana_here = ThreadingHTTPServer(("127.0.0.1", 0), type("Ours", (Grafana,), {"came": came}))
    with running(grafana_here) as grafana, running(server(tmp_path, "127.0.0.1", 0)) as reports:
        (tmp_path / "attack.html").write_text(ATTACK.format(grafana=grafana))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"{grafana}/login")
            page.goto(f"{grafana}/again")
            assert "GET /again" in came, "the reader is logged in"
            came.clear()
            page.goto(f"{reports}/attack.html")
            page.wait_for_function("document.title != 'waits'")
            assert page.title() == "no cookies, get, post"
            assert not {"GET /a", "POST /b", "GET /img", "GET /frame"} & set(came)
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(f"{reports}/{run.path.relative_to(tmp_path)}/index.html")
            page.evaluate("document.querySelectorAll('details:not(.jump)').forEach(d => { d.open = true })")
            for figure in page.locator("figure[data-chart]").all():
                figure.scroll_into_view_if_needed()
                figure.locator(".live:not(.drawing)").wait_for()
            assert complaints == []
            browser.close()
