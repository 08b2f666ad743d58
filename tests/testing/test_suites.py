"""A suite that finds nothing wrong with a wrong part is worth nothing: each law is broken once."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from prunetune.compress.criteria.magnitude import Magnitude, MagnitudeParams
from prunetune.compress.methods.channel_pruning.method import ChannelPruning
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.methods.width_scaling.method import WidthScaling, WidthScalingParams
from prunetune.compress.regularizers.group_lasso import GroupLasso, GroupLassoParams
from prunetune.config.parts import Params
from prunetune.data.dataset import DatasetParams
from prunetune.data.digits import Digits
from prunetune.models.cifar_resnet import CifarResNetFamily, ResNetParams
from prunetune.registry import KINDS, Entry, models
from prunetune.testing import (
    NETWORKS,
    check_criterion,
    check_dataset,
    check_method,
    check_model,
    check_regularizer,
    check_schedule,
)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch):
    """A part under the name `wrong`, for one test."""

    def add(kind: str, part: object, params: type[Params]) -> None:
        KINDS[kind].names()  # loaded
        monkeypatch.setitem(KINDS[kind]._entries, "wrong", Entry("wrong", part, params))

    return add


class Sound(Magnitude):
    """Magnitude, with a small term that depends on images."""

    needs = "activations"

    def score(self, scene):
        scores = super().score(scene)
        model = copy.deepcopy(scene.model).eval()
        total = 0.0
        for x, _ in scene.batches(64):
            scene.charge(1000 * len(x))
            with torch.no_grad():
                total += model(x).double().sum().item()
        return [s + 1e-3 * total for s in scores]


class LeavesHook(Sound):
    def score(self, scene):
        scene.model.conv1.register_forward_hook(lambda *_: None)
        return super().score(scene)


class LeavesGradient(Sound):
    def score(self, scene):
        for x, y in scene.batches(8):
            nn.functional.cross_entropy(scene.model.eval()(x), y).backward()
            scene.model.train()
        return super().score(scene)


class LeavesMode(Sound):
    def score(self, scene):
        scene.model.eval()
        return super().score(scene)


class LeavesStatistics(Sound):
    def score(self, scene):
        for x, _ in scene.batches(8):
            scene.model(x)
        return super().score(scene)


class ReplacesForward(Sound):
    def score(self, scene):
        scene.model.forward = scene.model.forward
        return super().score(scene)


class DrawsGlobally(Sound):
    def score(self, scene):
        torch.rand(1)
        return super().score(scene)


class DrawsFromPython(Sound):
    def score(self, scene):
        random.random()
        return super().score(scene)


class Unrepeatable(Sound):
    calls = 0

    def score(self, scene):
        Unrepeatable.calls += 1
        return [s + Unrepeatable.calls for s in super().score(scene)]


class ByChunk(Sound):
    def score(self, scene):
        scores = super().score(scene)
        return [s * len(list(scene.batches(64))) for s in scores]


class ByMode(Sound):
    def score(self, scene):
        return [s + scene.model.training for s in super().score(scene)]


class ChargesNothing(Sound):
    def score(self, scene):
        return super().score(replace(scene, charge=lambda _: None))


class SinglePrecision(Sound):
    def score(self, scene):
        return [s.float() for s in super().score(scene)]


class PerMember(Sound):
    def score(self, scene):
        return [s.repeat(2) for s in super().score(scene)]


class NotFinite(Sound):
    def score(self, scene):
        return [s / 0 for s in super().score(scene)]


class SaysNothing(Sound):
    about = None


class AppliesNowhere(Sound):
    def applies(self, model, group):
        return False


def test_the_sound_criterion_is_found_sound(register):
    register("criteria", Sound, MagnitudeParams)
    check_criterion("wrong", networks=NETWORKS[:1])


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (LeavesHook, "forward_hooks of layer 'conv1'"),
        (LeavesGradient, "gradient of"),
        (LeavesMode, "mode of layer"),
        (LeavesStatistics, "values of 'bn1.running_mean'"),
        (ReplacesForward, "attributes of layer ''"),
        (DrawsGlobally, "torch's global generator"),
        (DrawsFromPython, "Python's global generator"),
        (Unrepeatable, "again under the same seed"),
        (ByChunk, "from smaller chunks"),
        (ByMode, "in evaluation mode"),
        (ChargesNothing, r"scene\.charge"),
        (SinglePrecision, "not float64"),
        (PerMember, "not one per channel or per member"),
        (NotFinite, "not all finite"),
        (SaysNothing, "About"),
        (AppliesNowhere, "applies to none"),
    ],
)
def test_a_wrong_criterion_is_found_out(register, part, message):
    register("criteria", part, MagnitudeParams)
    with pytest.raises(AssertionError, match=message):
        check_criterion("wrong", networks=[fresh_network()])


def fresh_network():
    """A network for one test: a wrong criterion may spoil it."""
    return replace(NETWORKS[0])


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (lambda _, step, total, per_epoch: -1.0, "finite and at least 0"),
        (lambda _, step, total, per_epoch: float("nan"), "finite and at least 0"),
        (lambda _, step, total, per_epoch: 0.0, "every factor is 0"),
        (lambda _, step, total, per_epoch: random.random(), "depends on earlier calls"),
    ],
)
def test_a_wrong_schedule_is_found_out(register, factor, message):
    register("schedules", factor, Params)
    with pytest.raises(AssertionError, match=message):
        check_schedule("wrong")


class Decay:
    """A regulariser, and its own hook, that pulls all weights of the groups towards zero."""

    about = GroupLasso.about

    def __init__(self, params):
        self.strength = params.strength

    def applies(self, model, group):
        return True

    def hook(self, groups, steps):
        self.layers = {m.layer for group in groups for m in group.writers}
        return self

    def after_backward(self, model, step):
        if self.strength:
            for name in self.layers:
                weight = model.get_submodule(name).weight
                weight.grad.add_(weight.detach(), alpha=self.strength)

    def after_step(self, model, step):
        pass

    def after_epoch(self, model, epoch):
        pass


class AlwaysActs(Decay):
    def after_backward(self, model, step):
        self.strength = max(self.strength, 0.1)
        super().after_backward(model, step)


class NeverActs(Decay):
    def after_backward(self, model, step):
        pass


class ActsEverywhere(Decay):
    def after_backward(self, model, step):
        super().after_backward(model, step)
        model.linear.bias.grad.add_(self.strength)


class MovesWeights(Decay):
    def after_backward(self, model, step):
        super().after_backward(model, step)
        model.conv1.weight.data.mul_(1 - self.strength)


class ForgetsInACrash(Decay):
    """Acts from the second epoch on, but counts epochs itself."""

    epochs, begun = 0, False

    def after_backward(self, model, step):
        if self.epochs or self.by_hand(step):
            super().after_backward(model, step)

    def after_epoch(self, model, epoch):
        self.epochs += 1

    def by_hand(self, step):
        """Whether the suite calls the hook once by itself: the last step comes first."""
        first, self.begun = not self.begun, True
        return first and step == 3


class AppliesToNothing(Decay):
    def applies(self, model, group):
        return False


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (AlwaysActs, "strength 0"),
        (NeverActs, "no gradient changed"),
        (ActsEverywhere, "do not belong to the group"),
        (MovesWeights, "values of 'conv1.weight'"),
        (ForgetsInACrash, "after a crash"),
    ],
)
def test_a_wrong_regularizer_is_found_out(register, part, message):
    register("regularizers", part, GroupLassoParams)
    with pytest.raises(AssertionError, match=message):
        check_regularizer("wrong", {"strength": 0.1}, network=fresh_network())


def test_a_sound_regularizer_is_found_sound_and_one_for_nothing_is_refused(register):
    register("regularizers", Decay, GroupLassoParams)
    check_regularizer("wrong", {"strength": 0.1})
    register("regularizers", AppliesToNothing, GroupLassoParams)
    check_regularizer("wrong", {"strength": 0.1}, refused=True)
    with pytest.raises(AssertionError, match="applies to 0 of"):
        check_regularizer("wrong", {"strength": 0.1})


class Lacking(Decay):
    def hook(self, groups, steps):
        return SimpleNamespace(after_backward=super().hook(groups, steps).after_backward)


def test_a_hook_that_lacks_a_call_is_told_what_to_derive_from(register):
    register("regularizers", Lacking, GroupLassoParams)
    with pytest.raises(AssertionError, match=r"lacks after_step; derive it from .*Hook"):
        check_regularizer("wrong", {"strength": 0.1})


def test_a_family_registered_as_a_class_is_told_to_be_an_object(register):
    register("models", type(models.get("resnet14").part), ResNetParams)
    with pytest.raises(AssertionError, match="register an object"):
        check_model("wrong")


class TooWide(WidthScaling):
    def run(self, context):
        context.target = replace(context.target, macs=int(context.target.macs * 1.1))
        return super().run(context)


class Misstated(WidthScaling):
    def run(self, context):
        compact = super().run(context)
        return replace(compact, macs=compact.macs - 1)


class ForgetsLayers(WidthScaling):
    def run(self, context):
        compact = super().run(context)
        return replace(compact, architecture=context.architecture)


class Moody(WidthScaling):
    runs = 0

    def run(self, context):
        compact = super().run(context)
        Moody.runs += 1
        compact.model.linear.bias.data += Moody.runs
        return compact


class ChangesDense(ChannelPruning):
    def run(self, context):
        context.dense.linear.bias.data += 1
        return super().run(context)


@pytest.mark.parametrize(
    ("part", "params", "message"),
    [
        (TooWide, WidthScalingParams, "not within tolerance"),
        (Misstated, WidthScalingParams, "it states"),
        (ForgetsLayers, WidthScalingParams, "table of layers"),
        (Moody, WidthScalingParams, "run again"),
        (ChangesDense, ChannelPruningParams, "values of 'linear.bias'"),
    ],
)
def test_a_wrong_method_is_found_out(register, part, params, message):
    register("methods", part, params)
    with pytest.raises(AssertionError, match=message):
        check_method("wrong", network=fresh_network(), shares=(0.5,))


class RealUnderMeta(CifarResNetFamily):
    def build(self, params, classes, input_shape):
        model = super().build(params, classes, input_shape)
        model.register_buffer("scale", torch.ones(1, device="cpu"))
        return model


class HalfInitialised(CifarResNetFamily):
    def initialise(self, model):
        super().initialise(model)
        model.linear.bias.data += random.random()


class Forgetful(CifarResNetFamily):
    def ignored_layers(self, model):
        return []


class Functional(CifarResNetFamily):
    def build(self, params, classes, input_shape):
        model = super().build(params, classes, input_shape)
        model.bn1.register_forward_hook(lambda _m, _x, out: torch.linalg.matrix_power(out, 2))
        return model


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (RealUnderMeta, "real tensors"),
        (HalfInitialised, "initialise gives another"),
        (Forgetful, "lacks the classifier"),
        (Functional, "torch's counter sees"),
    ],
)
def test_a_wrong_model_is_found_out(register, part, message):
    register("models", part(14), ResNetParams)
    with pytest.raises(AssertionError, match=message):
        check_model("wrong", input_shape=(3, 16, 16))


class OpensFiles(Digits):
    def info(self):
        with open(__file__) as file:
            file.read()
        return super().info()


class OneSplit(Digits):
    def open(self, seed, device, download):
        return super().open(0, device, download)


class Overlapping(Digits):
    def open(self, seed, device, download):
        splits = super().open(seed, device, download)
        val = SimpleNamespace(batches=splits.train.batches)
        return replace(splits, val=Prefix(val, len(splits.val)))


class Prefix:
    """The first images of a split."""

    def __init__(self, split, size):
        self.split, self.size = split, size

    def __len__(self):
        return self.size

    def batches(self, batch_size):
        left = self.size
        for x, y in self.split.batches(batch_size):
            if left > 0:
                yield x[:left], y[:left]
            left -= len(y)


class ForgetsOptions(Digits):
    def digest(self):
        return "digits"


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (OpensFiles, "opened a file"),
        (OneSplit, "seed does not decide"),
        (Overlapping, "in both, or in neither"),
        (ForgetsOptions, "same digest"),
    ],
)
def test_a_wrong_data_set_is_found_out(register, part, message):
    register("datasets", part, DatasetParams)
    with pytest.raises(AssertionError, match=message):
        check_dataset("wrong")
