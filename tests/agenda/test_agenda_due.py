from __future__ import annotations

import random
from collections import Counter

import pytest

from prunetune.agenda import (
    Agenda,
    Ask,
    Deal,
    Finished,
    Trials,
    Wait,
    closed,
    counts,
    due,
    status_rows,
    study_outcomes,
)
from prunetune.agenda.specs import dense_spec
from prunetune.plan import Plan
from prunetune.records.record import Record, Status, TrialSpec
from tests.agenda.simulated import Sweep, ended, plan, study

SHAPES = {
    "usual": {},
    "rescored": {"top": 3},
    "replicates": {"replicates": 2, "budgets": (0.5,)},
    "matchings": {"matchings": ("scratch_e", "scratch_b")},
    "shared": {"fresh": False},
    "loaded": {"source": "checkpoint", "replicates": 2, "budgets": (0.5,)},
    "thin alone": {"arms": ("thin",)},
    "pruned alone": {"arms": ("pruned",), "top": 2},
    "controlled": {"arms": ("thin", "pruned", "control"), "replicates": 2, "budgets": (0.5,)},
    "copied": {"arms": ("pruned", "reinit", "copycat"), "replicates": 2},
    "crossed": {"arms": ("thin", "pruned", "crossed"), "replicates": 2, "top": 2},
    "unsearched": {"trials": 0, "arms": ("thin", "pruned", "reinit", "control")},
    "unsearched, loaded": {"trials": 0, "source": "checkpoint", "top": 2},
    "unsearched thin": {"trials": 0, "arms": ("thin",), "replicates": 2},
    "one of each": {"trials": 1, "seeds": 1, "top": 3, "budgets": (0.5,)},
}
ENDS: tuple[Status, ...] = ("completed", "completed", "stopped", "failed", "diverged", "infeasible")
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def unreliable(seed: int, rate: float):
    """Trials that end in any way; key and `seed` decide which."""

    def end(spec: TrialSpec) -> Record:
        rng = random.Random(f"{spec.key}{seed}")
        if rng.random() > rate:
            return ended(spec)
        if spec.phase in ("dense", "confirm"):
            return ended(spec, rng.choice(["failed", "diverged"]))
        status = rng.choice(ENDS)
        ran_on = spec.run_on and status == "completed"
        return ended(spec, status, would_stop_at=2 if ran_on else None)

    return end


def check_done(sweep: Sweep) -> None:
    """Every job has ended or is closed, and a fresh agenda agrees."""
    assert closed(sweep.agenda) == closed(sweep.afresh())
    assert status_rows(sweep.agenda) == status_rows(sweep.afresh())
    assert {job.state for job in sweep.agenda.jobs} <= {"done", "closed"}
    assert all(job.reason for job in closed(sweep.agenda))


def check(sweep: Sweep) -> None:
    """Laws of every finished sweep."""
    check_done(sweep)
    agenda = sweep.agenda
    assert isinstance(due(agenda), Finished)
    n_closed = Counter((c.study, c.phase) for c in closed(agenda))
    outcomes = study_outcomes(sweep.plan, sweep.records)
    for planned in sweep.plan.studies:
        outcome = agenda.outcome(planned)
        assert outcome == outcomes[planned.id]
        assert len(outcome.search) + n_closed[planned.id, "search"] == planned.trials
        assert outcome.pick is None or not planned.trials or outcome.winner is not None
        assert len(outcome.confirms) + n_closed[planned.id, "confirm"] == sweep.plan.confirm.seeds
        assert len(outcome.search) in (0, planned.trials)


@shapes
@pytest.mark.parametrize("seed", range(6))
def test_every_sweep_ends_with_all_planned_trials_done_or_closed(shape, seed):
    sweep = Sweep(
        plan(**shape),
        seed=seed,
        slots=1 + seed,
        end=unreliable(seed, rate=0.15 * seed),
        crash=0.1 * (seed % 3),
    )
    check(sweep.run())


