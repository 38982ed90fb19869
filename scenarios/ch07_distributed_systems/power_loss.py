"""
Power loss: what a kill leaves and a power cut takes, by what was synced before the answer.

Redis and PostgreSQL stand on a disk that forgets what was not synced. Both lose power at once; later both are killed,
which the page cache survives. A variant says which of the two keeps the offers, and when that one syncs.
"""

from lab import Claim, Load, Operation, Phase, Scenario, Variant, faults, metrics
from scenarios.systems import offers as system
from scenarios.systems.offers import PUT, Panels, in_database, in_redis, offer, offers, postgres, recovered, redis

SLOW_MS = 5  # an fsync of a disk that has no cache with a battery: so the price is the same on any machine
AOF = {"APPENDONLY": True, "AUTO_AOF_REWRITE_PERCENTAGE": 0}  # no rewrite: it would sync a part of the file
keys, rows = (metrics.acknowledged_lost(readback.name) for readback in (in_redis, in_database))
success, wait_ms = metrics.success_ratio(), metrics.p50_ms(of="ok")

scenario = Scenario(
    title="Power loss",
    handbook=["7.2.1.4", "8.1.1"],
    question="Which settings lose acknowledged writes, in which failure, and what does safety cost?",
    links=[system.to_redis, system.to_postgres],
    load=Load(
        Operation(PUT, offer),
        offers,
        100,
        "poisson",
        readbacks=[in_redis, in_database],
        invariants=[
            recovered(in_redis, ["redis-no"], ["redis-always"], "written"),
            recovered(in_database, ["pg-never"], ["pg-on"], "written"),
        ],
    ),
    # Else PostgreSQL syncs each of 1,000 files by itself before it recovers. This disk hears of no syncfs, and none is
    # needed: after a cut all that is left is synced, and after the kill no cut follows.
    settings={postgres: {"RECOVERY_INIT_SYNC_METHOD": "syncfs"}},
    phases=[
        Phase("written", lasts_s=4, faults=[faults.slow_fsync(redis, SLOW_MS), faults.slow_fsync(postgres, SLOW_MS)]),
        # 0.8 s dark, so that the canary sees six probes of it.
        Phase("cut", lasts_s=3, faults=[faults.power_loss(redis, 0.8), faults.power_loss(postgres, 0.8)]),
        Phase("again", lasts_s=3),
        Phase("killed", lasts_s=3, faults=[faults.kill(redis, 0.8), faults.kill(postgres, 0.8)]),
        Phase("recovery", lasts_s=2),
    ],
    variants=[
        *(Variant(f"redis-{when}", {redis: {**AOF, "APPENDFSYNC": when}}) for when in ("no", "everysec", "always")),
        Variant("pg-never", {offers: {"WRITE": "through"}, postgres: {"FSYNC": False}}),
        Variant("pg-async", {offers: {"WRITE": "through"}, postgres: {"SYNCHRONOUS_COMMIT": False}}),
        Variant("pg-on", {offers: {"WRITE": "through"}}),
    ],
    claims=[
        # All of `written`: 400, and 320 at four standard deviations. A look at a fifth of the length still tells.
        Claim("a power loss takes what was never synced (Redis)", "redis-no", "cut", keys, at_least=50, control=True),
        Claim("a power loss takes what was never synced (PostgreSQL)", "pg-never", "cut", rows, at_least=50),
        Claim("what was synced before the answer stays (Redis)", "redis-always", "cut", keys, at_most=0),
        Claim("what was synced before the answer stays (PostgreSQL)", "pg-on", "cut", rows, at_most=0),
        # Redis syncs each second and lets a sync last another: 2 s. PostgreSQL's WAL writer: three times 0.2 s. Both at
        # 100/s and four standard deviations.
        Claim("a power loss takes two seconds at most", "redis-everysec", "cut", keys, at_most=260),
        Claim("a power loss takes three rounds of the WAL writer at most", "pg-async", "cut", rows, at_most=95),
        # What was handed to the kernel outlives the process.
        *(Claim(f"a kill takes nothing ({v})", v, "killed", keys, at_most=0) for v in ("redis-no", "redis-always")),
        Claim("a kill takes nothing (pg-on)", "pg-on", "killed", rows, at_most=0),
        # An answer that waits for an fsync takes 5 ms at least; at 3 times that a caller would notice.
        Claim("an answer waits for the disk (Redis)", "redis-always", "written", wait_ms, at_least=SLOW_MS),
        Claim("an answer waits for the disk (PostgreSQL)", "pg-on", "written", wait_ms, at_least=SLOW_MS),
        *(
            Claim(f"the price of a sync ({v})", v, "written", wait_ms, at_most=3 * SLOW_MS, price=True)
            for v in ("redis-always", "pg-on")
        ),
        *(
            Claim(f"offers are acknowledged ({variant}, {phase})", variant, phase, success, at_least=least)
            for variant in ("redis-everysec", "redis-always", "pg-async", "pg-on")
            # Away for 0.8 s and a start of 0.3 to 1.2 s, of 3 s.
            for phase, least in {"written": 0.99, "cut": 0.25, "again": 0.95, "killed": 0.25, "recovery": 0.95}.items()
        ),
    ],
    panels=[Panels.acknowledged, Panels.syncs, Panels.unsynced],
)
