"""No term has two leaders: election safety, the first of Raft's guarantees."""

from __future__ import annotations

from lab.checkers._logs import Unread, logs
from lab.checkers.history import Finding, History
from lab.record import Anomaly


def one_leader_a_term(history: History, readbacks: str) -> Finding:
    """
    Hold against one another whom the members took for the leader of each term (figure 3 of the Raft paper).

    `readbacks` names one readback a member, separated by commas. Each is a JSON object with `name`, `leaders` (pairs of
    term and name, the member's own leadership among them), `snapshot_index` and `entries`. A member that was killed
    has forgotten; those that it led have not.
    """
    try:
        members = logs(history, readbacks).members
    except Unread as unread:
        return Finding("UNKNOWN", str(unread))
    heard: dict[int, dict[str, list[str]]] = {}
    for member in members:
        for term, leader in member.leaders:
            heard.setdefault(term, {}).setdefault(leader, []).append(member.name)
    if not heard:
        return Finding("UNKNOWN", "no member has heard of a leader: nothing was checked")
    anomalies = tuple(
        Anomaly(
            f"term {term} had {len(leaders)} leaders: "
            + ", ".join(f"{leader} (says {', '.join(witnesses)})" for leader, witnesses in sorted(leaders.items()))
        )
        for term, leaders in sorted(heard.items())
        if len(leaders) > 1
    )
    if anomalies:
        return Finding("FAIL", anomalies[0].text, len(heard), anomalies)
    return Finding("PASS", f"{len(heard)} terms with one leader each, by {len(members)} members", len(heard))