@pytest.mark.slow
def test_a_sweep_of_thousands_of_trials_ends_so_too():
    """In seconds, since `due` looks only at trials that have changed."""
    large = plan(budgets=(0.5, 0.4, 0.25, 0.125, 0.06), trials=40, seeds=5, top=2, replicates=5)
    sweep = Sweep(large, slots=64, end=unreliable(1, rate=0.1), crash=0.005, checked=False)
    check(sweep.run())
    assert len(sweep.records) > 3_000


@shapes
@pytest.mark.parametrize("slots", [1, 5])
def test_counts_are_those_of_a_sweep_without_faults(shape, slots):
    sweep = Sweep(plan(**shape), slots=slots, crash=0.1).run()
    total = counts(sweep.plan).total
    assert Counter(r.phase for r in sweep.records.values()) == Counter(total.trials)
    assert sum(r.epochs for r in sweep.records.values()) == total.epochs
    assert sum(r.train_macs.spent for r in sweep.records.values()) == total.train_macs
    for name, amount in counts(sweep.plan).studies.items():
        records = [r for r in sweep.records.values() if r.study == name]
        assert (len(records), sum(r.epochs for r in records)) == (amount.total, amount.epochs)


def test_nothing_is_searched_where_there_is_one_configuration():
    """No dense network for searches either: every confirm seed trains its own."""
    sweep = Sweep(plan(trials=0, seeds=3), slots=4).run()
    assert Counter(r.phase for r in sweep.records.values()) == {"dense": 3, "confirm": 18}
    for planned in sweep.plan.studies:
        outcome = sweep.agenda.outcome(planned)
        assert outcome.winner is None
        assert outcome.pick is not None
        assert [(r.number, r.seed) for r in outcome.confirmed] == [(0, 1000 + j) for j in range(3)]
        assert {r.config["recipe.lr"] for r in outcome.confirms} == {0.1}
    pruned = {r.seed: r.key for r in sweep.agenda.outcome(sweep.plan.study("pruned@0.5")).confirms}
    for record in sweep.agenda.outcome(sweep.plan.study("reinit@0.5 scratch_b")).confirms:
        assert record.inputs == {"architecture": pruned[record.seed]}


CROSSED = {"arms": ("thin", "pruned", "crossed"), "budgets": (0.5,)}


def test_a_crossed_arm_trains_by_the_winning_recipe_of_its_lender_and_searches_nothing():
    sweep = Sweep(plan(**CROSSED), slots=4).run()
    lent = sweep.agenda.outcome(sweep.plan.study("thin@0.5 scratch_b"))
    taken = sweep.agenda.outcome(sweep.plan.study("crossed@0.5"))
    assert lent.winner is not None
    assert (taken.search, taken.winner, taken.pick) == ((), None, lent.pick)
    assert len(taken.confirmed) == 3
    for record in taken.confirms:
        assert record.config == lent.winner.config
        assert record.number == lent.winner.number
        assert sweep.records[record.inputs["dense"]].seed == record.seed


def test_a_crossed_arm_is_confirmed_anew_where_growth_replaces_the_recipe():
    before = Sweep(plan(**CROSSED, trials=3), seed=1).run()
    after = grown(before, plan(**CROSSED, trials=24))
    old, new = (study_outcomes(s.plan, s.records) for s in (before, after))
    thin = [outcomes["thin@0.5 scratch_b"].pick for outcomes in (old, new)]
    assert thin[0] != thin[1], "the test should see a change"
    former = {r.key for r in old["crossed@0.5"].confirms}
    assert former <= after.records.keys()
    assert not former & {r.key for r in new["crossed@0.5"].confirms}
    assert {r.number for r in new["crossed@0.5"].confirms} == {thin[1].number}
    check(after)


def test_a_lender_without_a_winner_closes_the_arm_that_takes_its_recipe():
    sweep = Sweep(plan(**CROSSED), end=failing(("thin", "search", None))).run()
    check(sweep)
    shut = [job for job in closed(sweep.agenda) if job.study == "crossed@0.5"]
    assert len(shut) == 3
    assert all("thin@0.5 scratch_b has no winner" in job.reason and job.fault for job in shut)


def test_thin_trials_run_beside_the_dense_network():
    sweep = Sweep(plan(), slots=5)
    sweep.step()
    assert [s.arm for s in sweep.order] == [None, "thin", "thin", "thin", "thin"]


