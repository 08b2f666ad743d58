"""Runs a whole sweep as one Ray Tune run."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from ray import tune

from prunetune.plan import Plan
from prunetune.records.store import Store
from prunetune.tune.callbacks import Broadcast, Observer
from prunetune.tune.driver import Driver
from prunetune.tune.gpu_shares import GpuShares
from prunetune.tune.ray import autoscaler, cluster, remote, travel
from prunetune.tune.ray.leaving import LeavingNodes
from prunetune.tune.ray.record_callback import RecordCallback
from prunetune.tune.ray.scheduler import RungScheduler
from prunetune.tune.ray.searcher import AgendaSearcher
from prunetune.tune.ray.slots import Slots
from prunetune.tune.ray.trainable import ActorSetup, RunTrial, TrialActor
from prunetune.tune.resources import NO_GROWTH, TrialShare, share

_log = logging.getLogger(__name__)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, an orderly stop, a terminal that was closed."""
_SHUTDOWN_S = 30.0
"""How long an interrupted run may take to end in order."""
_MOST_PENDING = 200
"""How many trials may wait for a node: an autoscaler sees them all, and no cluster is flooded."""


class Interrupted(Exception):  # noqa: N818  (nothing went wrong)
    """A signal ended the run, which can be continued; `exit_code` is the shell's for the signal."""

    def __init__(self, signum: int) -> None:
        self.exit_code = 128 + signum
        super().__init__(f"interrupted by {signal.Signals(signum).name}")


def run(
    plan: Plan,
    store: Store,
    *,
    address: str | None = None,
    observers: Sequence[Observer] = (),
    trial: RunTrial | None = None,
    offline: bool = False,
    plugin_folders: tuple[str, ...] = (),
) -> bool:
    """Run the trials of `plan` that have no record in `store`; the caller holds the store's lock.

    Args:
        plan: the sweep.
        store: its records and trials.
        address: a Ray cluster (`host:port`, `auto` or `ray://…`); None starts Ray here.
        observers: hear every event, and are closed at the end.
        trial: replaces `prunetune.trial.run_trial`.
        offline: whether trials must not download data.
        plugin_folders: where workers look for plug-in modules that are not installed.

    Returns:
        Whether `limits.hours` ended the run with work left.

    Raises:
        ResourceError: a trial asks for more than any node has.
        ClusterError: the cluster does not answer or refuses us.
        StorageError: the storage is full or away.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the next run resumes trials from their last
            epoch.
    """
    broadcast = Broadcast(observers)
    driver = Driver(plan, store, broadcast)
    limited = None
    try:
        if not driver.finished():
            code = travel.packed(plan.plugins, plugin_folders)
            with (
                _interruptible(driver),
                code as runtime_env,
                cluster.connected(address, store.ray_log, runtime_env),
            ):
                if remote.is_remote():
                    sweep = partial(_sweep_on_head, plan, store, trial, offline, plugin_folders)
                    limited = remote.run_on_head(
                        sweep, _name(store), broadcast, lambda: driver.abandoned
                    )
                else:
                    _sweep(driver, trial, offline, plugin_folders)
    finally:
        broadcast.close()
    if driver.interrupted is not None:
        raise Interrupted(driver.interrupted)
    if driver.failure is not None:
        raise driver.failure
    return bool(limited) or driver.limited


def _sweep(
    driver: Driver, trial: RunTrial | None, offline: bool, plugin_folders: tuple[str, ...]
) -> None:
    resources = driver.plan.resources
    growth = autoscaler.growth_limit() if cluster.is_shared() else NO_GROWTH
    part = share(resources, cluster.nodes(), growth)
    shares = GpuShares(part, fixed=resources.get("gpus", "auto") != "auto")
    slots = Slots(resources.get("max_concurrent", "auto"), shares, growth)
    setup = ActorSetup(driver.store, part.threads, part.device, offline, trial, plugin_folders)
    _fit(driver, setup, part, slots, shares)


def _name(store: Store) -> str:
    """The sweep's name on a cluster, which other storages may use as well."""
    return f"{store.sweep} of storage {store.storage_id()}"


def _sweep_on_head(
    plan: Plan,
    store: Store,
    trial: RunTrial | None,
    offline: bool,
    plugin_folders: tuple[str, ...],
    messenger: Observer,
) -> bool:
    """`run` in a process of the cluster, which is already connected to Ray."""
    observers = [messenger]
    return run(
        plan,
        store,
        observers=observers,
        trial=trial,
        offline=offline,
        plugin_folders=plugin_folders,
    )


def _fit(
    driver: Driver, setup: ActorSetup, part: TrialShare, slots: Slots, shares: GpuShares
) -> None:
    """Let Tune run until the driver has no work left; Tune's own files go to a scratch folder."""
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(_MOST_PENDING)
    leaving = LeavingNodes()
    scratch = tempfile.mkdtemp(prefix="prunetune-")
    actor = tune.with_parameters(TrialActor, setup=setup)
    try:
        tune.Tuner(
            tune.with_resources(actor, partial(_bundle, part.cpus)),
            tune_config=tune.TuneConfig(
                search_alg=AgendaSearcher(driver, slots, shares),
                scheduler=RungScheduler(driver, leaving, shares),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=setup.store.sweep,
                storage_path=scratch,
                verbose=0,
                callbacks=[RecordCallback(driver, leaving)],
                stop=_Abandon(driver),
                checkpoint_config=tune.CheckpointConfig(
                    checkpoint_frequency=0, checkpoint_at_end=False
                ),
                # A trial that breaks off is dealt again by the agenda, as after a restart.
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        ).fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _bundle(cpus: float, config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """What a trial asks of a node."""
    return _shared_bundle(cpus, config["gpus"])


@cache
def _shared_bundle(cpus: float, gpus: float) -> tune.PlacementGroupFactory:
    """One object for all trials that ask for the same: Tune keeps that of every trial."""
    return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": gpus}])


class _Abandon(tune.Stopper):  # type: ignore[misc]
    """Ends the run as soon as the driver is interrupted or has failed."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._driver.abandoned


@contextmanager
def _interruptible(driver: Driver) -> Iterator[None]:
    """Let the first of SIGNALS end the run in order; a second one ends it at once.

    A terminal that closes sends SIGHUP, and so does its shell: a second one is ignored. Where it
    is ignored from the start (`nohup`), the run goes on.

    A signal to the whole process group (`timeout`, a service manager) also ends Ray's processes,
    and Ray then waits for them for minutes. So the end in order has a time limit; nothing is lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last_resort: list[threading.Timer] = []

    def interrupt(signum: int, frame: object) -> None:
        driver.interrupted = signum
        last_resort.append(threading.Timer(_SHUTDOWN_S, _end_at_once, [128 + signum]))
        last_resort[-1].daemon = True
        last_resort[-1].start()
        for each, handler in before.items():
            signal.signal(each, signal.SIG_IGN if each == signal.SIGHUP else handler)

    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heard = [each for each in SIGNALS if each != signal.SIGHUP or not nohup]
    before = {each: signal.signal(each, interrupt) for each in heard}
    try:
        yield
    finally:
        for timer in last_resort:
            timer.cancel()
        for each, handler in before.items():
            signal.signal(each, handler)


def _end_at_once(exit_code: int) -> None:
    _log.warning("Ray did not end in order; nothing is lost, the same command continues the sweep")
    time.sleep(0.2)  # for whoever prints in a thread
    os._exit(exit_code)
