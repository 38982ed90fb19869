"""What the terminal shows when nothing is running: the catalogue, one experiment, a verdict, the doctor's findings."""

from lab.cli.console.chapters import NUMBER, section, section_data
from lab.cli.console.checkup import findings
from lab.cli.console.data import catalogue_data, findings_data, run_data, spec_json
from lab.cli.console.experiments import catalogue, show
from lab.cli.console.predictions import ask, scored
from lab.cli.console.runs import compare, outcome, summary, verdict
from lab.cli.console.sweeps import sweep

__all__ = [
    "NUMBER",
    "ask",
    "catalogue",
    "catalogue_data",
    "compare",
    "findings",
    "findings_data",
    "outcome",
    "run_data",
    "scored",
    "section",
    "section_data",
    "show",
    "spec_json",
    "summary",
    "sweep",
    "verdict",
]