def test_a_sweep_without_pruned_networks_has_one_dense_network_to_compare_with():
    sweep = Sweep(plan(arms=("thin",), replicates=2, budgets=(0.5,))).run()
    assert [s.seed for s in sweep.order if s.phase == "dense"] == [0]


def test_a_copycat_confirms_what_its_source_confirmed_at_the_other_budget():
    sweep = Sweep(plan(arms=("pruned", "copycat"), seeds=2)).run()
    for phase, name in (
        ("search", "copycat@0.25 scratch_b"),
        ("confirm", "copycat@0.25 scratch_b"),
    ):
        for key in sweep.keys(name, phase):
            record = sweep.records[key]
            source = sweep.records[record.inputs["architecture"]]
            assert source.study == "pruned@0.5"
            assert phase == "search" or source.seed == record.seed


def test_a_control_without_budgets_is_searched_and_confirmed_like_any_study():
    sweep = Sweep(plan(arms=("thin", "control"), seeds=3)).run()
    assert len(sweep.keys("control@dense", "search")) == 4
    confirms = [sweep.records[key] for key in sweep.keys("control@dense", "confirm")]
    assert {record.budget for record in confirms} == {None}
    starts = {record.seed: sweep.records[record.inputs["dense"]].seed for record in confirms}
    assert starts == {1000: 1000, 1001: 1001, 1002: 1002}


def test_networks_of_the_confirm_seeds_use_slots_that_would_wait_for_the_search():
    sweep = Sweep(plan(arms=("pruned",), seeds=2), slots=4)
    sweep.step()
    assert [(s.phase, s.seed) for s in sweep.order] == [
        ("dense", 0),
        ("dense", 1000),
        ("dense", 1001),
    ]


def test_confirm_trials_leave_no_slot_idle():
    """With trials that end in the order of their start, slots are idle only when all is dealt."""

    class InOrder(random.Random):
        def choice(self, keys):
            return next(k for k in sweep.running if k in keys)

    sweep = Sweep(plan(arms=("thin", "pruned"), seeds=5), slots=3)
    sweep.rng = InOrder(0)
    total = counts(sweep.plan).total.total
    while sweep.step():
        assert len(sweep.idle) == 0 or len(sweep.order) == total


def test_searches_keep_step():
    sweep = Sweep(plan(arms=("thin",), budgets=(0.5, 0.4, 0.3), trials=6), slots=2)
    sweep.run()
    searched = [s.study for s in sweep.order if s.phase == "search"]
    for end in range(3, len(searched) + 1):
        dealt = Counter(searched[:end])
        assert max(dealt.values()) - min(dealt.values()) <= 1


def test_a_crash_deals_the_same_trials_again_first():
    sweep = Sweep(plan(), slots=4, seed=3)
    for _ in range(17):
        sweep.step()
    lost = dict(sweep.running)
    assert lost
    sweep.lose(*lost)
    before = len(sweep.order)
    sweep.slots = len(lost)
    sweep.step()
    assert {s.key: s for s in sweep.order[before : before + len(lost)]} == lost


@pytest.mark.parametrize("fails", [False, True])
def test_a_lost_trial_waits_for_an_input_that_is_made_again(fails):
    sweep = Sweep(
        plan(budgets=(0.5,)),
        slots=6,
        end=failing((None, "dense", 0)) if fails else ended,
        crash=1.0,
    )
    dense = dense_spec(sweep.plan, 0, 0)
    sweep.trials.end(ended(dense))
    sweep.step()
    assert "pruned" in {spec.arm for spec in sweep.order}
    records = {key: record for key, record in sweep.records.items() if key != dense.key}
    again = Sweep(sweep.plan, slots=6, end=sweep.end, records=records, dealt=sweep.dealt)
    check(again.run())
    phases = [spec.phase for spec in again.order if spec.arm in (None, "pruned")]
    assert phases[0] == "dense"
    assert ("search" in phases) != fails


def test_asking_changes_nothing():
    sweep = Sweep(plan(), seed=1)
    for _ in range(12):
        sweep.step()
    trials = sweep.trials
    state = (dict(trials.records), dict(trials.dealt), set(trials.running), dict(trials.idle))
    first, second = due(sweep.agenda), due(sweep.agenda)
    assert first == second
    assert isinstance(first, Ask | Deal | Wait)
    assert state == (trials.records, trials.dealt, trials.running, trials.idle)


