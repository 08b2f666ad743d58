"""Results about studies, cached until the log of trials names a trial that they depend on.

Asking again after one trial recomputes that trial and its study, not thousands of trials.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from prunetune.agenda.trials import Trials
from prunetune.plan import Study

_T = TypeVar("_T")


class ResultCache:
    """Results by kind and study; a result of no study (None) concerns the whole sweep.

    Args:
        studies: all studies of the plan.
        trials: the trials whose log is followed.
        looks: whether results of some studies decide how many seeds others get.
    """

    def __init__(self, studies: Iterable[Study], trials: Trials[Any], *, looks: bool) -> None:
        by_id = {study.id: study for study in studies}
        self._trials, self._looks = trials, looks
        self._dependents: defaultdict[str, list[str]] = defaultdict(list)
        for study in by_id.values():
            for study_id in stands_on(study, by_id):
                self._dependents[study_id].append(study.id)
        self._log_position = 0
        self._results: dict[tuple[str, str | None], Any] = {}
        self.changed_numbers: defaultdict[str | None, set[int]] = defaultdict(set)
        """The search trials of each study that changed; whoever has looked at them removes them."""

    def get(self, kind: str, study_id: str | None, compute: Callable[[], _T]) -> _T:
        """The result, computed if it is not known or out of date."""
        if self._log_position < len(self._trials.log):
            self._drop_outdated()
        if (kind, study_id) not in self._results:
            self._results[kind, study_id] = compute()
        value: _T = self._results[kind, study_id]
        return value

    def _drop_outdated(self) -> None:
        """Drop the results that depend on trials logged since the last call."""
        for study_id, phase, number, _, _ in self._trials.log[self._log_position :]:
            if study_id is None:  # a dense network: nearly everything depends on it
                self._results.clear()
            for dependent in self._dependents[study_id] if study_id else ():
                for kind in ("outcome", "confirms", "confirm"):
                    self._results.pop((kind, dependent), None)
                if phase != "confirm":
                    self._results.pop(("search", dependent), None)
            self._results.pop(("confirm_dense", None), None)
            if phase == "search" and number is not None:
                self.changed_numbers[study_id].add(number)
        if self._looks:  # one pair that is decided or not changes the seeds of other studies
            self._results.pop(("seeds_due", None), None)
            for key in [key for key in self._results if key[0] == "confirm"]:
                del self._results[key]
        self._log_position = len(self._trials.log)


def stands_on(study: Study, by_id: Mapping[str, Study]) -> Iterator[str]:
    """The ids of the study and of all studies whose shapes or recipes it builds on."""
    yield study.id
    for source in (study.source, study.recipe_source):
        if source is not None:
            yield from stands_on(by_id[source], by_id)
