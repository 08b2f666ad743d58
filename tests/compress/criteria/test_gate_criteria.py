from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.criteria.fisher_accumulated import FisherAccumulator
from prunetune.compress.criteria.taylor import squared_means
from prunetune.compress.criterion import Accumulating, Scene
from prunetune.compress.graph.groups import Group, is_link
from prunetune.compress.proof.proved_groups import find_groups
from prunetune.registry import criteria
from tests.compress.gradients import SHAPE, groups, images, joint_q, network, scene_of, score

KIND = "basic blocks"
DATA_DRIVEN = ("taylor", "fisher", "fisher_accumulated", "obd_hessian", "obd_c", "activation")


def assert_close(scores: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(scores, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-15)


def mean_gradients(n: slice) -> nn.Module:
    """The network with the gradients of the mean loss of these images."""
    model = copy.deepcopy(network(KIND))
    x, y = images(8)
    F.cross_entropy(model(x[n]), y[n]).backward()
    return model


def by_batch_norm(n: slice) -> list[Tensor]:
    """∂L/∂z per group by the gate identity, Σ w ∂L/∂w over scale and shift of its batch norms."""
    model, sums = mean_gradients(n), []
    for group in groups(KIND):
        norms = [model.get_submodule(gate.layer) for gate in group.gates]
        sums.append(sum(p.detach() * p.grad for norm in norms for p in norm.parameters()))
    return sums


def by_filters(n: slice) -> list[Tensor]:
    """Σ w ∂L/∂w over each channel's filters."""
    model, sums = mean_gradients(n), []
    for group in groups(KIND):
        layers = [model.get_submodule(m.layer) for m in group.writers]
        weights = [layer.weight for layer in layers if not is_link(layer)]
        sums.append(sum((w.detach() * w.grad).flatten(1).sum(1) for w in weights))
    return sums


BATCHES = (slice(0, 3), slice(3, 6), slice(6, 8))


@pytest.mark.parametrize(("form", "gradients"), [("gates", by_batch_norm), ("weights", by_filters)])
def test_taylor_is_the_squared_mean_gradient_per_statistical_batch(
    form: str, gradients: object
) -> None:
    assert callable(gradients)
    parts = [(n.stop - n.start, gradients(n)) for n in BATCHES]
    expected = [sum(k * g[i].square() for k, g in parts) / 8 for i in range(len(groups(KIND)))]
    scene = scene_of(network(KIND), groups(KIND), chunk=5)
    assert_close(score("taylor", scene, form=form, batch=3), expected)


def test_fisher_is_half_the_mean_square_of_single_images() -> None:
    singles = [by_batch_norm(slice(n, n + 1)) for n in range(8)]
    expected = [sum(q[i].square() for q in singles) / 16 for i in range(len(groups(KIND)))]
    assert_close(score("fisher", scene_of(network(KIND), groups(KIND))), expected)


def test_a_bias_is_not_a_weight_of_the_filter() -> None:
    model = copy.deepcopy(network("plain"))
    x, y = images(8)
    F.cross_entropy(model(x), y).backward()
    scene = scene_of(network("plain"), groups("plain"))
    for group, scores in zip(groups("plain"), score("taylor", scene, form="weights"), strict=True):
        weight = model.get_submodule(group.name).weight
        assert isinstance(weight, Tensor)
        assert weight.grad is not None
        torch.testing.assert_close(
            scores, (weight * weight.grad).flatten(1).sum(1).square().detach()
        )


@pytest.mark.parametrize("kind", [KIND, "mobilenet", "pre-activation", "tokens"])
def test_fisher_is_at_least_half_of_taylor_and_equal_at_batch_one(kind: str) -> None:
    scene = scene_of(network(kind), groups(kind))
    fisher, single = score("fisher", scene), score("taylor", scene, batch=1)
    for batch in (2, 3, 128):
        for f, t in zip(fisher, score("taylor", scene, batch=batch), strict=True):
            assert (f >= t / 2 * (1 - 1e-12)).all()
    assert_close(fisher, [t / 2 for t in single])


def test_of_one_image_fisher_is_half_the_squared_gradient() -> None:
    scene = scene_of(network(KIND), groups(KIND), n=1)
    assert_close(score("fisher", scene), [g.square() / 2 for g in by_batch_norm(slice(0, 1))])


def test_the_statistical_batch_changes_taylor_and_its_ranking() -> None:
    q = torch.cat(joint_q(KIND), 1)[None]
    orders = {tuple(squared_means(q, batch)[0].argsort().tolist()) for batch in (1, 2, 8)}
    assert len(orders) == 3


def test_for_a_loss_linear_in_the_gates_taylor_is_the_squared_change() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.Flatten(), nn.Linear(2 * 256, 5))
    model.double()[0].weight.data *= 1e-5  # type: ignore[operator, union-attr]
    group = scene_groups(model)
    scene = scene_of(model, group)
    (scores,) = score("taylor", scene)
    x, y = images(8)
    with torch.no_grad():
        whole = F.cross_entropy(model(x), y)
        for unit in range(2):
            without = copy.deepcopy(model)
            without[0].weight[unit] = 0  # type: ignore[index, operator]
            change = F.cross_entropy(without(x), y) - whole
            torch.testing.assert_close(scores[unit], change.square(), rtol=1e-3, atol=0)


def scene_groups(model: nn.Sequential) -> tuple[Group, ...]:
    return find_groups(model, SHAPE, [model[-1]])


