"""The proof of a cut: it is made, on random weights, and held to the silenced network.

A group is proved if, for several sets of units that no symmetry maps onto themselves, in an order
that is not the network's,

- the cut network runs,
- it has the MACs that its table of costs promises, and
- it computes what the silenced network computes (`silencing.py`), in double precision.

All groups are cut together at first. Only if that fails, parts of them are, to find the culprits.
What is proved holds for the path that the network takes. A network whose path depends on the
numbers in the image was refused when it was traced. If it takes another path in training, the proof
is made in training mode as well, without dropout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from prunetune.compress.budget.costs import CostTable, macs_of
from prunetune.compress.budget.counting import count_of_twin
from prunetune.compress.graph.failing_layer import layer_at_work
from prunetune.compress.graph.groups import Group
from prunetune.compress.graph.layout import Side
from prunetune.compress.graph.tracing import without_data
from prunetune.compress.network.cut import cut, cut_to, other_units
from prunetune.compress.proof.calls import WithoutDropout, calls_of, small_shape
from prunetune.compress.proof.random_twin import RandomNumbers, kept_in_range, random_twin
from prunetune.compress.proof.silencing import with_silent_units
from prunetune.compress.proof.unit_sets import kept_units
from prunetune.protocols import Shape

_ORDER = "channels are ordered or joined in a way that cannot be followed"
ROUNDING = 1e-9
"""The largest difference, as a share of the largest output, that rounding may make."""
_SILENT = 1
"""The set of units that no layer writes either while the cut is held to the silenced network."""


class Prover:
    """Tries cuts of one network.

    Raises:
        ValueError: no cut of this network can be tried; says why.
    """

    def __init__(self, model: nn.Module, input_shape: Shape) -> None:
        self.input_shape = input_shape
        twin = without_data(model)
        calls = calls_of(twin, input_shape)
        in_training = calls_of(twin, input_shape, training=True).functions
        self._modes = (False, True) if in_training != calls.functions else (False,)
        numbers = RandomNumbers()
        self._dense = random_twin(model, numbers)
        small = small_shape(twin, input_shape, calls)
        self._image = numbers.uniform((2, *small), -1.7, 1.7)
        try:
            self._run_first()
        except Exception:  # whatever it raises, it does not run on small images
            self._image = numbers.uniform((2, *input_shape), -1.7, 1.7)
            self._run_first()

    def _run_first(self) -> None:
        """Run the dense network once, fit to its activations."""
        try:
            with kept_in_range(self._dense):
                self._output(self._dense, training=False)
        except Exception as error:  # a user's network may raise anything
            layer, why = layer_at_work(error, self._dense), str(error).partition("\n")[0]
            raise ValueError(
                f"{layer} does not run in double precision ({type(error).__name__}: {why})"
            ) from error

    def proved(self, groups: Sequence[Group]) -> tuple[list[Group], list[tuple[Group, str]]]:
        """The groups whose cuts are right, one by one and together; the others, each with why."""
        if not groups or self.fault(groups) is None:
            return list(groups), []
        whys = list(self._why_none_runs(groups))
        stopped = [(g, why) for g, why in zip(groups, whys, strict=True) if why]
        running = [group for group, why in zip(groups, whys, strict=True) if not why]
        right, wrong = self._halved(running)
        return right, stopped + wrong

    def _halved(self, groups: Sequence[Group]) -> tuple[list[Group], list[tuple[Group, str]]]:
        """See `proved`, of groups in halves, until the culprits are found."""
        if not groups:
            return [], []
        fault = self.fault(groups)
        if fault is None:
            return list(groups), []
        if len(groups) == 1:
            return [], [(groups[0], fault)]
        half = len(groups) // 2
        halves = [self._halved(part) for part in (groups[:half], groups[half:])]
        right = [group for part, _ in halves for group in part]
        wrong = [pair for _, part in halves for pair in part]
        if wrong and self.fault(right) is None:
            return right, wrong
        return self._one_by_one(right, wrong)

    def fault(self, groups: Sequence[Group]) -> str | None:
        """What is wrong with cuts of these groups together; None if they are right."""
        try:
            costs = CostTable.measure(self._dense, self.input_shape, groups)
            for trial, kept in enumerate(kept_units(groups)):
                sides: tuple[Side, ...] = ("in", "out") if trial == _SILENT else ("in",)
                fault = self._fault(groups, kept, sides, costs)
                if fault is not None:
                    return fault
            return None
        except Exception as error:  # a wrong cut may break the network in any way
            return _does_not_run(error)

    def _why_none_runs(self, groups: Sequence[Group]) -> Iterator[str]:
        """Of each group, why a network without one of its units does not run; empty if it does.

        Only shapes are computed, which takes a small part of a proof's time.
        """
        twin = without_data(self._dense)
        for group in groups:
            try:
                count_of_twin(cut(twin, [group], [range(group.width > 1)]), self.input_shape)
            except Exception as error:  # a wrong cut may break the network in any way
                yield _does_not_run(error)
            else:
                yield ""

    def _one_by_one(
        self, groups: Sequence[Group], wrong: list[tuple[Group, str]]
    ) -> tuple[list[Group], list[tuple[Group, str]]]:
        """Add group by group those that are right together with all before them."""
        right: list[Group] = []
        for group in groups:
            fault = self.fault([*right, group])
            if fault is None:
                right.append(group)
            else:
                wrong.append((group, fault))
        return right, wrong

    def _fault(
        self,
        groups: Sequence[Group],
        kept: Sequence[Sequence[int]],
        sides: Sequence[Side],
        costs: CostTable,
    ) -> str | None:
        narrow, removed = cut_to(self._dense, groups, kept), other_units(groups, kept)
        for training in self._modes:
            with with_silent_units(self._dense, groups, removed, sides) as dense:
                expected = self._output(dense, training=training)
            actual = self._output(narrow, training=training)
            if not _close(expected, actual):
                mode = "in training " if training else ""
                return f"{mode}a cut network does not compute what the silenced one does: {_ORDER}"
        promised = costs.macs([len(units) for units in kept])
        counted = macs_of(count_of_twin(narrow, self.input_shape), narrow)
        if counted != promised:
            return f"a network without some of them has {counted} MACs, {promised} were promised"
        return None

    def _output(self, network: nn.Module, *, training: bool) -> list[Tensor]:
        """What the network makes of two random images."""
        network.train(training)
        neutral = WithoutDropout() if training else nullcontext()
        with torch.random.fork_rng(devices=[]), torch.no_grad(), neutral:
            torch.default_generator.manual_seed(0)
            output = network(self._image)
        network.eval()
        return list(_tensors(output))


def _does_not_run(error: Exception) -> str:
    why = str(error).strip().partition("\n")[0]
    return f"a network without some of them does not run ({type(error).__name__}: {why})"


def _tensors(output: object) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, tuple | list):
        return [tensor for part in output for tensor in _tensors(part)]
    return []


def _close(expected: Sequence[Tensor], actual: Sequence[Tensor]) -> bool:
    """Whether the outputs are equal up to rounding, and are numbers."""
    if [t.shape for t in expected] != [t.shape for t in actual]:
        return False
    for one, other in zip(expected, actual, strict=True):
        if not (one.isfinite().all() and other.isfinite().all()):
            return False
        size = float(one.abs().max()) if one.numel() else 0.0
        if one.numel() and float((one - other).abs().max()) > ROUNDING * size:
            return False
    return True
