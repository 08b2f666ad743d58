from __future__ import annotations

import json
import math
import random

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from scipy.stats import qmc

from prunetune.agenda import Ask, Deal, Finished, Wait, search_spec
from prunetune.config.parts import Named
from prunetune.config.samplers import SAMPLERS
from prunetune.config.space.space import Choice, Config, Constant, Dimension, Float, Int, Space
from prunetune.plan import Plan
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.records.trial_outcome import TrialOutcome
from prunetune.tune.sampling import ConfigSampler, optuna_trial
from tests.agenda.simulated import Sweep, ended, plan, study

SGD, ADAMW = (("optimizer", "sgd"),), (("optimizer", "adamw"),)
NESTED = Space(
    dimensions=(
        Dimension(path="optimizer", domain=Choice(options=("sgd", "adamw"))),
        Dimension(path="optimizer.sgd.lr", domain=Float(low=0.01, high=0.5, log=True), when=SGD),
        Dimension(path="optimizer.sgd.nesterov", domain=Constant(value=True), when=SGD),
        Dimension(path="optimizer.adamw.lr", domain=Float(low=3e-4, high=0.01), when=ADAMW),
        Dimension(path="smoothing", domain=Float(low=0.0, high=0.3, step=0.1)),
        Dimension(path="odd", domain=Choice(options=(64, None, "x", [1, 2], {"a": {"b": 0.5}}))),
        Dimension(path="width", domain=Int(low=1, high=64, log=True)),
        Dimension(path="even", domain=Int(low=2, high=10, step=2)),
        Dimension(path="fixed", domain=Constant(value=3)),
    )
)
STEPPED = Space(dimensions=tuple(d for d in NESTED.dimensions if not d.path.endswith("lr")))
FIRST = {
    "optimizer": "adamw", "optimizer.adamw.lr": 0.001, "smoothing": 0.1, "odd": [1, 2],
    "width": 5, "even": 4,
}  # fmt: skip
ENDS = ("completed", "completed", "stopped", "failed", "diverged", "infeasible")
QUICK = [name for name in SAMPLERS if name != "gp"]  # a proposal of the GP takes a second or more


def one(sampler: str, trials: int, *, space: Space = NESTED, first=(), **params) -> Plan:
    """A plan of one study."""
    space = STEPPED if sampler == "grid" and space is NESTED else space
    only = study("thin", 0.5, trials=trials, space=space, first=first)
    return plan(studies=(only,), seeds=1, sampler=Named(name=sampler, params=params))


def live(plan: Plan, *, slots: int = 4, seed: int = 0, end=None) -> tuple[Sweep, list]:
    """A sweep with real proposals, and what was known at each: (ask, records, dealt, config)."""
    rng = random.Random(seed)
    ending = end or (lambda spec: ended(spec, rng.choice(ENDS)))
    sweep = Sweep(plan, slots=slots, end=lambda s: ending(s) if s.phase == "search" else ended(s))
    studies = ConfigSampler(plan, sweep.records, sweep.dealt)
    asked = []
    while True:
        match sweep.due():
            case Finished():
                return sweep, asked
            case Ask() as ask:
                config = studies.ask(ask)
                asked.append((ask, dict(sweep.records), dict(sweep.dealt), config))
                sweep.deal(search_spec(plan, ask, config, sweep.records))
            case Deal(spec):
                sweep.deal(spec)
            case Wait():
                pass
        if len(sweep.running) >= slots or isinstance(sweep.due(), Wait):
            sweep.finish(rng.choice(sorted(sweep.running)))


@pytest.mark.parametrize("sampler", QUICK)
@pytest.mark.parametrize("seed", range(2))
def test_every_proposal_is_a_point_of_the_space(sampler, seed):
    _, asked = live(one(sampler, 24), seed=seed)
    assert [ask.number for ask, *_ in asked] == list(range(24))
    for ask, _, _, config in asked:
        assert ask.study.space.problems(config) == []
        assert json.loads(json.dumps(config)) == config
    assert len({json.dumps(config) for *_, config in asked}) > 20


@pytest.mark.parametrize("sampler", QUICK)
def test_a_restart_proposes_what_the_running_sweep_proposed(sampler):
    base = one(sampler, 20)
    _, asked = live(base)
    for ask, records, dealt, config in asked:
        kept = {key: TrialOutcome.of(record) for key, record in reversed(records.items())}
        backwards = kept, dict(reversed(dealt.items()))
        assert ConfigSampler(base, *backwards).ask(ask) == config


