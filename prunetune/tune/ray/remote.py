"""A sweep through `ray://`: the whole run is a task on the cluster's head.

Tune cannot drive a cluster through Ray's client, because the client sees none of the nodes. The
task works on the shared storage; its events come back to this process through a queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.queue import Empty, Queue

from prunetune import messages
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.tune import faults
from prunetune.tune.callbacks import Broadcast, Observer
from prunetune.tune.ray import cluster
from prunetune.tune.ray.errors import ClusterError
from prunetune.tune.ray.waiting import told

ResultT = TypeVar("ResultT")
_POLL_S = 0.5
_GRACE_S = 30
"""How long the remote run may take to end in order after an interrupt."""
_FORMER_S = 120
"""How long a former run of the sweep may take to end on the cluster."""


def is_remote() -> bool:
    """Whether Ray was joined through its client."""
    return bool(ray.util.client.ray.is_connected())


class Messenger:
    """An Observer on the head that sends every event to this process."""

    def __init__(self, events: Queue) -> None:
        self._events = events

    def on_dealt(self, spec: TrialSpec) -> None:
        """See Observer."""
        self._events.put(("on_dealt", spec))

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """See Observer."""
        self._events.put(("on_epoch", spec, epoch))

    def on_record(self, record: Record) -> None:
        """See Observer."""
        self._events.put(("on_record", record))

    def say(self, level: int, text: str) -> None:
        """Send a message of the channel."""
        self._events.put(("say", level, text))

    def close(self) -> None:
        """Nothing: this process closes its own observers."""


def run_on_head(
    sweep: Callable[[Observer], ResultT],
    name: str,
    observers: Broadcast,
    interrupted: Callable[[], bool],
) -> ResultT | None:
    """Run `sweep` on the cluster's head; return its result, or None if interrupted here.

    `name` names the sweep: while a run of this name is on the head, no other begins. A run whose
    client has died goes on for half a minute, until Ray misses the client and ends it.
    An error that the user mends arrives as itself, as from a worker; any other as Ray carries it.

    Raises:
        ClusterError: the cluster went away.
    """
    try:
        events = _events(name, interrupted)
        if events is None:
            return None
        outcome = _outcome(sweep, events, observers, interrupted)
    except ClusterError:  # a ConnectionError too, but in our words already
        raise
    except RayTaskError as error:
        raise (error.cause or error) from None
    except (ConnectionError, RayError) as error:
        reason = str(error).strip().partition("\n")[0]
        message = f"the cluster was lost while the sweep ran on it: {reason}"
        raise ClusterError(f"{message}; the same command continues the sweep") from error
    if isinstance(outcome, _Ended):
        raise outcome.error()
    return outcome


def _events(name: str, interrupted: Callable[[], bool]) -> Queue | None:
    """A queue that exists once on the cluster, as long as a client and its run on the head.

    None if interrupted while another one exists.

    Raises:
        ClusterError: another client's queue of this name stays.
    """
    options = {"name": name, "namespace": "prunetune", **cluster.on_head()}
    deadline = time.monotonic() + _FORMER_S
    with told("waiting for the former run of this sweep to end on the cluster"):
        while not interrupted():
            try:
                queue = Queue(actor_options=options)
                queue.qsize()  # through the client, a taken name is refused at the first call only
                return queue
            except (ValueError, RayError) as error:
                if "already taken" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    raise ClusterError(
                        f"the sweep runs on the cluster already, started from another place: "
                        f"{str(error).partition('.')[0]}"
                    ) from error
            time.sleep(_POLL_S)
    return None


def _outcome(
    sweep: Callable[[Observer], ResultT],
    events: Queue,
    observers: Broadcast,
    interrupted: Callable[[], bool],
) -> ResultT | _Ended | None:
    remote_run = ray.remote(max_retries=0, **cluster.on_head())(_with_messenger)
    task = remote_run.remote(sweep, events)
    deadline = float("inf")
    while not ray.wait([task], timeout=_POLL_S)[0] and time.monotonic() < deadline:
        _pass_on(events, observers)
        if interrupted() and deadline == float("inf"):
            ray.cancel(task)  # arrives at the head as SIGINT
            deadline = time.monotonic() + _GRACE_S
    _pass_on(events, observers)
    return None if interrupted() else ray.get(task)


@dataclass(frozen=True)
class _Ended:
    """What ended the sweep on the head, as data: not every exception survives its pickle."""

    description: str

    def error(self) -> Exception:
        """The error that the user mends."""
        error = faults.raised(self.description, "").sweep_error
        assert error is not None
        return error


def _with_messenger(sweep: Callable[[Observer], ResultT], events: Queue) -> ResultT | _Ended:
    messenger = Messenger(events)
    try:
        with messages.passed_to(messenger.say):
            return sweep(messenger)
    except Exception as error:
        description = faults.describe(error)
        if faults.raised(description, "").sweep_error is None:
            raise
        return _Ended(description)


def _pass_on(events: Queue, observers: Broadcast) -> None:
    while True:
        try:
            name, *facts = events.get(block=False)
        except Empty:
            return
        if name == "say":
            messages.repeat(*facts)
        else:
            getattr(observers, name)(*facts)
