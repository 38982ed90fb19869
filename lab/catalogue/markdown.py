"""What the lab reads of Markdown: the first heading, the sections of the second level, their paragraphs and items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token


def title(text: str) -> str:
    """The heading that a text begins with; empty where it begins with something else."""
    tokens = _tokens(text)
    return tokens[1].content if tokens and tokens[0].tag == "h1" else ""


def _tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark").parse(text)


def sections(text: str) -> Mapping[str, Sequence[Token]]:
    """The tokens below each heading of the second level."""
    found: dict[str, list[Token]] = {}
    heading, tokens = "", _tokens(text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "heading_open" and token.tag == "h2":
            heading = ""
        elif before is not None and before.type == "heading_open" and before.tag == "h2":
            heading = token.content
            found[heading] = []
        elif heading and token.type != "heading_close":
            found[heading].append(token)
    return found


def paragraphs(tokens: Sequence[Token]) -> Iterator[str]:
    """The text of each paragraph, on one line."""
    return (_line(token.content) for token in tokens if token.type == "inline")


def items(tokens: Sequence[Token]) -> Iterator[str]:
    """The text of each item of the lists, its paragraphs joined."""
    parts: list[str] = []
    for token in tokens:
        if token.type == "list_item_open":
            parts = []
        elif token.type in ("inline", "html_block"):  # <details> at the beginning of a line is a block of HTML
            parts.append(_line(token.content))
        elif token.type == "list_item_close":
            yield " ".join(parts)


def _line(text: str) -> str:
    return " ".join(text.split())
