"""How long the rest of a sweep takes, from its plan and from what was measured so far.

A trial takes its epochs and an overhead: scoring, and testing in phases that test. Seconds of an
epoch are a straight line over MACs, fitted to all studies, and a factor for each study, which draws
away from 1 as the study's own epochs are measured. An overhead is that of the phase and the study.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean, median

from prunetune.agenda.remaining import Task
from prunetune.plan import Plan
from prunetune.records.record import Phase
from prunetune.records.record import training_macs as macs_of_training

_OWN_EPOCHS = 3.0
"""After so many epochs a study's own seconds count as much as those of all studies."""
_OWN_TRIALS = 2.0
"""The same for the overhead of its trials."""
_WHOLE_TRIALS = 3.0
"""Early stopping is believed against so many search trials that run to their end."""
_TESTED: frozenset[Phase] = frozenset({"dense", "confirm"})


@dataclass
class _Epochs:
    """The epochs that were measured of one study."""

    macs: int
    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Line:
    """Seconds of an epoch as a straight line over MACs."""

    at_mean: float
    mean_macs: float
    slope: float

    def __call__(self, macs: int) -> float:
        return self.at_mean + self.slope * (macs - self.mean_macs)


@dataclass
class TimeLeft:
    """Learns from epochs and trials as they end, and estimates the rest.

    Args:
        dense_macs: MACs of the dense network.
        test_share: seconds of a pass over the test images, as a share of those of an epoch.
    """

    dense_macs: int
    test_share: float
    _epochs: dict[str, _Epochs] = field(default_factory=dict)
    _overheads: defaultdict[Phase, defaultdict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    _searched: list[float] = field(default_factory=lambda: [_WHOLE_TRIALS, _WHOLE_TRIALS])
    """Search trials by the share of their epochs that they trained, and in all."""

    @classmethod
    def of_plan(cls, plan: Plan) -> TimeLeft:
        """The estimate of a sweep of which nothing was measured."""
        train = macs_of_training(1, plan.train_size) + plan.val_size
        return cls(plan.dense.macs, plan.test_size / train)

    def epoch(self, task: Task, seconds: float) -> None:
        """An epoch of the task took so long."""
        measured = self._epochs.setdefault(task.study, _Epochs(task.macs))
        measured.count += 1
        measured.seconds += seconds

    def ended(self, task: Task, epochs: int, overhead_s: float) -> None:
        """A trial ended after so many epochs, with so many seconds beside them."""
        self._overheads[task.phase][task.study].append(max(0.0, overhead_s))
        if task.phase == "search" and task.epochs:
            self._searched[0] += epochs / task.epochs
            self._searched[1] += 1

    def seconds(
        self, waiting: Iterable[Task], running: Iterable[tuple[Task, int]], slots: int
    ) -> float | None:
        """Seconds until all is done; None while no epoch was measured.

        Args:
            waiting: trials that have not begun.
            running: trials that run, each with the number of its epochs that are done.
            slots: how many run at once.
        """
        line = self._line()
        if line is None:
            return None
        trained = self._searched[0] / self._searched[1]
        times = []
        for task in waiting:
            share = trained if task.phase == "search" else 1.0
            times.append(share * task.epochs * self._epoch(task, line) + self._overhead(task, line))
        for task, done in running:
            left = max(0, task.epochs - done)
            overhead = self._overhead(task, line)
            times.append(left * self._epoch(task, line) + (overhead if left else overhead / 2))
        return max(sum(times) / max(1, slots), max(times, default=0.0))

    def _line(self) -> _Line | None:
        """Fitted by least squares, each epoch counting once; it never falls, and ends above 0."""
        measured = [each for each in self._epochs.values() if each.count]
        count = sum(each.count for each in measured)
        if not count:
            return None
        macs = sum(each.count * each.macs for each in measured) / count
        seconds = sum(each.seconds for each in measured) / count
        spread = sum(each.count * (each.macs - macs) ** 2 for each in measured)
        joint = sum((each.macs - macs) * (each.seconds - each.count * seconds) for each in measured)
        steepest = seconds / macs  # through the origin
        slope = joint / spread if spread else steepest / 2
        return _Line(seconds, macs, min(max(slope, 0.0), steepest))

    def _epoch(self, task: Task, line: _Line) -> float:
        expected = line(task.macs)
        own = self._epochs.get(task.study, _Epochs(task.macs))
        return (own.seconds + _OWN_EPOCHS * expected) / (own.count + _OWN_EPOCHS)

    def _overhead(self, task: Task, line: _Line) -> float:
        of_phase = self._overheads[task.phase]
        own = of_phase.get(task.study, [])
        if of_phase:
            general = median(each for study in of_phase.values() for each in study)
        else:
            searched = [each for study in self._overheads["search"].values() for each in study]
            general = median(searched) if searched else 0.0
            if task.phase in _TESTED:
                general += self.test_share * self._epoch(task, line)
        if not own:
            return general + task.sparsify_epochs * line(self.dense_macs)
        return (len(own) * fmean(own) + _OWN_TRIALS * general) / (len(own) + _OWN_TRIALS)
