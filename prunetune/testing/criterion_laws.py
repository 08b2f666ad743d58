"""The laws that every criterion must keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from torch import Tensor

from prunetune.compress.budget.ranking import Scope, ranking, rule_of
from prunetune.compress.budget.select import select
from prunetune.compress.criterion import About, Criterion, Needs, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.method import Infeasible, Target, reach
from prunetune.config.parts import Named
from prunetune.registry import criteria, methods
from prunetune.testing.networks import NETWORKS, TOLERANCE, Network, seeded
from prunetune.testing.watch import untouched

_IMAGES = 12
_SHARES = (0.5, 0.25)
"""Budgets, as shares of the dense MACs."""


def check_criterion(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    networks: Sequence[Network] = NETWORKS,
    images: int = _IMAGES,
) -> None:
    """Assert the laws of the registered criterion `name` with these parameters.

    - For every group that the criterion applies to, it gives one finite float64 score per unit, on
      the CPU.
    - The same seed gives the same scores, bit for bit. Scores depend neither on the mode of the
      model nor on the size of the chunks in which images come.
    - The model is left as it was, no global random generator moves, and every pass over images is
      charged.
    - Under every scope, the scores lead to a network within tolerance of a budget, or to
      `Infeasible` with a reason.
    - On a network where the criterion applies to no group, planning refuses it by name.
    """
    applies = [check_criterion_on(network, name, params, images=images) for network in networks]
    assert any(applies), (
        f"criterion {name!r} applies to none of {', '.join(map(str, networks))}; pass networks=… "
        "that it applies to"
    )


def check_criterion_on(
    network: Network,
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    images: int = _IMAGES,
    feasible: bool = False,
) -> bool:
    """Assert the same laws on one network.

    Args:
        network: The network to score.
        name: The registered name of the criterion.
        params: Its parameters.
        images: How many images it is offered.
        feasible: Whether every budget must be met, under every scope.

    Returns:
        Whether the criterion applies to any group of the network. If not, it was refused.
    """
    suite = _CriterionSuite(network, name, dict(params or {}), images, feasible)
    suite.check_about()
    groups = suite.groups()
    if groups:
        scores = suite.check_scores(groups)
        for scope in get_args(Scope):
            suite.check_scope(scope, groups, scores)
    else:
        suite.check_refused()
    return bool(groups)


@dataclass(frozen=True)
class _CriterionSuite:
    """The checks of one criterion on one network."""

    network: Network
    name: str
    params: dict[str, Any]
    images: int
    feasible: bool

    @property
    def who(self) -> str:
        return f"criterion {self.name!r} on {self.network}"

    def criterion(self) -> Criterion:
        """A new object of the criterion, as every trial makes one."""
        criterion: Criterion = criteria.make(Named(name=self.name, params=self.params))
        return criterion

    def check_about(self) -> None:
        """The criterion states its source, its cost and what it needs."""
        part = criteria.get(self.name).part
        about = getattr(part, "about", None)
        assert isinstance(about, About) and about.paper and about.cost, (
            f"{self.who}: state `about = About(paper=…, cost=…)`, so that people can choose"
        )
        assert getattr(part, "needs", None) in get_args(Needs), (
            f"{self.who}: `needs` must be one of {', '.join(get_args(Needs))}"
        )

    def groups(self) -> tuple[Group, ...]:
        """The groups that the criterion applies to."""
        criterion, model = self.criterion(), self.network.model
        with untouched(model, f"{self.who}: applies"):
            first = [criterion.applies(model, group) for group in self.network.groups]
            again = [criterion.applies(model, group) for group in self.network.groups]
        assert first == again, f"{self.who}: applies answers differently when asked again"
        return tuple(g for g, applies in zip(self.network.groups, first, strict=True) if applies)

    def check_scores(self, groups: tuple[Group, ...]) -> list[Tensor]:
        """Check the laws of `score`; the scores of each group."""
        model = self.network.model
        passes: list[int] = []
        batches = self.network.batches(self.images, self.images)
        needs_images = self.criterion().needs != "weights"
        scene = Scene(
            model, self.network.input_shape, groups, seeded(5),
            batches if needs_images else None, passes.append,
        )  # fmt: skip
        with untouched(model, f"{self.who}: score"):
            scores = self.criterion().score(scene)
        self._check_form(groups, scores)
        assert all(macs > 0 for macs in passes) and bool(passes) == needs_images, (
            f"{self.who} needs {self.criterion().needs} and charged {passes}; call "
            "scene.charge(macs) before each pass over images, and only then"
        )
        again = self.criterion().score(replace(scene, generator=seeded(5)))
        self._check_alike(groups, scores, again, "again under the same seed", exactly=True)
        if needs_images:
            uneven = max(1, self.images // 3 + 1)  # 12 images as 5, 5 and 2
            small = self.network.batches(self.images, uneven)
            charged, passes[:] = sum(passes) // 2, []  # the scene was scored twice so far
            self._check_other_chunks(groups, scores, replace(scene, batches=small))
            assert sum(passes) == charged, (
                f"{self.who}: charged {charged} MACs, {sum(passes)} for smaller chunks of images"
            )
        return scores

    def _check_other_chunks(
        self, groups: Sequence[Group], scores: Sequence[Tensor], scene: Scene
    ) -> None:
        """Check that smaller chunks, and a model in evaluation mode, give the same scores."""
        scene.model.eval()
        try:
            others = self.criterion().score(replace(scene, generator=seeded(5)))
        finally:
            scene.model.train()
        self._check_alike(groups, scores, others, "in evaluation mode, from smaller chunks")

    def _check_form(self, groups: Sequence[Group], scores: Sequence[Tensor]) -> None:
        assert len(scores) == len(groups), (
            f"{self.who}: {len(scores)} scores for {len(groups)} groups; one tensor per group"
        )
        for group, score in zip(groups, scores, strict=True):
            where = f"{self.who}, group {group.name!r}"
            assert score.shape == (group.width,), (
                f"{where}: scores have shape {tuple(score.shape)}; one per unit is "
                f"({group.width},), not one per channel or per member"
            )
            assert score.dtype == torch.float64, f"{where}: scores are {score.dtype}, not float64"
            assert score.device.type == "cpu", f"{where}: scores are on {score.device}, not the CPU"
            assert not score.requires_grad, f"{where}: scores carry a gradient; detach them"
            assert bool(score.isfinite().all()), f"{where}: scores are not all finite: {score}"

    def _check_alike(
        self,
        groups: Sequence[Group],
        scores: Sequence[Tensor],
        others: Sequence[Tensor],
        circumstance: str,
        *,
        exactly: bool = False,
    ) -> None:
        for group, a, b in zip(groups, scores, others, strict=True):
            close = torch.equal(a, b) if exactly else bool((a - b).abs().max() <= _rounding(a))
            assert close, (
                f"{self.who}, group {group.name!r}: scored {circumstance}, it differs by up to "
                f"{(a - b).abs().max():.2e} of {a.abs().max():.2e}"
            )

    def check_scope(
        self, scope: Scope, groups: tuple[Group, ...], scores: Sequence[Tensor]
    ) -> None:
        """Check that a ranking under `scope` meets the budgets, or says why it cannot."""
        costs = self.network.costs(groups)
        dense = costs.macs(costs.widths)
        rule = rule_of(scope, self.network.model, groups, floor=0.1)
        steps = ranking([s.numpy() for s in scores], rule)
        for share in _SHARES:
            target = int(dense * share)
            where = f"{self.who}, {scope}, {share:.0%} of the MACs"
            try:
                selection = select(steps, costs, target, target * (1 - TOLERANCE))
            except Infeasible as miss:
                assert not self.feasible, f"{where}: infeasible: {miss}"
                assert str(miss), f"{where}: infeasible without a reason"
                continue
            macs = selection.macs
            widths = [w - len(r) for w, r in zip(costs.widths, selection.removed, strict=True)]
            assert costs.macs(widths) == macs, f"{where}: MACs are not those of its widths"
            assert target * (1 - TOLERANCE) <= macs <= target, f"{where}: {macs} MACs"
            assert all(w >= f for w, f in zip(widths, rule.floors, strict=True)), (
                f"{where}: widths {widths} are below the floors {rule.floors}"
            )

    def check_refused(self) -> None:
        """Check that planning refuses the criterion, and names it and the network."""
        criterion = {"criterion": {self.name: self.params}}
        _, params = methods.checked(Named(name="channel_pruning", params=criterion))
        dense = self.network.costs(()).macs(())
        try:
            reach("channel_pruning", params, self.network.architecture, [Target(dense, dense, 1)])
        except ValueError as error:
            message = str(error)
            assert self.name in message and self.network.name in message, (
                f"{self.who} is refused without naming both: {message}"
            )
            return
        raise AssertionError(f"{self.who} applies to no group, but planning does not refuse it")


def _rounding(score: Tensor) -> float:
    """How far two scores of one unit may differ, because float32 sums depend on their order."""
    return 1e-4 * float(score.abs().max()) + 1e-12
