"""What must be so of the actions of a run: each was done in its phase, at its moment, and read back."""

from __future__ import annotations

from lab.record import ActionReceipt, ActionSpec, Condition, Episode, Run
from lab.verdict.where import where_in

LATE_S = 0.5  # begun so much later, what is counted from its moment is off by half a second


def actions_done(run: Run) -> Condition:
    """Every action of every episode; the first that was not done is told."""
    asked = run.record.spec.actions
    for episode in run.record.episodes:
        for action in asked:
            why = _not_done(action, episode)
            if why:
                return Condition("actions done", False, f"{action.text} ({where_in(run, episode)}): {why}")
    return Condition("actions done", True, f"{len(asked)} in each episode, done and read back")


def _not_done(asked: ActionSpec, episode: Episode) -> str:
    found: ActionReceipt | None = next((each for each in episode.actions if each.action == asked), None)
    phase = next((each for each in episode.phases if each.name == asked.phase), None)
    if found is None or phase is None:
        return "it was not done"
    late_s = found.began_s - phase.start_s - asked.after_s
    if found.error:
        return found.error
    if late_s > LATE_S:
        return f"it began {late_s:.2f} s late; {LATE_S:g} s are allowed"
    if found.done_s > phase.end_s:
        return f"it was not done by the end of {phase.name}"
    return ""
