"""Python code without its texts, so that a comment or a docstring makes no other code of it."""

from __future__ import annotations

import ast


def parsed(text: str) -> ast.Module:
    """The tree of a file; of one that is not Python, its bytes as a constant, which no one takes for a docstring."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return ast.Module([ast.Expr(ast.Constant(text.encode()))], [])


def without_texts(tree: ast.Module) -> str:
    """A tree as text, without the docstrings, which it loses; comments are in none."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            text = body[0].value
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                del body[0]
    return ast.dump(tree)
