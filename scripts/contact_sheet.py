"""
Every dashboard on one page, drawn without a Grafana from runs that asked its queries.

    .venv/bin/python scripts/contact_sheet.py run FOLDER circuit-breaker retry-storm --scale 0.4
    .venv/bin/python scripts/contact_sheet.py draw FOLDER

`run` runs each experiment, or all, with its dashboard's queries for panels. `draw` writes FOLDER/sheet.html: each
dashboard at 1440 px, with a line where a screen of 900 px ends. It prints what each panel of rates adds up to beside
what was counted without Prometheus, and exits with 1 where they differ without a reason.
"""

from __future__ import annotations

import argparse
import html
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab.catalogue import read_all  # noqa: E402 - the project runs from its own folder and need not be installed
from lab.dashboards.aligned import TITLE as ALIGNED  # noqa: E402
from lab.dashboards.asked import RUNS, Query, all_panels, scenario_that_asks  # noqa: E402
from lab.dashboards.integrals import integrals  # noqa: E402
from lab.record import Run, read_run  # noqa: E402

WIDTH, HEIGHT, ROW = 1440, 900, 38  # of the screen, and of a row of Grafana's grid with its gap
HEAD = 150  # what Grafana's own bars and the choices take of the screen
AXIS, LEGEND, TITLE = 40, 30, 24
COLOURS = ("#73BF69", "#F2CC0C", "#5794F2", "#FF9830", "#F2495C", "#B877D9", "#8AB8FF", "#96D98D", "#FFB357", "#FADE2A",
           "#CA95E5", "#FF7383")  # fmt: skip