def test_a_key_that_has_a_record_does_not_count_as_running():
    """The driver may ask between writing a record and forgetting the trial."""
    sweep = Sweep(plan(arms=("thin",), budgets=(0.5,), trials=1, seeds=1)).run()
    trials = Trials(sweep.records, sweep.dealt, list(sweep.records))
    assert isinstance(due(Agenda(sweep.plan, trials)), Finished)


def test_trials_train_the_architectures_that_their_source_found():
    sweep = Sweep(plan(), seed=5).run()
    outcomes = study_outcomes(sweep.plan, sweep.records)
    for name in ("0.5", "0.25"):
        source, reinit = outcomes[f"pruned@{name}"], outcomes[f"reinit@{name} scratch_b"]
        for record in reinit.search:
            spec = sweep.dealt[record.key]
            assert spec.source_architecture == source.winner.architecture
            assert spec.inherited_macs == 0
        for record, pair in zip(reinit.confirms, source.confirms, strict=True):
            assert record.seed == pair.seed
            assert sweep.dealt[record.key].source_architecture == pair.architecture


@pytest.mark.parametrize("fresh", [True, False])
def test_pruned_trials_start_from_the_dense_network_of_their_seed(fresh):
    sweep = Sweep(plan(fresh=fresh, replicates=2, budgets=(0.5,))).run()
    for spec in sweep.order:
        if spec.arm == "pruned":
            dense = sweep.records[spec.inputs["dense"]]
            fresh_network = fresh and spec.phase == "confirm"
            assert dense.seed == (spec.seed if fresh_network else 10_000 * spec.replicate)
            assert spec.inherited_macs == dense.train_macs.total > 0


def test_the_winner_has_the_highest_mean_over_its_rescores():
    sweep = Sweep(plan(top=3, trials=6), seed=2).run()
    moved = 0
    for outcome in study_outcomes(sweep.plan, sweep.records).values():
        best = sorted(outcome.search, key=lambda r: -r.val_acc1)[:3]
        assert {r.number for r in outcome.rescores} == {r.number for r in best}
        assert sorted(r.seed for r in outcome.rescores) == [900] * 3 + [901] * 3
        mean = Counter()
        for record in outcome.rescores:
            mean[record.number] += record.val_acc1 / 2
        assert outcome.winner.number == mean.most_common(1)[0][0]
        assert {r.config["recipe.lr"] for r in outcome.confirms} == {
            outcome.winner.config["recipe.lr"]
        }
        moved += outcome.winner is not best[0]
    assert moved, "the test should see a re-score overturn a search"


def test_a_loaded_network_is_one_dense_trial_known_by_its_weights():
    def keys(path: str, sha256: str) -> list[str]:
        base = plan(source="checkpoint", replicates=2, budgets=(0.5,))
        dense = base.dense.model_copy(update={"path": path, "sha256": sha256})
        sweep = Sweep(base.model_copy(update={"dense": dense})).run()
        assert all(sweep.records[k].epochs_planned == 0 for k in sweep.keys(None, "dense"))
        return sweep.keys(None, "dense")

    (one,), (moved,), (other,) = keys("a.th", "x"), keys("b.th", "x"), keys("a.th", "y")
    assert one == moved != other


def reasons(sweep: Sweep) -> dict[tuple[str | None, str], set[str]]:
    by_queue: dict[tuple[str | None, str], set[str]] = {}
    for job in closed(sweep.agenda):
        by_queue.setdefault((job.study, job.phase), set()).add(job.reason)
    return by_queue


def failing(*which: tuple[str | None, str, int | None]):
    """Trials that complete, unless (arm, phase, seed) is named; a seed of None names all."""

    def end(spec: TrialSpec) -> Record:
        named = any(
            (spec.arm, spec.phase) == (arm, phase) and seed in (None, spec.seed)
            for arm, phase, seed in which
        )
        return ended(spec, "failed", error="boom") if named else ended(spec)

    return end


