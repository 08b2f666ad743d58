"""A sweep over `ray://`: it runs on the cluster's head, and is heard of here.

Tune cannot drive a cluster through Ray's client, which sees none of its nodes. So the whole run is
one task over there, on the shared storage, and its events come back through a queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import ray
from ray.exceptions import RayTaskError
from ray.util.queue import Empty, Queue

from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.tune.callbacks import Broadcast, Observer

T = TypeVar("T")
HEAD = {"node:__internal_head__": 0.001}
"""A resource of the head node alone; workers may be taken away by an autoscaler."""
POLL_S = 0.5
GRACE_S = 30
"""How long the run over there may take to end in order after an interrupt."""


def is_remote() -> bool:
    """Whether Ray was joined through its client."""
    return bool(ray.util.client.ray.is_connected())


class Messenger:
    """An Observer over there: it sends all it hears."""

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

    def close(self) -> None:
        """Nothing: the observers here are closed here."""


def run_there(
    sweep: Callable[[Observer], T], observers: Broadcast, interrupted: Callable[[], bool]
) -> T | None:
    """What `sweep` returns, or raises, on the cluster's head; None if it was interrupted here."""
    events = Queue(actor_options={"num_cpus": 0})
    there = ray.remote(num_cpus=0, max_retries=0, resources=HEAD)(_there)
    task = there.remote(sweep, events)
    deadline = float("inf")
    while not ray.wait([task], timeout=POLL_S)[0] and time.monotonic() < deadline:
        _pass_on(events, observers)
        if interrupted() and deadline == float("inf"):
            ray.cancel(task)  # there it arrives as SIGINT
            deadline = time.monotonic() + GRACE_S
    _pass_on(events, observers)
    try:
        return None if interrupted() else ray.get(task)
    except RayTaskError as error:
        raise (error.cause or error) from None


def _there(sweep: Callable[[Observer], T], events: Queue) -> T:
    return sweep(Messenger(events))


def _pass_on(events: Queue, observers: Broadcast) -> None:
    while True:
        try:
            name, *facts = events.get(block=False)
        except Empty:
            return
        getattr(observers, name)(*facts)
