"""How many draws a run makes: several claims that are judged at once miss by chance more often than one."""

from __future__ import annotations

from lab.record import Judgement


def draws(judgement: Judgement, trials: int) -> str:
    """One sentence on it; empty where nothing is claimed.

    By Boole's inequality, so that claims which hang together need no model: the chances add up, at most.
    """
    claims = len(judgement.claims)
    if not claims:
        return ""
    head = f"{claims} claims judged at once, from {trials} {'draw' if trials == 1 else 'draws'} each"
    if trials == 1:
        return f"{head}: if each held in 99 runs of 100, up to {claims} % of runs would miss one"
    intervals = [result.interval for result in judgement.claims if result.interval is not None]
    missed = sum(1 - interval.confidence for interval in intervals)
    if not intervals:
        return head
    return f"{head}: {len(intervals)} intervals of the median, of which {missed:.1f} miss it by chance"
