"""Specs of trials as they are dealt: all facts fixed, the key a hash of what is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from prunetune.config.budget import kind_of_budget
from prunetune.config.space.space import Config
from prunetune.plan import SPARSIFY_BATCH_SIZE, Plan, Study
from prunetune.records.key import KEY_VERSIONS, trial_key
from prunetune.records.record import Phase, Record, TrialSpec, training_macs
from prunetune.records.seeds import STREAM_VERSION, child_seed, search_seed, trial_seeds


@dataclass(frozen=True)
class Ask:
    """A search trial that is due and needs a configuration."""

    study: Study
    number: int
    seed: int
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Keys of the trials that it starts from, by role: `dense`, `architecture`."""


def trains_dense(plan: Plan) -> bool:
    """Whether the sweep trains the dense network itself; else the network is loaded."""
    return plan.dense.source == "train"


def search_dense_seed(plan: Plan, replicate: int) -> int:
    """The seed of the dense network that the searches of a replicate start from; 0 if loaded."""
    return search_seed(replicate, 0) if trains_dense(plan) else 0


def dense_spec(plan: Plan, seed: int, replicate: int, version: int = KEY_VERSIONS[0]) -> TrialSpec:
    """The trial of a dense network, with the same key in every sweep.

    A loaded network is only evaluated. Its training counts as inherited if the sweep file states
    the epochs.
    """
    dense = plan.dense
    common: dict[str, Any] = {
        "version": version,
        "data": plan.data_key_of(replicate),
        "model": dense.architecture,
        "phase": "dense",
    }
    if trains_dense(plan):
        key = trial_key(**common, config=dense.salient, epochs=dense.epochs, seed=seed)
    else:  # loaded weights identify the network; torchvision's weights are identified by name
        name = dense.path if dense.source == "weights" else None
        key = trial_key(**common, checkpoint=dense.sha256 or name)
    return TrialSpec(
        **_common(plan, replicate),
        key=key,
        phase="dense",
        replicate=replicate,
        seed=seed,
        config=dense.config,
        target_macs=dense.macs,
        epochs=(dense.epochs or 0) if trains_dense(plan) else 0,
        inherited_macs=training_macs(dense.macs, plan.loaded_images),
    )


def spec_of_dense(plan: Plan, record: Record) -> TrialSpec:
    """The trial behind the record of a dense network, for a storage that lost all but the record.

    An older version may have made the network, from other streams and under another key.
    """
    spec = dense_spec(plan, record.seed, record.replicate)
    first = trial_seeds(plan.seed, record.seed, "dense", version=1)
    former = {"stream_version": 1, "workload": plan.workload} if record.seeds == first else {}
    return spec.model_copy(update={"key": record.key, **former})


def search_spec(plan: Plan, ask: Ask, config: Config, records: Mapping[str, Record]) -> TrialSpec:
    """The search trial that was asked for, with its configuration.

    `records` are those of its inputs, by key.
    """
    run_on = ask.number in run_on_numbers(plan, ask.study)
    return study_spec(
        plan, ask.study, "search", ask.number, ask.seed, config, ask.inputs, records, run_on=run_on
    )


def study_spec(
    plan: Plan,
    study: Study,
    phase: Phase,
    number: int,
    seed: int,
    config: Config,
    inputs: Mapping[str, str],
    records: Mapping[str, Record],
    *,
    run_on: bool = False,
) -> TrialSpec:
    """A trial of a study; a re-score or confirm trial has the number and config of its finalist.

    `records` are those of its `inputs`, by key.
    """
    dense, source = inputs.get("dense"), inputs.get("architecture")
    sparsify_epochs = study.sparsify_epochs_of(config)
    images = plan.images_per_epoch(config, SPARSIFY_BATCH_SIZE)
    sparsifying = training_macs(plan.dense.macs, images, sparsify_epochs)
    return TrialSpec(
        **_common(plan, study.replicate),
        key=study_key(plan, study, phase, number, seed, config, inputs),
        phase=phase,
        study=study.id,
        arm=study.arm,
        method=study.method,
        budget=study.budget,
        matching=study.matching,
        replicate=study.replicate,
        number=number,
        seed=seed,
        config=config,
        inputs=dict(inputs),
        source_architecture=records[source].architecture if source else None,
        target_macs=study.target_macs,
        epochs=study.epochs_of(config),
        sparsify_epochs=sparsify_epochs,
        run_on=run_on,
        inherited_macs=sparsifying + (records[dense].train_macs.total if dense else 0),
    )


def study_key(
    plan: Plan,
    study: Study,
    phase: Phase,
    number: int,
    seed: int,
    config: Config,
    inputs: Mapping[str, str],
    version: int = KEY_VERSIONS[0],
) -> str:
    """The key of a trial of a study."""
    return trial_key(
        version=version,
        data=plan.data_key_of(study.replicate),
        model=plan.dense.architecture,
        dense=inputs.get("dense"),
        method=study.method,
        config=study.space.salient(config),
        # A sparsity budget does not change the MACs of the shape, so the key names the budget.
        budget=study.budget if kind_of_budget(study.budget) == "sparsity" else None,
        target_macs=study.target_macs,
        tolerance=plan.tolerance,
        epochs=study.epochs_of(config),
        sparsify_epochs=study.sparsify_epochs_of(config) or None,
        source_architecture=inputs.get("architecture"),
        phase=phase,
        arm=study.arm,
        replicate=study.replicate or None,
        matching=study.matching,
        number=number,
        seed=seed,
    )


def run_on_numbers(plan: Plan, study: Study) -> frozenset[int]:
    """Numbers of the search trials that are never stopped, as a check on early stopping."""
    if plan.early_stopping is None:
        return frozenset()
    return _drawn(plan.seed, study.id, study.trials, plan.early_stopping.run_on)


@cache
def _drawn(seed: int, study: str, trials: int, amount: int) -> frozenset[int]:
    lots = {n: child_seed(seed, study, "run_on", n) for n in range(trials)}
    return frozenset(sorted(lots, key=lots.__getitem__)[:amount])


def _left_alone(plan: Plan) -> tuple[dict[str, Any], ...] | None:
    if not plan.prunes_channels:
        return None
    return tuple(entry.model_dump(mode="json") for entry in plan.left_alone)


def _common(plan: Plan, replicate: int) -> dict[str, Any]:
    return {
        "sweep": plan.sweep,
        "workload": plan.workload_of(replicate),
        "plugins": plan.plugins,
        "left_alone": _left_alone(plan),
        "dense_macs": plan.dense.macs,
        "dense_params": plan.dense.params,
        "tolerance": plan.tolerance,
        "sweep_seed": plan.seed,
        "stream_version": STREAM_VERSION,
        "deterministic": bool(plan.resources.get("deterministic", False)),
    }
