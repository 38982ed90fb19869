"""
Group commit: one sync of the disk for all that wait, instead of one each.

Items come at 120/s, and each is acknowledged once it is committed. Then an fsync takes 100 ms. One commit for each item
makes ten a second; a batch takes all that came during the previous commit. In the end PostgreSQL loses power.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.intake import Panels, intake, items, lost, postgres, syncs, to_postgres

FSYNC_MS = 100  # ten times a throttled disk's: slow enough that the processor is not the limit
success, goodput = metrics.success_ratio(), metrics.goodput_per_s()
wait_p50_ms, wait_p90_ms = metrics.p50_ms(of="ok"), metrics.p90_ms(of="ok")
SHARING = ("batch", "connections")

scenario = Scenario(
    title="Group commit",
    handbook="7.2.1.4",
    question="How many commits per second can a disk with slow syncs take, and how long does an item wait?",
    links=[to_postgres],
    load=items(per_s=120, played_in="slow"),
    # Else PostgreSQL syncs each of 1,000 files by itself before it recovers; after a cut all that is left is synced.
    settings={postgres: {"RECOVERY_INIT_SYNC_METHOD": "syncfs"}},
    phases=[
        Phase("baseline", lasts_s=4),
        Phase("slow", lasts_s=8, faults=[faults.slow_fsync(postgres, FSYNC_MS)]),
        # Items that still wait are acknowledged before the power goes. 2 s, so that the canary sees no fault here.
        Phase("quick", lasts_s=2),
        # 0.8 s dark, so that the canary sees six probes of it.
        Phase("cut", lasts_s=3, faults=[faults.power_loss(postgres, 0.8)]),
        Phase("recovery", lasts_s=3),
    ],
    variants=[
        Variant("each", {intake: {"COMMIT": "each"}}),
        Variant("batch", {intake: {"COMMIT": "batch"}}),
        # 120/s that wait 0.15 s are 18 in flight (Little's law).
        Variant("connections", {intake: {"COMMIT": "connections", "POSTGRES_POOL": 40}}),
    ],
    claims=[
        # 1 / 100 ms.
        Claim("one commit per item: ten a second at most", "each", "slow", goodput, at_most=11, control=True),
        # All 120/s, to 10/s.
        *(
            Claim(f"at least ten times as many ({variant})", variant, "slow", goodput, at_least=10, of="each")
            for variant in SHARING
        ),
        # The disk counts itself: 8 s of 100 ms each are 80; a quarter more for PostgreSQL's own background.
        *(Claim(f"the disk syncs no more often ({v})", v, "slow", syncs, at_most=100) for v in SHARING),
        # The rest of the sync that is under way, and its own: 100 to 200 ms, 150 in the middle.
        *(Claim(f"an item waits for its sync ({v})", v, "slow", wait_p50_ms, at_least=FSYNC_MS) for v in SHARING),
        *(
            Claim(f"the price: two syncs at most ({v})", v, "slow", wait_p90_ms, at_most=2.5 * FSYNC_MS, price=True)
            for v in SHARING
        ),
        *(Claim(f"a power loss takes nothing ({v})", v, "cut", lost, at_most=0) for v in ("each", *SHARING)),
        *(
            Claim(f"items are acknowledged ({variant}, {phase})", variant, phase, success, at_least=least)
            for variant in SHARING
            # Away for 0.8 s and a start of 0.3 to 1.2 s, of 3 s.
            for phase, least in {"baseline": 0.99, "slow": 0.98, "quick": 0.98, "cut": 0.25, "recovery": 0.95}.items()
        ),
    ],
    panels=[Panels.acknowledged, Panels.waiting, Panels.unsynced],
)
