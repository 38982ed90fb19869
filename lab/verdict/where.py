"""Where in a run something was, for a sentence."""

from __future__ import annotations

from lab.record import Episode, Run


def where_in(run: Run, episode: Episode) -> str:
    """`on`, or `on, trial 2` where there are several."""
    return episode.variant if run.record.trials == 1 else f"{episode.variant}, trial {episode.trial}"
