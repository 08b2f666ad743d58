"""What the driver learns of a fault: everything it needs, and never a pickle."""

import errno
import json
from pathlib import Path

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError

from prunetune.data.files import CorruptDataError, DataMissingError
from prunetune.models.pretrained import WeightsFileError
from prunetune.records.files import CorruptFileError, StorageError
from prunetune.registry import PluginError, UnknownNameError
from prunetune.tune.faults import (
    DEAD_WORKER,
    PREEMPTED,
    STORAGE_ERRNOS,
    WorkerError,
    describe,
    lost,
    raised,
)
from prunetune.tune.resources import ResourceError

HEAD = "Failure # 1 (occurred at 2026-11-28_12-00-00)\n"


@pytest.mark.parametrize("kind", [CorruptDataError, CorruptFileError, DataMissingError])
def test_an_error_that_the_user_mends_ends_the_sweep_as_what_it_was(kind):
    fault = raised(describe(kind("put it there")), "trace")
    assert type(fault.sweep_error) is kind
    assert str(fault.sweep_error) == "put it there"
    assert fault.sweep_error.exit_code == kind.exit_code


@pytest.mark.parametrize(
    "error",
    [
        UnknownNameError("criterion", "magnitud", ("magnitude",)),
        PluginError("plug-in 'mine' cannot be imported"),
        WeightsFileError("dense.pt: SHA-256 is a, expected b"),
        ResourceError("resources.gpus: 9 per trial"),
        WorkerError("passed on once more", 2),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_error_with_an_exit_code_ends_the_sweep_with_that_code(error):
    ended = raised(describe(error), "trace").sweep_error
    assert (str(ended), ended.exit_code) == (str(error), error.exit_code)


@pytest.mark.parametrize("number", sorted(STORAGE_ERRNOS))
def test_a_full_disk_is_the_storages_fault(number):
    ended = raised(describe(OSError(number, "no room")), "trace").sweep_error
    assert isinstance(ended, StorageError)
    assert "no room" in str(ended)


def test_a_storage_error_stays_one():
    ended = raised(describe(StorageError("cannot write x")), "trace").sweep_error
    assert (type(ended), str(ended)) == (StorageError, "cannot write x")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ZeroDivisionError("no such thing\nsecond line"), "ZeroDivisionError: no such thing"),
        (FileNotFoundError(errno.ENOENT, "none"), "FileNotFoundError: [Errno 2] none"),
        (RuntimeError(), "RuntimeError: "),
    ],
)
def test_any_other_error_is_the_trials_own(error, line):
    fault = raised(describe(error), "trace")
    assert (fault.error, fault.traceback) == (line, "trace")
    assert fault.sweep_error is None
    assert not fault.preempted


def test_what_cannot_be_pickled_is_described_too():
    error = ValueError("bad", lambda: None)
    assert json.loads(describe(error))["kind"] == "ValueError"


@pytest.mark.parametrize(
    "error", [RayActorError(), ActorDiedError(), ActorUnavailableError("gone", b"0" * 16)]
)
def test_rays_own_words_say_that_a_worker_died(error):
    text = f"{HEAD}{error}\n"
    assert lost(text).error == "the worker died"
    assert not lost(text).preempted
    assert lost(f"{text}\t{PREEMPTED}spot instance\n").preempted


def test_this_ray_still_says_preempted_in_these_words():
    import ray

    folder = Path(ray.__file__).parent
    binaries = [folder / "_raylet.so", folder / "core/src/ray/gcs/gcs_server"]
    assert any(PREEMPTED.encode() in binary.read_bytes() for binary in binaries)
    assert all(str(kind()).startswith(DEAD_WORKER) for kind in (RayActorError, ActorDiedError))


def test_any_other_failure_is_named_by_its_last_line():
    text = f"{HEAD}ray::TrialActor.step()\n  File x\nTuneError: something\n"
    assert lost(text).error == "TuneError: something"
