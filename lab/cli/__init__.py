"""Arguments and exit codes of `lab`, nothing else: 0 pass, 1 fail, 2 unknown, 3 the lab itself could not do it."""

from lab.cli import experiments, machine, predicting, sweeps
from lab.cli.experiments import open_run
from lab.cli.group import EXIT_CODES, main

__all__ = ["EXIT_CODES", "experiments", "machine", "main", "open_run", "predicting", "sweeps"]
