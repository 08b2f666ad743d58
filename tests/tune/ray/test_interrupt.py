"""Signals end a run in order, once."""

import signal
from types import SimpleNamespace

import pytest

from prunetune.tune.ray.tuner import SIGNALS, Interrupted, _interruptible


@pytest.fixture(autouse=True)
def no_nohup():
    """These tests themselves may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_is_noted_and_the_next_does_what_it_did_before(signum):
    driver = SimpleNamespace(interrupted=None)
    before = {each: signal.getsignal(each) for each in SIGNALS}
    with _interruptible(driver):
        signal.raise_signal(signum)
        assert driver.interrupted == signum
        handled = {each: signal.getsignal(each) for each in SIGNALS}
        assert handled == {**before, signal.SIGHUP: signal.SIG_IGN}, "a shell sends SIGHUP again"
    assert {each: signal.getsignal(each) for each in SIGNALS} == before
    assert Interrupted(signum).exit_code == 128 + signum


def test_under_nohup_a_closed_terminal_ends_nothing():
    driver = SimpleNamespace(interrupted=None)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _interruptible(driver):
            signal.raise_signal(signal.SIGHUP)
        assert driver.interrupted is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
