"""Sweeps that were never run: plans and records of arms whose true accuracies are known.

A sweep is simulated down to its records, and everything after them is the product's own code: the
choice of the winner, the confirmed studies, the contests, the tests and their corrections.

The model, in points: recipes differ in quality (spread 0.2), and a search picks the best of its
trials by a validation accuracy with noise (0.35) and the luck of a seed (0.2). Confirm seeds add
their own luck to the quality of that recipe. Networks that inherit weights share the luck of their
dense network (0.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.evidence.confirmed import confirmed_studies
from prunetune.analysis.evidence.samples import contests
from prunetune.analysis.verdicts.comparisons import Judgements, compare
from prunetune.analysis.verdicts.verdict import Verdict, verdicts
from prunetune.bind.registering import register
from prunetune.config.space.space import Constant, Dimension, Space
from prunetune.plan import Plan, Study
from prunetune.records.record import Record
from tests.analysis.sweeps import make_plan, run

METHODS = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}
BUDGETS = {
    1: (0.25,),
    3: (0.5, 0.25, 0.125),
    4: (0.5, 0.25, 0.125, 0.06),
    5: (0.5, 0.39, 0.25, 0.125, 0.06),
    8: (0.7, 0.5, 0.35, 0.25, 0.175, 0.125, 0.09, 0.06),
}
POINT = 0.01
ACCURACY = 0.93
_FIXED = Space(dimensions=(Dimension(path="recipe.optimizer", domain=Constant(value="sgd")),))


@dataclass(frozen=True)
class World:
    """Spreads and true differences, in points."""

    quality: float = 0.2
    """Of the recipes that are searched."""
    validation: float = 0.35
    seed: float = 0.2
    dense: float = 0.1
    ahead: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Arm -> how far it is ahead at each budget; an arm that is not named is level."""
    growth: float = 1.0
    """The seeds' spread at the smallest budget over that at the largest."""


@dataclass(frozen=True)
class Design:
    """A sweep as its file would describe it."""

    arms: int = 3
    budgets: int = 5
    replicates: int = 1
    seeds: int = 5
    searched: bool = True
    fresh: bool = True
    trials: int = 16
    looks: tuple[int, ...] = ()
    """Numbers of seeds at which open pairs are judged; the last one is `seeds`."""
    frontiers: bool = True
    """Whether frontiers are compared where budgets are enough; else single budgets at once."""

    def plan(self) -> Plan:
        """The plan, with the tests that binding would register."""
        arms = dict(list(METHODS.items())[: self.arms])
        confirm: dict[str, Any] = {"seeds": self.seeds}
        if self.looks:
            confirm |= {"looks": list(self.looks)}
        elif not self.frontiers:
            confirm |= {"contrasts": []}
        plan = make_plan(
            arms, BUDGETS[self.budgets], replicates=self.replicates, confirm=confirm,
            trials=self.trials if self.searched else 1, fresh=self.fresh,
        )  # fmt: skip
        if self.searched:
            return plan
        studies = tuple(s.model_copy(update={"space": _FIXED}) for s in plan.studies)
        rule = register(studies, plan.family, plan.confirm, plan.replicates)
        return plan.model_copy(update={"studies": studies, "registration": rule})


@dataclass(frozen=True)
class Judged:
    """What the product says of one sweep."""

    judgements: Judgements
    verdicts: tuple[Verdict, ...]

    @property
    def pair_wins(self) -> bool:
        """Whether one arm is said to beat another at some budget."""
        return any(pair.winner for pair in self.judgements.pairs.values())

    @property
    def winner_named(self) -> bool:
        """Whether some budget has a winner over all other arms."""
        return any(verdict.winner for verdict in self.verdicts)

    @property
    def area_wins(self) -> bool:
        """Whether one arm is said to beat another over all budgets."""
        return any(frontier.winner for frontier in self.judgements.frontiers)

    @property
    def tilts(self) -> bool:
        """Whether the difference of two arms is said to turn with the budget."""
        return any(f.tilt and f.tilt.significant for f in self.judgements.frontiers)

    @property
    def of_arms(self) -> bool:
        """Whether any of these is worded as a result about arms rather than recipes."""
        said = [*self.judgements.pairs.values(), *self.judgements.frontiers]
        wins = any(x.winner and x.subject == "arms" for x in said)
        turns = (f for f in self.judgements.frontiers if f.tilt and f.tilt.significant)
        return wins or any(f.subject == "arms" for f in turns)

    @property
    def anything(self) -> bool:
        """Whether any arm wins anywhere, or any difference turns."""
        return self.pair_wins or self.area_wins or self.tilts


