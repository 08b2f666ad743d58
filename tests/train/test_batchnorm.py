from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from prunetune.train import batchnorm
from prunetune.train.batchnorm import FoldedBatchNorm, FoldingBatchNorm2d, fold_batch_norms

SHAPES = [(4, 3, 5, 8), (6, 11, 7, 4), (2, 5, 6, 1), (3, 16, 4, 4)]


def norm_with_history(channels: int, dtype: torch.dtype) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, momentum=0.3, dtype=dtype)
    generator = torch.Generator().manual_seed(channels)
    with torch.no_grad():
        for value in (norm.weight, norm.bias, norm.running_mean):
            value.copy_(torch.randn(channels, generator=generator))  # type: ignore[union-attr]
        norm.running_var.copy_(torch.rand(channels, generator=generator) + 0.5)  # type: ignore[union-attr]
    return norm


def images(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 + 2
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def results(norm: nn.BatchNorm2d, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """Output, gradients of x, weight and bias, running statistics."""
    x = x.clone().requires_grad_()
    y = norm(x)
    y.backward(gradient)
    parts = [y, x.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var]
    return [part.detach() for part in parts if part is not None]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batchnorm, "_FOLD_FROM", 0)
    monkeypatch.setattr(FoldingBatchNorm2d, "_fold_is_faster", lambda self, x: self.training)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)], ids=["f64", "f32"]
)
def test_the_folded_batch_norm_equals_batch_norm(
    shape: tuple[int, ...], dtype: torch.dtype, tolerance: float
) -> None:
    plain = norm_with_history(shape[1], dtype)
    folding = fold_batch_norms(copy.deepcopy(plain))
    x = images(shape, dtype)
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=dtype)
    for _ in range(2):  # the second time running statistics have moved
        expected, folded = results(plain, x, gradient), results(folding, x, gradient)
        assert len(folded) == len(expected) == 6
        for a, b in zip(folded, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    assert folding.num_batches_tracked == plain.num_batches_tracked == 2


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("shape", SHAPES)
def test_in_bfloat16_the_fold_errs_no_more_than_batch_norm_does(shape: tuple[int, ...]) -> None:
    plain = norm_with_history(shape[1], torch.float32)
    folding = fold_batch_norms(copy.deepcopy(plain))
    exact = copy.deepcopy(plain).double()
    x = images(shape, torch.bfloat16)
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(2)).bfloat16()
    truth = results(exact, x.double(), gradient.double())
    plains, folds = results(plain, x, gradient), results(folding, x, gradient)
    for true, a, b in zip(truth, plains, folds, strict=True):
        plain_error = (a.double() - true).norm() / true.norm()
        assert (b.double() - true).norm() / true.norm() <= 2 * plain_error + 1e-3


@pytest.mark.usefixtures("always")
def test_gradients_agree_with_finite_differences() -> None:
    x = images((3, 3, 2, 4), torch.float64).requires_grad_()
    norm = norm_with_history(3, torch.float64)

    def fold(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        running = norm.running_mean.clone(), norm.running_var.clone()  # type: ignore[union-attr]
        return FoldedBatchNorm.apply(x, weight, bias, *running, 0.1, 1e-5)

    assert torch.autograd.gradcheck(fold, (x, norm.weight, norm.bias))


def folds(x: Tensor, channels: int, **options: object) -> bool:
    norm = fold_batch_norms(nn.BatchNorm2d(channels, **options))  # type: ignore[arg-type]
    return type(norm(x).grad_fn).__name__ == "FoldedBatchNormBackward"


def test_only_large_odd_channels_last_batches_are_folded() -> None:
    large = images((32, 17, 32, 32), torch.float32)
    assert folds(large, 17)
    assert not folds(large.contiguous(), 17)
    assert not folds(large[:1].contiguous(memory_format=torch.channels_last), 17)
    assert not folds(images((32, 16, 32, 32), torch.float32), 16)
    assert not folds(large, 17, affine=False)
    assert not folds(large, 17, momentum=None)
    assert not folds(large, 17, track_running_stats=False)


def test_the_fold_changes_neither_state_dict_nor_evaluation() -> None:
    plain = norm_with_history(17, torch.float32)
    folding = fold_batch_norms(copy.deepcopy(plain))
    assert folding.state_dict().keys() == plain.state_dict().keys()
    x = images((32, 17, 32, 32), torch.float32)
    assert torch.equal(folding.eval()(x), plain.eval()(x))


def test_subclasses_are_left_alone() -> None:
    class Own(nn.BatchNorm2d):
        pass

    assert type(fold_batch_norms(nn.Sequential(Own(3)))[0]) is Own