@pytest.mark.parametrize("sampler", ["random", "qmc", "grid"])
def test_points_that_learn_nothing_follow_from_the_number_alone(sampler):
    base = one(sampler, 12)
    _, asked = live(base)
    empty = ConfigSampler(base, {}, {})
    assert [empty.ask(ask) for ask, *_ in asked] == [config for *_, config in asked]
    more = ConfigSampler(one(sampler, 40), {}, {})
    assert [more.ask(ask) for ask, *_ in asked] == [config for *_, config in asked]


@pytest.mark.parametrize("sampler", QUICK)
def test_studies_and_seeds_draw_apart(sampler):
    def draws(base: Plan) -> list[list[Config]]:
        studies = ConfigSampler(base, {}, {})
        return [[studies.ask(Ask(s, n, n)) for n in range(4)] for s in base.studies]

    space = STEPPED if sampler == "grid" else NESTED
    pair = tuple(study(arm, 0.5, trials=9, space=space) for arm in ("thin", "pruned"))
    a, b = draws(plan(studies=pair, sampler=Named(name=sampler)))
    c, _ = draws(plan(studies=pair, sampler=Named(name=sampler), seed=1))
    assert a != b
    assert a != c


def test_a_gaussian_process_proposes_and_repeats_itself():
    space = Space(
        dimensions=(
            Dimension(path="lr", domain=Float(low=0.01, high=1, log=True)),
            Dimension(path="c", domain=Choice(options=([1], None))),
        )
    )
    base = one("gp", 4, space=space, n_startup_trials=2)
    _, asked = live(base, slots=1, end=ended)
    assert all(not space.problems(config) for *_, config in asked)
    ask, records, dealt, config = asked[-1]
    assert ConfigSampler(base, records, dealt).ask(ask) == config


@pytest.mark.parametrize("sampler", QUICK)
def test_the_configurations_named_first_go_first(sampler):
    space = NESTED if sampler != "grid" else STEPPED
    paths = {d.path for d in space.dimensions}
    first = {path: value for path, value in FIRST.items() if path in paths}
    base = one(sampler, 6, first=(first,))
    _, asked = live(base, end=ended)
    config = asked[0][3]
    assert {path: config[path] for path in first} == first
    assert config["fixed"] == 3
    plain = live(one(sampler, 5), end=ended)[1]
    if sampler in ("qmc", "grid"):
        assert [c for *_, c in asked[1:]] == [c for *_, c in plain]


def test_a_grid_visits_every_configuration_once():
    small = Space(dimensions=tuple(d for d in STEPPED.dimensions if d.path != "width"))
    size = 2 * 4 * 5 * 5
    _, asked = live(one("grid", size, space=small))
    assert len({json.dumps(config, sort_keys=True) for *_, config in asked}) == size


def test_a_part_of_a_grid_is_spread_over_it():
    space = Space(dimensions=(Dimension(path="n", domain=Int(low=1, high=1000)),))
    studies, base = (
        ConfigSampler(one("grid", 20, space=space), {}, {}),
        study("thin", 0.5, space=space),
    )
    points = sorted(studies.ask(Ask(base, n, n))["n"] for n in range(20))
    gaps = np.diff([points[-1] - 1000, *points])
    assert max(gaps) <= 3 * 1000 / 20


@pytest.mark.parametrize("kind", ["sobol", "halton"])
def test_qmc_points_are_those_of_one_sequence(kind):
    space = Space(
        dimensions=tuple(Dimension(path=p, domain=Float(low=0, high=1)) for p in ("a", "b"))
    )
    base = one("qmc", 16, space=space, qmc_type=kind, scramble=False)
    _, asked = live(base)
    sequence = (qmc.Sobol if kind == "sobol" else qmc.Halton)(d=2, scramble=False)
    points = [[config["a"], config["b"]] for *_, config in asked]
    assert points == sequence.random(16).tolist()


