"""Runs of one experiment side by side, as a page: what differs, each claim, charts on the same axes."""

from lab.report.compare.page import write_comparison

__all__ = ["write_comparison"]
