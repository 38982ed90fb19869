"""Which Grafana a run draws in, from settings, and a dashboard's JSON for one that ends with the run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.observe import local_grafana, which_grafana
from lab.observe.grafana import Place
from lab.observe.which_grafana import NAMES, named

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_nothing_named_is_no_place(tmp_path: Path) -> None:
    """Without settings the lab looks for itself; with `none` it does not."""
    assert named(tmp_path) == which_grafana.Named()
    (tmp_path / ".env").write_text("GRAFANA_ADMIN_PASSWORD=x\nGRAFANA_URL=None\n")
    assert named(tmp_path) == which_grafana.Named(wanted=False)


@pytest.mark.parametrize(
    ("text", "url", "login"),
    [
        ("GRAFANA_URL=http://g:3000/\nGRAFANA_TOKEN=t\n", "http://g:3000", "t"),
        ("GRAFANA_URL='https://g/a/b/'\nGRAFANA_PASSWORD=\"p\"\n", "https://g/a/b", ("admin", "p")),
        ("GRAFANA_URL=http://g\nGRAFANA_USER=u\nGRAFANA_PASSWORD=p\n", "http://g", ("u", "p")),
        ("GRAFANA_URL=http://u%40x:p%3A@g:1\n", "http://g:1", ("u@x", "p:")),
        ("GRAFANA_URL=http://[::1]:3000\n", "http://[::1]:3000", None),
    ],
)
def test_the_file_names_one(tmp_path: Path, text: str, url: str, login: str | tuple[str, str] | None) -> None:
    """An address without its credentials, and what one logs in with."""
    (tmp_path / ".env").write_text(text)
    place = named(tmp_path).place
    assert place is not None
    assert (place.url, place.login, place.stays) == (url, login, True)


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address in the environment is never sent the token of the one in the file."""
    (tmp_path / ".env").write_text("GRAFANA_URL=http://file\nGRAFANA_TOKEN=of-the-file\n")
    monkeypatch.setenv("GRAFANA_URL", "http://environment")
    assert named(tmp_path).place == Place("http://environment", "GRAFANA_URL names it", None)
    monkeypatch.delenv("GRAFANA_URL")
    monkeypatch.setenv("GRAFANA_TOKEN", "newer")
    assert named(tmp_path).place == Place("http://file", "GRAFANA_URL names it", "newer")


@pytest.mark.parametrize("url", ["g:3000", "ftp://g", "http://", "http://g:port", "http://g:99999", "//g", "http://[g"])
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    """With what to do, and without what may stand in it."""
    (tmp_path / ".env").write_text(f"GRAFANA_URL={url}\n")
    with pytest.raises(LabError, match="GRAFANA_URL is no address"):
        named(tmp_path)


@pytest.mark.parametrize("file", sorted((ROOT / "dashboards" / "json").glob("*.json")), ids=lambda f: f.stem)
def test_a_dashboard_without_links_to_reports_is_otherwise_the_same(file: Path) -> None:
    """Nothing else is taken out."""
    text = file.read_text("utf-8")
    bare = local_grafana.without_reports(text)
    assert "http://127.0.0.1:8475/" in text
    assert ":8475" not in bare
    links = re.compile(r'\{[^{}]*"http://127.0.0.1:8475[^{}]*(\$\{[^}]*\}[^{}]*)*\},?\s*')
    assert json.loads(re.sub(r",(\s*\])", r"\1", links.sub("", text))) == json.loads(bare)


@pytest.mark.parametrize("home", ["", "share/grafana"], ids=["archive", "brew"])
def test_a_grafana_is_told_where_it_is_at_home(tmp_path: Path, home: str) -> None:
    """The folder beside `bin` that has conf/defaults.ini, wherever a link on PATH leads."""
    (tmp_path / "g" / home / "conf").mkdir(parents=True)
    (tmp_path / "g" / home / "conf" / "defaults.ini").write_text("")
    (tmp_path / "g" / "bin").mkdir()
    (tmp_path / "g" / "bin" / "grafana").write_text("")
    link = tmp_path / "grafana"
    link.symlink_to(tmp_path / "g" / "bin" / "grafana")
    assert local_grafana._command(link) == [link, "server", "--homepath", tmp_path / "g" / home]
    assert local_grafana._command(tmp_path / "grafana-server") == [tmp_path / "grafana-server"]
