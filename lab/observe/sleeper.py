"""
The hiccup meter's process: sleeps, and writes how late it was woken, one line a wake-up, until it is ended.

It is run by its path, imports next to nothing, and does nothing else: what it notes is the machine's doing. A line has
the time of the wake-up in seconds of the steady clock (perf_counter) and how late it was in ms.
"""

import os
import time

PERIOD_S = 0.005


def main() -> None:
    """Sleep and note."""
    while True:
        due_s = time.monotonic() + PERIOD_S
        time.sleep(PERIOD_S)
        late_ms = max(0.0, time.monotonic() - due_s) * 1000
        os.write(1, b"%.4f %.3f\n" % (time.perf_counter(), late_ms))


if __name__ == "__main__":
    main()
