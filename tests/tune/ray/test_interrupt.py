"""Signals end a run in order, once."""

import signal
from types import SimpleNamespace

import pytest

from prunetune.tune.ray.tuner import SIGNALS, Interrupted, _interruptible


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_is_noted_and_the_next_does_what_it_did_before(signum):
    driver = SimpleNamespace(interrupted=None)
    before = {each: signal.getsignal(each) for each in SIGNALS}
    with _interruptible(driver):
        signal.raise_signal(signum)
        assert driver.interrupted == signum
        assert {each: signal.getsignal(each) for each in SIGNALS} == before
    assert {each: signal.getsignal(each) for each in SIGNALS} == before
    assert Interrupted(signum).exit_code == 128 + signum
