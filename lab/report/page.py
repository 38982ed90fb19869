"""Puts a report together: sections to plain data, charts drawn, templates filled, one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from lab.report.charts.render import Chart, Drawn, draw, runtime, slug
from lab.report.charts.theme import DASHES, HATCHES, SERIES, css_variables
from lab.report.numbers import at, bound, claim_value, link_text, number, percent, quantity
from lab.report.sections import ORDER
from lab.report.view import View

_STATIC = Path(__file__).with_name("static")
CHARTS_BYTES = 800_000  # of drawings and specifications in a page, which must stay under 2 MB with all else in it
SYMBOLS = {"PASS": "✓", "FAIL": "✕", "UNKNOWN": "?", "NOT JUDGED": "–"}
FAVICON_COLOURS = {"PASS": "11663c", "FAIL": "a3330b", "UNKNOWN": "775200", "NOT JUDGED": "56606b"}


@dataclass(frozen=True)
class Part:
    """A section that has something to say: its name, title and data, and the charts it needs."""

    name: str
    title: str
    data: Any  # each section's own dataclass; only its template looks inside

    @property
    def charts(self) -> Sequence[Chart]:
        """Charts to draw before the template is filled."""
        return getattr(self.data, "charts", ())


def parts(view: View) -> list[Part]:
    """Every section that this run has data for, in order."""
    found = []
    for name in ORDER:
        module = importlib.import_module(f"lab.report.sections.{name}")
        data = module.build(view)
        if data is not None:
            found.append(Part(name, module.TITLE, data))
    return found


def page(view: View, sections: Sequence[Part], drawn: Mapping[str, Drawn]) -> str:
    """The whole report as HTML."""
    verdict = view.judgement.verdict if view.judgement else "NOT JUDGED"
    return (
        environment()
        .get_template("report.html")
        .render(
            view=view,
            spec=view.spec,
            record=view.record,
            parts=sections,
            verdict=verdict,
            favicon=favicon(SYMBOLS[verdict], FAVICON_COLOURS[verdict]),
            **with_charts(drawn, ("theme", "toc", "cells", "charts", "flame")),
        )
    )


def with_charts(drawn: Mapping[str, Drawn], names: Sequence[str]) -> dict[str, Any]:
    """What a page with charts needs in every template: its drawings, its style, these scripts and what they may do."""
    stills, specs = fitted(drawn, CHARTS_BYTES)
    scripts = {name: static(f"{name}.js") for name in names} | ({"vega": runtime()} if specs else {})
    return {
        "stills": stills,
        "specs": specs,
        "symbols": SYMBOLS,
        "css": Markup(css_variables() + static("report.css")),
        "hatches": Markup(HATCHES),
        "scripts": {name: Markup(text) for name, text in scripts.items()},
        "policy": policy(scripts.values()),
    }


def fitted(drawn: Mapping[str, Drawn], most_bytes: int) -> tuple[dict[str, Markup], dict[str, Markup]]:
    """Drawings and specifications by chart: both for the first charts, then, past `most_bytes`, the shorter alone.

    A chart with a drawing alone stands still; one with a specification alone appears when its script runs.
    """
    sizes = {name: (len(d.svg), len(d.vega)) for name, d in drawn.items()}
    left = most_bytes - sum(min(pair) for pair in sizes.values())
    stills, specs = {}, {}
    for name, (svg_bytes, vega_bytes) in sizes.items():
        both = left >= max(svg_bytes, vega_bytes)
        left -= max(svg_bytes, vega_bytes) if both else 0
        stills[name] = Markup(drawn[name].svg if both or svg_bytes <= vega_bytes else "")
        if both or svg_bytes > vega_bytes:
            specs[name] = _json(drawn[name].vega)
    return stills, specs


def environment() -> Environment:
    """Jinja that escapes everything and knows no undefined name."""
    env = Environment(
        loader=PackageLoader("lab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {"number": number, "percent": percent, "as_json": _json, "titled": titled, "inline": inline}
    env.filters |= {"link_text": link_text, "self_linked": self_linked}
    env.globals |= {
        "at": at,
        "bound": bound,
        "claim_value": claim_value,
        "quantity": quantity,
        "sentence": _sentence,
        "series_colours": SERIES,
        "series_dashes": [" ".join(str(n) for n in dash) if len(dash) > 2 or dash[1] else "" for dash in DASHES],
    }
    return env


_HEADING = re.compile(r"<h([23])((?: [a-z-]+=\"[^\"]*\")*)>(.*?)</h\1>", re.DOTALL)


def self_linked(inside: Markup, section: str) -> Markup:
    """A section's HTML with a link to itself behind each heading: the first leads to the section.

    An id of a heading goes to its words alone, so that what is named by it is not called by the link too.
    """
    used: set[str] = set()

    def linked(found: re.Match[str]) -> str:
        level, attributes, words = found.groups()
        name = section if level == "2" and not used else f"{section}-{slug(Markup(words).striptags()).lower()}"
        while name in used:
            name += "-"
        used.add(name)
        own = "" if name == section else f' id="{name}"'
        called = re.search(r' id="[^"]*"', attributes)
        text = f"<span{called[0]}>{words}</span>" if called else words
        rest = attributes.replace(called[0], "") if called else attributes
        link = f'<a class="self" href="#{name}" aria-label="Link to this place">#</a>'
        return f"<h{level}{rest}{own}>{text} {link}</h{level}>"

    return Markup(_HEADING.sub(linked, str(inside)))


def titled(text: str) -> Markup:
    """A handbook title as HTML: backticks set code, and a backslash before an asterisk is Markdown's."""
    parts = text.replace("\\*", "*").split("`")
    return Markup("").join(Markup("<code>{}</code>").format(p) if k % 2 else p for k, p in enumerate(parts))


# Emphasis and code: a record may come from elsewhere, so its text makes no link, no picture and no HTML.
_INLINE = MarkdownIt("commonmark", {"html": False}).disable(["link", "autolink", "image", "html_inline"])


def inline(text: str) -> Markup:
    """A page's text as HTML, its code and emphasis set."""
    return Markup(_INLINE.renderInline(text))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _json(text: str) -> Markup:
    """JSON that may stand in a script element: no `<` can end it."""
    return Markup(text.replace("<", "\\u003c"))


def static(name: str) -> str:
    """A file of `static/`."""
    return (_STATIC / name).read_text("utf-8")


def policy(scripts: Any) -> str:
    """A content security policy under which only these scripts run and no request leaves the page.

    Vega compiles its expressions, hence `unsafe-eval`; positions stand in style attributes, hence `unsafe-inline`.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def favicon(symbol: str, colour: str) -> str:
    """The verdict as the browser tab shows it."""
    return (
        "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
        f"<rect width='32' height='32' rx='8' fill='%23{colour}'/><text x='16' y='23' font-size='20' font-weight='700' "
        f"font-family='sans-serif' text-anchor='middle' fill='white'>{symbol}</text></svg>"
    )


def charts_of(sections: Sequence[Part]) -> dict[str, Drawn]:
    """Every chart of these sections, drawn."""
    return draw(chart for part in sections for chart in part.charts)
