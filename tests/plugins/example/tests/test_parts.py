"""The parts keep prunetune's contracts: one line each."""

from prunetune.testing import (
    check_criterion,
    check_dataset,
    check_method,
    check_model,
    check_regularizer,
    check_schedule,
)


def test_criterion() -> None:
    check_criterion("apoz")


def test_regularizer() -> None:
    check_regularizer("l1", {"strength": 0.01})


def test_schedule() -> None:
    check_schedule("polynomial", {"power": 2})


def test_method() -> None:
    check_method("leading")


def test_model() -> None:
    check_model("plain_net")


def test_dataset() -> None:
    check_dataset("stripes")
