from __future__ import annotations

import hashlib
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from prunetune.models.pretrained import WeightsFileError, load_state, match_state


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def write(path, form: str, state) -> None:
    if form == "safetensors":
        save_file(state, path)
    elif form == "torch":
        torch.save(state, path)
    elif form == "torch before 1.6":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif form == "wrapped":
        torch.save({"state_dict": state, "best_prec1": 91.7, "epoch": 3}, path)
    else:
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)


FORMS = ["safetensors", "torch", "torch before 1.6", "wrapped", "data parallel"]


@pytest.mark.parametrize("form", FORMS)
def test_state_comes_back_from_any_form(form, tmp_path):
    state = network().state_dict()
    write(tmp_path / "weights", form, state)
    loaded = load_state(tmp_path / "weights")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    network().load_state_dict(match_state(network(), loaded), strict=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kept", [0, 1, 9, 100, -1])
def test_a_truncated_file_is_refused_by_name(form, kept, tmp_path):
    path = tmp_path / "weights.pt"
    write(path, form, network().state_dict())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsFileError, match=r"weights\.pt: "):
        load_state(path)


class Evil:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("form", ["torch", "torch before 1.6", "pickle", "wrapped"])
def test_code_in_a_pickle_is_never_run(form, tmp_path):
    path, trace = tmp_path / "evil.pt", tmp_path / "trace"
    state = {"0.weight": Evil(trace)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(state))
    else:
        write(path, form, state)
    with pytest.raises(WeightsFileError, match=r"evil\.pt: refused"):
        load_state(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (torch.zeros(3), "not a state dict but Tensor"),
        ({"epoch": 3, "optimizer": {"state": {}}}, "holds no weights, only 'epoch', 'optimizer'"),
        ({}, "not a state dict but dict"),
        ({"weight": torch.zeros(3), "epoch": 3}, "'epoch' is int, not a tensor"),
        ({3: torch.zeros(3)}, "3 is Tensor"),
    ],
)
def test_what_is_not_a_state_dict_is_refused(content, reason, tmp_path):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(WeightsFileError, match=reason):
        load_state(tmp_path / "other.pt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsFileError, match=r"absent\.pt: cannot be read: No such file"):
        load_state(tmp_path / "absent.pt")


def test_the_sha256_that_was_promised_is_checked(tmp_path):
    path = tmp_path / "weights"
    write(path, "torch", network().state_dict())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_state(path, sha256=digest)
    with pytest.raises(WeightsFileError, match=f"SHA-256 is {digest}, expected 0000"):
        load_state(path, sha256="0000")


def test_keys_that_do_not_fit_are_refused_by_name():
    state = network().state_dict()
    state["4.weight"] = state.pop("3.weight")
    state["0.bias"] = torch.zeros(5)
    with pytest.raises(WeightsFileError) as caught:
        match_state(network(), state)
    message = str(caught.value)
    assert "missing: 3.weight" in message
    assert "unexpected: 4.weight" in message
    assert "of another shape: 0.bias (5,) instead of (4,)" in message


def test_counters_of_old_batch_norms_may_be_absent():
    state = network().state_dict()
    del state["1.num_batches_tracked"]
    matched = match_state(network(), state)
    assert matched["1.num_batches_tracked"] == 0
    assert list(matched) == list(network().state_dict())


def values(name, value):
    state = network().state_dict()
    return {**state, name: value(state[name])}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_by_the_layer(form, name, value, tmp_path):
    state = values(name, torch.clone)
    state[name].flatten()[1] = value
    write(tmp_path / "weights", form, state)
    count = rf"not finite: {name} \(1 of {state[name].numel()} values are NaN or infinite\)"
    with pytest.raises(WeightsFileError, match=count):
        match_state(network(), load_state(tmp_path / "weights"))


def test_weights_of_our_own_may_be_those_of_a_network_that_diverged():
    state = values("3.bias", lambda bias: torch.full_like(bias, float("nan")))
    assert match_state(network(), state, finite=False)["3.bias"].isnan().all()


def test_a_value_too_large_for_the_network_is_not_finite():
    state = values("3.bias", lambda bias: torch.full_like(bias, 1e300, dtype=torch.float64))
    with pytest.raises(WeightsFileError, match=r"not finite: 3\.bias"):
        match_state(network(), state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("form", FORMS)
def test_half_precision_loads_exactly(dtype, form, tmp_path):
    half = network().to(dtype).state_dict()
    write(tmp_path / "weights", form, half)
    matched = match_state(network(), load_state(tmp_path / "weights"))
    expected = network().state_dict()
    assert {name: value.dtype for name, value in matched.items()} == {
        name: value.dtype for name, value in expected.items()
    }
    assert all(torch.equal(matched[name], half[name].to(matched[name].dtype)) for name in expected)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda w: w.to(torch.complex64), "complex64, not float32"),
        (lambda w: w.to(torch.int8), "int8, not float32"),
        (lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8), r"quantised \(torch.qint8\)"),
        (torch.Tensor.to_sparse, "sparse"),
        (torch.Tensor.to_sparse_csr, "sparse"),
        (lambda w: w.to("meta"), "without values"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR", "ignore:.*quantiz")
def test_values_that_a_layer_cannot_hold_are_refused_by_name(value, reason, tmp_path):
    torch.save(values("3.weight", value), tmp_path / "weights.pt")
    with pytest.raises(WeightsFileError, match=rf"of another kind: 3\.weight is {reason}"):
        match_state(network(), load_state(tmp_path / "weights.pt"))


def test_a_counter_may_be_a_whole_number_of_any_dtype():
    state = values("1.num_batches_tracked", lambda _: torch.tensor(7.0))
    assert match_state(network(), state)["1.num_batches_tracked"] == 7
    state["1.num_batches_tracked"] += 0.5
    with pytest.raises(WeightsFileError, match=r"1\.num_batches_tracked is float32, not int64"):
        match_state(network(), state)


def test_wrappers_inside_the_names_are_passed_over():
    state = network().state_dict()
    wrapped = {name.replace("0.", "0.module._orig_mod.", 1): t for name, t in state.items()}
    matched = match_state(network(), wrapped)
    assert all(torch.equal(matched[name], state[name]) for name in state)


def test_a_network_that_keeps_its_layers_under_a_known_prefix_loads_its_own_file(tmp_path):
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = network()

    torch.save(Holder().state_dict(), tmp_path / "weights.pt")
    loaded = load_state(tmp_path / "weights.pt")
    Holder().load_state_dict(match_state(Holder(), loaded), strict=True)
    network().load_state_dict(match_state(network(), loaded), strict=True)
