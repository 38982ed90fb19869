"""
What all counted runs say together: per experiment, runtime and claim their verdicts, the median and the range.

A run counts where it was made at full length, with no knob turned, from a commit without uncommitted changes, and of
code that decides the experiment as today's does (`digest`). UNKNOWN runs count too and are named; median and range are
those of the runs that ended PASS or FAIL. docs/evidence.json is the ledger, docs/evidence.md its page.
"""