def test_scrambled_sobol_points_fall_evenly_on_every_axis():
    _, asked = live(one("qmc", 32))
    for path, options in (("optimizer", 2), ("smoothing", 4)):
        values = [config[path] for *_, config in asked]
        assert {values.count(v) for v in values} == {32 // options}


def record(status: str = "completed", **other) -> Record:
    base = one("tpe", 4)
    config = NESTED.draw(lambda d: FIRST[d.path])
    spec = search_spec(base, Ask(base.studies[0], 0, 0), config, {})
    curve = tuple(
        Epoch(epoch=e, train_loss=1, val_loss=1, val_acc1=e / 10, lr=0.1, seconds=1)
        for e in (1, 2, 3)
    )
    return ended(spec, status, **{"curve": curve, **other})


@pytest.mark.parametrize(
    ("found", "state", "value", "known"),
    [
        (record(val_acc1=0.7), TrialState.COMPLETE, 0.7, {}),
        (record("stopped"), TrialState.PRUNED, None, {1: 0.1, 2: 0.2, 3: 0.3}),
        (record(would_stop_at=2), TrialState.PRUNED, None, {1: 0.1, 2: 0.2}),
        (record("failed"), TrialState.FAIL, None, {}),
        (record("diverged"), TrialState.FAIL, None, {}),
        (record("infeasible", curve=()), TrialState.PRUNED, None, {}),
    ],
    ids=["completed", "stopped", "ran on", "failed", "diverged", "infeasible"],
)
def test_optuna_is_told_the_truth(found, state, value, known):
    frozen = optuna_trial(one("tpe", 4).studies[0], found)
    assert (frozen.state, frozen.intermediate_values) == (state, known)
    assert frozen.values == (None if value is None else [value])
    assert frozen.params.keys() == FIRST.keys(), "constants are no parameters"
    assert bool(frozen.constraints) == (found.status == "infeasible")


def test_a_running_trial_is_running():
    base = one("tpe", 4)
    sweep = Sweep(base, slots=3)
    studies = ConfigSampler(base, sweep.records, sweep.dealt)
    for number in range(3):
        ask = Ask(base.studies[0], number, number)
        sweep.deal(search_spec(base, ask, studies.ask(ask), {}))
    key = sweep.order[1].key
    sweep.records[key] = ended(sweep.running.pop(key))
    found = studies.optuna_study(Ask(base.studies[0], 3, 3), optuna.samplers.RandomSampler())
    states = [trial.state for trial in found.trials]
    assert states == [TrialState.RUNNING, TrialState.COMPLETE, TrialState.RUNNING]


def judged(accuracy):
    """Trials that complete with the accuracy of their configuration; None is infeasible."""

    def end(spec: TrialSpec) -> Record:
        value = accuracy(spec.config)
        if value is None:
            return ended(spec, "infeasible", departures={"nearest_macs": 2 * spec.target_macs})
        return ended(spec, val_acc1=value)

    return end


def test_tpe_learns_from_what_it_is_told():
    def accuracy(config: Config) -> float:
        return 1 - abs(math.log10(config["lr"]) + 2) / 4

    space = Space(dimensions=(Dimension(path="lr", domain=Float(low=1e-4, high=1, log=True)),))
    regret = {}
    for sampler in ("tpe", "random"):
        _, asked = live(one(sampler, 40, space=space), slots=2, end=judged(accuracy))
        regret[sampler] = 1 - np.mean([accuracy(config) for *_, config in asked[20:]])
    assert regret["tpe"] < 0.6 * regret["random"]


def test_tpe_turns_away_from_what_is_infeasible():
    space = Space(
        dimensions=(
            Dimension(path="scope", domain=Choice(options=("local", "global"))),
            Dimension(path="x", domain=Float(low=0, high=1)),
        )
    )

    def accuracy(config: Config) -> float | None:
        return None if config["scope"] == "global" else 0.5 + config["x"] / 10

    _, asked = live(one("tpe", 40, space=space), slots=2, end=judged(accuracy))
    late = [config["scope"] for *_, config in asked[20:]]
    assert late.count("global") <= 4


def test_trials_on_a_former_architecture_are_not_told():
    small = plan(studies=(study("pruned", 0.5, trials=3), study("reinit", 0.5, trials=3)))
    before = Sweep(small, seed=0).run()
    larger = plan(studies=(study("pruned", 0.5, trials=9), study("reinit", 0.5, trials=9)))
    after = Sweep(larger, seed=0, records=before.records, dealt=before.dealt)
    while after.step():
        found = after.due()
        if isinstance(found, Ask) and found.study.arm == "reinit":
            known = ConfigSampler(larger, after.records, after.dealt).optuna_study(
                found, optuna.samplers.RandomSampler()
            )
            assert len(known.trials) == found.number
    assert len(after.keys("reinit@0.5 scratch_b", "search")) == 3 + 9
