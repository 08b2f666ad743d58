"""One trial, readable top to bottom: a network is made, trained and judged. Plain Python.

A trial is a generator of reports. Each report is a mapping of fields of `Record`: the first holds
the static facts, then comes one per epoch, and the last one has the status. It runs in a test, a
notebook or an actor alike, and goes on from its own checkpoint when it is run again.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from prunetune.compress.macs import count_macs
from prunetune.compress.method import CompactModel, Context, Hook, Infeasible, Target
from prunetune.compress.rebuild import fresh, rebuild
from prunetune.models.checkpoint import load_state, match_state
from prunetune.records.assembly import Assembly
from prunetune.records.costs import training_macs
from prunetune.records.journal import Journal
from prunetune.records.record import Record, TrialSpec
from prunetune.records.seeds import trial_seeds
from prunetune.records.store import Store, to_json, write_whole
from prunetune.records.versions import versions
from prunetune.registry import load_plugins, methods
from prunetune.spec.recipe import Recipe
from prunetune.spec.space import subtree
from prunetune.train.calibrate import recalibrate
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.device import pick_device, precision_name, prepare
from prunetune.train.evaluate import EVAL_BATCH, Evaluation, evaluate
from prunetune.train.loop import Diverged, train
from prunetune.train.memory import PeakMemory
from prunetune.workload import Workload

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
    if spec.phase == "dense" and (found := shared_dense(spec, store)):
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
        write_whole(trial.folder / "error.txt", traceback.format_exc().encode())
        yield trial.end("failed", error=str(end).partition("\n")[0])


def shared_dense(spec: TrialSpec, store: Store) -> Report | None:
    """What another sweep found out about this dense network: all of its record, nothing spent."""
    folder = store.dense_dir(spec.key)
    if not (folder / "record.json").exists() or not (folder / "weights.safetensors").exists():
        return None
    record = Record.model_validate_json((folder / "record.json").read_bytes())
    free = record.train_macs.model_copy(update={"spent": 0})
    report = record.model_dump(exclude={"sweep", "key", "ended_at"})
    return {**report, "train_macs": free, "wall_s": {"total": 0.0}}


class Trial:
    """The state of one trial while it runs."""

    def __init__(self, spec: TrialSpec, store: Store, device: str, offline: bool) -> None:
        self.spec, self.store = spec, store
        self.folder: Path = store.trial_dir(spec.key)
        self.device = pick_device(device)
        self.workload = Workload.from_json(spec.workload)
        self.splits = self.workload.open(self.device, download=not offline)
        self.seeds = trial_seeds(spec.sweep_seed, spec.seed)
        self.recipe = Recipe.model_validate(subtree(spec.config, "recipe"))
        self.memory = PeakMemory(self.device)
        self.journal = Journal(self.folder, spec.inherited_macs)
        self.assembly = Assembly(spec)
        self.stages = 0

    def reports(self) -> Iterator[Report]:
        """Make the network, train it, judge it."""
        dense = self.spec.phase == "dense"
        with self.journal.clock("compress"):
            network = self.dense_network() if dense else self.compact_network()
        model = prepare(network.model.to(self.device), self.device)
        checkpoint = CheckpointFile(self.folder / "checkpoint.safetensors")
        yield self.told({**self.facts(network), "curve": checkpoint.curve()})
        epochs = self.spec.epochs - network.epochs_used
        for epoch in self.train(model, epochs, network.hooks, checkpoint, "train", network.macs):
            yield self.told({"curve": [epoch], **self.costs()})
        judged = self.judge(model, network, checkpoint) if self.spec.phase in JUDGED else {}
        if epochs == 0:
            after = self.evaluate(model, network.macs, self.splits.val)
            judged |= {"val_acc1": after.acc1, "val_loss": after.loss, "val_acc1_best": after.acc1}
        yield self.told(self.end("completed", **judged))
        if dense:
            record = self.assembly.record()
            write_whole(self.store.dense_dir(self.spec.key) / "record.json", to_json(record))

    def dense_network(self) -> CompactModel:
        """The dense network, as it is before training or as it was loaded."""
        architecture = self.workload.architecture
        model = fresh(architecture, self.seeds["init"])
        if self.workload.weights is not None:
            model.load_state_dict(match_state(model, self.workload.dense_state()))
        return CompactModel(model, architecture, self.spec.dense_macs)

    def compact_network(self) -> CompactModel:
        """What the method makes of the dense network and the budget."""
        spec = self.spec
        entry = methods.get(spec.method or "")
        method = entry.part(entry.params.model_validate(subtree(spec.config, "method")))
        generator = torch.Generator().manual_seed(self.seeds["ties"])
        compact: CompactModel = method.run(
            Context(
                architecture=self.workload.architecture,
                target=Target(spec.target_macs, spec.dense_macs, spec.tolerance),
                generator=generator,
                build=lambda architecture: fresh(architecture, self.seeds["init"]),
                epochs=spec.epochs,
                dense=self.dense_weights() if method.inherits else None,
                source=spec.source_architecture,
                batches=self.calibration,
                train=self.train_stage,
                recalibrate=self.recalibrate,
            )
        )
        return compact

    def dense_weights(self) -> nn.Module:
        """The dense network this trial starts from; trained again where its weights are gone."""
        key = self.spec.inputs["dense"]
        path = self.store.dense_dir(key) / "weights.safetensors"
        if not path.exists():
            dense = self.store.trials()[key]
            for report in Trial(dense, self.store, self.device.type, offline=False).reports():
                again = report.get("train_macs")
            self.journal.spend(again.spent if again else 0)
        model = rebuild(self.workload.architecture)
        model.load_state_dict(match_state(model, load_state(path)))
        return model

    def train(
        self,
        model: nn.Module,
        epochs: int,
        hooks: Sequence[Hook],
        checkpoint: CheckpointFile,
        stage: str,
        macs: int,
    ) -> Iterator[Any]:
        """Train by `epochs`, each booked before it begins; resumes from `checkpoint`."""
        images = len(self.splits.train)
        for _ in checkpoint.curve():
            self.journal.attribute(stage, training_macs(macs, images))
        epoch_macs = training_macs(macs, images) + macs * len(self.splits.val)
        steps = train(
            model,
            self.splits,
            self.recipe,
            epochs,
            seeds=self.seeds,
            device=self.device,
            hooks=hooks,
            checkpoint=checkpoint,
            before_epoch=lambda _: self.journal.spend(epoch_macs),
            deterministic=self.spec.deterministic,
        )
        while True:
            with self.journal.clock(stage):
                epoch = next(steps, None)
            if epoch is None:
                return
            self.journal.attribute(stage, training_macs(macs, images))
            yield epoch

    def train_stage(self, model: nn.Module, epochs: int, hooks: Sequence[Hook]) -> nn.Module:
        """Training inside a method; its own checkpoint makes a repeated call return at once."""
        self.stages += 1
        checkpoint = CheckpointFile(self.folder / f"stage-{self.stages}.safetensors")
        model = prepare(model.to(self.device), self.device)
        macs = count_macs(model, self.workload.info.shape)
        for _ in self.train(model, epochs, hooks, checkpoint, "sparsify", macs):
            pass
        return model

    def calibration(self, images: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """`images` training images without augmentation, the same at every call."""
        generator = torch.Generator().manual_seed(self.seeds["scoring"])
        batches: Iterator[tuple[torch.Tensor, torch.Tensor]] = self.splits.train.sample(
            images, generator
        )
        return batches

    def recalibrate(self, model: nn.Module, images: int) -> None:
        """Measure batch norm statistics anew on training images, and book it as scoring."""
        macs = count_macs(model, self.workload.info.shape) * min(images, len(self.splits.train))
        self.journal.spend(macs)
        self.journal.attribute("score", macs)
        recalibrate(model.to(self.device), (x for x, _ in self.calibration(images)))

    def evaluate(
        self, model: nn.Module, macs: int, split: Any, *, outputs: bool = False
    ) -> Evaluation:
        """Loss and accuracy in fp32, booked."""
        self.journal.spend(macs * len(split))
        with self.journal.clock("evaluate"):
            return evaluate(model, split.batches(EVAL_BATCH), self.device, outputs=outputs)

    def facts(self, network: CompactModel) -> Report:
        """All that is known before training."""
        before = None
        if self.spec.inputs.get("dense"):
            before = self.evaluate(network.model, network.macs, self.splits.val).acc1
        return {
            "macs": network.macs,
            "params": sum(p.numel() for p in network.model.parameters()),
            "architecture": network.architecture,
            "departures": network.departures,
            "val_acc1_before_training": before,
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            "dtype": precision_name(self.device),
            "threads": torch.get_num_threads(),
            "seeds": self.seeds,
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
        dense = self.spec.phase == "dense"
        folder = self.store.dense_dir(self.spec.key) if dense else self.folder
        test = self.splits.test()
        last = self.evaluate(model, network.macs, test, outputs=True)
        assert last.log_probs is not None
        _save(folder / "weights.safetensors", model.state_dict())
        _save(folder / "test_outputs.safetensors", {"log_probs": last.log_probs})
        if network.kept:
            write_whole(folder / "kept.json", to_json(network.kept))
        at_best = last
        best = checkpoint.best()
        if best is not None and best[0] != self.spec.epochs:
            model.load_state_dict(best[1])
            at_best = self.evaluate(model, network.macs, test)
        outputs = (folder / "test_outputs.safetensors").relative_to(self.store.storage)
        return {
            "test_acc1": last.acc1,
            "test_acc1_best": at_best.acc1,
            "test_outputs": str(outputs),
        }

    def end(self, status: str, **facts: Any) -> Report:
        """The last report."""
        return {**self.costs(), **facts, "status": status}

    def told(self, report: Report) -> Report:
        """Keep a report for the trial's own record, and pass it on."""
        self.assembly.add(report)
        return report


def _save(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, safetensors.torch.save(plain))
