from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunetune.train.calibrate import recalibrate
from prunetune.train.evaluate import evaluate
from tests.train.conftest import CPU, TinySplits, tiny_network


def test_evaluation_follows_its_definition_at_any_batch_size(splits: TinySplits) -> None:
    model = tiny_network().eval()
    with torch.no_grad():
        log_probs = F.log_softmax(model(splits.val.x), 1)
    loss = F.nll_loss(log_probs.double(), splits.val.y).item()
    right = (log_probs.argmax(1) == splits.val.y).double().mean().item()
    for batch_size in (1, 7, 30):
        evaluation = evaluate(model, splits.val.batches(batch_size), CPU, outputs=True)
        assert evaluation.acc1 == right
        assert evaluation.loss == pytest.approx(loss, abs=1e-6)
        assert evaluation.log_probs is not None
        torch.testing.assert_close(evaluation.log_probs, log_probs)
        assert evaluation.labels is not None
        assert torch.equal(evaluation.labels, splits.val.y.int())


@pytest.mark.parametrize("training", [False, True])
def test_evaluation_leaves_the_model_as_it_was(splits: TinySplits, training: bool) -> None:
    model = tiny_network().train(training)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    first = evaluate(model, splits.val.batches(10), CPU)
    assert evaluate(model, splits.val.batches(10), CPU) == first
    assert model.training is training
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert first.log_probs is None


def test_a_network_can_be_trained_after_it_was_evaluated(splits: TinySplits) -> None:
    model = tiny_network()
    evaluate(model, splits.val.batches(10), CPU)
    model.train()(splits.train.x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_layout_of_the_weights_changes_no_bit(splits: TinySplits) -> None:
    plain = evaluate(tiny_network(), splits.val.batches(10), CPU)
    model = tiny_network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert evaluate(model, splits.val.batches(10), CPU) == plain


def test_bfloat16_is_used_on_request(splits: TinySplits) -> None:
    exact = evaluate(tiny_network(), splits.val.batches(10), CPU).loss
    rounded = evaluate(tiny_network(), splits.val.batches(10), CPU, torch.bfloat16).loss
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.02)


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="no batches"):
        evaluate(tiny_network(), [], CPU)
    with pytest.raises(ValueError, match="no images"):
        recalibrate(tiny_network(), [])


def test_recalibration_on_one_batch_gives_its_exact_mean_and_variance(splits: TinySplits) -> None:
    model = tiny_network()
    before = {k: v.clone() for k, v in model.named_parameters()}
    with torch.no_grad():
        model.train()
        for _ in range(3):
            model(splits.train.x * 5)  # recalibration must forget these statistics
    recalibrate(model.eval(), [splits.train.x])
    x = splits.train.x
    with torch.no_grad():
        for layer in model[:5]:
            if isinstance(layer, torch.nn.BatchNorm2d):
                flat = x.transpose(0, 1).flatten(1)
                torch.testing.assert_close(layer.running_mean, flat.mean(1))
                torch.testing.assert_close(layer.running_var, flat.var(1))
                x = F.batch_norm(x, None, None, layer.weight, layer.bias, training=True)
            else:
                x = layer(x)
    assert all(torch.equal(before[k], v) for k, v in model.named_parameters())
    assert not model.training
    assert {layer.momentum for layer in model if isinstance(layer, torch.nn.BatchNorm2d)} == {0.1}


def statistics(model: nn.Module) -> list[Tensor]:
    return [b for name, b in model.named_buffers() if "running" in name]


def test_recalibration_weighs_batches_by_their_images(splits: TinySplits) -> None:
    model, x = tiny_network(), splits.train.x
    recalibrate(model, [x], batch=32)  # 32, 32 and 6 images
    with torch.no_grad():
        outputs = [model[0](part).transpose(0, 1).flatten(1) for part in x.split(32)]
    sizes = [len(part) / len(x) for part in x.split(32)]
    mean = sum(share * o.mean(1) for share, o in zip(sizes, outputs, strict=True))
    var = sum(share * o.var(1) for share, o in zip(sizes, outputs, strict=True))
    torch.testing.assert_close(model[1].running_mean, mean)
    torch.testing.assert_close(model[1].running_var, var)


def test_recalibration_on_equal_batches_is_torchs_cumulative_mean(splits: TinySplits) -> None:
    x = splits.train.x[:64]
    model, expected = tiny_network(), tiny_network().eval()
    recalibrate(model, x.split(16), batch=16)
    with torch.no_grad():
        for norm in (expected[1], expected[4]):
            norm.train()
            norm.momentum = None
        for part in x.split(16):
            expected(part.to(memory_format=torch.channels_last))
    pairs = zip(statistics(model), statistics(expected), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("seed", range(10))
def test_statistics_do_not_depend_on_the_portions(splits: TinySplits, seed: int) -> None:
    whole, portioned = tiny_network(), tiny_network()
    sizes = random_sizes(len(splits.train), seed)
    for batch in (128, 32):
        recalibrate(whole, [splits.train.x], batch)
        recalibrate(portioned, splits.train.x.split(sizes), batch)
        for a, b in zip(statistics(whole), statistics(portioned), strict=True):
            torch.testing.assert_close(a, b)
    parts = zip(splits.train.x.split(sizes), splits.train.y.split(sizes), strict=True)
    once = evaluate(whole, [(splits.train.x, splits.train.y)], CPU, outputs=True)
    several = evaluate(whole, parts, CPU, outputs=True)
    assert several.acc1 == once.acc1
    assert several.loss == pytest.approx(once.loss, rel=1e-5)
    torch.testing.assert_close(several.log_probs, once.log_probs)


def random_sizes(total: int, seed: int) -> list[int]:
    """Sizes that add up to `total`; the last is 1."""
    draw, sizes = random.Random(seed), [1]
    while missing := total - sum(sizes):
        sizes.insert(0, draw.randint(1, min(missing, 40)))
    return sizes


def test_a_single_image_that_remains_is_normalised_with_others() -> None:
    """A norm over 1x1 maps cannot normalise it alone."""
    model = nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4), nn.Flatten())
    x = torch.randn(129, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    recalibrate(model, x.split(128))
    with torch.no_grad():
        y = model[0](x).flatten(1)
    torch.testing.assert_close(model[1].running_mean, y.mean(0))
    torch.testing.assert_close(model[1].running_var, y.var(0))


def test_recalibration_without_batch_norm_does_nothing() -> None:
    recalibrate(torch.nn.Linear(3, 2), [])
