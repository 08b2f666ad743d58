"""Makes the studies of a sweep: cells x matchings x replicates, with epochs, sources and reach."""

from __future__ import annotations

from collections.abc import Sequence

from prunetune.bind.cells import Cell
from prunetune.bind.lookup import BoundArm, Parts
from prunetune.bind.reach import ReachFinder
from prunetune.bind.recipe_sources import recipe_matching
from prunetune.bind.sparsify import regularizers_of, sparsifying
from prunetune.compress.method import masks
from prunetune.config.budget import RecordedBudget, index_of_budget, kind_of_budget, read_budget
from prunetune.config.file.model import SweepSpec
from prunetune.config.matching import Matching, mac_ratio, pruned_epochs, scratch_epochs
from prunetune.config.samplers import SAMPLER_PATH, unsearchable
from prunetune.plan import Study
from prunetune.workload import Workload

MOST_STUDIES = 500
"""A bound on arms x budgets x matchings x replicates: real sweeps have tens of studies."""


def study_id(arm: str, budget: RecordedBudget, matching: str | None, replicate: int) -> str:
    """`arm@budget[ matching][ r2]`; ids count replicates from 1.

    An arm without budgets has one study, `arm@dense`.
    """
    at = "dense" if budget is None else budget
    name = f"{arm}@{at}" + (f" {matching}" if matching else "")
    return f"{name} r{replicate + 1}" if replicate else name


