"""One arm as the control: the family is every other arm against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.config.problems.errors import SpecError
from prunetune.plan import Plan
from prunetune.sweep import plan_sweep

SWEEP = """
name: small
workload: {model: resnet14, dataset: digits}
budgets: [0.5, 0.25]
arms:
  random: {method: {channel_pruning: {criterion: random}}}
  lamp: {method: {channel_pruning: {criterion: lamp}}}
  fpgm: {method: {channel_pruning: {criterion: fpgm}}}
"""


def planned(folder: Path, more: str = "") -> Plan:
    path = folder / "sweep.yaml"
    path.write_text(SWEEP + more)
    return plan_sweep(path)


def test_every_other_arm_is_compared_with_the_control_alone(tmp_path: Path) -> None:
    every = planned(tmp_path).family
    some = planned(tmp_path, "confirm: {control: random}").family
    assert len(every) == 6
    assert some == tuple(c for c in every if "random" in (c.a, c.b))
    assert len(some) == 4


def test_a_control_that_is_no_arm_is_refused_with_the_near_match(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"names no arm.*did you mean 'random'"):
        planned(tmp_path, "confirm: {control: randon}")
