"""Made-up sweeps: a plan, and records as if it had run, with accuracies that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from prunetune.bind.family import comparison_family
from prunetune.bind.registering import register
from prunetune.config.budget import RecordedBudget
from prunetune.config.parts import Named
from prunetune.config.search import Confirm
from prunetune.config.space.space import Constant, Dimension, Float, Space
from prunetune.plan import DensePlan, Plan, Study
from prunetune.records.architecture import Architecture
from prunetune.records.key import digest
from prunetune.records.record import Epoch, Record, TrainMacs
from prunetune.records.seeds import confirm_seed, search_seed

DENSE_MACS, DENSE_PARAMS = 125_747_840, 855_770
WIDTHS = (16, *(16,) * 6, *(32,) * 6, *(64,) * 6)
SPACE = Space(
    dimensions=(
        Dimension(path="recipe.optimizer", domain=Constant(value="sgd")),
        Dimension(path="recipe.optimizer.sgd.lr", domain=Float(low=0.01, high=0.5, log=True)),
        Dimension(path="recipe.weight_decay", domain=Float(low=1e-5, high=1e-2, log=True)),
    )
)
Accuracy = Callable[[Study, int], float]
"""Test accuracy of a study's confirm seed number j."""


def architecture(share: float = 1.0, wobble: int = 0) -> Architecture:
    """A plain chain of convolutions, `share` of the dense widths."""
    rng = np.random.default_rng(wobble)
    kept = [max(1, round(w * share * (rng.uniform(0.6, 1.4) if wobble else 1))) for w in WIDTHS]
    kept = [min(k, w) for k, w in zip(kept, WIDTHS, strict=True)]
    pairs = zip([3, *kept[:-1]], kept, strict=True)
    layers: dict[str, tuple[int, ...]] = {f"conv{i}": (a, b, 1) for i, (a, b) in enumerate(pairs)}
    return Architecture(
        model="resnet20", classes=10, input_shape=(3, 32, 32),
        layers={**layers, "fc": (kept[-1], 10)},
    )  # fmt: skip


def make_plan(
    arms: Mapping[str, str] | None = None,
    budgets: Iterable[RecordedBudget] = (0.5, 0.25),
    *,
    matchings: tuple[str, ...] = ("scratch_b",),
    seeds: int = 5,
    trials: int = 4,
    replicates: int = 1,
    fresh: bool = True,
    **other: Any,
) -> Plan:
    """A plan of arms given as {name: method}; reinit arms train the networks of `pruned`."""
    arms = {"thin": "width_scaling", "pruned": "channel_pruning"} if arms is None else arms
    studies: list[Study] = []
    for budget in budgets:
        for replicate in range(replicates):
            for arm, method in arms.items():
                inherits = method == "channel_pruning"
                for matching in (None,) if inherits else matchings:
                    studies.append(
                        _study(arm, method, budget, matching, replicate, trials, inherits)
                    )
    family = tuple(comparison_family(tuple(studies)))
    confirm = Confirm.model_validate(other.pop("confirm", {"seeds": seeds}))
    dense = DensePlan(
        source="train", epochs=50, config={"recipe.optimizer": "sgd"},
        architecture=architecture().model_dump(mode="json"), macs=DENSE_MACS, params=DENSE_PARAMS,
    )  # fmt: skip
    fields: dict[str, Any] = {
        "sweep": "made-up", "question": "Is it better to prune?", "workload": {}, "data_key": "d",
        "train_size": 45_000, "val_size": 5_000, "test_size": 10_000, "dense": dense,
        "registration": register(
            tuple(studies), family, confirm, replicates, one_dense_each=not fresh
        ),
        "tolerance": 0.005, "studies": tuple(studies), "family": family, "confirm": confirm,
        "dense_fresh": fresh, "sampler": Named(name="tpe"),
        "early_stopping": None, "replicates": replicates, "resources": {}, "limits": {},
        "tracking": {}, "seed": 0,
    }  # fmt: skip
    return Plan.model_validate(fields | other)


def _study(
    arm: str,
    method: str,
    budget: RecordedBudget,
    matching: str | None,
    rep: int,
    trials: int,
    inherits: bool,
) -> Study:
    def name(arm: str, matching: str | None) -> str:
        return f"{arm}@{budget}{f' {matching}' if matching else ''}{f' r{rep}' if rep else ''}"

    return Study(
        id=name(arm, matching), arm=arm, method=method, budget=budget, matching=matching,
        replicate=rep, target_macs=int(DENSE_MACS * float(budget or 1)), epochs=20, trials=trials,
        space=SPACE, inherits=inherits, source=name("pruned", None) if method == "reinit" else None,
    )  # fmt: skip


