"""Colours and type of every chart and page: one table of names, light and dark; charts name colours, never hold them.

A chart's colour is a CSS variable (`var(--ok)`), so that the page's theme, and the printer's, recolour it without
drawing again. The hues are those of Okabe and Ito (2008), which readers with any colour vision can tell apart.
"""

from __future__ import annotations

import re

# name -> (light, dark)
PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181d"),
    "wash": ("#f5f6f8", "#1b2027"),
    "ink": ("#191d22", "#e8ebee"),
    "muted": ("#56606b", "#a3adb8"),
    "line": ("#dde1e6", "#313943"),
    "grid": ("#e9ecef", "#262d35"),
    "link": ("#0b5aa6", "#7cb8ee"),
    "ok": ("#4a90c2", "#4a90c2"),
    "fail": ("#c8501a", "#e2703a"),
    "info": ("#e9b227", "#e9b227"),
    "fault": ("#8a3d78", "#d79bc8"),
    "pass-ink": ("#11663c", "#6fd19c"),
    "pass-wash": ("#e6f4ec", "#16301f"),
    "fail-ink": ("#a3330b", "#ff9f73"),
    "fail-wash": ("#fdece5", "#3a1d12"),
    "unknown-ink": ("#775200", "#f0c75e"),
    "unknown-wash": ("#fdf3d8", "#33290f"),
    "heat-1": ("#dbe9f4", "#1c3448"),
    "heat-2": ("#b5d2e8", "#23506f"),
    "heat-3": ("#84b3d8", "#2f7099"),
    "heat-4": ("#4f8fc1", "#4a95c0"),
    "heat-5": ("#2468a2", "#7dbadc"),
    "heat-6": ("#0d3f70", "#c4e2f2"),
    "grew": ("#f0876b", "#a3432b"),
    "shrank": ("#7fb3e6", "#2a65a3"),
    "flat": ("#eceef0", "#2b323a"),
    "diff-ink": ("#191d22", "#f2f4f6"),
    "series-1": ("#0072b2", "#56a8dd"),
    "series-2": ("#c8501a", "#ee8850"),
    "series-3": ("#00805d", "#33c49a"),
    "series-4": ("#a8508a", "#dc93c0"),
    "series-5": ("#8a6a00", "#e6bd45"),
    "series-6": ("#4d4d9e", "#a6a6ec"),
}
SERIES = tuple(f"var(--series-{k})" for k in range(1, 7))
HEAT = tuple(f"var(--heat-{k})" for k in range(1, 7))
DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [4, 2, 1, 2])
FONT = "sans-serif"  # the page puts its own over it; one name is quicker to measure than a list

# Fault windows are hatched and requests without an answer dotted: colour never speaks alone.
HATCHES = (
    '<pattern id="hatch-fault" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="7" height="7" fill="var(--fault)" fill-opacity=".07"/>'
    '<rect width="1.2" height="7" fill="var(--fault)" fill-opacity=".28"/></pattern>'
    '<pattern id="hatch-info" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">'
    '<rect width="5" height="5" fill="var(--info)"/>'
    '<rect width="1.4" height="5" fill="var(--paper)" fill-opacity=".75"/></pattern>'
)

CONFIG: dict[str, object] = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "labelColor": "var(--muted)",
        "labelFontSize": 11,
        "labelPadding": 6,
        "titleColor": "var(--muted)",
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "gridColor": "var(--grid)",
        "gridWidth": 1,
    },
    "text": {"fontSize": 11, "font": FONT},
}


def css_variables() -> str:
    """The palette as CSS: light, dark where the reader's system or the page's switch says so, light in print."""
    light = ";".join(f"--{name}:{colours[0]}" for name, colours in PALETTE.items())
    dark = ";".join(f"--{name}:{colours[1]}" for name, colours in PALETTE.items())
    chosen, asked = ':root[data-theme="dark"]', ':root:not([data-theme="light"])'
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media screen{{{chosen}{{color-scheme:dark;{dark}}}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{{asked}{{color-scheme:dark;{dark}}}}}\n"
    )


def standalone(svg: str) -> str:
    """A chart's SVG as a file of its own: light colours written out, hatches and paper inside."""
    head, tag, body = svg.partition(">")
    drawn = f'{head}{tag}<defs>{HATCHES}</defs><rect width="100%" height="100%" fill="var(--paper)"/>{body}'
    return re.sub(r"var\(--([a-z0-9-]+)\)", lambda match: PALETTE[match[1]][0], drawn)
