"""
The sections of a report, in order. A section is a module here and a template of the same name.

The module has `TITLE` (in the table of contents) and `build(view)`, which gives plain data for the template, or None
where this run has nothing to say. Data that holds charts lists them in its `charts`.
"""

ORDER = (
    "verdict",
    "idea",
    "predict",
    "claims",
    "matrix",
    "variants",
    "trials",
    "naive",
    "recovery",
    "panels",
    "events",
    "alerts",
    "receipts",
    "flames",
    "anomalies",
    "traces",
    "topology",
    "exercises",
    "repeat",
    "machine",
    "links",
)
