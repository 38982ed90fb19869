"""
Breaks what a PASS rests on, one thing at a time, and shows what noticed it.

Two kinds. A *forged record* is the record of a run that passed, changed as a lying load generator, fault or service
would have changed it, and judged again: a second each, on any machine. A *mutant* is a small patch of a target, a
pattern or the engine, applied to a copy of the project, in which the experiment is then really run.
"""
