"""Plans of any shape, and sweeps that run them without training: a test decides how trials end."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from prunetune.agenda import Agenda, Ask, Deal, Finished, Trials, Wait, due, search_spec
from prunetune.agenda.trials import NO_TRIALS
from prunetune.config.parts import Named
from prunetune.config.search import Asha, Confirm
from prunetune.config.space.space import Constant, Dimension, Float, Space
from prunetune.plan import DensePlan, Plan, Study
from prunetune.records.architecture import Architecture
from prunetune.records.record import Epoch, Record, Status, TrainMacs, TrialSpec, training_macs
from prunetune.records.trial_outcome import TrialOutcome

DENSE_MACS = 1000
SPACE = Space(dimensions=(Dimension(path="recipe.lr", domain=Float(low=0.01, high=1.0, log=True)),))
ONE_POINT = Space(dimensions=(Dimension(path="recipe.lr", domain=Constant(value=0.1)),))
METHODS = {
    "thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit", "control": "dense",
    "copycat": "copycat", "crossed": "channel_pruning",
}  # fmt: skip
SOURCES = {"reinit": None, "copycat": 0.5}
"""Arms that train the architecture of `pruned` -> the budget it is from; None: the same budget."""


def study(
    arm: str,
    budget: float | None,
    *,
    matching: str | None = "scratch_b",
    replicate: int = 0,
    trials: int = 4,
    epochs: int = 6,
    **other: Any,
) -> Study:
    inherits = arm in ("pruned", "control", "crossed")
    crossed = arm == "crossed"
    tail = f" {matching}" * (matching is not None and not inherits) + f" r{replicate + 1}" * bool(
        replicate
    )
    below = f" r{replicate + 1}" * bool(replicate)
    facts: dict[str, Any] = {
        "id": f"{arm}@{budget or 'dense'}{tail}",
        "arm": arm,
        "method": METHODS[arm],
        "budget": budget,
        "matching": None if inherits else matching,
        "replicate": replicate,
        "target_macs": round(DENSE_MACS * (budget or 1)),
        "epochs": epochs,
        "trials": 0 if crossed else trials,
        "space": SPACE if trials else ONE_POINT,
        "recipe_source": f"thin@{budget} {matching}{below}" if crossed else None,
        "inherits": inherits,
        "source": f"pruned@{SOURCES[arm] or budget}{below}" if arm in SOURCES else None,
    }
    return Study(**{**facts, **other})


def plan(
    *,
    arms: tuple[str, ...] = ("thin", "pruned", "reinit"),
    budgets: tuple[float, ...] = (0.5, 0.25),
    matchings: tuple[str, ...] = ("scratch_b",),
    replicates: int = 1,
    trials: int = 4,
    seeds: int = 3,
    top: int = 1,
    source: str = "train",
    fresh: bool = True,
    studies: tuple[Study, ...] | None = None,
    **other: Any,
) -> Plan:
    if studies is None:
        studies = tuple(
            study(arm, budget, matching=matching, replicate=replicate, trials=trials)
            for replicate in range(replicates)
            for budget in budgets
            for arm in arms
            for matching in (matchings[:1] if arm in ("pruned", "crossed") else matchings)
            if arm != "control"
        )
        if "control" in arms:
            studies += tuple(study("control", None, replicate=r) for r in range(replicates))
    loaded = source != "train"
    facts: dict[str, Any] = {
        "sweep": "s",
        "question": "q?",
        "workload": {},
        "data_key": "data",
        "train_size": 100,
        "val_size": 10,
        "test_size": 10,
        "dense": DensePlan(
            source=source,  # type: ignore[arg-type]
            epochs=7,
            path="a/b.th" if loaded else None,
            sha256="5ha" if loaded else None,
            architecture={"model": "net", "layers": {"conv": [3, 16, 1]}},
            macs=DENSE_MACS,
            params=10,
        ),
        "tolerance": 0.005,
        "studies": studies,
        "family": (),
        "confirm": Confirm(seeds=seeds, top=top),
        "dense_fresh": fresh and not loaded,
        "sampler": Named(name="tpe"),
        "early_stopping": Asha(),
        "replicates": replicates,
        "resources": {},
        "limits": {},
        "tracking": {},
        "seed": 0,
    }
    return Plan(**{**facts, **other})


def ended(spec: TrialSpec, status: Status = "completed", **other: Any) -> Record:
    """The record of a trial that trained all its epochs; its accuracy follows from its key."""
    accuracy = int(spec.key, 16) % 10_007 / 10_007
    curve = tuple(
        Epoch(epoch=e + 1, train_loss=1.0, val_loss=1.0, val_acc1=accuracy, lr=0.1, seconds=1.0)
        for e in range(spec.epochs)
    )
    macs = training_macs(spec.target_macs, 100, spec.epochs)
    shared = TrialSpec.model_fields.keys() & Record.model_fields.keys()
    facts = {name: getattr(spec, name) for name in shared}
    facts |= {
        "status": status,
        "epochs_planned": spec.epochs,
        "epochs": spec.epochs,
        "curve": curve,
        "val_acc1": accuracy if status == "completed" else None,
        "val_loss": 1 - accuracy,
        "test_acc1": accuracy if spec.phase in ("dense", "confirm") else None,
        "architecture": Architecture(
            model="net", classes=10, input_shape=(3, 8, 8), layers={spec.key: (3, 16, 1)}
        ),
        "train_macs": TrainMacs(
            train=macs, inherited=spec.inherited_macs, total=macs + spec.inherited_macs, spent=macs
        ),
    }
    return Record(**{**facts, **other})


class Sweep:
    """A sweep on a few slots, its trials ending in random order."""

    def __init__(
        self,
        plan: Plan,
        *,
        seed: int = 0,
        slots: int = 3,
        end: Callable[[TrialSpec], Record] = ended,
        crash: float = 0.0,
        records: Mapping[str, Record] = NO_TRIALS,
        dealt: Mapping[str, TrialSpec] = NO_TRIALS,
        checked: bool = True,
    ) -> None:
        """`checked`: compare every call of `due` with that of a fresh agenda."""
        self.plan, self.slots, self.end, self.crash, self.checked = plan, slots, end, crash, checked
        self.rng = random.Random(seed)
        self.dealt = dict(dealt)
        """Every trial that was ever dealt."""
        self.trials = Trials(records, dealt)
        self.agenda = Agenda(plan, self.trials)
        self.running: dict[str, TrialSpec] = {}
        self.order: list[TrialSpec] = []
        """Every deal, repeated ones after a crash included."""
        self.idle: list[int] = []
        """How many trials ran each time that `due` said to wait."""

    @property
    def records(self) -> Mapping[str, Record]:
        return self.trials.records

    def run(self) -> Sweep:
        while self.step():
            pass
        return self

    def step(self) -> bool:
        """Fill the slots, then let one trial end (or the driver crash); False when finished."""
        while len(self.running) < self.slots:
            match self.due():
                case Deal(spec):
                    self.deal(spec)
                case Ask() as ask:
                    config = {"recipe.lr": self.rng.uniform(0.02, 0.9)}
                    self.deal(search_spec(self.plan, ask, config, self.records))
                case Wait():
                    assert self.running, "waits for nothing"
                    self.idle.append(len(self.running))
                    break
                case Finished():
                    assert not self.running
                    return False
        if self.rng.random() < self.crash:
            self.lose(*self.running)
        else:
            self.finish(self.rng.choice(sorted(self.running)))
        return True

    def due(self) -> Deal | Ask | Wait | Finished:
        action = due(self.agenda)
        if self.checked:
            assert action == due(self.afresh()), "a cache is old, or an outcome lacks a fact"
        return action

    def afresh(self) -> Agenda[TrialOutcome]:
        """An agenda of the same state with an empty cache, which knows outcomes alone."""
        outcomes = {key: TrialOutcome.of(record) for key, record in self.records.items()}
        trials = Trials(outcomes, self.dealt, self.running, read=self.records.__getitem__)
        return Agenda(self.plan, trials)

    def finish(self, key: str) -> None:
        self.trials.end(self.end(self.running.pop(key)))

    def lose(self, *keys: str) -> None:
        for key in keys:
            del self.running[key]
            self.trials.release(key)

    def deal(self, spec: TrialSpec) -> None:
        assert spec.key not in self.records, "a finished trial is dealt again"
        assert spec.key not in self.running, "a running trial is dealt again"
        assert self.dealt.get(spec.key, spec) == spec, "a dealt trial was changed"
        for key in spec.inputs.values():
            assert self.records[key].status == "completed", "dealt before its inputs exist"
        self.dealt[spec.key] = spec
        self.trials.deal(spec)
        self.trials.begin(spec.key)
        self.running[spec.key] = spec
        self.order.append(spec)

    def keys(self, study_id: str | None, phase: str) -> list[str]:
        return [k for k, r in self.records.items() if (r.study, r.phase) == (study_id, phase)]