class StudyBuilder:
    """Makes the studies of one sweep."""

    def __init__(
        self, spec: SweepSpec, parts: Parts, workload: Workload, cells: Sequence[Cell]
    ) -> None:
        self.spec, self.parts, self.workload, self.cells = spec, parts, workload, cells
        self.problems = parts.problems
        self._reaches = ReachFinder(cells, workload, spec.tolerance, self.problems)
        self._templates: dict[Cell, Study] = {}
        """The study of each cell, still without matching, replicate and epochs."""

    def find_reach(self) -> None:
        """Learn which budgets the arms can meet; a budget that no arm can meet is a problem.

        A sweep of more than MOST_STUDIES studies is one, too.
        """
        if self._too_many():
            return
        self._templates = {cell: self._template(cell) for cell in self.cells}
        self._refuse_unreachable()

    def _too_many(self) -> bool:
        """Whether there are more studies than a sweep may have, which becomes a problem."""
        matchings = sum(len(self._matchings(cell.arm)) for cell in self.cells)
        count = matchings * self.spec.search.replicates
        if count <= MOST_STUDIES:
            return False
        place = ("search", "replicates") if matchings <= MOST_STUDIES else ("budgets",)
        self.problems.add(
            place,
            f"the arms, budgets, matchings and replicates together make {count:,} studies",
            allowed=f"at most {MOST_STUDIES:,} studies",
        )
        return True

    def studies(self) -> tuple[Study, ...]:
        """All studies, after `find_reach`; a study that the sampler cannot search is a problem."""
        self._check_sampler()
        self._check_trials()
        return tuple(
            self._study(cell, matching, replicate)
            for replicate in range(self.spec.search.replicates)
            for cell in self.cells
            for matching in self._matchings(cell.arm)
        )

    def _template(self, cell: Cell) -> Study:
        arm, method = cell.arm, cell.arm.method
        reached = self._reaches.find(self._lender(cell))
        within = any(reach.within for reach in reached)
        return Study(
            id=study_id(arm.name, cell.budget, None, 0),
            arm=arm.name,
            method=arm.spec.method.name,
            budget=cell.budget,
            matching=None,
            target_macs=cell.target_macs,
            epochs=0,
            trials=0 if arm.spec.recipe_from else self.spec.search.trials,
            space=cell.space,
            first=cell.first,
            inherits=method.inherits,
            source=arm.source,
            masked=masks(method),
            infeasible=None if within else reached[0].reason,
            reach=reached,
        )

    def _lender(self, cell: Cell) -> Cell:
        """The cell whose reach counts: the source's, for a method that has no reach of its own."""
        if cell.arm.source is None or hasattr(cell.arm.method, "reach"):
            return cell
        return next(
            other
            for other in self.cells
            if other.arm.name == cell.arm.source and other.budget == cell.budget
        )

    def _study(self, cell: Cell, matching: Matching | None, replicate: int) -> Study:
        """The study of a cell under a matching, in a replicate."""
        training, source = self.spec.training, cell.arm.source
        if source is not None:
            matchings = self._matchings(self.parts.arms[source])
            source_matching = matching if matching in matchings else None
            source = study_id(source, self._source_budget(cell), source_matching, replicate)
        return self._templates[cell].model_copy(
            update={
                "id": study_id(cell.arm.name, cell.budget, matching, replicate),
                "matching": matching,
                "replicate": replicate,
                "source": source,
                "recipe_source": self._lender_id(cell, matching, replicate),
                "epochs": self._epochs(cell, matching),
                "sparsifying": sparsifying(
                    cell.space, training.sparsify_epochs, training.finetune_epochs
                ),
            }
        )

    def _lender_id(self, cell: Cell, matching: Matching | None, replicate: int) -> str | None:
        """The study whose winning recipe the cell is trained by; None if it has its own."""
        lender = self.parts.arms.get(cell.arm.spec.recipe_from or "")
        if lender is None:
            return None
        lent = recipe_matching(self.spec, cell.arm, lender, matching)
        return study_id(lender.name, cell.budget, lent, replicate)

    def _source_budget(self, cell: Cell) -> RecordedBudget:
        """The budget at which the source finds the architecture that the cell trains."""
        at = cell.arm.spec.method.params.get("at")
        return cell.budget if at is None else read_budget(at).recorded(self.workload.macs)

    def _matchings(self, arm: BoundArm) -> tuple[Matching | None, ...]:
        return (None,) if arm.method.inherits else self.spec.matchings(arm.name)

    def _epochs(self, cell: Cell, matching: Matching | None) -> int:
        training = self.spec.training
        if cell.budget is None:
            return training.finetune_epochs
        ratio = mac_ratio(self.workload.macs, cell.target_macs)
        finetune, sparsify = training.finetune_epochs, training.sparsify_epochs
        if matching is None:
            always = all(regularizers_of(cell.space))
            return pruned_epochs(ratio, finetune=finetune, sparsify=sparsify, sparsifies=always)
        dense = self.spec.workload.dense.equal_epochs(self.workload.info.train_size)
        return scratch_epochs(matching, ratio, dense=dense, finetune=finetune, sparsify=sparsify)

    def _refuse_unreachable(self) -> None:
        for budget in dict.fromkeys(c.budget for c in self.cells if c.budget is not None):
            studies = [study for study in self._templates.values() if study.budget == budget]
            if all(study.infeasible for study in studies):
                why, allowed = studies[0].infeasible, None
                if kind_of_budget(budget) == "macs":
                    why, allowed = self._nearest(studies)
                index = index_of_budget(budget, self.spec.budgets, self.workload.macs)
                self.problems.add(
                    ("budgets", index),
                    f"no arm can meet this budget: {why}",
                    value=self.spec.budgets[index],
                    allowed=allowed,
                )

    def _nearest(self, studies: Sequence[Study]) -> tuple[str, str]:
        """Why none of the studies meets its target MACs, and what the file may say instead."""
        reaches = [reach for study in studies for reach in study.reach]
        smallest, target = min(r.smallest_macs for r in reaches), studies[0].target_macs
        if smallest > target:
            share = f"{smallest / self.workload.macs:.4f} of the dense ones, or more"
            return f"the smallest network has {smallest:,} MACs", share
        nearest = min((r.nearest_macs for r in reaches), key=lambda macs: abs(target - macs))
        gap, other = (target - nearest) / target, "another budget"
        allowed = f"a tolerance of {gap:.2g} or more, or {other}" if gap > 0 else other
        within = f"within {self.spec.tolerance:g} below {target:,}"
        return f"the nearest network has {nearest:,} MACs, not {within}", allowed

    def _check_trials(self) -> None:
        """Refuse a sweep without search trials where an arm has something to search."""
        searched = {
            cell.arm.name: dimension.path
            for cell in self.cells
            for dimension in cell.space.dimensions
            if dimension.searched
        }
        if not self.spec.search.trials and searched:
            arm, path = next(iter(searched.items()))
            message = f"{arm} has a range: {path}"
            self.problems.add(("search", "trials"), message, value=0, allowed="1 or more")

    def _check_sampler(self) -> None:
        """Note each reason why the sampler cannot search once, with the studies concerned."""
        sampler = self.spec.search.sampler
        concerned: dict[str, list[str]] = {}
        for study in self._templates.values():
            if reason := unsearchable(sampler, study.space, study.trials, len(study.first)):
                concerned.setdefault(reason, []).append(study.id)
        for reason, studies in concerned.items():
            message = f"cannot search {', '.join(studies)}: {reason}"
            self.problems.add(SAMPLER_PATH, message, value=sampler.name)
