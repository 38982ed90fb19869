"""Charts: one Altair definition each, drawn as SVG for Markdown and print and as live Vega in the page."""
