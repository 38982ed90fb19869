"""
Duelling proposers: how many rounds does a decision take when several propose at once?

Answers of the acceptors come 20 ms to 60 ms late, so that proposers interrupt one another. They retry at once, or after
a random backoff, or leave proposing to one (Multi-Paxos). Then the one that leads is killed, and later all acceptors.
In the end two acceptors of three hear proposer-1, and no proposer does: the others must find out what it had chosen.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.paxos import Panels, acceptors, between, commands, proposers, to_acceptors

first, near = proposers[0], acceptors[:2]
unheard = [link for link in (*to_acceptors, *between) if link.caller == first and link.callee not in near]
late = [faults.latency(link, ms=40, jitter_ms=20) for link in to_acceptors]
# Each round is a request to each acceptor, and each of them counts the slots that it accepts a first value for.
rounds = metrics.counter_quotient(acceptors, "paxos_requests_total", per="paxos_slots_total")
success, gap_s, p50_ms = metrics.success_ratio(), metrics.longest_gap_s(), metrics.p50_ms(of="ok")

TIMING = {"PAXOS_BACKOFF_MS": 400, "PAXOS_HEARTBEAT_MS": 50}
# A proposer that meets others again and again gives a command up after 4 s. In `dead` a third of the clients is that of
# the dead proposer, and what the others send to it within 0.13 s is indeterminate: 0.64. The acceptors are back after
# 0.8 s and their start, before clients give up. In `unheard` a proposer that does not lead cannot pass its commands on,
# and proposer-1 does not for long: a third of the clients again.
ALL = {"baseline": 0.98, "late": 0.98, "settled": 0.98, "dead": 0.55, "back": 0.95, "acceptors": 0.9, "recovery": 0.95}
WORK = {"backoff": {**ALL, "late": 0.85, "settled": 0.9, "unheard": 0.9}, "leader": {**ALL, "unheard": 0.55}}


def retry(how: str) -> Variant:
    """All proposers do so after a refusal."""
    return Variant(how, {proposer: {"PAXOS_RETRY": how} for proposer in proposers})


scenario = Scenario(
    title="Duelling proposers",
    handbook=["7.5.2", "7.5.2.1", "7.5.2.2", "7.5.2.3"],
    question="How many rounds does a decision take when several proposers want one at once?",
    links=[*to_acceptors, *between],
    load=commands(per_s=20),
    # proposer-1 is the first to take over where none leads, so that it is the leader that is killed.
    settings={
        first: {**TIMING, "PAXOS_LEADER_LOW_MS": 150, "PAXOS_LEADER_HIGH_MS": 200},
        proposers[1]: TIMING,
        proposers[2]: TIMING,
    },
    phases=[
        Phase("baseline", lasts_s=4),
        Phase("late", lasts_s=7, faults=late),
        Phase("settled", lasts_s=2),
        Phase("dead", lasts_s=4, faults=[faults.kill(first)]),
        Phase("back", lasts_s=4),  # it starts again, which keeps a core busy for a second
        Phase("acceptors", lasts_s=4, faults=[faults.kill(each, restart_after_s=0.8) for each in acceptors]),
        Phase("recovery", lasts_s=3),
        Phase("unheard", lasts_s=4, faults=[faults.silence(link) for link in unheard]),
    ],
    variants=[retry("at-once"), retry("backoff"), retry("leader")],
    claims=[
        # Two rounds, and two more for each attempt that another's ballot ends. With three that always have something to
        # propose, one gets through and two are interrupted: 2 + 2 x 2 = 6; at 20/s one in three has nothing at times.
        Claim("duels: rounds for each decision", "at-once", "late", rounds, at_least=4.2, control=True),
        # A proposer that was refused stays away for 0.2 s on average, two or three decisions of another: 2 + 2 / 2.5,
        # and some that meet by chance.
        Claim("backoff: fewer rounds", "backoff", "late", rounds, at_most=3.7),
        # Prepared once for all slots: each decision is one round. An election is two of some hundred.
        Claim("a leader: one round", "leader", "late", rounds, at_most=1.1),
        # One round of 40 ms, less where two of three answers are early; a command waits for the round before its own.
        Claim("a leader: commands wait for two rounds at most", "leader", "late", p50_ms, at_most=120),
        *(
            Claim(f"{variant}: requests succeed in {phase}", variant, phase, success, at_least=share)
            for variant, shares in WORK.items()
            for phase, share in shares.items()
        ),
        # Silent for 0.6 s to 1.2 s, then a round; two that stand at once cost as much again.
        Claim("the price: a leader is missed first", "leader", "dead", gap_s, at_least=0.5, at_most=2.8, price=True),
        Claim("no leader, no gap", "backoff", "dead", gap_s, at_most=1.2),
        # It waits where another would try.
        Claim("the price of backoff: commands wait", "backoff", "late", p50_ms, at_most=3, of="at-once", price=True),
    ],
    panels=[Panels.rounds, Panels.median_rounds, Panels.requests, Panels.leads],
)