def test_a_failed_dense_network_closes_every_study_that_inherits_it():
    sweep = Sweep(plan(replicates=2, budgets=(0.5,)), end=failing((None, "dense", 0))).run()
    check(sweep)
    arms = [{r.arm for r in sweep.records.values() if r.replicate == i} for i in range(2)]
    assert arms == [{None, "thin"}, {None, "thin", "pruned", "reinit"}]
    closed_for = reasons(sweep)
    assert "boom" in closed_for["pruned@0.5", "search"].pop()
    assert closed_for["reinit@0.5 scratch_b", "confirm"] == {"pruned@0.5 has no winner"}


def test_a_failed_confirm_network_closes_only_its_seed():
    sweep = Sweep(plan(budgets=(0.5,)), end=failing((None, "dense", 1001))).run()
    check(sweep)
    outcomes = study_outcomes(sweep.plan, sweep.records)
    assert [r.seed for r in outcomes["thin@0.5 scratch_b"].confirms] == [1000, 1001, 1002]
    assert [r.seed for r in outcomes["pruned@0.5"].confirms] == [1000, 1002]
    assert [r.seed for r in outcomes["reinit@0.5 scratch_b"].confirms] == [1000, 1002]


def test_a_failed_confirm_network_closes_its_seed_before_the_search_has_ended():
    sweep = Sweep(
        plan(arms=("pruned", "reinit"), budgets=(0.5,)), end=failing((None, "dense", 1001))
    )
    while not sweep.keys("pruned@0.5", "search"):
        sweep.step()
    seeds = {(job.study, job.seed) for job in closed(sweep.agenda) if job.phase == "confirm"}
    assert seeds == {("pruned@0.5", 1001), ("reinit@0.5 scratch_b", 1001)}


def test_a_failed_confirm_trial_closes_the_seed_of_what_takes_its_architecture():
    sweep = Sweep(plan(budgets=(0.5,)), end=failing(("pruned", "confirm", 1002))).run()
    check(sweep)
    outcomes = study_outcomes(sweep.plan, sweep.records)
    assert [r.status for r in outcomes["pruned@0.5"].confirms] == [
        "completed",
        "completed",
        "failed",
    ]
    assert [r.seed for r in outcomes["pruned@0.5"].confirmed] == [1000, 1001]
    assert [r.seed for r in outcomes["reinit@0.5 scratch_b"].confirms] == [1000, 1001]


@pytest.mark.parametrize("status", ["failed", "diverged", "infeasible", "stopped"])
def test_a_study_in_which_nothing_completed_has_no_winner(status):
    def end(spec: TrialSpec) -> Record:
        return ended(
            spec, status if (spec.arm, spec.phase) == ("pruned", "search") else "completed"
        )

    sweep = Sweep(plan(budgets=(0.5,)), end=end, slots=1).run()
    check(sweep)
    outcomes = study_outcomes(sweep.plan, sweep.records)
    assert outcomes["pruned@0.5"].winner is None
    assert sweep.keys(None, "dense") == [sweep.order[0].key], "no network for nobody"
    assert not sweep.keys("pruned@0.5", "confirm")
    assert not sweep.keys("reinit@0.5 scratch_b", "search")


@pytest.mark.parametrize(
    "which",
    [
        (None, "dense", 0),
        (None, "dense", 1001),
        ("pruned", "search", None),
        ("pruned", "confirm", 1002),
    ],
)
@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_only_work_that_a_failed_trial_closed_is_closed_by_a_fault(which, status):
    def end(spec: TrialSpec) -> Record:
        record = failing(which)(spec)
        return ended(spec, status) if record.status == "failed" else record

    sweep = Sweep(plan(), end=end).run()
    jobs = closed(sweep.agenda)
    assert jobs
    assert {job.fault for job in jobs} == {status == "failed"}


def test_an_infeasible_study_is_closed_with_its_reason():
    studies = (
        study("thin", 0.5),
        study("pruned", 0.5, infeasible="no way"),
        study("reinit", 0.5),
        study("pruned", 0.25),
    )
    sweep = Sweep(plan(studies=studies)).run()
    check(sweep)
    closed_for = reasons(sweep)
    assert closed_for["pruned@0.5", "search"] == closed_for["pruned@0.5", "confirm"] == {"no way"}
    ran = {r.study for r in sweep.records.values()}
    assert ran == {None, "thin@0.5 scratch_b", "pruned@0.25"}
    assert counts(sweep.plan).total.total == len(sweep.records)


