"""All the work of a plan: one job per trial, each with the state that the records give it.

A job is closed when what it starts from can never exist: its dense network failed, no trial of its
search completed, or its source has no such confirm seed. Every other job depends on a job that runs
or can be dealt, so a sweep never waits forever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Generic

from prunetune.agenda.cache import ResultCache
from prunetune.agenda.jobs import Job, Queue, SearchState, Start, start_from
from prunetune.agenda.looks import looks_of, progress_of, seeds_due
from prunetune.agenda.outcomes import StudyOutcome, finalists, given_pick, study_outcome
from prunetune.agenda.specs import search_dense_seed
from prunetune.agenda.trials import Trials
from prunetune.plan import Plan, Study
from prunetune.records.record import Phase, Record
from prunetune.records.seeds import confirm_seed, rescore_seed, search_seed
from prunetune.records.trial_outcome import EndedT

RESCORES = 2
"""Fresh seeds on which each finalist of a study is trained again."""


class Agenda(Generic[EndedT]):
    """The jobs of a plan, always up to date with its trials."""

    def __init__(self, plan: Plan, trials: Trials[EndedT]) -> None:
        self.plan, self.trials = plan, trials
        self._by_id = {study.id: study for study in plan.studies}
        self._cache = ResultCache(plan.studies, trials, looks=bool(looks_of(plan)))
        self._search_trials: dict[str, tuple[Start, Queue[EndedT]]] = {}

    @property
    def jobs(self) -> Iterator[Job[EndedT]]:
        """Every job of the plan: dense networks first, then study by study."""
        yield from self.search_dense.jobs
        yield from self.confirm_dense.jobs
        for study in self.plan.studies:
            yield from self.searching(study).jobs
            yield from self.confirming(study).jobs

    @property
    def search_dense(self) -> Queue[EndedT]:
        """The dense networks that searches start from.

        That of replicate 0 is always there, unless nothing is searched and every confirm seed
        trains its own.
        """
        return self._cache.get("search_dense", None, self._search_dense)

    @property
    def confirm_dense(self) -> Queue[EndedT]:
        """The fresh dense networks of the confirm seeds, one per replicate and seed."""
        return self._cache.get("confirm_dense", None, self._confirm_dense)

    def searching(self, study: Study) -> Queue[EndedT]:
        """The search trials, and once these are complete the re-scores of the finalists."""
        return self._search(study).queue

    def confirming(self, study: Study) -> Queue[EndedT]:
        """The confirm trials; with planned looks, those of the seeds that are due so far."""
        n_due = self._seeds_due().get(study.id, self.plan.confirm.seeds)
        return self._cache.get(
            "confirm", study.id, lambda: Queue(self._confirms(study).jobs[:n_due])
        )

    def outcome(self, study: Study) -> StudyOutcome[EndedT]:
        """The study's current winner and the records that count."""
        return self._cache.get("outcome", study.id, lambda: self._outcome_of(study))

    def _confirms(self, study: Study) -> Queue[EndedT]:
        """The confirm trials of all seeds that the study may get."""
        return self._cache.get("confirms", study.id, lambda: self._confirms_of(study))

    def _seeds_due(self) -> Mapping[str, int]:
        """With planned looks: the number of confirm seeds that each study gets so far, by id."""

        def compute() -> Mapping[str, int]:
            if not looks_of(self.plan):
                return {}
            return seeds_due(
                self.plan,
                {s.id: progress_of(self._confirms(s).jobs) for s in self.plan.studies},
            )

        return self._cache.get("seeds_due", None, compute)

    def _search(self, study: Study) -> SearchState[EndedT]:
        return self._cache.get("search", study.id, lambda: self._search_of(study))

    def _source_of(self, study: Study) -> Study | None:
        return None if study.source is None else self._by_id[study.source]

    def _outcome_of(self, study: Study) -> StudyOutcome[EndedT]:
        source = self._source_of(study)
        source_outcome = None if source is None else self.outcome(source)
        records = self.trials.ended(study.id)
        given = None
        if not study.trials:
            lender = study.recipe_source
            given = given_pick(study, self.outcome(self._by_id[lender]) if lender else None)
        return study_outcome(study.id, records, source_outcome, self.plan.confirm.top, given)

    def _search_dense(self) -> Queue[EndedT]:
        inheriting = [study for study in self.plan.feasible() if study.inherits]
        searches = any(study.trials for study in self.plan.studies)
        if inheriting and self.plan.dense_fresh and not searches:
            return Queue(())
        replicates = {0, *(study.replicate for study in inheriting)}
        # A loaded network has the same seed in all replicates: the lowest replicate is kept.
        seeds = {search_dense_seed(self.plan, r): r for r in sorted(replicates, reverse=True)}
        return Queue(tuple(self._dense_job(seed, r) for seed, r in sorted(seeds.items())))

    def _confirm_dense(self) -> Queue[EndedT]:
        if not self.plan.dense_fresh:
            return Queue(())
        inheriting = [study for study in self.plan.feasible() if study.inherits]
        jobs = []
        for replicate in sorted({study.replicate for study in inheriting}):
            at_once = [study for study in inheriting if study.replicate == replicate]
            searches = [self._search(study) for study in at_once]
            needed = any(not search.settled or search.pick for search in searches)
            due = self._seeds_due()
            most = max(due.get(s.id, self.plan.confirm.seeds) for s in at_once)
            for j in range(most):
                job = self._dense_job(confirm_seed(replicate, j), replicate)
                if job.state == "ready" and not needed:
                    reason = "no study that starts from it has a winner"
                    fault = any(search.fault for search in searches)
                    job = replace(job, state="closed", reason=reason, fault=fault)
                jobs.append(job)
        return Queue(tuple(jobs))

    def _search_of(self, study: Study) -> SearchState[EndedT]:
        start = self._search_start(study)
        queue = self._search_trials_of(study, start)
        if not queue.complete:
            return SearchState(start, queue, start.state == "closed", winner=None, pick=None)
        outcome = self.outcome(study)
        queue = Queue(queue.jobs + tuple(self._rescores(study, outcome, start)))
        if not queue.complete or start.state == "waiting":
            return SearchState(start, queue, settled=False, winner=None, pick=None)
        return SearchState(start, queue, True, outcome.winner, outcome.pick)

    def _search_trials_of(self, study: Study, start: Start) -> Queue[EndedT]:
        """The search trials; with an unchanged start only those in the log are looked up again."""
        jobs: dict[int, Job[EndedT]] = {}
        outdated: Collection[int] = range(study.trials)
        changed = self._cache.changed_numbers.pop(study.id, set())
        nothing: tuple[Start | None, Queue[EndedT]] = (None, Queue(()))
        former_start, queue = self._search_trials.get(study.id, nothing)
        if former_start == start:
            jobs = dict(enumerate(queue.jobs))
            outdated = changed & jobs.keys()
        for n in outdated:
            seed = search_seed(study.replicate, n)
            jobs[n] = self._job(study, "search", n, seed, start, number=n)
        if outdated:
            queue = Queue(tuple(jobs.values()))
            self._search_trials[study.id] = (start, queue)
        return queue

    def _confirms_of(self, study: Study) -> Queue[EndedT]:
        search = self._search(study)
        number = search.pick.number if search.pick else None
        jobs = []
        for j in range(self.plan.confirm.seeds):
            start = search.winner_start + self._confirm_start(study, j)
            seed = confirm_seed(study.replicate, j)
            jobs.append(self._job(study, "confirm", j, seed, start, number=number))
        return Queue(tuple(jobs))

    def _rescores(
        self, study: Study, outcome: StudyOutcome[EndedT], start: Start
    ) -> Iterator[Job[EndedT]]:
        best = finalists(outcome.search, self.plan.confirm.top)
        if len(best) < 2:
            return
        for place, record in enumerate(best):
            for i in range(RESCORES):
                seed = rescore_seed(study.replicate, i)
                index = RESCORES * place + i
                yield self._job(study, "rescore", index, seed, start, number=record.number)

    def _search_start(self, study: Study) -> Start:
        if study.infeasible:
            return Start("closed", reason=study.infeasible)
        start = Start("ready")
        if lender := study.recipe_source:
            return self._search(self._by_id[lender]).recipe_start(lender)
        if not study.trials:  # its confirm trials alone start from anything
            return start
        if study.inherits:
            start += self._from_dense(search_dense_seed(self.plan, study.replicate))
        if source := self._source_of(study):
            start += self._search(source).architecture_start(source.id)
        return start

    def _confirm_start(self, study: Study, j: int) -> Start:
        start = Start("ready")
        if study.inherits:
            shared = search_dense_seed(self.plan, study.replicate)
            fresh = confirm_seed(study.replicate, j)
            start += self._from_dense(fresh if self.plan.dense_fresh else shared)
        if source := self._source_of(study):
            start += start_from(self._confirms(source).jobs[j], "architecture", source.id)
        return start

    def _from_dense(self, seed: int) -> Start:
        return start_from(self._dense_job(seed, 0), "dense", "the dense network")

    def _dense_job(self, seed: int, replicate: int) -> Job[EndedT]:
        state, record = self.trials.at((None, "dense", None, seed, None))
        return Job(None, "dense", replicate, seed, state, record=record)

    def _job(
        self, study: Study, phase: Phase, index: int, seed: int, start: Start, number: int | None
    ) -> Job[EndedT]:
        if start.state != "ready":
            return Job(
                study.id, phase, index, seed, start.state, number,
                reason=start.reason, fault=start.fault,
            )  # fmt: skip
        trial_id = (study.id, phase, number, seed, start.inputs.get("architecture"))
        state, record = self.trials.at(trial_id)
        return Job(study.id, phase, index, seed, state, number, start.inputs, record)


def study_outcomes(plan: Plan, records: Mapping[str, Record]) -> dict[str, StudyOutcome]:
    """The outcome of every study of the plan, by the study's id."""
    agenda = Agenda(plan, Trials(records))
    return {study.id: agenda.outcome(study) for study in plan.studies}
