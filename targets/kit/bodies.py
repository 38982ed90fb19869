"""JSON in and out: a request's body as a typed struct, a struct as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from aiohttp import web

from targets.kit.problems import Problem

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


async def read_json(request: web.Request, kind: type[T]) -> T:
    """The body as `kind`; no body is an empty object. Raises Problem 400 (not JSON) or 422 (not a `kind`)."""
    body = await request.read()
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as wrong:
        raise Problem(422, "invalid-body", str(wrong)) from wrong
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Problem(400, "malformed-json", str(wrong)) from wrong


def answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """`content` (structs, dataclasses, plain values) as a JSON answer."""
    return web.Response(body=_encoder.encode(content), status=status, headers=headers, content_type="application/json")
