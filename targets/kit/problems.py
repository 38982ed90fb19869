"""Errors as HTTP answers: application/problem+json, RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

TYPES = "tag:chaos-lab,2026:"  # a tag URI (RFC 4151): a name for a kind of problem, not a page


class Problem(Exception):
    """
    Raised by a handler, answered as problem+json.

    `kind` is a word for programs ("circuit-open"), `detail` a sentence for people, `more` the problem's own members.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{status} {kind}: {detail}")
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def response(self) -> web.Response:
        """The problem as an answer."""
        body = {
            "type": TYPES + self.kind,
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        return web.Response(
            body=msgspec.json.encode(body),
            status=self.status,
            headers=self.headers,
            content_type="application/problem+json",
        )


def from_http_exception(error: web.HTTPException) -> Problem:
    """What aiohttp itself raises from 400 up (no such route or method, too large a body) as a problem."""
    phrase = HTTPStatus(error.status).phrase
    kept = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
    return Problem(error.status, phrase.lower().replace(" ", "-"), error.text or phrase, kept)
