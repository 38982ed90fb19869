"""Request bodies read as Go's encoding/json reads them, so that a client meets the same rules on both servers."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.proxy.relay import STREAMS
from lab.proxy.stage import INT64_MAX, INT64_MIN, Stage, Toxic
from lab.proxy.toxics import behaviours


class ApiError(Exception):
    """A refusal with its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message, self.status = message, status


@dataclass(frozen=True)
class Number:
    """A JSON number, kept as it was written: 100.5 is no integer and 1e2 is none either."""

    text: str


@dataclass(frozen=True)
class ProxyInput:
    """What a body says of a proxy; where it says nothing, the default that the caller gave."""

    name: str
    listen: str
    upstream: str
    enabled: bool


def bad_body(reason: str) -> ApiError:
    """400, as Toxiproxy words it."""
    return ApiError(f"bad request body: {reason}", 400)


def missing(field: str) -> ApiError:
    """400 for a required field that is absent or empty."""
    return ApiError(f"missing required field: {field}", 400)


def first_value(body: bytes) -> object:
    """The first JSON value of a body, numbers as Number; what follows it is not looked at.

    Raises ApiError 400.
    """
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise bad_body("EOF")
    try:
        value: object = _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            raise bad_body("unexpected EOF") from None
        raise bad_body(f"invalid character {text[error.pos]!r} at offset {error.pos}: {error.msg}") from None
    except RecursionError:
        raise bad_body("exceeded max depth") from None
    return value


def proxy_input(value: object, default: ProxyInput) -> ProxyInput:
    """What an object says of a proxy, over the defaults."""
    given = _object(value, "Proxy", "value of type toxiproxy.Proxy")
    return ProxyInput(
        name=given.text("name", default.name),
        listen=given.text("listen", default.listen),
        upstream=given.text("upstream", default.upstream),
        enabled=given.truth("enabled", default.enabled),
    )


def new_proxy(body: bytes) -> ProxyInput:
    """The proxy that a POST /proxies asks for."""
    wanted = proxy_input(first_value(body), ProxyInput("", "", "", True))
    _require(wanted, "")
    return wanted


def new_proxies(body: bytes) -> list[ProxyInput]:
    """The proxies that a POST /populate asks for, all of them checked."""
    value = first_value(body)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_body(f"json: cannot unmarshal {_kind(value)} into Go value of type []toxiproxy.Proxy")
    wanted = [proxy_input(item, ProxyInput("", "", "", True)) for item in value]
    for number, proxy in enumerate(wanted, 1):
        _require(proxy, f" at proxy {number}")
    return wanted


def new_toxic(body: bytes, taken: Sequence[str]) -> Toxic:
    """The toxic that a POST asks for, where `taken` are the names there are."""
    given = _object(first_value(body), "ToxicWrapper", "value of type toxics.ToxicWrapper")
    kind = given.text("type", "")
    stream = given.text("stream", "downstream")
    toxicity = given.toxicity(1.0)
    if stream.lower() not in STREAMS:
        raise ApiError("stream was invalid, can be either upstream or downstream", 400)
    name = given.text("name", "") or f"{kind}_{stream}"
    behaviour = behaviours().get(kind)
    if behaviour is None:
        raise ApiError("invalid toxic type", 400)
    if name in taken:
        raise ApiError("toxic already exists", 409)
    values = _values(given, kind, behaviour, {attribute.name: 0 for attribute in behaviour.attributes})
    return Toxic(name, kind, stream, toxicity, values)


def changed_toxic(body: bytes, toxic: Toxic) -> Toxic:
    """The toxic after a PATCH: attributes merged, toxicity replaced, all else ignored."""
    given = _object(first_value(body), "", "value of type struct")
    toxicity = given.toxicity(toxic.toxicity)
    values = _values(given, toxic.type, behaviours()[toxic.type], toxic.values)
    return Toxic(toxic.name, toxic.type, toxic.stream, toxicity, values)


def _require(proxy: ProxyInput, where: str) -> None:
    for field in ("name", "upstream"):
        if not getattr(proxy, field):
            raise missing(field + where)


def _constant(name: str) -> object:
    raise json.JSONDecodeError(f"{name} is not JSON", "", 0)


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_constant, strict=True)


@dataclass(frozen=True)
class _Object:
    """A JSON object's fields by lower-case name, and the Go type that errors name as their owner."""

    owner: str
    fields: Mapping[str, object]

    def text(self, field: str, default: str) -> str:
        value = self.fields.get(field, default)
        if not isinstance(value, str):
            raise self.wrong(value, field, "string")
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # no lone surrogate can be answered

    def truth(self, field: str, default: bool) -> bool:
        value = self.fields.get(field, default)
        if not isinstance(value, bool):
            raise self.wrong(value, field, "bool")
        return value

    def toxicity(self, default: float) -> float:
        value = self.fields.get("toxicity")
        if value is None:
            return default
        if not isinstance(value, Number):
            raise self.wrong(value, "toxicity", "float32")
        toxicity = float(value.text)
        if not 0 <= toxicity <= 1:
            raise bad_body(f"toxicity is {value.text[:40]}; it must be from 0 to 1")
        return _float32(toxicity)

    def integer(self, field: str, default: int) -> int:
        value = self.fields.get(field)
        if value is None:
            return default
        if isinstance(value, Number) and value.text.lstrip("-").isdigit() and len(value.text) <= 20:
            number = int(value.text)
            if INT64_MIN <= number <= INT64_MAX:
                return number
        raise self.wrong(value, field, "int64")

    def wrong(self, value: object, field: str, wanted: str) -> ApiError:
        shown = f"number {value.text[:40]}" if isinstance(value, Number) and wanted == "int64" else _kind(value)
        return bad_body(f"json: cannot unmarshal {shown} into Go struct field {self.owner}.{field} of type {wanted}")


def _object(value: object, owner: str, target: str) -> _Object:
    if value is None:
        return _Object(owner, {})
    if not isinstance(value, dict):
        raise bad_body(f"json: cannot unmarshal {_kind(value)} into Go {target}")
    return _Object(owner, {key.lower(): field for key, field in value.items() if field is not None})


def _kind(value: object) -> str:
    kinds = {str: "string", bool: "bool", Number: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _float32(number: float) -> float:
    """The shortest decimal that is this number in 32 bits, which is how Go answers it."""
    narrow: float = struct.unpack("f", struct.pack("f", number))[0]
    texts = (f"{narrow:.{digits}g}" for digits in range(1, 10))
    return next(float(text) for text in texts if struct.pack("f", float(text)) == struct.pack("f", narrow))


def _values(given: _Object, kind: str, behaviour: type[Stage], default: Mapping[str, int]) -> dict[str, int]:
    name = f"{behaviour.__name__}Toxic"
    target = f"struct field {given.owner}.attributes of type toxics.{name}"
    attributes = _object(given.fields.get("attributes"), f"{name}.attributes", target)
    values = dict(default)
    for attribute in behaviour.attributes:
        values[attribute.name] = number = attributes.integer(attribute.name, values[attribute.name])
        if not attribute.at_least <= number <= attribute.at_most:
            raise bad_body(f"{kind}: {attribute.name} is {number}; it must be {attribute.at_least} or more")
    fault = behaviour.fault(values)
    if fault is not None:
        raise bad_body(f"{kind}: {fault}")
    return values
