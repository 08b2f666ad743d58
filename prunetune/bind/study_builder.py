"""The studies of a sweep: arm x budget x matching x replicate, with epochs, sources and reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from prunetune.bind.lookup import Parts
from prunetune.bind.spaces import Cell
from prunetune.bind.sparsify import regularizers_of, sparsifying
from prunetune.bind.variants import variants
from prunetune.compress.method import Target, masks, reach
from prunetune.config.budget import place_of, read_budget, sparsity_of
from prunetune.config.file.model import SweepSpec
from prunetune.config.matching import mac_ratio, pruned_epochs, scratch_epochs
from prunetune.config.problems.errors import YamlPath
from prunetune.config.samplers import PLACE, unsearchable
from prunetune.config.space.space import Config, Space, subtree
from prunetune.plan import Comparison, Reach, RecordedBudget, Study
from prunetune.records.key import canonical
from prunetune.workload import Workload

Goals = tuple[tuple[RecordedBudget, int], ...]
"""(budget, target MACs)"""


def study_id(arm: str, budget: RecordedBudget, matching: str | None, replicate: int) -> str:
    """`arm@budget[ matching][ r2]`; replicates are counted from 1 where people read them.

    An arm without budgets has one study, `arm@dense`.
    """
    at = "dense" if budget is None else budget
    name = f"{arm}@{at}" + (f" {matching}" if matching else "")
    return f"{name} r{replicate + 1}" if replicate else name


def family(studies: tuple[Study, ...], control: str | None = None) -> Iterator[Comparison]:
    """All comparisons that the sweep will make: at each budget and matching, every pair of arms.

    With a `control` every pair that it is in: fewer comparisons, which detect smaller differences.
    An arm that inherits weights has no matching and takes part in the verdict of each. One without
    budgets is compared with none.
    """
    for budget in dict.fromkeys(s.budget for s in studies if s.budget is not None):
        here = [s for s in studies if s.budget == budget and s.replicate == 0]
        for matching in tuple(dict.fromkeys(s.matching for s in here if s.matching)) or (None,):
            arms = dict.fromkeys(s.arm for s in here if s.matching in (matching, None))
            for a, b in combinations(arms, 2):
                if control in (None, a, b):
                    yield Comparison(budget=budget, matching=matching, a=a, b=b)


class StudyBuilder:
    """Makes the studies of one sweep."""

    def __init__(
        self,
        spec: SweepSpec,
        parts: Parts,
        workload: Workload,
        cells: Mapping[Cell, tuple[int, Space, tuple[Config, ...]]],
    ) -> None:
        self.spec, self.parts, self.workload, self.cells = spec, parts, workload, cells
        self._memo: dict[tuple[str, str, Goals], tuple[Reach, ...]] = {}
        self._first: dict[Cell, Study] = {}
        """Without matching and replicate."""

    def reached(self) -> None:
        """Make them as far as their budgets; one that no arm can reach is a problem."""
        self._first = {cell: self._study(*cell) for cell in self.cells}
        self._unreachable()

    def bound(self) -> tuple[Study, ...]:
        """All studies, once they are `reached`; a sampler that cannot search one is a problem."""
        self._sampler()
        return tuple(
            self._numbered(self._first[cell], matching, replicate)
            for replicate in range(self.spec.search.replicates)
            for cell in self.cells
            for matching in self._matchings(cell[0])
        )

    def _study(self, arm: str, budget: RecordedBudget) -> Study:
        target, space, first = self.cells[arm, budget]
        method = self.parts.method(arm)
        assert method is not None
        source = self.spec.arms[arm].method.params["from"] if method.takes_architecture else None
        lender = source if source and not hasattr(method, "reach") else arm
        reached = self._reach(lender, budget)
        within = any(r.within for r in reached)
        return Study(
            id=study_id(arm, budget, None, 0),
            arm=arm,
            method=self.spec.arms[arm].method.name,
            budget=budget,
            matching=None,
            target_macs=target,
            epochs=0,
            trials=self.spec.search.trials,
            space=space,
            first=first,
            inherits=method.inherits,
            source=source,
            masked=masks(method),
            infeasible=None if within else reached[0].reason,
            reach=reached,
        )

    def _numbered(self, study: Study, matching: Any, replicate: int) -> Study:
        """The study under a matching, in a replicate."""
        training = self.spec.training
        source = study.source
        if source is not None:
            own = matching if matching in self._matchings(source) else None
            source = study_id(source, self._source_budget(study), own, replicate)
        return study.model_copy(
            update={
                "id": study_id(study.arm, study.budget, matching, replicate),
                "matching": matching,
                "replicate": replicate,
                "source": source,
                "epochs": self._epochs(study, matching),
                "sparsifying": sparsifying(
                    study.space, training.sparsify_epochs, training.finetune_epochs
                ),
            }
        )

    def _source_budget(self, study: Study) -> RecordedBudget:
        """The budget at which the architecture is found that a study trains."""
        at = self.spec.arms[study.arm].method.params.get("at")
        return study.budget if at is None else read_budget(at).recorded(self.workload.macs)

    def _matchings(self, arm: str) -> tuple[Any, ...]:
        method = self.parts.method(arm)
        return (None,) if method is None or method.inherits else self.spec.training.match

    def _epochs(self, study: Study, matching: Any) -> int:
        training = self.spec.training
        if study.budget is None:
            return training.finetune_epochs
        ratio = mac_ratio(self.workload.macs, study.target_macs)
        finetune, sparsify = training.finetune_epochs, training.sparsify_epochs
        if matching is None:
            always = all(regularizers_of(study.space))
            return pruned_epochs(ratio, finetune=finetune, sparsify=sparsify, sparsifies=always)
        dense = self.spec.workload.dense.epochs
        return scratch_epochs(matching, ratio, dense=dense, finetune=finetune, sparsify=sparsify)

    def _unreachable(self) -> None:
        for budget in dict.fromkeys(budget for _, budget in self._first if budget is not None):
            here = [s for s in self._first.values() if s.budget == budget]
            if all(s.infeasible for s in here):
                why, allowed = here[0].infeasible, None
                if not isinstance(budget, str):
                    why, allowed = self._nearest(here)
                place = place_of(budget, self.spec.budgets, self.workload.macs)
                self.parts.problems.add(
                    ("budgets", place),
                    f"no arm can meet this budget: {why}",
                    value=self.spec.budgets[place],
                    allowed=allowed,
                )

    def _nearest(self, studies: Sequence[Study]) -> tuple[str, str]:
        """Why none of them reaches its MACs, and what could be reached."""
        found = [reach for study in studies for reach in study.reach]
        smallest, target = min(r.smallest_macs for r in found), studies[0].target_macs
        if smallest > target:
            share = f"{smallest / self.workload.macs:.4f} of the dense ones, or more"
            return f"the smallest network has {smallest:,} MACs", share
        near = min((r.nearest_macs for r in found), key=lambda macs: abs(target - macs))
        gap, other = (target - near) / target, "another budget"
        allowed = f"a tolerance of {gap:.2g} or more, or {other}" if gap > 0 else other
        within = f"within {self.spec.tolerance:g} below {target:,}"
        return f"the nearest network has {near:,} MACs, not {within}", allowed

    def _sampler(self) -> None:
        """What a sampler cannot search is told once, with the studies concerned."""
        sampler = self.spec.search.sampler
        why: dict[str, list[str]] = {}
        for study in self._first.values():
            if problem := unsearchable(sampler, study.space, study.trials, len(study.first)):
                why.setdefault(problem, []).append(study.id)
        for problem, where in why.items():
            message = f"cannot search {', '.join(where)}: {problem}"
            self.parts.problems.add(PLACE, message, value=sampler.name)

    def _reach(self, arm: str, budget: RecordedBudget) -> tuple[Reach, ...]:
        """One answer per scope that the arm may draw; the best over criteria and floors."""
        _, space, _ = self.cells[arm, budget]
        name = self.spec.arms[arm].method.name
        goals = tuple((b, target) for (a, b), (target, _, _) in self.cells.items() if a == arm)
        at = [b for b, _ in goals].index(budget)
        best: dict[str, Reach] = {}
        for config in variants(space):
            scope = str(config.get("method.scope", name))
            if config.get("method.by", "width") != "width":
                scope = f"by {config['method.by']}"
            found = self._reached(arm, config, goals)[at]
            one = found.model_copy(update={"scope": scope})
            if scope not in best or one.within > best[scope].within:
                best[scope] = one
        return tuple(best.values())

    def _reached(self, arm: str, config: Config, goals: Goals) -> tuple[Reach, ...]:
        """`reach` of one choice of parameters for all budgets of the arm, asked for once."""
        name = self.spec.arms[arm].method.name
        memo = (name, canonical(subtree(config, "method")), goals)
        if memo not in self._memo:
            dense, tolerance = self.workload.macs, self.spec.tolerance
            targets = [Target(goal, dense, tolerance, sparsity_of(b)) for b, goal in goals]
            model = self.parts.lookup("methods", name)
            try:
                params = model.model_validate(subtree(config, "method"))
                found = reach(name, params, self.workload.architecture, targets) or ()
            except ValueError as error:  # it does not apply to this network at all
                path: YamlPath = ("arms", arm, "method", name)
                self.parts.problems.add(path, str(error))
                found = tuple(Reach(smallest_macs=0, nearest_macs=0, within=False) for _ in goals)
            self._memo[memo] = found
        return self._memo[memo]
