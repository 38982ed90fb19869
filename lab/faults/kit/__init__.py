"""What fault files share: putting in and surely taking out again, and judging a dose from probes."""
