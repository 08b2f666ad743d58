"""The data set and the network of a plan, as `plan` and the start of a sweep describe them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prunetune.config.parts import Params
from prunetune.plan import LeftAlone, Plan


class WorkloadFacts(Params):
    """What a user should know of the workload before anything runs."""

    dataset: str = ""
    """The name of the data set."""
    data: tuple[str, ...] = ()
    """What the data set found: classes, images of each split, their sizes, skipped names."""
    uncounted: Mapping[str, tuple[str, ...]] = {}
    """Module of the dense network -> functions that it calls and whose MACs nobody counts: neither
    PyTorch's counter nor prunetune knows them, so budgets leave them out."""

    left_alone: tuple[LeftAlone, ...] = ()
    """Channels of the dense network that no method prunes, because no cut of them is right."""

    def sentences(self) -> Iterator[str]:
        """The facts, one line each."""
        for fact in self.data:
            yield f"data {self.dataset}: {fact}"
        for module, functions in self.uncounted.items():
            where = f"module {module!r}" if module else "the network itself"
            yield (
                f"MACs: {where} calls {', '.join(functions)}; neither PyTorch's counter nor "
                "prunetune knows the MACs of that, so budgets leave them out"
            )
        for entry in self.left_alone:
            yield (
                f"pruning: the output channels of {entry.layer} are left alone: {entry.reason}; "
                f"for it, {100 * entry.share:.1f} % of the MACs cannot be pruned"
            )


def workload_facts(plan: Plan) -> WorkloadFacts:
    """The facts about the workload of `plan`.

    Raises:
        CorruptDataError: one of the images whose size is read cannot be opened.
    """
    from prunetune.data.found import what_was_found  # imports torch
    from prunetune.workload import Workload

    workload = Workload.from_json(plan.workload)
    return WorkloadFacts(
        dataset=workload.dataset.name,
        data=what_was_found(workload.data),
        uncounted=workload.uncounted,
        left_alone=plan.left_alone,
    )
