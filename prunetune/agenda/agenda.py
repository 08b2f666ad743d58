"""All the work of a plan, one job per trial, each as far as the records say.

A job is closed when what it starts from can never exist: its dense network failed, no trial of its
search completed, its source has no such seed. Every other job depends on one that is running or can
be dealt, so a sweep never waits for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

from prunetune.agenda.jobs import Job, Start, State, StudyWork, outcome
from prunetune.agenda.specs import search_dense_seed
from prunetune.records.answers import Answer, answers, finalists
from prunetune.records.record import Phase, Record, TrialSpec
from prunetune.records.seeds import confirm_seed, rescore_seed, search_seed
from prunetune.spec.plan import Plan, Study

RESCORES = 2
"""Fresh seeds on which each of a study's best is trained again."""

Slot = tuple[str | None, Phase, int | None, int, str | None]


class Work:
    """A plan against its records, at one moment. Nothing is changed and nothing is kept."""

    def __init__(
        self,
        plan: Plan,
        records: Mapping[str, Record],
        dealt: Mapping[str, TrialSpec],
        running: Collection[str],
    ) -> None:
        self.plan, self.records, self.dealt = plan, records, dealt
        self.running = {key for key in running if key not in records}
        self.answers = answers(plan.studies, records, plan.confirm.top)
        self._keys = {_slot(spec): key for key, spec in dealt.items()}
        self._keys |= {_slot(record): key for key, record in records.items() if key not in dealt}
        self._studies: dict[str, StudyWork] = {}

    @property
    def studies(self) -> Iterator[StudyWork]:
        """Every study, in the order of the plan."""
        return (self.study(study.id) for study in self.plan.studies)

    @property
    def jobs(self) -> Iterator[Job]:
        """Everything that the plan owes: dense networks first, then study by study."""
        yield from self.search_dense
        yield from self.confirm_dense
        for work in self.studies:
            yield from work.jobs

    @cached_property
    def search_dense(self) -> tuple[Job, ...]:
        """The dense networks of the searches; the first replicate's is always a reference."""
        replicates = {0: 0} | {s.replicate: 0 for s in self.plan.feasible() if s.inherits}
        seeds = {search_dense_seed(self.plan, r): r for r in sorted(replicates, reverse=True)}
        return tuple(self._dense_job(seed, r) for seed, r in sorted(seeds.items()))

    @cached_property
    def confirm_dense(self) -> tuple[Job, ...]:
        """The fresh dense networks of the confirm seeds, where any winner may start from one."""
        if not self.plan.dense_fresh:
            return ()
        heirs = [work for work in self.studies if work.study.inherits and not work.study.infeasible]
        jobs = []
        for replicate in sorted({work.study.replicate for work in heirs}):
            own = [work for work in heirs if work.study.replicate == replicate]
            needed = any(not work.settled or work.winner for work in own)
            for j in range(self.plan.confirm.seeds):
                job = self._dense_job(confirm_seed(replicate, j), replicate)
                if job.state == "ready" and not needed:
                    reason = "no study that starts from it has a winner"
                    job = Job(None, "dense", replicate, job.seed, "closed", reason=reason)
                jobs.append(job)
        return tuple(jobs)

    def study(self, study_id: str) -> StudyWork:
        """The jobs of the study called `study_id`."""
        if study_id not in self._studies:
            self._studies[study_id] = self._study_work(self.plan.study(study_id))
        return self._studies[study_id]

    def _study_work(self, study: Study) -> StudyWork:
        answer = self.answers[study.id]
        start = self._search_start(study)
        search = tuple(
            self._job(study, "search", n, search_seed(study.replicate, n), start, number=n)
            for n in range(study.trials)
        )
        complete = all(job.state == "done" for job in search)
        rescores = tuple(self._rescores(study, answer, start)) if complete else ()
        settled = start.state == "closed" or (
            complete and all(job.state == "done" for job in rescores)
        )
        if not settled:
            winner = Start("waiting", reason="its search is under way")
        elif start.state == "closed":
            winner = start
        elif answer.winner is None:
            winner = Start("closed", reason="no trial of its search completed")
        else:
            winner = Start("ready")
        number = answer.winner.number if answer.winner else None
        confirms = tuple(
            self._confirm(study, j, winner, number) for j in range(self.plan.confirm.seeds)
        )
        return StudyWork(study, answer, search, rescores, confirms, settled)

    def _rescores(self, study: Study, answer: Answer, start: Start) -> Iterator[Job]:
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
        if study.source:
            source = self.study(study.source)
            if source.winner:
                start += Start("ready", {"architecture": source.winner.key})
            elif source.settled:
                start += Start("closed", reason=f"{study.source} has no winner")
            else:
                start += Start("waiting", reason=f"{study.source} has no winner yet")
        return start

    def _confirm_start(self, study: Study, j: int) -> Start:
        start = Start("ready")
        if study.inherits:
            shared = search_dense_seed(self.plan, study.replicate)
            fresh = confirm_seed(study.replicate, j)
            start += self._from_dense(fresh if self.plan.dense_fresh else shared)
        if study.source:
            start += outcome(self.study(study.source).confirms[j], "architecture", study.source)
        return start

    def _from_dense(self, seed: int) -> Start:
        return outcome(self._dense_job(seed, 0), "dense", "the dense network")

    def _dense_job(self, seed: int, replicate: int) -> Job:
        key = self._keys.get((None, "dense", None, seed, None))
        record = self.records.get(key or "")
        return Job(None, "dense", replicate, seed, self._state(key), record=record)

    def _job(
        self, study: Study, phase: Phase, index: int, seed: int, start: Start, number: int | None
    ) -> Job:
        if start.state != "ready":
            return Job(study.id, phase, index, seed, start.state, number, reason=start.reason)
        key = self._keys.get((study.id, phase, number, seed, start.inputs.get("architecture")))
        record = self.records.get(key or "")
        return Job(study.id, phase, index, seed, self._state(key), number, start.inputs, record)

    def _state(self, key: str | None) -> State:
        if key is None:
            return "ready"
        if key in self.records:
            return "done"
        return "running" if key in self.running else "dealt"


def _slot(trial: TrialSpec | Record) -> Slot:
    """What tells the trials of one sweep apart without hashing them again."""
    architecture = trial.inputs.get("architecture")
    return (trial.study, trial.phase, trial.number, trial.seed, architecture)
