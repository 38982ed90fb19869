"""Runs an experiment once for each value of a knob, and draws every claim over it."""
