from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

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
    with pytest.raises(ValueError, match="no batches"):
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


def test_recalibration_averages_over_batches(splits: TinySplits) -> None:
    model = tiny_network()
    batches = splits.train.x.split(35)
    recalibrate(model, batches)
    with torch.no_grad():
        outputs = [model[0](x).transpose(0, 1).flatten(1) for x in batches]
    torch.testing.assert_close(model[1].running_mean, sum(o.mean(1) for o in outputs) / 2)
    torch.testing.assert_close(model[1].running_var, sum(o.var(1) for o in outputs) / 2)


def test_recalibration_without_batch_norm_does_nothing() -> None:
    recalibrate(torch.nn.Linear(3, 2), [])
