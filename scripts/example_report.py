"""
Keep a run's report as an example for readers: `reports/example/<experiment>/`, which git keeps.

    .venv/bin/python scripts/example_report.py reports/circuit-breaker/latest

The data goes along, so that `lab judge` and `lab report` work on the example. Of the logs go only the lines behind the
slowest traces that the page shows. Refuses a run that did not PASS, that was shortened, that names a folder of the
machine it ran on, or that takes more room than an example should. Puts the verdict, as it prints, into README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import pyarrow as pa  # noqa: E402 - the project runs from its own folder and need not be installed

from lab.cli import console  # noqa: E402
from lab.errors import LabError  # noqa: E402
from lab.record import TABLES, Run, read_run  # noqa: E402
from lab.report import write_report  # noqa: E402

EXAMPLES = ROOT / "reports" / "example"
README = ROOT / "README.md"
SHOWN = re.compile(r"(<!-- verdict:.*?-->\n).*?(<!-- end of verdict -->)", re.DOTALL)
COLUMNS = 80
KEPT = ("record.json", *(f"{name}.parquet" for name in TABLES), "readbacks", "profiles")
MOST_BYTES = 3_000_000
FOLDERS = {"/work", "/root", "/home", "/Users", str(Path.home()), str(ROOT)} - {"/"}
FOLDER = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, sorted(FOLDERS)))})(?![\w-])")
TRACE = re.compile(r"\b[0-9a-f]{32}\b")


def main(arguments: list[str]) -> int:
    """Keep the example, or say in a sentence why not (exit 3) and leave the old one as it was."""
    parser = argparse.ArgumentParser(description="Keep a run's report as an example for readers.")
    parser.add_argument("run", type=Path, help="a run's folder, such as reports/circuit-breaker/latest")
    parser.add_argument("--to", type=Path, default=EXAMPLES, help="the folder of examples (default: reports/example)")
    parser.add_argument(
        "--readme", type=Path, default=README, help="the page that shows its verdict (default: README.md)"
    )
    asked = parser.parse_args(arguments)
    try:
        kept = keep(read_run(asked.run.resolve()), asked.to)
        show(read_run(kept), asked.readme)
    except LabError as error:
        print(f"example: {error}", file=sys.stderr)
        return 3
    print(f"{kept}: {size_bytes(kept):,} bytes")
    return 0


def keep(run: Run, examples: Path) -> Path:
    """Put the example into `examples/<experiment>`, in place of the one before. Raises LabError for an unfit run."""
    record = run.record
    verdict = record.judgement.verdict if record.judgement else "not judged"
    if verdict != "PASS":
        raise LabError(f"{run.path}: the run is {verdict}; an example must PASS")
    if record.scale < 1:
        raise LabError(f"{run.path}: a quick look (scale {record.scale:g}) is no example; run it at full length")
    examples.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=examples, prefix=".draft-") as scratch:
        draft = Path(scratch) / record.spec.name
        copy(run, draft)
        for file, text in texts(draft):
            if found := FOLDER.search(text):
                raise LabError(f"{file}: names a folder of this machine ({found.group()}); find out why it is there")
        if size_bytes(draft) > MOST_BYTES:
            raise LabError(f"the example has {size_bytes(draft):,} bytes; {MOST_BYTES:,} are allowed")
        place = examples / record.spec.name
        shutil.rmtree(place, ignore_errors=True)
        return draft.rename(place)


def copy(run: Run, to: Path) -> None:
    """Copy what is kept of a run, and write its report anew, without neighbours that will not be there."""
    to.mkdir()
    for name in KEPT:
        source = run.path / name
        if source.is_dir():
            shutil.copytree(source, to / name)
        elif source.exists():
            shutil.copy(source, to / name)
    shutil.copytree(run.path / "logs", to / "logs", ignore=shutil.ignore_patterns("prometheus*"))
    page = write_report(read_run(to))
    shown = set(TRACE.findall(page.read_text("utf-8")))
    for log in (to / "logs").rglob("*.log"):
        lines = [line for line in log.read_text("utf-8").splitlines() if shown & set(TRACE.findall(line))]
        log.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Everything that can be read in a run's files, what is packed in its tables included."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix != ".parquet":
            yield file.relative_to(folder), file.read_text("utf-8", errors="replace")
    run = read_run(folder)
    for name in TABLES:
        table = run.table(name)
        for field in table.schema:
            if pa.types.is_string(field.type) or pa.types.is_dictionary(field.type):
                values = table[field.name].unique().to_pylist()
                yield Path(f"{name}.parquet"), "\n".join(str(value) for value in values)


def show(run: Run, readme: Path) -> None:
    """Put the verdict of a run, as a terminal of 80 columns shows it, between the marks in a page."""
    text = readme.read_text("utf-8")
    changed = SHOWN.sub(lambda marks: f"{marks[1]}```\n{printed(run)}```\n{marks[2]}", text)
    if printed(run) not in changed:
        raise LabError(f"{readme}: has no `<!-- verdict: -->` and `<!-- end of verdict -->` to put the verdict between")
    readme.write_text(changed, "utf-8")


def printed(run: Run) -> str:
    """What the lab prints of a run, without colours and trailing blanks."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(COLUMNS)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            console.verdict(run)
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return "".join(f"{line.rstrip()}\n" for line in said.getvalue().strip("\n").splitlines())


def size_bytes(folder: Path) -> int:
    """All files of a folder together."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
