"""Channel pruning in a sweep file: its searched parameters, and its reach in the plan."""

from pathlib import Path

import pytest

from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.config.problems.errors import SpecError
from prunetune.config.space.space import any_value, subtree
from prunetune.sweep import plan_sweep

SWEEP = """
name: pruning
workload: {model: {resnet14: {shortcut: A}}, dataset: digits, dense: {train: {epochs: 4}}}
budgets: [0.5, 0.2]
arms:
  rates:
    method:
      channel_pruning:
        scope: per_group
        floor: {choice: [0, 0.1]}
        ratios: {layer1: 0.3, layer3: {float: [0, 1]}, layer2/1: {int: [0, 3]}}
        cost_aware: {choice: [none, divide, subtract]}
        cost_weight: {float: [0.1, 10], log: true}
  whole: {method: {channel_pruning: {scope: per_group, ratios: {layer1: 0, layer2: 0, layer3: 1}}}}
  gradual:
    method:
      channel_pruning:
        scope: {choice: [isomorphic, protected_global]}
        steps: {int: [2, 20]}
        schedule: {choice: [linear, cubic]}
        gradual: {epochs: {int: [1, 2]}}
  crowley: {method: {channel_pruning: {gradual: {epochs: 2, every: 100, units: 1}}}}
training: {finetune_epochs: 3}
"""


def planned(text: str, folder: Path):
    path = folder / "sweep.yaml"
    path.write_text(text)
    return plan_sweep(path)


def test_every_parameter_may_be_searched_and_the_plan_states_the_reach(tmp_path: Path):
    plan = planned(SWEEP, tmp_path)
    studies = {s.id: s for s in plan.studies}
    searched = {d.path for d in studies["rates@0.5"].space.dimensions if d.searched}
    rates = {"method.ratios.layer3", "method.ratios.layer2/1"}
    assert rates < searched
    for study in plan.studies:
        config = study.space.draw(lambda d: any_value(d.domain))
        params = ChannelPruningParams.model_validate(subtree(config, "method"))
        assert params.ratios.keys() == {
            "rates": {"layer1", "layer3", "layer2/1"},
            "whole": {"layer1", "layer2", "layer3"},
        }.get(study.arm, set())
        assert (params.gradual is not None) == (study.arm in ("gradual", "crowley"))
    assert not studies["rates@0.5"].infeasible  # at the highest rates, not at 0
    assert {r.scope for r in studies["gradual@0.5"].reach} == {"isomorphic", "protected_global"}
    whole = studies["whole@0.2"]
    assert whole.infeasible
    assert whole.reach[0].smallest_macs > 0.2 * plan.dense.macs


@pytest.mark.parametrize(("right", "wrong", "said"), [
    ("layer1: 0.3", "layer4: 0.3", "no group's name starts with 'layer4'"),
    ("layer1: 0.3", "layer1.0: 0.3", "without dots"),
    ("layer1: 0.3", "layer1: -1", "at least 0"),
    ("floor: {choice: [0, 0.1]}", "floor: 1", "below 1"),
    ("every: 100", "every: 0", "at least 1"),
    ("[isomorphic, protected", "[isomorphc, protected", "isomorphic"),
])  # fmt: skip
def test_a_mistake_in_the_parameters_is_reported(right: str, wrong: str, said: str, tmp_path: Path):
    assert right in SWEEP
    with pytest.raises(SpecError) as error:
        planned(SWEEP.replace(right, wrong), tmp_path)
    assert said in str(error.value)
