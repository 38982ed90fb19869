"""Wrong scenario files, drawn from a seed: a sound one with a few of its values, names or lines spoiled."""

from __future__ import annotations

import ast
from random import Random

# What stands where something else is expected, as Python source.
VALUES = (
    "None", "True", "-1", "0", "10**400", "-(2**70)", "1e308", "float('nan')", "float('inf')", "0.5", "''", "' '",
    "'\\ud800'", "'a\\0b'", "'\\x1b]0;owned\\x07'", "'x' * 200_000", "b'bytes'", "[]", "[None]", "{}", "{None: 1}",
    "()",
    "set()", "object()", "object", "print", "lambda: None", "...", "1j", "range(3)", "exchange", "payments", "charge",
    "Service", "metrics", "metrics.p90_ms", "faults.silence", "Backing('redis')", "scenario_of_another", "'prometheus'",
    "[[[[]]]]", "iter([])", "Exception('x')", "__import__('decimal').Decimal(1)", "type('Odd', (str,), {})('x')",
)  # fmt: skip
LINES = (
    "def endless(): return endless()\nendless()",
    "raise SystemExit(2)",
    "raise type('Odd', (BaseException,), {})",
    "raise ValueError('one\\ntwo')",
    "import lab.nothing",
    "from lab import notthing",
    "faults.latncy(charge)",
    "metrics.sucess_ratio()",
    "checkers.exactly_once()",
    "x = = 1",
    "scenario.load = None",
    "Link(*[exchange] * 9)",
    "del scenario",
    "scenario = [scenario]",
    "__doc__ = None",
    "scenario.phases.clear()",
    "scenario.variants.append(3)",
    "scenario.variants[1].env[exchange]['A'] = object()",
    "\tindent",
    "'" + "(" * 300,
    "(" * 300,
)
NAMES = ("latncy", "Servise", "per_S", "lastss", "x", "_", "title", "class_")


def spoiled(sound: str, seed: int) -> str:
    """The sound file with one to three things spoiled; the same each time for a seed."""
    rng = Random(f"spoil {seed}")
    text = sound
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.random()
        if kind < 0.15:
            text = f"{text}\n{rng.choice(LINES)}\n"
        elif kind < 0.85:
            text = _with_a_part(text, rng, rng.choice(VALUES))
        else:
            text = _with_a_name(text, rng)
    return text


def _with_a_part(text: str, rng: Random, new: str) -> str:
    """Put something else in the place of an argument, or of an item of a list or mapping."""
    parts: list[ast.expr] = []
    for node in _nodes(text):
        if isinstance(node, ast.Call):
            parts += [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.List | ast.Tuple):
            parts += node.elts
        elif isinstance(node, ast.Dict):
            parts += [key for key in node.keys if key] + node.values
    return _put(text, rng.choice(parts), new) if parts else text


def _with_a_name(text: str, rng: Random) -> str:
    """Misspell an attribute, the name of an argument, or leave an argument out."""
    calls = [node for node in _nodes(text) if isinstance(node, ast.Call)]
    if not calls:
        return text
    call = rng.choice(calls)
    if call.keywords and rng.random() < 0.7:
        keyword = rng.choice(call.keywords)
        new = "" if rng.random() < 0.5 else f"{rng.choice(NAMES)}={ast.unparse(keyword.value)}"
        return _put(text, keyword, new or f"**{{'{keyword.arg}x': 1}}")
    return _put(text, call.func, f"{ast.unparse(call.func)}.{rng.choice(NAMES)}")


def _nodes(text: str) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []


def _put(text: str, node: ast.expr | ast.keyword, new: str) -> str:
    lines = text.splitlines(keepends=True)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    before = "".join(lines[: node.lineno - 1]) + lines[node.lineno - 1][: node.col_offset]
    after = lines[node.end_lineno - 1][node.end_col_offset :] + "".join(lines[node.end_lineno :])
    return before + new + after
