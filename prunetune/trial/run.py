"""One trial, readable top to bottom: a network is made, trained and judged. Plain Python.

A trial is a generator of reports. Each report is a mapping of fields of `Record`: the first holds
the static facts, then comes one per epoch, and the last one has the status. It runs in a test, a
notebook or an actor alike, and goes on from its own checkpoint when it is run again.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Generator, Iterator
from typing import Any

import torch
from torch import nn

from prunetune.compress.method import CompactModel, Context, Infeasible, Shrinking, Target
from prunetune.compress.network.rebuild import fresh
from prunetune.config.budget import sparsity_of
from prunetune.config.parts import Named
from prunetune.config.space.space import subtree
from prunetune.models.pretrained import match_state
from prunetune.records.cost_meter import CostMeter
from prunetune.records.record import TrialSpec
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.records.versions import versions
from prunetune.registry import load_plugins, methods
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.device import pick_device, precision_name, prepare
from prunetune.train.loop import Diverged
from prunetune.train.memory import PeakMemory
from prunetune.trial import outputs
from prunetune.trial.sparse import Sparsifier
from prunetune.trial.trainer import Trainer
from prunetune.workload import load_network

Report = dict[str, Any]
JUDGED = ("dense", "confirm")
"""Phases in which the test set is opened."""


def run_trial(
    spec: TrialSpec, store: Store, *, device: str = "auto", offline: bool = False
) -> Iterator[Report]:
    """The reports of one trial.

    Ends that are to be expected (diverged, infeasible, out of memory) are a last report with that
    status and never an exception; anything else that is raised is a fault, and may be retried.
    """
    load_plugins(spec.plugins)
    if spec.phase == "dense" and (found := outputs.shared_dense(spec, store)):
        yield found
        return
    trial = Trial(spec, store, device, offline)
    try:
        yield from trial.reports()
    except Infeasible as end:
        departures = {"nearest_macs": end.nearest_macs}
        yield trial.end("infeasible", error=str(end), departures=departures)
    except Diverged as end:
        yield trial.end("diverged", error=str(end))
    except torch.OutOfMemoryError as end:
        trial.folder.error.write(traceback.format_exc().encode())
        yield trial.end("failed", error=str(end).partition("\n")[0])


class Trial:
    """The state of one trial while it runs."""

    def __init__(
        self,
        spec: TrialSpec,
        store: Store,
        device: str,
        offline: bool,
        payer: CostMeter | None = None,
    ) -> None:
        self.spec, self.store, self.offline = spec, store, offline
        self.folder = store.trial_folder(spec.key)
        self.device = pick_device(device)
        self.trainer = Trainer(spec, self.folder, self.device, download=not offline, payer=payer)
        self.workload, self.journal = self.trainer.workload, self.trainer.journal
        self.memory = PeakMemory(self.device)
        self.assembly = RecordBuilder(spec)
        self.sparsifier: Sparsifier | None = None

    def reports(self) -> Iterator[Report]:
        """Make the network, train it, judge it."""
        dense = self.spec.phase == "dense"
        with self.journal.clock("compress"):
            made = self.dense_network() if dense else self.compact_network()
        network = (yield from self.shrunk(made)) if isinstance(made, Shrinking) else made
        model = prepare(network.model.to(self.device), self.device)
        checkpoint = CheckpointFile(self.folder.checkpoint)
        yield self.told({**self.facts(network), "curve": checkpoint.curve()})
        used, total = network.epochs_used, self.spec.epochs
        for epoch in self.trainer.train(
            model, total - used, network.hooks, checkpoint, "train", network.cost, used + 1, total
        ):
            yield self.told({"curve": [epoch], **self.costs()})
        found: Report = {}
        if used == total:
            after = self.trainer.evaluate(model, network.cost, self.trainer.splits.val)
            if not math.isfinite(after.loss):
                raise Diverged(total, "validation", after.loss)
            found = {"val_acc1": after.acc1, "val_loss": after.loss, "val_acc1_best": after.acc1}
        elif used:  # before, it was not yet this network
            found = {"val_acc1_best": max(epoch.val_acc1 for epoch in checkpoint.curve())}
        if self.spec.phase in JUDGED:
            found |= self.judge(model, network, checkpoint)
        last = self.told(self.end("completed", **found))
        if dense:  # before the last report: who has heard it asks for no more
            record = self.assembly.record()
            self.store.dense_folder(self.spec.key).record.write_json(record)
        yield last

    def shrunk(self, made: Shrinking) -> Generator[Report, None, CompactModel]:
        """The network after the first epochs, at the dense one's price, in which it shrinks."""
        model = prepare(made.model.to(self.device), self.device)
        checkpoint = CheckpointFile(self.folder.shrinking_checkpoint)
        yield self.told({"curve": checkpoint.curve(), **self.costs()})
        dense_macs, total = self.spec.dense_macs, self.spec.epochs
        for epoch in self.trainer.train(
            model, made.epochs, made.hooks, checkpoint, "train", dense_macs, 1, total
        ):
            yield self.told({"curve": [epoch], **self.costs()})
        with self.journal.clock("compress"):
            return made.finish(model)

    def dense_network(self) -> CompactModel:
        """The dense network, as it is before training or as it was loaded."""
        architecture = self.workload.architecture
        model = fresh(architecture, self.trainer.seeds["init"])
        if self.workload.weights is not None:
            model.load_state_dict(match_state(model, self.workload.dense_state()))
        return CompactModel(model, architecture, self.spec.dense_macs)

    def compact_network(self) -> CompactModel | Shrinking:
        """What the method makes of the dense network and the budget."""
        spec = self.spec
        params = subtree(spec.config, "method")
        method = methods.make(Named(name=spec.method or "", params=params))
        generator = torch.Generator().manual_seed(self.trainer.seeds["ties"])
        dense = self.dense_weights() if method.inherits else None
        if dense is not None and spec.sparsify_epochs:
            self.sparsifier = Sparsifier(spec, self.store, self.trainer, dense)
        found: CompactModel | Shrinking = method.run(
            Context(
                architecture=self.workload.architecture,
                target=Target(
                    spec.target_macs, spec.dense_macs, spec.tolerance, sparsity_of(spec.budget)
                ),
                generator=generator,
                build=lambda architecture: fresh(architecture, self.trainer.seeds["init"]),
                epochs=spec.epochs,
                dense=dense,
                source=spec.source_architecture,
                batches=self.trainer.calibration,
                charge=self.trainer.book_scoring,
                scoring=lambda: self.journal.clock("score"),
                train=self.trainer.train_stage,
                steps_per_epoch=self.trainer.steps_per_epoch,
                sparsify=self.sparsifier.network if self.sparsifier else None,
                recalibrate=self.trainer.recalibrate,
            )
        )
        return found

    def dense_weights(self) -> nn.Module:
        """The dense network this trial starts from; trained again where its weights are gone."""
        key = self.spec.inputs["dense"]
        folder = self.store.dense_folder(key)
        if not folder.weights.exists():
            with folder.lock():
                if not folder.weights.exists():  # the former holder of the lock may have made them
                    self._train_dense(key)
        return load_network(self.workload.architecture, folder.weights.path)

    def _train_dense(self, key: str) -> None:
        """Train the dense network `key` at this trial's expense; its record stays as it was."""
        spec = self.store.trial(key)
        for _ in Trial(spec, self.store, self.device.type, self.offline, self.journal).reports():
            pass
        self.store.trial_folder(key).drop_checkpoints()

    def facts(self, network: CompactModel) -> Report:
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
            "sparsified": self.sparsifier.key if self.sparsifier else None,
            "departures": network.departures,
            "val_acc1_before_training": before,
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            "dtype": precision_name(self.device),
            "threads": torch.get_num_threads(),
            "seeds": self.trainer.seeds,
            "versions": versions(),
            **self.costs(),
        }

    def costs(self) -> Report:
        """What the trial has cost so far."""
        return {
            "started_at": self.journal.started_at,
            "train_macs": self.journal.train_macs(),
            "wall_s": self.journal.wall_s(),
            "peak_memory_bytes": self.memory.bytes(),
        }

    def judge(self, model: nn.Module, network: CompactModel, checkpoint: CheckpointFile) -> Report:
        """Open the test set, once; keep the weights and what they say about every test image."""
        folder = outputs.folder_of(self.spec, self.store)
        test = self.trainer.splits.test()
        last = self.trainer.evaluate(model, network.cost, test, outputs=True)
        assert last.log_probs is not None
        outputs.save(folder.weights, model.state_dict())
        outputs.save(folder.test_outputs, {"log_probs": last.log_probs})
        if network.kept:
            folder.kept.write_json(network.kept)
        at_best = last
        best = checkpoint.best()
        if best is not None and best[0] != self.spec.epochs:
            model.load_state_dict(best[1])
            at_best = self.trainer.evaluate(model, network.cost, test)
        return {
            "test_acc1": last.acc1,
            "test_acc1_best": at_best.acc1,
            "test_outputs": self.store.address(folder.test_outputs),
        }

    def end(self, status: str, **facts: Any) -> Report:
        """The last report."""
        return {**self.costs(), **facts, "status": status}

    def told(self, report: Report) -> Report:
        """Keep a report for the trial's own record, and pass it on."""
        self.assembly.add(report)
        return report
