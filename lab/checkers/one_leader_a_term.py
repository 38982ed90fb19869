"""A term has at most one leader: election safety, the first of Raft's guarantees (5.2). A split vote ends with none."""

from __future__ import annotations

from lab.checkers._call import Readbacks, names_of
from lab.checkers._logs import Unread, logs
from lab.checkers._played import ENOUGH, verdict
from lab.checkers.history import Finding, History
from lab.record import Anomaly


def one_leader_a_term(history: History, readbacks: Readbacks, least: int = ENOUGH) -> Finding:
    """
    Hold against one another whom the members took for the leader of each term (figure 3 of the Raft paper).

    `readbacks` names one readback a member, separated by commas. Each is a JSON object with `name`, `leaders` (pairs of
    term and name, the member's own leadership among them), `snapshot_index` and `entries`. A member that was killed
    has forgotten what it heard, and not what its log tells: a leader's first entry carries its name. Those that a
    killed leader led remember it too.

    Must have seen: `least` terms of which a member knows the leader. A log has no phases: `least` says how many
    elections the run must have had.
    """
    try:
        members = logs(history, names_of(readbacks)).members
    except Unread as unread:
        return Finding("UNKNOWN", str(unread))
    heard: dict[int, dict[str, list[str]]] = {}
    for member in members:
        for term, leader in member.leaders:
            heard.setdefault(term, {}).setdefault(leader, []).append(member.name)
    anomalies = tuple(
        Anomaly(
            f"term {term} had {len(leaders)} leaders: "
            + ", ".join(f"{leader} (says {', '.join(witnesses)})" for leader, witnesses in sorted(leaders.items()))
        )
        for term, leaders in sorted(heard.items())
        if len(leaders) > 1
    )
    few = f"the members know the leader of {len(heard)} terms; the checker takes at least {least}"
    held = f"{len(heard)} terms with one leader each, by {len(members)} members"
    failed = f"{len(anomalies)} of {len(heard)} terms"
    return verdict(anomalies, failed, [few if len(heard) < least else ""], held, len(heard))
