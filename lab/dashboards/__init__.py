"""
Grafana dashboards, written from the scenarios: one of the whole lab, and one of each experiment's panels.

`make dashboards` writes them to `dashboards/json`. Only that needs grafana-foundation-sdk, a tool for development;
nothing else in the lab imports this room.
"""
