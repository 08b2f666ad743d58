"""One trial, from its spec to its last report: a network is made, trained and judged.

A trial is a generator of reports in plain Python, so it runs in a test, a notebook or an actor
alike. The first report has the facts known before training, then comes one report per epoch, and
the last one has the status. A trial that is run again goes on from its own checkpoint.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Generator, Iterator
from typing import Any

import torch
from torch import nn

from prunetune.compress.method import CompactModel, Infeasible, Shrinking
from prunetune.protocols import Pulse
from prunetune.records.cost_meter import CostMeter
from prunetune.records.record import TrialSpec
from prunetune.records.record_builder import RecordBuilder, TrialReport
from prunetune.records.store import Store
from prunetune.records.versions import versions
from prunetune.registry import load_plugins
from prunetune.train.checkpoint import CheckpointError, CheckpointFile
from prunetune.train.device import pick_device, precision_name, prepare
from prunetune.train.loop import Diverged
from prunetune.train.memory import PeakMemory
from prunetune.trial import outputs
from prunetune.trial.network_maker import NetworkMaker
from prunetune.trial.trainer import Trainer

_log = logging.getLogger(__name__)
_TESTED_PHASES = ("dense", "confirm")
"""Phases in which the test set is opened."""


def run_trial(
    spec: TrialSpec,
    store: Store,
    *,
    device: str = "auto",
    offline: bool = False,
    pulse: Pulse | None = None,
) -> Iterator[TrialReport]:
    """The reports of one trial.

    An expected end (diverged, infeasible, out of memory) is a last report with that status, never
    an exception. Any other exception is a fault, and the trial may be retried. Damaged files from
    which it would go on are set aside and made anew.

    Args:
        spec: the trial as it was dealt.
        store: where its checkpoints and its network go.
        device: the device's name; `auto` is a GPU where there is one.
        offline: whether a data set that is missing may not be downloaded.
        pulse: hears that the trial is alive; None: nobody listens.
    """
    load_plugins(spec.plugins)
    if spec.phase == "dense" and (report := outputs.shared_dense(spec, store)):
        yield report
        return
    while True:
        try:
            yield from _until_its_end(Trial(spec, store, device, offline, pulse=pulse))
            return
        except CheckpointError as error:
            name = error.file.set_aside().name
            _log.warning("%s; set aside as %s, and made anew", error, name)


def _until_its_end(trial: Trial) -> Iterator[TrialReport]:
    try:
        yield from trial.reports()
    except Infeasible as end:
        departures = {"nearest_macs": end.nearest_macs}
        yield trial.last_report("infeasible", error=str(end), departures=departures)
    except Diverged as end:
        yield trial.last_report("diverged", error=str(end))
    except torch.OutOfMemoryError as end:
        trial.folder.error.write(traceback.format_exc().encode())
        message = str(end).partition("\n")[0]
        yield trial.last_report("failed", error=message, failed_by="memory")


class Trial:
    """The state of one trial while it runs.

    Args:
        spec: the trial as it was dealt.
        store: where its checkpoints and its network go.
        device: the device's name; `auto` is a GPU where there is one.
        offline: whether a data set that is missing may not be downloaded.
        charged_to: the meter of another trial, which pays for all of this; None: no other.
        pulse: hears that the trial is alive; None: nobody listens.
    """

    def __init__(
        self,
        spec: TrialSpec,
        store: Store,
        device: str,
        offline: bool,
        charged_to: CostMeter | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self.spec, self.store, self.offline = spec, store, offline
        self.folder = store.trial_folder(spec.key)
        self.device = pick_device(device)
        self.trainer = Trainer(
            spec,
            self.folder,
            self.device,
            download=not offline,
            charged_to=charged_to,
            pulse=pulse,
        )
        self.meter = self.trainer.meter
        self.maker = NetworkMaker(spec, store, self.trainer, self._train_dense_again)
        self.memory = PeakMemory(self.device)
        self.builder = RecordBuilder(spec)

    def reports(self) -> Iterator[TrialReport]:
        """Make the network, train it, judge it."""
        with self.meter.clock("compress"):
            made = self.maker.make()
        network = (yield from self.shrink(made)) if isinstance(made, Shrinking) else made
        model = prepare(network.model.to(self.device), self.device)
        checkpoint = CheckpointFile(self.folder.checkpoint)
        used, total = network.epochs_used, self.spec.epochs
        begun = self.trainer.begun(checkpoint, total - used, used + 1, total)
        yield self._added({**self.facts(network), "curve": begun})
        for epoch in self.trainer.train(
            model, total - used, network.hooks, checkpoint, "train", network.cost, used + 1, total
        ):
            yield self._added({"curve": [epoch], **self.costs()})
        accuracies = self.validation(model, network, checkpoint)
        if self.spec.phase in _TESTED_PHASES:
            accuracies |= outputs.judge(self.spec, self.store, self.trainer, network, checkpoint)
        last = self._added(self.last_report("completed", **accuracies))
        if self.spec.phase == "dense":  # before the last report: no more may be asked for after it
            record = self.builder.record()
            self.store.dense_folder(self.spec.key).record.write_json(record)
        yield last

    def shrink(self, made: Shrinking) -> Generator[TrialReport, None, CompactModel]:
        """Train the first epochs, in which the network shrinks, at the cost of the dense one."""
        model = prepare(made.model.to(self.device), self.device)
        checkpoint = CheckpointFile(self.folder.shrinking_checkpoint)
        dense_macs, total = self.spec.dense_macs, self.spec.epochs
        begun = self.trainer.begun(checkpoint, made.epochs, 1, total)
        yield self._added({"curve": begun, **self.costs()})
        for epoch in self.trainer.train(
            model, made.epochs, made.hooks, checkpoint, "train", dense_macs, 1, total
        ):
            yield self._added({"curve": [epoch], **self.costs()})
        with self.meter.clock("compress"):
            return made.finish(model)

    def facts(self, network: CompactModel) -> TrialReport:
        """All that is known before training."""
        before = None
        if self.spec.inputs.get("dense"):
            before = self.trainer.evaluate(
                network.model, network.cost, self.trainer.splits.val
            ).acc1
        return {
            "macs": network.macs,
            "params": network.params or sum(p.numel() for p in network.model.parameters()),
            "architecture": network.architecture,
            "sparsified": self.maker.sparsified,
            "departures": network.departures,
            "val_acc1_before_training": before,
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            "dtype": precision_name(self.device),
            "threads": torch.get_num_threads(),
            "seeds": self.trainer.seeds,
            "versions": versions(),
            **self.costs(),
        }

    def validation(
        self, model: nn.Module, network: CompactModel, checkpoint: CheckpointFile
    ) -> TrialReport:
        """Validation figures that the curve does not give, since the method used some epochs.

        Raises:
            Diverged: no epoch is left to train, and the validation loss is not finite.
        """
        used, total = network.epochs_used, self.spec.epochs
        if used == total:
            after = self.trainer.evaluate(model, network.cost, self.trainer.splits.val)
            if not math.isfinite(after.loss):
                raise Diverged(total, "validation", after.loss)
            return {"val_acc1": after.acc1, "val_loss": after.loss, "val_acc1_best": after.acc1}
        if used:  # epochs before the cut were of a larger network
            return {"val_acc1_best": max(epoch.val_acc1 for epoch in checkpoint.curve())}
        return {}

    def costs(self) -> TrialReport:
        """What the trial has cost so far."""
        return {
            "started_at": self.meter.started_at,
            "train_macs": self.meter.train_macs(),
            "wall_s": self.meter.wall_s(),
            "peak_memory_bytes": self.memory.bytes(),
        }

    def last_report(self, status: str, **facts: Any) -> TrialReport:
        """The report that ends the trial."""
        return {**self.costs(), **facts, "status": status}

    def _added(self, report: TrialReport) -> TrialReport:
        """Add a report to the trial's own record, and return the report."""
        self.builder.add(report)
        return report

    def _train_dense_again(self, key: str) -> None:
        """Train the dense network `key`, charged to this trial; its record stays as it is."""
        spec = self.store.trial(key)
        device, pulse = self.device.type, self.trainer.pulse
        again = Trial(spec, self.store, device, self.offline, self.meter, pulse)
        for _ in again.reports():
            pass
        self.store.trial_folder(key).drop_checkpoints()