class Simulator:
    """Draws sweeps of one design in one world."""

    def __init__(self, design: Design, world: World, seed: int) -> None:
        self.design, self.world = design, world
        self.plan = design.plan()
        self.draw = np.random.default_rng(seed)
        self._templates = run(self.plan, lambda study, j: 0.5)

    def sweep(self) -> dict[str, Record]:
        """The records of one sweep; the winner of each search is its last trial."""
        changes: dict[str, dict[str, Any]] = {}
        luck = self._luck()
        for study in self.plan.studies:
            search, confirms = self._keys[study.id]
            quality, validation = self._search(study, len(search))
            at_search, at_confirm = luck[study.replicate]
            shared = float(study.inherits)
            base = ACCURACY + POINT * self._ahead(study)
            for key, value in zip(search, validation, strict=True):
                accuracy = base + POINT * (value + shared * at_search)
                changes[key] = {"val_acc1": _bounded(accuracy)}
            noise = self.draw.normal(0, self._spread(study), len(confirms))
            for j, key in enumerate(confirms):
                points = quality + noise[j] + shared * at_confirm[j]
                accuracy = _bounded(round(base + POINT * points, 4))
                changes[key] = {"test_acc1": accuracy, "test_acc1_best": accuracy}
        return {
            key: record.model_copy(update=changes[key]) if key in changes else record
            for key, record in self._templates.items()
        }

    def judged(self) -> Judged:
        """A sweep, judged by the product."""
        return judge(self.plan, self.sweep())

    @cached_property
    def _keys(self) -> dict[str | None, tuple[list[str], list[str]]]:
        """Study -> the keys of its search trials by number, of its confirm trials by seed."""
        keys: dict[str | None, tuple[list[str], list[str]]] = {}
        for study in self.plan.studies:
            own = [r for r in self._templates.values() if r.study == study.id]
            search = sorted((r for r in own if r.phase == "search"), key=lambda r: r.number or 0)
            confirms = sorted((r for r in own if r.phase == "confirm"), key=lambda r: r.seed)
            keys[study.id] = [r.key for r in search], [r.key for r in confirms]
        return keys

    def _search(self, study: Study, trials: int) -> tuple[float, list[float]]:
        """The quality of the recipe that wins, and the validation results, the best one last."""
        if not self.design.searched:
            return 0.0, [0.0] * trials
        quality = self.draw.normal(0, self.world.quality, trials)
        noise = np.hypot(self.world.seed, self.world.validation)
        validation = quality + self.draw.normal(0, noise, trials)
        order = np.argsort(validation)
        return float(quality[order[-1]]), validation[order].tolist()

    def _luck(self) -> list[tuple[float, list[float]]]:
        """For each replicate the luck of its search's dense network and of each confirm seed's."""
        luck = []
        for _ in range(self.plan.replicates):
            own = float(self.draw.normal(0, self.world.dense))
            fresh = self.draw.normal(0, self.world.dense, self.design.seeds).tolist()
            luck.append((own, fresh if self.design.fresh else [own] * self.design.seeds))
        return luck

    def _ahead(self, study: Study) -> float:
        ahead = self.world.ahead.get(study.arm)
        return 0.0 if ahead is None else ahead[BUDGETS[self.design.budgets].index(study.budget)]

    def _spread(self, study: Study) -> float:
        budgets = BUDGETS[self.design.budgets]
        at = budgets.index(study.budget) / max(1, len(budgets) - 1)
        return float(self.world.seed * self.world.growth**at)


def judge(plan: Plan, records: Mapping[str, Record]) -> Judged:
    """The verdicts of a sweep by the product's own steps."""
    confirmed = confirmed_studies(Agenda(plan, Trials(records)))
    compared = tuple(contests(plan, confirmed))
    judgements = compare(plan, compared)
    return Judged(judgements, verdicts(plan, compared, judgements.pairs))


def _bounded(accuracy: float) -> float:
    return min(1.0, max(0.0, accuracy))
