"""
PromQL, as far as the lab has to understand it: which words of an expression choose series. Pure.

Labels are added to every selector, because a range such as `[15s]` at the start of a variant would otherwise reach
back into the variant before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
      | (?P<number>(?:\d|\.\d)[\w.]*(?:(?<=[eE])[+-]\d+)?)
      | (?P<word>[a-zA-Z_:][\w:]*)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_LABELS_FOLLOW = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_OPERATORS = {"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan"} | _LABELS_FOLLOW
_CLOSES = {"(": ")", "[": "]", "{": "}"}

Token = tuple[str, str]


def restrict(expr: str, labels: Mapping[str, str]) -> str:
    """Add matchers for these labels to every selector of an expression that Prometheus accepts."""
    return narrow(expr, ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items()))


def narrow(expr: str, matchers: str) -> str:
    """Add matchers, such as `run=~"$run"`, to every selector of an expression that Prometheus accepts."""
    return "".join(_rewritten(_tokens(expr), matchers))


def moved(expr: str, by: str) -> str:
    """An expression whose selectors, which all have braces and no `offset`, look `by` into the past; see `narrow`.

    Below 0 is the future. Empty leaves the expression as it is.
    """
    tokens, out, k = _tokens(expr), "", 0
    while k < len(tokens):
        end = k + 1
        if tokens[k] == ("sign", "{"):
            end = _end_of_group(tokens, end, "{")
            if _next(tokens, end) == "[":
                end = _end_of_group(tokens, tokens.index(("sign", "["), end) + 1, "[")
        out += "".join(text for _, text in tokens[k:end])
        out += f" offset {by}" if by and tokens[k] == ("sign", "{") else ""
        k = end
    return out


def metrics_in(expr: str) -> set[str]:
    """The metrics that an expression asks for by name."""
    tokens = _tokens(expr)
    found, k = set(), 0
    while k < len(tokens):
        kind, text = tokens[k]
        end = _end_of_names(tokens, k)
        following = _next(tokens, k + 1)
        if kind == "word" and end == k + 1 and (following == "{" or _is_metric(text, following)):
            found.add(text)
        k = end
    return found


def _tokens(expr: str) -> list[Token]:
    return [(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(expr)]


def _rewritten(tokens: list[Token], matchers: str) -> Iterator[str]:
    k = 0
    while k < len(tokens):
        kind, text = tokens[k]
        k += 1
        yield text
        end = _end_of_names(tokens, k - 1)
        inside = "".join(t for _, t in tokens[k:end])
        if (kind, text) == ("sign", "{"):
            yield matchers + ("," if inside.strip() != "}" else "")
        elif kind == "word" and end == k and _is_metric(text, _next(tokens, k)):
            yield f"{{{matchers}}}"
        yield inside
        k = end


def _end_of_names(tokens: list[Token], k: int) -> int:
    """The index after what the token at k opens, where that holds labels or a duration and no metric; else k + 1."""
    kind, text = tokens[k]
    if kind == "sign" and text in "[{":
        return _end_of_group(tokens, k + 1, text)
    if kind == "word" and text.lower() in _LABELS_FOLLOW and _next(tokens, k + 1) == "(":
        return _end_of_group(tokens, tokens.index(("sign", "("), k) + 1, "(")
    return k + 1


def _is_metric(word: str, following: str) -> bool:
    """Whether a word is a metric without braces of its own; aggregations and functions are followed by `(` or by."""
    return word.lower() not in _OPERATORS and following not in ("(", "{") and following.lower() not in ("by", "without")


def _next(tokens: list[Token], k: int) -> str:
    return next((text for kind, text in tokens[k:] if kind != "space"), "")


def _end_of_group(tokens: list[Token], k: int, opened: str) -> int:
    """The index after the sign that closes a group whose first inner token is at k."""
    depth = 1
    while k < len(tokens) and depth:
        kind, text = tokens[k]
        if kind == "sign":
            depth += (text == opened) - (text == _CLOSES[opened])
        k += 1
    return k


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def legends(template: str, title: str, series: list[dict[str, str]], ours: frozenset[str]) -> list[str]:
    """Name each series of a panel: by the legend's template, else by its labels, else by the panel's title.

    `ours` are labels that the lab added and that no reader needs. Series that a template would call the same have
    their labels added, so that no two have one name.
    """
    plain = [
        ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k not in ours and k != "__name__")
        for labels in series
    ]
    if not template:
        return [text or labels.get("__name__", title) for text, labels in zip(plain, series, strict=True)]
    named = [_filled(template, labels) for labels in series]
    return [
        f"{name} ({text})" if named.count(name) > 1 and text else name for name, text in zip(named, plain, strict=True)
    ]


def _filled(template: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), template)


_MEAN = re.compile(r"\b(?:rate|increase|delta|\w+_over_time)\(")
_RANGE = re.compile(r"\[(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def looks_back_s(expr: str) -> float:
    """Over how many seconds each point of an expression is taken; 0 where it shows the moment."""
    ranges = [float(number) * _UNITS_S[unit] for number, unit in _RANGE.findall(expr)]
    return max(ranges, default=0.0) if _MEAN.search(expr) else 0.0


_AGGREGATIONS = {
    "sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile",
}  # fmt: skip


def kept_apart(expr: str, label: str) -> str:
    """An expression whose aggregations keep `label`: `sum by (peer) (x)` becomes `sum by (label, peer) (x)`.

    What aggregates `without` labels keeps it anyway; `on (...)` matches by it too.
    """
    tokens = _tokens(expr)
    inserted: dict[int, str] = {}  # before the token of this index
    for k, (kind, text) in enumerate(tokens):
        word = text.lower()
        if kind != "word":
            continue
        if word in ("by", "on") and _next(tokens, k + 1) == "(":
            at = tokens.index(("sign", "("), k) + 1
            inserted[at] = label + (", " if _next(tokens, at) != ")" else "")
        elif word in _AGGREGATIONS and _next(tokens, k + 1) == "(":
            end = _end_of_group(tokens, tokens.index(("sign", "("), k) + 1, "(")
            if _next(tokens, end).lower() not in ("by", "without"):
                inserted[k + 1] = f" by ({label}) "
    return "".join(inserted.get(k, "") + text for k, (_, text) in enumerate(tokens))


def grouping(expr: str) -> list[str]:
    """The labels by which the first `by (...)` of an expression groups, in their order."""
    tokens = _tokens(expr)
    for k, (kind, text) in enumerate(tokens):
        if kind == "word" and text.lower() == "by" and _next(tokens, k + 1) == "(":
            at = tokens.index(("sign", "("), k) + 1
            return [word for kind, word in tokens[at : _end_of_group(tokens, at, "(")] if kind == "word"]
    return []
