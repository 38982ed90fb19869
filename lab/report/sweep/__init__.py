"""A sweep's report: the curve of every claim and price over the values of a knob, in one file."""

from lab.report.sweep.curves import Curve, Spot, Swept, curves
from lab.report.sweep.page import write_sweep

__all__ = ["Curve", "Spot", "Swept", "curves", "write_sweep"]