def record(plan: Plan, phase: str, study: Study | None, seed: int, **fields: Any) -> Record:
    """A completed record of a study; of a dense network where `study` is None."""
    about: dict[str, Any] = {
        "study": None,
        "arm": None,
        "method": None,
        "budget": None,
        "matching": None,
    }
    if study is not None:
        about = {name: getattr(study, name) for name in about if name != "study"}
        about |= {"study": study.id, "replicate": study.replicate}
    share = float(study.budget) if study and isinstance(study.budget, float) else 1.0
    pruned = bool(study and study.method != "width_scaling")
    target = study.target_macs if study else DENSE_MACS
    macs = int(target * 0.998) if study else target
    train = 3 * macs * plan.train_size * 20
    inherited = 3 * DENSE_MACS * plan.train_size * 50 if study and study.inherits else 0
    known: dict[str, Any] = {
        "sweep": plan.sweep, "phase": phase, "seed": seed, "status": "completed", **about,
        "dense_macs": DENSE_MACS, "target_macs": target, "macs": macs,
        "dense_params": DENSE_PARAMS, "params": int(DENSE_PARAMS * share),
        "epochs": 20, "epochs_planned": 20, "val_acc1": 0.9, "val_loss": 0.3,
        "architecture": architecture(share**0.5, seed + 1 if pruned else 0),
        "curve": (Epoch(epoch=1, train_loss=1.0, val_loss=0.3, val_acc1=0.9, lr=0.1, seconds=1.0),),
        "train_macs": TrainMacs(train=train, inherited=inherited, total=train + inherited,
                                spent=train + macs * plan.val_size * 20),
        "wall_s": {"train": 60.0, "total": 61.5}, "started_at": f"2026-01-01T00:00:{seed % 60:02}Z",
    }  # fmt: skip
    known |= fields
    identity = {k: known.get(k) for k in ("phase", "study", "seed", "number", "inputs")}
    known.setdefault("key", digest(identity))
    return Record.model_validate(known)


def noisy(means: Mapping[str, float], spread: float = 0.002, seed: int = 0) -> Accuracy:
    """Accuracies around each arm's mean, lower at smaller budgets, independent over seeds."""

    def accuracy(study: Study, j: int) -> float:
        noise = np.random.default_rng([seed, j, *study.id.encode()]).normal(0, spread)
        share = study.budget if isinstance(study.budget, float) else 1.0
        return round(means[study.arm] - 0.04 * (1 - share) ** 3 + float(noise), 4)

    return accuracy


def run(plan: Plan, accuracy: Accuracy, *, dense: float = 0.935) -> dict[str, Record]:
    """All records of a sweep in which nothing failed."""
    records: list[Record] = []
    for rep in range(plan.replicates):
        starts = [search_seed(rep, 0)]
        starts += (
            [confirm_seed(rep, j) for j in range(plan.confirm.seeds)] if plan.dense_fresh else []
        )
        for i, seed in enumerate(starts):
            value = round(dense + 0.001 * (i % 3 - 1), 4)
            records.append(record(plan, "dense", None, seed, test_acc1=value, replicate=rep))
    sources: dict[tuple[str, int | None], str] = {}
    for study in plan.studies:
        if study.infeasible is None:
            records += run_study(plan, study, accuracy, sources)
    return {r.key: r for r in records}


def run_study(
    plan: Plan, study: Study, accuracy: Accuracy, sources: dict[tuple[str, int | None], str]
) -> list[Record]:
    """The records of one study; `sources` maps (study, confirm seed or None) to keys."""
    records = []

    def inputs(seed: int | None) -> dict[str, str]:
        return {"architecture": sources[(study.source, seed)]} if study.source else {}

    best = plan.study(study.id).trials - 1
    for i in range(study.trials):
        records.append(
            record(
                plan, "search", study, search_seed(study.replicate, i), number=i,
                config=config(i), inputs=inputs(None), val_acc1=0.85 + 0.01 * i,
            )
        )  # fmt: skip
    sources[(study.id, None)] = records[-1].key
    for j in range(plan.confirm.seeds):
        seed = confirm_seed(study.replicate, j)
        value = accuracy(study, j)
        records.append(
            record(
                plan, "confirm", study, seed, number=best, config=config(best),
                inputs=inputs(seed), test_acc1=value, test_acc1_best=value,
            )
        )  # fmt: skip
        sources[(study.id, seed)] = records[-1].key
    return records


def config(number: int) -> dict[str, Any]:
    """A configuration within SPACE."""
    return {
        "recipe.optimizer": "sgd",
        "recipe.optimizer.sgd.lr": 0.01 * (number + 1),
        "recipe.weight_decay": 1e-4 * (number + 1),
        "recipe.label_smoothing": 0.1,
    }
