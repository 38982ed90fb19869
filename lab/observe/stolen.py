"""How much CPU time a virtual machine's host gave to others: services slow down, and none of them is busy."""

from __future__ import annotations

import psutil


class StolenTime:
    """Counts from its making on. Linux tells it as `steal`; a container sees that of its host (proc_stat(5))."""

    def __init__(self) -> None:
        self._stolen_s, self._whole_s = _seconds()

    def share(self) -> float | None:
        """Of all cores' time since, 0 to 1; None where the system does not tell."""
        stolen_s, whole_s = _seconds()
        if stolen_s is None or self._stolen_s is None or whole_s <= self._whole_s:
            return None
        return round(max(0.0, stolen_s - self._stolen_s) / (whole_s - self._whole_s), 4)


def _seconds() -> tuple[float | None, float]:
    times = psutil.cpu_times()
    whole_s = sum(getattr(times, name) for name in times._fields if name not in ("guest", "guest_nice"))
    return getattr(times, "steal", None), whole_s  # a guest's time stands in user's too
