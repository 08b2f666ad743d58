"""Numbers in words are the numbers, to the digits that they have."""

from hypothesis import given
from hypothesis import strategies as st

from prunetune.analysis.format import rough_duration

SECONDS = {"minutes": 60, "hours": 3_600, "days": 86_400}


@given(st.floats(min_value=120, max_value=86_400 * 9_000))
def test_a_rough_time_is_right_to_two_digits_in_a_unit_of_two_or_more(seconds: float) -> None:
    number, unit = rough_duration(seconds).split()
    found = float(number.replace(",", "")) * SECONDS[unit]
    assert abs(found / seconds - 1) <= 0.05
    larger = [size for size in SECONDS.values() if size > SECONDS[unit]]
    assert all(seconds < 2 * size for size in larger)


def test_less_is_not_told_apart() -> None:
    assert rough_duration(3) == rough_duration(119) == "less than two minutes"
