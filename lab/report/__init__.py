"""
From a record to what people read: one HTML page that needs nothing else, Markdown with SVG charts, JUnit, the index.

A section is `sections/<name>.py` (plain data) and `templates/<name>.html`; `sections.ORDER` lists them.
"""

from lab.report.charts.render import warm_up
from lab.report.compare import write_comparison
from lab.report.index import Entry, Step, write_index
from lab.report.view import Neighbour
from lab.report.write import write_report

__all__ = ["Entry", "Neighbour", "Step", "warm_up", "write_comparison", "write_index", "write_report"]
