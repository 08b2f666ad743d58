"""All the work of a plan, one job per trial, each as far as the records say.

A job is closed when what it starts from can never exist: its dense network failed, no trial of its
search completed, its source has no such seed. Every other job depends on one that is running or can
be dealt, so a sweep never waits for nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from prunetune.agenda.jobs import Job, Queue, SearchState, Start, outcome
from prunetune.agenda.outcomes import StudyOutcome, finalists, study_outcome
from prunetune.agenda.specs import search_dense_seed
from prunetune.agenda.trials import Trials
from prunetune.plan import Plan, Study
from prunetune.records.record import Phase
from prunetune.records.seeds import confirm_seed, rescore_seed, search_seed

T = TypeVar("T")
RESCORES = 2
"""Fresh seeds on which each of a study's best is trained again."""


class Agenda:
    """A plan against its trials, at every moment.

    What was found is kept until the trials' log names a trial that it depends on, so that asking
    again after one trial looks at that trial and its study, not at thousands.
    """

    def __init__(self, plan: Plan, trials: Trials) -> None:
        self.plan, self.trials = plan, trials
        self._by_id = {study.id: study for study in plan.studies}
        self._heirs: defaultdict[str, list[str]] = defaultdict(list)
        for study in plan.studies:
            for basis in self._stands_on(study):
                self._heirs[basis].append(study.id)
        self._read = 0
        self._kept: dict[tuple[str, str | None], Any] = {}
        self._trials: dict[str, tuple[Start, Queue]] = {}
        self._stale: defaultdict[str | None, set[int]] = defaultdict(set)

    @property
    def jobs(self) -> Iterator[Job]:
        """Everything that the plan owes: dense networks first, then study by study."""
        yield from self.search_dense.jobs
        yield from self.confirm_dense.jobs
        for study in self.plan.studies:
            yield from self.searching(study).jobs
            yield from self.confirming(study).jobs

    @property
    def search_dense(self) -> Queue:
        """The dense networks of the searches; the first replicate's is always a reference."""
        return self._keep("search_dense", None, self._search_dense)

    @property
    def confirm_dense(self) -> Queue:
        """The fresh dense networks of the confirm seeds, where any winner may start from one."""
        return self._keep("confirm_dense", None, self._confirm_dense)

    def searching(self, study: Study) -> Queue:
        """The trials of the search, and once they are complete the re-scores of the best."""
        return self._search(study).queue

    def confirming(self, study: Study) -> Queue:
        """The confirm trials."""
        return self._keep("confirm", study.id, lambda: self._confirms_of(study))

    def outcome(self, study: Study) -> StudyOutcome:
        """The records that answer for the study, as far as they go."""
        return self._keep("answer", study.id, lambda: self._answer_of(study))

    def _search(self, study: Study) -> SearchState:
        return self._keep("search", study.id, lambda: self._search_of(study))

    def _keep(self, what: str, study: str | None, find: Callable[[], T]) -> T:
        if self._read < len(self.trials.log):
            self._catch_up()
        if (what, study) not in self._kept:
            self._kept[what, study] = find()
        found: T = self._kept[what, study]
        return found

    def _catch_up(self) -> None:
        """Forget what stands on the trials that were heard of since the last look."""
        for study, phase, number, _, _ in self.trials.log[self._read :]:
            if study is None:
                self._kept.clear()
            for heir in self._heirs[study] if study else ():
                self._kept.pop(("answer", heir), None)
                self._kept.pop(("confirm", heir), None)
                if phase != "confirm":
                    self._kept.pop(("search", heir), None)
            self._kept.pop(("confirm_dense", None), None)
            if phase == "search" and number is not None:
                self._stale[study].add(number)
        self._read = len(self.trials.log)

    def _stands_on(self, study: Study) -> Iterator[str]:
        yield study.id
        if source := self._source_of(study):
            yield from self._stands_on(source)

    def _source_of(self, study: Study) -> Study | None:
        return None if study.source is None else self._by_id[study.source]

    def _answer_of(self, study: Study) -> StudyOutcome:
        source = self._source_of(study)
        below = None if source is None else self.outcome(source)
        return study_outcome(study.id, self.trials.ended(study.id), below, self.plan.confirm.top)

    def _search_dense(self) -> Queue:
        replicates = {0: 0} | {s.replicate: 0 for s in self.plan.feasible() if s.inherits}
        seeds = {search_dense_seed(self.plan, r): r for r in sorted(replicates, reverse=True)}
        return Queue(tuple(self._dense_job(seed, r) for seed, r in sorted(seeds.items())))

    def _confirm_dense(self) -> Queue:
        if not self.plan.dense_fresh:
            return Queue(())
        heirs = [study for study in self.plan.feasible() if study.inherits]
        jobs = []
        for replicate in sorted({study.replicate for study in heirs}):
            own = [self._search(study) for study in heirs if study.replicate == replicate]
            needed = any(not search.settled or search.winner for search in own)
            for j in range(self.plan.confirm.seeds):
                job = self._dense_job(confirm_seed(replicate, j), replicate)
                if job.state == "ready" and not needed:
                    reason = "no study that starts from it has a winner"
                    fault = any(search.fault for search in own)
                    job = replace(job, state="closed", reason=reason, fault=fault)
                jobs.append(job)
        return Queue(tuple(jobs))

    def _search_of(self, study: Study) -> SearchState:
        start = self._search_start(study)
        queue = self._trials_of(study, start)
        if not queue.complete:
            return SearchState(start, queue, settled=start.state == "closed", winner=None)
        answer = self.outcome(study)
        queue = Queue(queue.jobs + tuple(self._rescores(study, answer, start)))
        winner = answer.winner if queue.complete else None
        return SearchState(start, queue, settled=queue.complete, winner=winner)

    def _trials_of(self, study: Study, start: Start) -> Queue:
        """The trials of the search; those kept are looked at anew where the log names them."""
        jobs: dict[int, Job] = {}
        owed: Collection[int] = range(study.trials)
        stale = self._stale.pop(study.id, set())
        known, queue = self._trials.get(study.id, (None, Queue(())))
        if known == start:
            jobs = dict(enumerate(queue.jobs))
            owed = stale & jobs.keys()
        for n in owed:
            seed = search_seed(study.replicate, n)
            jobs[n] = self._job(study, "search", n, seed, start, number=n)
        if owed:
            queue = Queue(tuple(jobs.values()))
            self._trials[study.id] = (start, queue)
        return queue

    def _confirms_of(self, study: Study) -> Queue:
        search = self._search(study)
        if search.start.state == "closed":
            winner = search.start
        elif not search.settled:
            winner = Start("waiting", reason="its search is under way")
        elif search.winner is None:
            reason = "no trial of its search completed"
            winner = Start("closed", reason=reason, fault=search.fault)
        else:
            winner = Start("ready")
        number = search.winner.number if search.winner else None
        seeds = range(self.plan.confirm.seeds)
        return Queue(tuple(self._confirm(study, j, winner, number) for j in seeds))

    def _rescores(self, study: Study, answer: StudyOutcome, start: Start) -> Iterator[Job]:
        best = finalists(answer.search, self.plan.confirm.top)
        if len(best) < 2:
            return
        for place, record in enumerate(best):
            for i in range(RESCORES):
                seed = rescore_seed(study.replicate, i)
                index = RESCORES * place + i
                yield self._job(study, "rescore", index, seed, start, number=record.number)

    def _confirm(self, study: Study, j: int, winner: Start, number: int | None) -> Job:
        start = self._confirm_start(study, j) if winner.state == "ready" else winner
        seed = confirm_seed(study.replicate, j)
        return self._job(study, "confirm", j, seed, start, number=number)

    def _search_start(self, study: Study) -> Start:
        if study.infeasible:
            return Start("closed", reason=study.infeasible)
        start = Start("ready")
        if study.inherits:
            start += self._from_dense(search_dense_seed(self.plan, study.replicate))
        if source := self._source_of(study):
            found = self._search(source)
            if found.winner:
                start += Start("ready", {"architecture": found.winner.key})
            elif found.settled:
                reason = f"{study.source} has no winner"
                start += Start("closed", reason=reason, fault=found.fault)
            else:
                start += Start("waiting", reason=f"{study.source} has no winner yet")
        return start

    def _confirm_start(self, study: Study, j: int) -> Start:
        start = Start("ready")
        if study.inherits:
            shared = search_dense_seed(self.plan, study.replicate)
            fresh = confirm_seed(study.replicate, j)
            start += self._from_dense(fresh if self.plan.dense_fresh else shared)
        if source := self._source_of(study):
            start += outcome(self.confirming(source).jobs[j], "architecture", source.id)
        return start

    def _from_dense(self, seed: int) -> Start:
        return outcome(self._dense_job(seed, 0), "dense", "the dense network")

    def _dense_job(self, seed: int, replicate: int) -> Job:
        state, record = self.trials.at((None, "dense", None, seed, None))
        return Job(None, "dense", replicate, seed, state, record=record)

    def _job(
        self, study: Study, phase: Phase, index: int, seed: int, start: Start, number: int | None
    ) -> Job:
        if start.state != "ready":
            return Job(
                study.id, phase, index, seed, start.state, number,
                reason=start.reason, fault=start.fault,
            )  # fmt: skip
        slot = (study.id, phase, number, seed, start.inputs.get("architecture"))
        state, record = self.trials.at(slot)
        return Job(study.id, phase, index, seed, state, number, start.inputs, record)
