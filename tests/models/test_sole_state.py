"""What training scripts save: the weights are found, and what is beside them is left out."""

from __future__ import annotations

import argparse
import collections
import datetime
import pathlib
import random
import types

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from prunetune.models.pretrained import WeightsFileError, load_state, match_state


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def prefixed(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def beside_weights():
    """Everything of a training script that a checkpoint of it holds beside the network."""
    moments = {"step": torch.tensor(1.0), "exp_avg": torch.ones(4), "exp_avg_sq": torch.ones(4)}
    return {
        "optimizer": {"state": {0: moments}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        "scheduler": {"last_epoch": 3, "_last_lr": [0.1]},
        "criterion": {"loss.weight": torch.ones(2)},
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, root=pathlib.Path("data"), cut=slice(1, 2)),
        "best_acc": np.float64(91.7),
        "loss": torch.tensor(0.3),
        "metrics": {"acc1": torch.tensor(0.9)},
        "curve": np.arange(3.0),
        "objects": np.array([None, {"a": 1}], dtype=object),
        "dtype": np.dtype("f4"),
        "rng": {"cpu": torch.get_rng_state(), "python": random.getstate()},
        "rng_numpy": np.random.RandomState(0).get_state(),
        "history": collections.defaultdict(list, {"loss": [0.3]}),
        "when": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        "more": types.SimpleNamespace(a=frozenset({1})),
    }


FORMS = {
    "compiled": lambda w: prefixed("_orig_mod.", w),
    "prefixes": lambda w: {"net": prefixed("module._orig_mod.model.net.", w), "acc": 91.7},
    "any name": lambda w: {"whatever": w, **beside_weights()},
    "a suspicious name": lambda w: {"best_loss_model": w, **beside_weights()},
    "only a suspicious name": lambda w: {"criterion": w, "epoch": 3},
    "nested": lambda w: {"checkpoint": {"model": w, **beside_weights()}},
    "a tuple": lambda w: (w, beside_weights()["optimizer"]),
    "twice the same": lambda w: {"model": w, "state_dict": w},
    "thop": lambda w: {**w, "total_ops": torch.zeros(1), "0.total_params": torch.zeros(1)},
    "thop, parallel": lambda w: {**prefixed("module.", w), "total_ops": torch.zeros(1)},
    "averaged": lambda w: {**AveragedModel(network()).state_dict(), **prefixed("module.", w)},
    "old NumPy": lambda w: {"state_dict": w, "acc": OldScalar()},
}


class OldScalar:
    """A scalar as NumPy before version 2 wrote it."""

    def __reduce__(self):
        import numpy.core.multiarray as old

        return old.scalar, (np.dtype("f8"), b"\0" * 8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")
def test_the_weights_are_found_and_no_global_state_is_left(form, tmp_path):
    state = network().state_dict()
    torch.save(FORMS[form](state), tmp_path / "weights.pt")
    before = set(torch.serialization.get_safe_globals())
    loaded = load_state(tmp_path / "weights.pt")
    assert set(torch.serialization.get_safe_globals()) == before
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert match_state(network(), loaded).keys() == state.keys()


def test_weights_of_a_single_layer_are_found_under_any_name(tmp_path):
    state = nn.Linear(2, 2).state_dict()
    beside = {name: value for name, value in beside_weights().items() if name != "criterion"}
    torch.save({"whatever": state, **beside}, tmp_path / "weights.pt")
    assert load_state(tmp_path / "weights.pt").keys() == state.keys()


@pytest.mark.parametrize(
    "names", [("state_dict", "state_dict_ema"), ("model", "ema"), ("student", "teacher")]
)
def test_several_sets_of_weights_are_refused_by_their_names(names, tmp_path):
    sets = {name: network().state_dict() for name in names}
    torch.save({**sets, **beside_weights()}, tmp_path / "weights.pt")
    listed = ", ".join(f"'{name}'" for name in names)
    with pytest.raises(WeightsFileError, match=f"several sets of weights: {listed}; save"):
        load_state(tmp_path / "weights.pt")


def test_weights_beside_another_set_are_not_taken_in_silence(tmp_path):
    torch.save({**network().state_dict(), "ema": network().state_dict()}, tmp_path / "weights.pt")
    with pytest.raises(WeightsFileError, match="'ema' is OrderedDict, not a tensor"):
        load_state(tmp_path / "weights.pt")


def test_weights_as_numpy_arrays_are_refused_by_name(tmp_path):
    arrays = {name: value.numpy() for name, value in network().state_dict().items()}
    torch.save({"model": arrays, "epoch": 3}, tmp_path / "weights.pt")
    with pytest.raises(WeightsFileError, match=r"'0\.weight' is numpy array, not a tensor"):
        load_state(tmp_path / "weights.pt")


class Settings:
    """A type that a script made for itself."""


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (network(), r"torch\.nn\.modules\.container\.Sequential"),
        ({"model": network().state_dict(), "cfg": Settings()}, r"\S*test_sole_state\.Settings"),
        ({"state_dict": {}, "how": len}, "len"),
    ],
)
def test_an_object_of_a_foreign_type_is_refused_by_the_name_of_its_type(content, name, tmp_path):
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(WeightsFileError, match=f"an object of the type {name}, which") as caught:
        load_state(tmp_path / "weights.pt")
    for advice in ("weights_only", "safe_globals", "trust"):
        assert advice not in str(caught.value)


def test_an_object_that_holds_itself_is_no_endless_search(tmp_path):
    content = {"epoch": 3}
    content["self"] = [content]
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(WeightsFileError, match="holds no weights, only 'epoch', 'self'"):
        load_state(tmp_path / "weights.pt")
