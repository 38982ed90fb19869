import ctypes
import time

import pytest

from lab.load.alarm import Alarm, PlainAlarm, TimerAlarm, new_alarm

HAS_TIMERFD = hasattr(ctypes.CDLL(None), "timerfd_create")  # Linux has, macOS has not
ALARMS = [PlainAlarm, *([TimerAlarm] if HAS_TIMERFD else [])]


@pytest.mark.parametrize("kind", ALARMS)
def test_never_early(kind):
    """An alarm wakes at the instant or after it, never before, and at once when the instant has passed."""
    alarm: Alarm = kind()
    for ahead_s in (0.0, 0.0003, 0.004, -5.0, 0.02):
        at_s = time.perf_counter() + ahead_s
        alarm.wait_until(at_s)
        assert at_s <= time.perf_counter() < at_s + 5.5


def test_most_exact():
    """Where there is a timerfd there is the exact alarm; elsewhere gevent's own timers are exact enough."""
    assert isinstance(new_alarm(), TimerAlarm if HAS_TIMERFD else PlainAlarm)
