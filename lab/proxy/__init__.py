"""The built-in fault proxy: Toxiproxy's HTTP API and toxics on uvloop, run as `python -m lab.proxy`."""