PAUSE_S = 4.0  # drawn between two variants
LATELY_S = 15.0  # what the numbers look back to
GAP_S = 2.0  # from here on a line is interrupted
STYLE = f"""<style>body{{background:#111217;color:#ccccdc;font:12px sans-serif;margin:0;width:{WIDTH}px}}
h1{{font-size:18px;padding:10px 16px;margin:0;border-top:3px solid #555}}.d{{position:relative;margin:0 16px}}
.p{{position:absolute;background:#181b1f;border:1px solid #2c3235;box-sizing:border-box;overflow:hidden}}
.p,.row{{padding:2px 6px}}.row{{position:absolute;font-weight:bold}}.big{{font-size:24px;margin-right:14px}}
.fold{{position:absolute;left:0;right:0;border-top:1px dashed #f2495c;color:#f2495c;text-align:right;font-size:10px}}
.l span{{margin-right:10px;white-space:nowrap}}</style>"""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Shown:
    """A run's series: by query and variant, each with its points; and where each variant begins on a panel."""

    run: Run
    series: Mapping[str, Mapping[tuple[str, str], Points]]
    starts_s: Mapping[str, float]
    ends_s: float

    @classmethod
    def of(cls, run: Run) -> Shown:
        """Of the first trial: one variant after the other."""
        each_s = run.record.spec.lasts_s + PAUSE_S
        starts = {variant.name: number * each_s for number, variant in enumerate(run.record.spec.variants)}
        series: dict[str, dict[tuple[str, str], list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
        for row in run.table("series").sort_by("at_s").to_pylist():
            if row["trial"] == 1 and row["value"] is not None:
                series[row["panel"]][row["variant"], row["series"] or ""].append((row["at_s"], row["value"]))
        return cls(run, series, starts, len(starts) * each_s - PAUSE_S)

    def found(self, queries: Sequence[Query]) -> list[tuple[str, Points]]:
        """Legend and points of each series of a panel."""
        lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for query in queries:
            for (variant, legend), points in self.series.get(query.key, {}).items():
                lines[legend] += [(self.starts_s[variant] + at, value) for at, value in points]
        return [(legend, sorted(points)) for legend, points in sorted(lines.items())]

    def above_each_other(self) -> Shown:
        """The same with every variant at the time of the first."""
        return Shown(self.run, self.series, dict.fromkeys(self.starts_s, 0.0), self.run.record.spec.lasts_s)


@dataclass(frozen=True)
class Canvas:
    """Where a panel draws: times become places."""

    shown: Shown
    width: float
    height: float

    def x(self, at_s: float) -> float:
        """The place of a time."""
        return AXIS + at_s / self.shown.ends_s * (self.width - AXIS - 4)

    def svg(self, inside: str, low: str = "", high: str = "") -> str:
        """The picture: faults, phases and variants behind it, two figures at its axis."""
        spec, behind = self.shown.run.record.spec, []
        for variant, start in self.shown.starts_s.items():
            at = start
            behind.append(f'<text x="{self.x(at) + 2:.1f}" y="9" fill="#8AB8FF" font-size="9">{variant}</text>')
            for phase in spec.phases:
                left, right = self.x(at), self.x(at + phase.lasts_s)
                at += phase.lasts_s
                size = f'x="{left:.1f}" width="{right - left:.1f}" height="{self.height:.0f}"'
                behind += [f'<rect {size} fill="#B877D9" opacity=".18"/>'] if phase.faults else []
                behind.append(f'<path d="M{left:.1f} 0V{self.height:.0f}" stroke="#8E8E8E" stroke-width=".5"/>')
        axis = "".join(
            f'<text x="2" y="{y:.0f}" fill="#999" font-size="9">{words}</text>'
            for y, words in ((10, high), (self.height - 2, low))
        )
        size = f'width="{self.width:.0f}" height="{self.height:.0f}"'
        return f"<svg {size}>{''.join(behind)}{axis}{inside}</svg>"

    def lines(self, found: Sequence[tuple[str, Points]]) -> str:
        """Each series as a line."""
        high = max((value for _, points in found for _, value in points), default=1.0) * 1.05 or 1.0
        paths = []
        for k, (_, points) in enumerate(found):
            path, last = "", -2 * GAP_S
            for at, value in points:
                y = self.height - max(0.0, value) / high * (self.height - 4)
                path += f"{'L' if at - last < GAP_S else 'M'}{self.x(at):.1f} {y:.1f}"
                last = at
            paths.append(f'<path d="{path}" fill="none" stroke="{COLOURS[k % 12]}" stroke-width="1.5"/>')
        return self.svg("".join(paths), "0", f"{high:.3g}")

    def bands(self, found: Sequence[tuple[str, Points]], states: Mapping[float, tuple[str, str]]) -> str:
        """Each series as a band of states."""
        each, wide = self.height / len(found), self.width / self.shown.ends_s + 0.5
        cells = []
        for k, (_, points) in enumerate(found):
            for at, value in points:
                colour = states.get(value, ("", "gray"))[1].replace("super-light-", "light").replace("semi-dark-", "")
                place = f'x="{self.x(at):.1f}" y="{k * each + 2:.1f}"'
                cells.append(f'<rect {place} width="{wide:.1f}" height="{max(2, each - 4):.1f}" fill="{colour}"/>')
        return self.svg("".join(cells))

    def heat(self, found: Sequence[tuple[str, Points]]) -> str:
        """Each bucket as a row of cells: what it has more than the one below."""
        rows = sorted((float(name.replace("+Inf", "inf")), dict(points)) for name, points in found)
        each, below = self.height / len(rows), defaultdict[float, float](float)
        most = max((value for _, points in rows for value in points.values()), default=1.0) or 1.0
        cells = []
        for k, (_, points) in enumerate(rows):
            for at, value in points.items():
                count, below[at] = value - below[at], value
                if count > 0:
                    place = f'x="{self.x(at):.1f}" y="{self.height - (k + 1) * each:.1f}"'
                    size = f'width="{self.width / self.shown.ends_s:.1f}" height="{each:.1f}"'
                    cells.append(f'<rect {place} {size} fill="#FF9830" opacity="{0.2 + 0.8 * count / most:.2f}"/>')
        return self.svg("".join(cells), f"{rows[0][0]:g}", f"{rows[-1][0]:g}")


def sheet(runs: Sequence[Run]) -> str:
    """The page."""
    body = "".join(_dashboard(Shown.of(run)) for run in runs)
    return f"<!doctype html><meta charset=utf-8><title>Dashboards</title>{STYLE}{body}"


def _dashboard(shown: Shown) -> str:
    name, unit = shown.run.record.spec.name, (WIDTH - 32) / 24
    parts: list[str] = []
    own: dict[str, list[Query]] = {}  # the first panel of each title: the scenario's own
    lowest, row = 0, ""
    for panel, queries in all_panels(name):
        at, title = panel["gridPos"], html.escape(panel["title"])
        lowest = max(lowest, at["y"] + at["h"])
        box = f"left:{at['x'] * unit:.0f}px;top:{at['y'] * ROW}px;width:{at['w'] * unit - 8:.0f}px"
        if panel["type"] == "row":
            row = panel["title"]
            parts.append(f'<div class=row style="{box}">{"▸" if panel.get("collapsed") else "▾"} {title}</div>')
            continue
        if panel["type"] != "stat":
            own.setdefault(panel["title"], queries)
        drawn, asked = (shown.above_each_other(), own[panel["title"]]) if row == ALIGNED else (shown, queries)
        height, width = at["h"] * ROW - 8, at["w"] * unit - 22
        inside = _inside(drawn, panel, drawn.found(asked), width, height - TITLE)
        parts.append(f'<div class=p style="{box};height:{height}px"><b>{title}</b>{inside}</div>')
    fold = f'<div class=fold style="top:{HEIGHT - HEAD}px">a screen of {HEIGHT} px ends here</div>'
    return f'<h1>{name}</h1><div class=d style="height:{lowest * ROW + 10}px">{"".join(parts)}{fold}</div>'


def _inside(
    shown: Shown, panel: Mapping[str, Any], found: Sequence[tuple[str, Points]], width: float, height: float
) -> str:
    mappings = panel.get("fieldConfig", {}).get("defaults", {}).get("mappings", ())
    states = {float(k): (s["text"], s["color"]) for mapping in mappings for k, s in mapping["options"].items()}
    if not found:
        return f"<p>{'Every run, as a table' if panel['title'] == RUNS else 'No data'}</p>"
    if panel["type"] == "stat":
        newest = [(legend, *points[-1]) for legend, points in found if points[-1][0] > shown.ends_s - LATELY_S]
        named = panel.get("options", {}).get("textMode") == "name"
        said = [legend if named else f"{legend} {states.get(v, (f'{v:.3g}', ''))[0]}" for legend, _, v in newest]
        return "<div>" + "".join(f"<span class=big>{html.escape(each)}</span>" for each in said) + "</div>"
    canvas = Canvas(shown, width, height - LEGEND)
    if panel["type"] == "heatmap":
        return canvas.heat(found)
    legend = "".join(
        f'<span style="color:{COLOURS[k % 12]}">▬ {html.escape(name)}</span>' for k, (name, _) in enumerate(found)
    )
    picture = canvas.bands(found, states) if states else canvas.lines(found)
    return f"{picture}<div class=l>{legend} <i>{len(found)} series</i></div>"


def table(runs: Sequence[Run]) -> tuple[list[str], bool]:
    """A line for each panel of rates, variant and series; and whether all that differ have a reason."""
    rows, sound = [], True
    for run in runs:
        for one in integrals(run):
            sound = sound and one.verdict != "DIFFERS"
            rows.append(
                f"{run.record.spec.name:20} {one.variant:25} {one.panel:32.32} {one.series:44.44} {one.counted.by:13} "
                f"{one.adds_up_to:8.1f} {one.counted.all:8.0f} {one.least:8.1f} {one.most:8.1f}  {one.verdict}"
            )
    head = f"{'experiment':20} {'variant':25} {'panel':32} {'series':44} {'counted by':13} {'panel':>8} {'count':>8}"
    return [f"{head} {'least':>8} {'most':>8}", *rows], sound


def run(folder: Path, names: Sequence[str], scale: float, seed: int) -> None:
    """Run each experiment with its dashboard's queries for panels."""
    entries = {entry.name: entry for entry in read_all()[0]}
    for name in names or entries:
        file = folder / "scenarios" / entries[name].file.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(scenario_that_asks(entries[name].file, name), "utf-8")
        words = ["run", file, "--scale", scale, "--seed", seed, "--reports", folder / "reports"]
        subprocess.run([sys.executable, "-m", "lab", *map(str, words)], cwd=ROOT, check=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "draw"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args(arguments)
    folder = said.folder.resolve()
    if said.what == "run":
        run(folder, said.names, said.scale, said.seed)
        return 0
    runs = [read_run(path) for path in sorted((folder / "reports").glob("*/latest"))]
    (folder / "sheet.html").write_text(sheet(runs), "utf-8")
    lines, sound = table(runs)
    print("\n".join([*lines, f"{folder / 'sheet.html'}: {len(runs)} dashboards"]))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