@pytest.mark.parametrize("seed", range(5))
def test_failed_trials_set_aside_are_dealt_again_and_open_what_they_closed(seed):
    sweep = Sweep(plan(budgets=(0.5,)), seed=seed, end=unreliable(seed, 0.6)).run()
    finished = {k: r for k, r in sweep.records.items() if r.status != "failed"}
    assert len(finished) < len(sweep.records)
    again = Sweep(sweep.plan, seed=seed, records=finished, dealt=sweep.dealt).run()
    check(again)
    assert finished.items() <= again.records.items()
    assert not [r for r in again.records.values() if r.status == "failed"]


def grown(sweep: Sweep, larger: Plan) -> Sweep:
    """The same records under a larger plan."""
    return Sweep(larger, seed=9, end=sweep.end, records=sweep.records, dealt=sweep.dealt).run()


@pytest.mark.parametrize(
    "more",
    [
        {"trials": 9},
        {"seeds": 6},
        {"budgets": (0.5, 0.25, 0.1)},
        {"replicates": 2},
        {"matchings": ("scratch_b", "marginal")},
        {"arms": ("thin", "pruned", "reinit")},
        {"trials": 12, "seeds": 5, "replicates": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("done", [0.3, 1.0])
def test_growth_keeps_every_record_and_adds_only_what_is_new(more, done):
    small = {"arms": ("thin", "pruned")} if "arms" in more else {}
    sweep = Sweep(plan(**small), seed=4)
    for _ in range(round(46 * done) if done < 1 else 10_000):
        if not sweep.step():
            break
    larger = plan(**{**small, **more})
    after = grown(sweep, larger)
    assert sweep.records.items() <= after.records.items()
    check(after)


def test_confirms_of_a_winner_that_growth_replaced_no_longer_count():
    before = Sweep(plan(trials=3), seed=9).run()
    after = grown(before, plan(trials=12))
    old, new = (study_outcomes(s.plan, s.records) for s in (before, after))
    changed = [name for name in old if old[name].winner.key != new[name].winner.key]
    assert {"pruned@0.5", "reinit@0.5 scratch_b"} <= set(changed), "the test should see a change"
    for name in changed:
        former = {r.key for r in old[name].confirms}
        assert former <= after.records.keys()
        assert not former & {r.key for r in new[name].confirms}
        assert len(new[name].confirms) == 3
    winner = new["pruned@0.5"].winner
    search = new["reinit@0.5 scratch_b"].search
    assert [r.number for r in search] == list(range(12))
    assert {r.inputs["architecture"] for r in search} == {winner.key}


@pytest.mark.parametrize("hopeless", [False, True])
def test_progress_adds_up(hopeless):
    """Also where no search of pruned networks has a winner, and confirm seeds need no networks."""
    end = failing(("pruned", "search", None)) if hopeless else unreliable(1, 0.2)
    sweep = Sweep(plan(top=2), seed=8, end=end, slots=1 if hopeless else 3)
    while sweep.step():
        rows = status_rows(sweep.agenda)
        assert rows == status_rows(sweep.afresh())
        assert [r.study for r in rows] == ["dense", *(s.id for s in sweep.plan.studies)]
        tallies = [tally for row in rows for tally in row.phases.values()]
        assert sum(t.running for t in tallies) == sum(r.running for r in rows) == len(sweep.running)
        assert sum(t.done for t in tallies) == len(sweep.records)
        assert sum(sum(r.ended.values()) for r in rows) == len(sweep.records)
    rows = status_rows(sweep.agenda)
    assert all(t.done + t.closed == t.total for r in rows for t in r.phases.values())
    for row in rows[1:]:
        tests = [
            r.test_acc1
            for r in sweep.records.values()
            if (r.study, r.phase, r.status) == (row.study, "confirm", "completed")
        ]
        assert row.confirm_n == len(tests)
        assert row.confirm_acc1 == (pytest.approx(sum(tests) / len(tests)) if tests else None)
