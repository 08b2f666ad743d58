"""A small sweep with made-up measurements: its plan, its trials as dealt and their records."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from prunetune.config.parts import Named
from prunetune.config.search import Confirm
from prunetune.config.space.space import Choice, Constant, Dimension, Float, Space
from prunetune.plan import DensePlan, Plan, Study
from prunetune.records.key import trial_key
from prunetune.records.record import Epoch, Phase, Record, Status, TrainMacs, TrialSpec
from prunetune.tracking.layout import StudyResult
from prunetune.tracking.owner import Owner

ARMS = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}
BUDGETS = (0.5, 0.25)
DENSE_MACS, DENSE_PARAMS = 125_747_840, 855_770
OWNER = Owner("resnet56-cifar10", "5" * 32)
LR = "recipe.optimizer.sgd.lr"


def space(method: str) -> Space:
    pruning = method == "channel_pruning"
    return Space(
        dimensions=(
            Dimension(path="method.criterion", domain=Choice(options=("magnitude", "lamp"))),
            Dimension(
                path="method.criterion.magnitude.p",
                domain=Choice(options=(1, 2)),
                when=(("method.criterion", "magnitude"),),
            ),
        )
        * pruning
        + (
            Dimension(path="recipe.optimizer", domain=Constant(value="sgd")),
            Dimension(path=LR, domain=Float(low=0.01, high=0.5, log=True)),
            Dimension(path="recipe.weight_decay", domain=Float(low=1e-5, high=1e-2, log=True)),
        )
    )


def make_plan(
    sweep: str = "resnet56-cifar10",
    arms: dict[str, str] = ARMS,
    budgets: tuple[float, ...] = BUDGETS,
) -> Plan:
    return Plan(
        schema=1,
        sweep=sweep,
        question="At equal MACs, does a pruned ResNet-56 beat a thin one?",
        workload={"model": "resnet56", "dataset": {"cifar10": {"val_fraction": 0.1}}},
        data_key="0123456789abcdef",
        train_size=45_000,
        val_size=5_000,
        test_size=10_000,
        dense=DensePlan(
            source="train",
            epochs=50,
            architecture={"model": "resnet56", "classes": 10, "input_shape": [3, 8, 8]},
            macs=DENSE_MACS,
            params=DENSE_PARAMS,
        ),
        tolerance=0.005,
        studies=tuple(
            Study(
                id=f"{arm}@{budget}",
                arm=arm,
                method=method,
                budget=budget,
                matching=None if arm == "pruned" else "scratch_b",
                target_macs=round(budget * DENSE_MACS),
                epochs=4,
                trials=4,
                space=space(method),
                inherits=arm == "pruned",
            )
            for arm, method in arms.items()
            for budget in budgets
        ),
        family=(),
        confirm=Confirm(seeds=2),
        dense_fresh=True,
        sampler=Named(name="tpe"),
        early_stopping=None,
        replicates=1,
        resources={},
        limits={},
        tracking={},
        seed=0,
    )


def make_spec(plan: Plan, study: Study | None, number: int, phase: Phase = "search") -> TrialSpec:
    lr = 0.01 * (1 + number)
    config = {"recipe.optimizer": "sgd", LR: lr, "recipe.weight_decay": 5e-4 / (1 + number)}
    if study and study.arm == "pruned":
        config |= {"method.criterion": "magnitude", "method.criterion.magnitude.p": 1 + number % 2}
    return TrialSpec(
        key=trial_key(study=study and study.id, number=number, phase=phase),
        sweep=plan.sweep,
        phase=phase,
        study=study and study.id,
        arm=study and study.arm,
        method=study and study.method,
        budget=study and study.budget,
        matching=study and study.matching,
        number=number if study else None,
        seed=number if phase == "search" else 1000 + number,
        config=config,
        workload=plan.workload,
        dense_macs=DENSE_MACS,
        dense_params=DENSE_PARAMS,
        target_macs=study.target_macs if study else DENSE_MACS,
        tolerance=plan.tolerance,
        epochs=4,
    )


def make_epochs(spec: TrialSpec, count: int = 4) -> tuple[Epoch, ...]:
    share = spec.target_macs / spec.dense_macs
    best = 0.93 - 0.04 * (1 - share) ** 3 - 0.002 * (spec.number or 0)
    return tuple(
        Epoch(
            epoch=epoch,
            train_loss=1.5 / epoch,
            val_loss=1.2 / epoch,
            val_acc1=best - 0.1 / epoch,
            lr=0.1,
            seconds=2.5,
        )
        for epoch in range(1, count + 1)
    )


def make_record(spec: TrialSpec, status: Status = "completed", epochs: int = 4) -> Record:
    curve = make_epochs(spec, epochs)
    if status == "diverged":
        curve = (*curve[:-1], replace(curve[-1], train_loss=math.nan))
    shared = {name: getattr(spec, name) for name in Record.model_fields if hasattr(spec, name)}
    shared.pop("schema_")
    done = status == "completed"
    return Record(
        **{name: value for name, value in shared.items() if name != "epochs"},
        status=status,
        error=None if done else "train_loss is not finite",
        epochs=len(curve),
        epochs_planned=spec.epochs,
        curve=curve,
        macs=spec.target_macs - 1000,
        params=spec.dense_params // 2,
        val_acc1=curve[-1].val_acc1 if curve else None,
        val_loss=curve[-1].val_loss if curve else None,
        test_acc1=curve[-1].val_acc1 - 0.005 if done and spec.phase != "search" else None,
        train_macs=TrainMacs(train=10**12, inherited=10**12, total=2 * 10**12, spent=10**12),
        wall_s={"train": 9.0, "total": 10.0},
        started_at="2026-01-02T03:04:05.678+00:00",
        ended_at="2026-01-02T03:04:15.678+00:00",
    )


def make_specs(plan: Plan) -> Iterator[TrialSpec]:
    """The dense trial, then two search trials and a confirm trial of every study."""
    yield make_spec(plan, None, 0, "dense")
    for study in plan.studies:
        yield from (make_spec(plan, study, number) for number in range(2))
        yield make_spec(plan, study, 0, "confirm")


def make_results(plan: Plan) -> dict[str, StudyResult]:
    return {
        study.id: StudyResult(0.9 + i / 1000, 0.89, 0.92, 2, study.target_macs - 1000)
        for i, study in enumerate(plan.studies)
    }
