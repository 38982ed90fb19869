import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.load.clock import Echo, read

seconds = st.floats(0, 10)


@given(ahead_s=st.floats(-1e6, 1e6), ways=st.lists(st.tuples(seconds, seconds), min_size=1, max_size=20))
def test_the_truth_lies_within_the_doubt(ahead_s, ways):
    """However unlike the ways there and back are, the clock is no further off than half the quickest answer took."""
    echoes = [
        Echo(100.0 * i, 100.0 * i + there_s + back_s, 100.0 * i + there_s + ahead_s, 5.0, 5.0 - back_s + 2 * ahead_s)
        for i, (there_s, back_s) in enumerate(ways)
    ]
    reading = read(echoes)
    assert reading.within_s == pytest.approx(min(there_s + back_s for there_s, back_s in ways) / 2)
    assert abs(reading.ahead_s - ahead_s) <= reading.within_s + 1e-6
    assert abs(reading.wall_ahead_s - 2 * ahead_s) <= reading.within_s + 1e-6


def test_the_quickest_answer_is_believed():
    """One answer that took 2 ms counts for more than any number that took a second one way."""
    slow = [Echo(float(i), i + 1.0, i + 8.0, 0.0, 0.0) for i in range(10)]
    reading = read([*slow, Echo(20.0, 20.002, 27.001, 50.002, 40.001)])
    assert reading.ahead_s == pytest.approx(7.0)
    assert reading.wall_ahead_s == pytest.approx(-10.0)
    assert reading.within_s == pytest.approx(0.001)


def test_one_machine_has_one_clock():
    """Where the reading cannot tell two steady clocks apart they are one, and an instant needs no translation."""
    assert read([Echo(5.0, 5.002, 5.0015, 0.0, 0.0)]).lead_s == 0
    assert read([Echo(5.0, 5.002, 5.1, 0.0, 0.0)]).lead_s == pytest.approx(0.099)
    assert read([Echo(5.0, 5.002, 4.9, 0.0, 0.0)]).lead_s == pytest.approx(-0.101)
