"""The adapter over grafana-api, against a server that behaves as Grafana's documentation says."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_grafana import CHANGED, PASSWORD, TOKEN, USER, VERSION, Handler, grafana

from lab.observe.annotations import REMOVED, Annotation, Grafana, GrafanaError
from lab.observe.grafana import Place

pytestmark = pytest.mark.e2e

NOW_S = 1_764_000_000.5
FAULT = Annotation("payments silent", ("chaos-lab", "fault", "a & b/c", "20251125T1512Z-ab12"), NOW_S)


def at(url: str, login: str | tuple[str, str] | None = TOKEN) -> Grafana:
    """A Grafana there, asked with short timeouts."""
    return Grafana(Place(url, "test", login), timeouts_s=(0.5, 0.3))


@pytest.mark.parametrize("login", [TOKEN, (USER, PASSWORD)])
@pytest.mark.parametrize("prefix", ["", "/behind/a/path"])
def test_an_annotation_gets_its_end_and_keeps_its_tags(login: str | tuple[str, str], prefix: str) -> None:
    """Drawn as a point, found by its tags whatever is in them, ended: a region with the same tags and text."""
    with grafana(prefix=prefix) as (url, state):
        one = at(url, login)
        assert one.version() == VERSION
        number = one.add(FAULT)
        assert one.find(FAULT.tags) == [Annotation(FAULT.text, list(FAULT.tags), NOW_S, None, number)]
        assert one.find(["chaos-lab", "another run"]) == []
        one.end(Annotation(FAULT.text, FAULT.tags, NOW_S, number=number), NOW_S + 20)
        (found,) = one.find(["fault", "a & b/c"])
        assert (found.end_epoch_s, found.tags) == (NOW_S + 20, list(FAULT.tags))
        assert state.annotations[0]["timeEnd"] == 1_764_000_020_500
        assert not [request for request in state.requests if "dashboard" in request]


def answers(status: int, body: object, **headers: str) -> Callable[[Handler], bool]:
    """A mood: the same answer to whatever is asked."""

    def mood(handler: Handler) -> bool:
        handler.answer(status, body, headers)
        return True

    return mood


@pytest.mark.parametrize(
    ("mood", "login", "words"),
    [
        (None, "wrong", "refuses: Invalid API key (401)"),
        (None, (USER, "wrong"), "refuses: Invalid username or password (401)"),
        (None, None, "refuses: Unauthorized (401)"),
        (answers(403, {"title": "Access denied", "message": "You'll need"}), TOKEN, "refuses: You'll need (403)"),
        (answers(404, {"message": "Not found"}), TOKEN, f"refuses: Not found (404); {REMOVED}"),
        (answers(410, {"message": "Gone"}), TOKEN, f"refuses: Gone (410); {REMOVED}"),
        (answers(409, {"message": "Conflict"}), TOKEN, "refuses: Conflict (409)"),
        (answers(412, CHANGED), TOKEN, f"refuses: {CHANGED['message']} (412)"),
        (answers(400, {"message": "Failed to save annotation"}), TOKEN, "refuses: Failed to save annotation (400)"),
        (answers(502, "<h1>Bad gateway</h1>\n"), TOKEN, "refuses: <h1>Bad gateway</h1> (502)"),
        (answers(500, ""), TOKEN, "refuses: no reason given (500)"),
        (answers(500, [1]), TOKEN, "refuses: [1] (500)"),
        (answers(200, "<html>Log in</html>"), TOKEN, "answers, but not as Grafana does"),
        (answers(200, {"message": "Annotation added"}), TOKEN, "answers, but not as Grafana does"),
        (answers(200, [3]), TOKEN, "answers, but not as Grafana does"),
        (answers(302, "", Location="/login"), TOKEN, "only redirects; name the address that it redirects to"),
        (lambda _: time.sleep(0.8) or True, TOKEN, "gives no answer within 0.3 s"),
    ],
)  # fmt: skip
def test_trouble_is_a_sentence_with_grafanas_words(
    mood: Callable[[Handler], bool] | None, login: str | tuple[str, str] | None, words: str
) -> None:
    """Whatever it answers, or does not, is one kind of error that says which Grafana and why."""
    with grafana(mood=mood) as (url, _), pytest.raises(GrafanaError) as told:
        at(url, login).add(FAULT)
    assert str(told.value) == f"Grafana at {url} {words}"
    assert PASSWORD not in str(told.value)


CALLS: dict[str, Callable[[Grafana], object]] = {
    "POST": lambda one: one.add(FAULT),
    "PATCH": lambda one: one.end(replace(FAULT, number=1), NOW_S + 1),
    "GET": lambda one: one.find(FAULT.tags),
}


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("status", [200, 401, 403, 404, 409, 500, None])
def test_each_call_takes_each_answer(verb: str, status: int | None) -> None:
    """A refusal of any kind, or silence, is the same kind of error whichever call meets it; 200 is none."""

    def mood(handler: Handler) -> bool:
        if handler.command != verb or status == 200:
            return False
        if status is None:
            time.sleep(0.8)
        else:
            handler.answer(status, {"message": f"words of {status}"})
        return True

    with grafana() as (url, state):
        one = at(url)
        one.add(FAULT)
        state.mood = mood
        if status == 200:
            CALLS[verb](one)
            return
        told = f"refuses: words of {status} ({status})" if status else "gives no answer within 0.3 s"
        with pytest.raises(GrafanaError) as error:
            CALLS[verb](one)
        gone = f"; {REMOVED}" if status == 404 and verb != "PATCH" else ""
        assert str(error.value) == f"Grafana at {url} {told}{gone}"


def test_a_deprecated_api_that_answers_is_used() -> None:
    """What a server says about deprecation, in a header or beside the answer, changes nothing as long as it answers."""

    def deprecated(handler: Handler) -> bool:
        body = {"message": "Annotation added", "id": 7, "deprecated": True}
        headers = {"Deprecation": "@1793232000", "Warning": '299 - "/api/annotations is deprecated"'}
        handler.answer(200, [] if handler.command == "GET" else body, headers)
        return True

    with grafana(mood=deprecated) as (url, state):
        one = at(url)
        assert one.add(FAULT) == 7
        one.end(replace(FAULT, number=7), NOW_S + 1)
        assert one.find(FAULT.tags) == []
    assert {request.partition("?")[0] for request in state.requests} == {
        "POST /api/annotations",
        "PATCH /api/annotations/7",
        "GET /api/annotations",
    }


def test_a_removed_api_is_told_as_such() -> None:
    """Without /api/annotations, finding is told what that means; one annotation that is gone is only that."""
    told = r"Not found \(404\); it has no /api/annotations, which Grafana has deprecated; name a Grafana that has"
    with grafana(mood=answers(404, {"message": "Not found"})) as (url, _), pytest.raises(GrafanaError, match=told):
        at(url).find(FAULT.tags)
    with grafana() as (url, _), pytest.raises(GrafanaError, match=r"refuses: Annotation not found \(404\)$"):
        at(url).end(replace(FAULT, number=99), NOW_S)


def test_a_login_that_is_not_taken_has_its_cure() -> None:
    """A second clone, or a lost .env, meets the volume of another password: what to do stands in the sentence."""
    with grafana() as (url, _), pytest.raises(GrafanaError) as told:
        Grafana(Place(url, "test", (USER, "wrong"), cure="put the right password into .env")).add(FAULT)
    assert str(told.value).endswith("Invalid username or password (401); put the right password into .env")
    with grafana(mood=answers(403, {"message": "no"})) as (url, _), pytest.raises(GrafanaError, match=r"no \(403\)$"):
        Grafana(Place(url, "test", (USER, PASSWORD), cure="put the right password into .env")).add(FAULT)


def test_nobody_there_is_told_too() -> None:
    """A port where nobody listens, a name that is none."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(GrafanaError, match="is not reached"):
            at(url).version()
    with pytest.raises(GrafanaError, match="is not reached"):
        at("http://no.such.host.invalid").version()


def test_a_proxy_for_the_internet_is_left_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What HTTP_PROXY says does not stand between the lab and a Grafana on its own machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with grafana() as (url, _):
        assert at(url).version() == VERSION


def test_a_password_is_not_shown() -> None:
    """A Place can be printed."""
    assert "secret" not in repr(Place("http://g", "test", ("admin", "secret")))
