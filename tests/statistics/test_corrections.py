"""Holm's correction against its stepwise procedure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunetune.statistics.corrections import holm


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_stepwise_procedure(ps: list[float]) -> None:
    corrected, remaining = holm(ps), len(ps)
    rejected = set()
    for index in sorted(range(len(ps)), key=lambda i: ps[i]):
        if ps[index] * remaining > 0.05:
            break
        rejected.add(index)
        remaining -= 1
    assert {i for i, p in enumerate(corrected) if p <= 0.05} == rejected
    assert all(c >= p for c, p in zip(corrected, ps, strict=True))
