"""
Disk full: refuse writes while there is room, so that reads survive.

Something else takes a disk's room, and PostgreSQL's log takes what it leaves. A log that cannot grow ends the server,
and with it every read. A watermark looks at the room, refuses writes in time, and accepts them again later.
"""

from lab import Claim, Phase, Scenario, Variant, faults, metrics
from scenarios.systems.outbox import READ, WRITE, Panels, items_and_reads, outbox, postgres, to_postgres

EVENT_BYTES = 131_072  # with 60 items/s 7.9 MB/s of log, and next to nothing in the table
SEGMENT_BYTES = 16 * 2**20  # the log grows by one segment at a time
LEAVES_MB = 40  # two segments (33.6 MB), and not a third
reads, writes = metrics.success_ratio(READ), metrics.success_ratio(WRITE)
unused_bytes = metrics.gauge_max(outbox, "watermark_unused_bytes")

scenario = Scenario(
    title="Disk full",
    handbook=["9.2.1", "7.6.1"],
    question="What becomes of reads and acknowledged writes when a disk runs out of room?",
    links=[to_postgres],
    load=items_and_reads(per_s=120, played_in="baseline"),
    phases=[
        Phase("baseline", lasts_s=4),
        Phase("full", lasts_s=10, faults=[faults.disk_full(postgres, leaves_mb=LEAVES_MB, restarts=True)]),
        Phase("recovery", lasts_s=6),
    ],
    settings={outbox: {"EVENT_BYTES": EVENT_BYTES}},
    variants=[
        Variant("none"),
        # Room falls by whole segments. Refused below two (33.6 MB), one is left: room for 2 s of writes that are in
        # flight, or not seen yet. Accepted above three (50.3 MB), the next one taken does not close it again.
        Variant("watermark", {outbox: {"WATERMARK": True, "WATERMARK_REFUSE_MB": 34, "WATERMARK_ACCEPT_MB": 51}}),
    ],
    claims=[
        # The rest of a segment and two more, at 7.9 MB/s: 4.3 to 6.4 s of 10 s, and 1.3 s for four standard
        # deviations of the arrivals.
        Claim("a full disk ends the reads too", "none", "full", reads, at_most=0.8, control=True),
        Claim("reads survive", "watermark", "full", reads, at_least=0.99),
        # It looks four times a second; four times that is for a look that is late.
        Claim("writes are back when there is room", "watermark", "recovery", metrics.recovery_s(WRITE), at_most=1),
        Claim("a refusal is immediate", "watermark", "full", metrics.p90_ms(WRITE, of="refused"), at_most=50),
        Claim(
            "it begins to refuse once",
            "watermark",
            "full",
            metrics.counter_increase(outbox, "watermark_closings_total"),
            at_most=1,
        ),
        Claim("a whole segment is left", "watermark", "full", unused_bytes, at_least=SEGMENT_BYTES),
        Claim("the price: room that is never used", "watermark", "full", unused_bytes, at_most=34e6, price=True),
        *(
            Claim(f"{what} succeed ({phase})", "watermark", phase, metric, at_least=least)
            for what, metric in (("reads", reads), ("writes", writes))
            # Until the first look 0.25 s of 6 s are refused, 4 %.
            for phase, least in (("baseline", 0.99), ("recovery", 0.99 if what == "reads" else 0.9))
        ),
    ],
    panels=[Panels.answered, Panels.room, Panels.refusing],
)
