"""What every criterion must hold."""

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
from prunetune.testing.networks import NETWORKS, Network, seeded
from prunetune.testing.watch import untouched

IMAGES = 12
SHARES = (0.5, 0.25)
"""Of the dense MACs."""
TOLERANCE = 0.005


def check_criterion(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    networks: Sequence[Network] = NETWORKS,
    images: int = IMAGES,
) -> None:
    """Assert the laws of the registered criterion `name` with these parameters.

    For every group that it applies to: one finite float64 score per unit, on the CPU. Scores repeat
    bit for bit under one seed, and do not depend on the model's mode or on how the images come in
    chunks. Nothing is left behind on the model, no global generator moves, every pass over images
    is charged. Under every scope the scores lead to a network within tolerance of a budget, or to
    Infeasible with a reason. Where it applies to no group, it is refused by name before training.
    """
    met = [check_criterion_on(network, name, params, images=images) for network in networks]
    assert any(met), (
        f"criterion {name!r} applies to none of {', '.join(map(str, networks))}; pass networks=… "
        "that have what it looks at"
    )


def check_criterion_on(
    network: Network,
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    images: int = IMAGES,
    feasible: bool = False,
) -> bool:
    """The same on one network; whether the criterion applies there (if not, it was refused).

    Where `feasible`, every budget has to be met, under every scope.
    """
    trial = _Trial(network, name, dict(params or {}), images, feasible)
    trial.check_about()
    groups = trial.groups()
    if groups:
        scores = trial.check_scores(groups)
        for scope in get_args(Scope):
            trial.check_scope(scope, groups, scores)
    else:
        trial.check_refused()
    return bool(groups)


@dataclass(frozen=True)
class _Trial:
    """One criterion on one network."""

    network: Network
    name: str
    params: dict[str, Any]
    images: int
    feasible: bool

    @property
    def who(self) -> str:
        return f"criterion {self.name!r} on {self.network}"

    def criterion(self) -> Criterion:
        """Made anew, as every trial makes it."""
        made: Criterion = criteria.make(Named(name=self.name, params=self.params))
        return made

    def check_about(self) -> None:
        """It says where it comes from and what it needs."""
        part = criteria.get(self.name).part
        about = getattr(part, "about", None)
        assert isinstance(about, About) and about.paper and about.cost, (
            f"{self.who}: state `about = About(paper=…, cost=…)`, so that people can choose"
        )
        assert getattr(part, "needs", None) in get_args(Needs), (
            f"{self.who}: `needs` must be one of {', '.join(get_args(Needs))}"
        )

    def groups(self) -> tuple[Group, ...]:
        """The groups it applies to."""
        criterion, model = self.criterion(), self.network.model
        with untouched(model, f"{self.who}: applies"):
            found = [criterion.applies(model, group) for group in self.network.groups]
            again = [criterion.applies(model, group) for group in self.network.groups]
        assert found == again, f"{self.who}: applies answers differently when asked again"
        return tuple(g for g, yes in zip(self.network.groups, found, strict=True) if yes)

    def check_scores(self, groups: tuple[Group, ...]) -> list[Tensor]:
        """The laws of `score`; its scores."""
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
            small = self.network.batches(self.images, max(1, self.images // 5))
            charged, passes[:] = sum(passes) // 2, []
            self._check_other_chunks(groups, scores, replace(scene, batches=small))
            assert sum(passes) == charged, (
                f"{self.who}: charged {charged} MACs, {sum(passes)} for smaller chunks of images"
            )
        return scores

    def _check_other_chunks(
        self, groups: Sequence[Group], scores: Sequence[Tensor], scene: Scene
    ) -> None:
        """The same images in smaller chunks, and the model in evaluation mode for once."""
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
        how: str,
        *,
        exactly: bool = False,
    ) -> None:
        for group, a, b in zip(groups, scores, others, strict=True):
            close = torch.equal(a, b) if exactly else bool((a - b).abs().max() <= _rounding(a))
            assert close, (
                f"{self.who}, group {group.name!r}: scored {how}, it differs by up to "
                f"{(a - b).abs().max():.2e} of {a.abs().max():.2e}"
            )

    def check_scope(
        self, scope: Scope, groups: tuple[Group, ...], scores: Sequence[Tensor]
    ) -> None:
        """Ranked under `scope`, the scores meet budgets or say why not."""
        costs = self.network.costs(groups)
        dense = costs.macs(costs.widths)
        rule = rule_of(scope, self.network.model, groups, floor=0.1)
        steps = ranking([s.numpy() for s in scores], rule)
        for share in SHARES:
            target = int(dense * share)
            where = f"{self.who}, {scope}, {share:.0%} of the MACs"
            try:
                found = select(steps, costs, target, target * (1 - TOLERANCE))
            except Infeasible as miss:
                assert not self.feasible, f"{where}: infeasible: {miss}"
                assert str(miss), f"{where}: infeasible without a reason"
                continue
            widths = [w - len(r) for w, r in zip(costs.widths, found.removed, strict=True)]
            assert costs.macs(widths) == found.macs, f"{where}: MACs are not those of its widths"
            assert target * (1 - TOLERANCE) <= found.macs <= target, f"{where}: {found.macs} MACs"
            assert all(w >= f for w, f in zip(widths, rule.floors, strict=True)), (
                f"{where}: widths {widths} are below the floors {rule.floors}"
            )

    def check_refused(self) -> None:
        """The plan refuses it, by name, before anything is trained."""
        criterion = {"criterion": {self.name: self.params}}
        _, params = methods.checked(Named(name="channel_pruning", params=criterion))
        dense = self.network.costs(()).macs(())
        try:
            reach("channel_pruning", params, self.network.architecture, [Target(dense, dense, 1)])
        except ValueError as error:
            told = str(error)
            assert self.name in told and self.network.name in told, (
                f"{self.who} is refused without naming both: {told}"
            )
            return
        raise AssertionError(f"{self.who} applies to no group, but planning does not refuse it")


def _rounding(score: Tensor) -> float:
    """How far scores of the same thing may lie apart: sums in float32, in another order."""
    return 1e-4 * float(score.abs().max()) + 1e-12