@pytest.mark.parametrize("name", ["taylor", "fisher"])
def test_reductions_of_a_residual_stream_differ_and_agree_where_there_is_one_gate(
    name: str,
) -> None:
    scene = scene_of(network(KIND), groups(KIND))
    joint, mean, first = (score(name, scene, reduction=r) for r in ("joint", "mean", "first"))
    for number, group in enumerate(groups(KIND)):
        alike = [torch.allclose(joint[number], s[number]) for s in (mean, first)]
        assert alike == [len(group.gates) == 1] * 2


@pytest.mark.parametrize("name", DATA_DRIVEN)
def test_a_dead_channel_scores_zero(name: str) -> None:
    model = copy.deepcopy(network(KIND))
    for group in groups(KIND):
        for member in group.members:
            layer = model.get_submodule(member.layer)
            for tensor in layer.parameters():
                if tensor.dim() > 1 and member.side == "in":
                    tensor.data[:, member.index[1]] = 0
                elif member.side == "out":
                    tensor.data[member.index[1]] = 0
    for scores in score(name, scene_of(model, groups(KIND))):
        assert scores[1] == 0
        assert (scores > 0).sum() >= len(scores) / 2


@pytest.mark.parametrize("name", DATA_DRIVEN)
def test_chunks_do_not_matter_and_images_do(name: str) -> None:
    whole, other = (score(name, scene_of(network(KIND), groups(KIND), chunk=c)) for c in (8, 3))
    assert_close(whole, other)
    fewer = score(name, scene_of(network(KIND), groups(KIND)), images=6)
    assert not torch.allclose(torch.cat(whole), torch.cat(fewer))


@pytest.mark.parametrize("name", DATA_DRIVEN)
def test_without_images_a_criterion_says_its_name(name: str) -> None:
    bare = Scene(network(KIND), SHAPE, groups(KIND), torch.Generator())
    with pytest.raises(ValueError, match=f"'{name}' looks at training images"):
        score(name, bare)


@pytest.mark.parametrize("name", DATA_DRIVEN)
def test_every_pass_is_charged(name: str) -> None:
    charged: list[int] = []
    score(name, scene_of(network(KIND), groups(KIND), charge=charged.append))
    passes = 1 if name == "activation" else 3
    assert sum(charged) == 8 * passes * count_macs(network(KIND), SHAPE)


@pytest.mark.parametrize("name", DATA_DRIVEN)
def test_hooks_gradients_and_buffers_stay_as_they_were(name: str) -> None:
    model = copy.deepcopy(network(KIND)).train()
    x, y = images(8)
    F.cross_entropy(model(x), y).backward()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    score(name, scene_of(model, groups(KIND)))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert all(layer.training for layer in model.modules())
    assert all(p.requires_grad for p in model.parameters())
    after = [p.grad for p in model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(gradients, after, strict=True) if b is not None)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def steps(model: nn.Module) -> list[float]:
    """Three steps of training, with a validation in between; the losses."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x, y = images(8)
    x = x.float()
    step_losses = []
    for n in (slice(0, 4), slice(4, 8), slice(1, 5)):
        loss = F.cross_entropy(model.train()(x[n]), y[n])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step_losses.append(loss.item())
        with torch.no_grad():
            model.eval()(x)
    return step_losses


def test_an_accumulator_leaves_training_as_it_is_to_the_bit() -> None:
    plain, watched = copy.deepcopy(network(KIND)).float(), copy.deepcopy(network(KIND)).float()
    accumulator = FisherAccumulator(watched, groups(KIND))
    accumulator.attach()
    assert steps(plain) == steps(watched)
    assert all(
        torch.equal(a, b)
        for a, b in zip(plain.state_dict().values(), watched.state_dict().values(), strict=True)
    )
    assert accumulator.images == 12
    accumulator.detach()
    assert not any(layer._forward_hooks for layer in watched.modules())


def test_an_accumulator_gathers_per_image_whatever_the_batch() -> None:
    model = copy.deepcopy(network(KIND))
    accumulator = FisherAccumulator(model, groups(KIND))
    accumulator.attach()
    with pytest.raises(ValueError, match="no training step"):
        accumulator.scores()
    x, y = images(8)
    model.train()
    for norm in model.modules():  # with fixed statistics images are apart
        if isinstance(norm, nn.BatchNorm2d):
            norm.eval()
    for n in (slice(0, 5), slice(5, 8)):
        F.cross_entropy(model(x[n]), y[n]).backward()
    assert_close(accumulator.scores(), score("fisher", scene_of(network(KIND), groups(KIND))))
    again = FisherAccumulator(model, groups(KIND))
    again.load_state_dict(accumulator.state_dict())
    assert_close(accumulator.scores(), again.scores())
    kept = [range(0, group.width, 2) for group in groups(KIND)]
    per_mean = FisherAccumulator(model, groups(KIND), normalize="mean")
    per_mean.load_state_dict(accumulator.state_dict())
    for part, whole, units in zip(per_mean.scores(kept), accumulator.scores(), kept, strict=True):
        assert_close([part * whole[units].mean()], [whole[units]])
    accumulator.reset()
    assert accumulator.images == 0


def test_accumulated_fisher_is_of_training_mode() -> None:
    entry = criteria.get("fisher_accumulated")
    criterion = entry.part(entry.params())
    assert isinstance(criterion, Accumulating)
    model = copy.deepcopy(network(KIND)).train()
    accumulator = criterion.accumulator(model, groups(KIND))
    accumulator.attach()
    x, y = images(8)
    for n in (slice(0, 4), slice(4, 8)):
        F.cross_entropy(model(x[n]), y[n]).backward()
    scene = scene_of(network(KIND), groups(KIND))
    assert_close(accumulator.scores(), score("fisher_accumulated", scene, batch=4))
    assert not torch.allclose(accumulator.scores()[0], score("fisher", scene)[0])
