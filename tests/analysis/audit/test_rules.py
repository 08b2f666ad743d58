"""Every rule fires on a sweep made to break it, and is silent on a clean one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from prunetune.analysis.audit.rule import all_rules, audit_findings
from prunetune.analysis.audit.rules.unequal_early_stopping import fisher_exact
from prunetune.analysis.evidence.other_sweeps import OtherSweep
from prunetune.config.parts import Named
from prunetune.config.search import Asha, Confirm
from prunetune.config.space.space import Constant, Dimension, Float, Space
from prunetune.plan import Growth
from prunetune.records.record import Epoch, TrainMacs
from tests.analysis.audit.cases import Sweep, clean_sweep, of
from tests.analysis.sweeps import SPACE, make_plan, noisy, record, run

Break = Callable[[Sweep], Sweep]
LR = "recipe.optimizer.sgd.lr"


def space_with(path: str, domain: Any) -> Space:
    """SPACE with another domain of one value."""
    dimensions = (
        d.model_copy(update={"domain": domain}) if d.path == path else d for d in SPACE.dimensions
    )
    return Space(dimensions=tuple(dimensions))


def wider_space() -> Space:
    criterion = Dimension(path="method.threshold", domain=Float(low=0, high=1))
    return Space(dimensions=(*SPACE.dimensions, criterion))


def curve(*accuracies: float, lr: float = 0.1) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(epoch=i + 1, train_loss=1.0, val_loss=1.0, val_acc1=a, lr=lr, seconds=1.0)
        for i, a in enumerate(accuracies)
    )


def stopped(sweep: Sweep, arm: str) -> Sweep:
    """All but the winner of one arm's trials stopped early."""
    early = of(arm, "search")
    return sweep.changed(lambda r: early(r) and r.number < 3, status="stopped")


def misranked(sweep: Sweep) -> Sweep:
    """Three trials run on in each study, and the order at the rung is the reverse of the end's."""
    sweep = sweep.planned(early_stopping=Asha(run_on=4))
    for number in range(4):
        fields = {"curve": curve(0.9 - 0.1 * number, 0.88), "epochs": 2}
        sweep = sweep.changed(of(None, "search", number), **fields)
    return sweep.changed(of("thin", "search", 0), would_stop_at=1)


def stopped_the_best(sweep: Sweep) -> Sweep:
    sweep = sweep.planned(early_stopping=Asha(run_on=4))
    fields = {"curve": curve(0.1, 0.99), "val_acc1": 0.99, "would_stop_at": 1}
    return sweep.changed(of("thin", "search", 0), **fields)


def grown(sweep: Sweep, at: str) -> Sweep:
    growth = Growth(at=at, hash="h", changes=("confirm.seeds: 3 -> 5",))
    sweep = sweep.changed(of(phase="confirm"), ended_at="2026-01-02T00:00:00+00:00")
    return sweep.planned(growth=(growth,))


def replaced(sweep: Sweep) -> Sweep:
    """Thin's winner at one budget turns out to be trial 0; trial 3 was confirmed."""
    study = sweep.plan.studies[0]
    return sweep.changed(lambda r: r.study == study.id and r.number == 0, val_acc1=0.99)


def published(sweep: Sweep) -> Sweep:
    """The dense network is a ResNet-20, for which 91.25 % are published."""
    sweep = sweep.planned(workload={"dataset": "cifar10"})
    sweep = sweep.changed(of(phase="confirm"), test_acc1=0.85)
    return sweep.changed(of(phase="dense"), test_acc1=0.9)


def control(sweep: Sweep) -> Sweep:
    """A control arm that trains the dense network on, to 2 points more."""
    study = sweep.plan.studies[0].model_copy(
        update={"id": "control@dense", "arm": "control", "method": "dense", "budget": None}
    )
    sweep = sweep.planned(studies=(*sweep.plan.studies, study))
    search = record(sweep.plan, "search", study, 0, number=0)
    confirms = [
        record(sweep.plan, "confirm", study, 1000 + j, number=0, test_acc1=0.955) for j in range(3)
    ]
    return replace(sweep, records=sweep.records | {r.key: r for r in (search, *confirms)})


def loaded(sweep: Sweep, val_seen: bool | None) -> Sweep:
    return sweep.dense(source="checkpoint", path="net.pt", val_seen=val_seen)


def spent(macs: int) -> TrainMacs:
    return TrainMacs(spent=macs)


HALF = OtherSweep(sweep="half", tested=0, dense_lengths={25: [0.92]})
"""A sweep that trained the same dense network for half as many epochs."""

BROKEN: list[tuple[str, Break, str]] = [
    ("unequal_trials", lambda s: s.studies(of("thin"), trials=8), "thin 8, pruned 4"),
    (
        "unequal_ranges",
        lambda s: s.studies(of("thin"), space=space_with(LR, Float(low=0.1, high=1))),
        "thin {float: [0.1, 1.0]}; pruned {float: [0.01, 0.5], log: true}",
    ),
    (
        "unequal_ranges",
        lambda s: s.studies(of("thin"), space=space_with(LR, Constant(value=0.1))),
        "thin 0.1; pruned {float",
    ),
    ("unequal_dimensions", lambda s: s.studies(of("pruned"), space=wider_space()), "pruned 3"),
    ("unequal_first", lambda s: s.studies(of("thin"), first=({LR: 0.1},)), "thin 1, pruned 0"),
    ("unequal_epochs", lambda s: s.studies(of("thin"), epochs=10), "thin 10, pruned 20"),
    (
        "unequal_epochs",
        lambda s: s.studies(of("thin"), matching="scratch_e", epochs=50),
        "thin 50, pruned 70",
    ),
    ("unequal_compute", lambda s: s.studies(of("thin"), epochs=40), "thin "),
    ("unequal_compute", lambda s: s.studies(of("pruned"), masked=True), "pruned "),
    (
        "unequal_search_compute",
        lambda s: s.changed(of("thin", "search"), train_macs=spent(9 * 10**15)),
        "thin 36 P, pruned",
    ),
    ("unequal_early_stopping", lambda s: stopped(s, "thin"), "12 of 16 trials of thin"),
    (
        "unequal_early_stopping",
        lambda s: s.changed(of("thin", "search"), would_stop_at=7),
        "16 of 16 trials of thin",
    ),
    (
        "unequal_seeds",
        lambda s: s.changed(
            lambda r: r.phase == "confirm" and r.arm == "thin" and r.seed == 1000,
            status="failed",
            test_acc1=None,
        ),
        "thin 4, pruned 5",
    ),
    ("too_few_seeds", lambda s: s.planned(confirm=Confirm(seeds=2)), "2 seeds"),
    (
        "too_few_searches",
        lambda s: s.planned(studies=s.plan.studies[:2]),
        "1 search a study and 1 budget",
    ),
    ("too_few_budgets", lambda s: s.planned(studies=s.plan.studies[:2]), "1 budget"),
    ("too_few_dense_networks", lambda s: s.planned(confirm=Confirm(seeds=2)), "2 dense"),
    ("single_trial", lambda s: s.studies(of(), trials=1), "thin@0.5"),
    ("no_fine_tuning", lambda s: s.studies(of("pruned"), epochs=0), "pruned"),
    (
        "winner_on_edge",
        lambda s: s.studies(of("thin"), space=space_with(LR, Float(low=0.001, high=0.0401))),
        "4 winners of thin chose recipe.optimizer.sgd.lr at the upper end",
    ),
    (
        "winner_on_edge",
        lambda s: s.studies(of("thin"), space=space_with(LR, Float(low=0.0399, high=1, log=True))),
        "lower end",
    ),
    (
        "lr_misses_peak",
        lambda s: s.studies(of("pruned"), space=space_with(LR, Float(low=0.001, high=0.01))),
        "pruned may use sgd up to a learning rate of 0.01, and networks are trained at 0.5",
    ),
    (
        "lr_misses_peak",
        lambda s: s.dense(config={LR: 0.8}),
        "thin may use sgd up to a learning rate of 0.5, and networks are trained at 0.8",
    ),
    (
        "search_still_rising",
        lambda s: s.changed(of("thin", "search", 3), val_acc1=0.9),
        "thin@0.5 marginal by 2.05",
    ),
    ("all_trials_random", lambda s: s.planned(sampler=Named(name="tpe")), "after 6 trials"),
    (
        "budgets_missed",
        lambda s: s.changed(of("thin", "search", 1), macs=70_000_000),
        "4 networks missed the budget; the worst has 70,000,000",
    ),
    ("budgets_missed", lambda s: s.studies(of("thin"), infeasible="too small"), "too small"),
    ("selection_on_test", lambda s: s.changed(of(phase="search"), test_acc1=0.9), "32 trials"),
    ("selection_on_test", lambda s: s.planned(val_size=0), "no validation images"),
    (
        "test_read_again",
        lambda s: replace(s, others=(OtherSweep(sweep="first", tested=7),)),
        "this sweep (46 networks), 53 networks",
    ),
    (
        "failed_trials",
        lambda s: s.changed(of("thin", "search", 0), status="diverged"),
        "4 of 16 search trials of thin have no result: 4 diverged",
    ),
    (
        "failed_trials",
        lambda s: s.changed(of("thin", "confirm"), status="failed", test_acc1=None),
        "20 of 20 confirm trials of thin",
    ),
    (
        "failed_trials",
        lambda s: s.changed(of(phase="dense"), status="failed", test_acc1=None),
        "6 failed",
    ),
    (
        "lost_to_machines",
        lambda s: s.changed(of("thin", "search", 3), status="failed", failed_by="death"),
        "thin@0.5 marginal lost 1 trial of its search to its machines",
    ),
    (
        "collapsed_trials",
        lambda s: s.changed(
            lambda r: r.phase == "confirm" and r.study == "pruned@0.5" and r.seed == 1002,
            test_acc1=0.1,
        ),
        "pruned@0.5: confirm seeds 1002",
    ),
    ("dense_untuned", lambda s: s.dense(salient={}), "default recipe"),
    (
        "dense_undertrained",
        lambda s: s.changed(of(phase="dense"), test_acc1=0.9),
        "better than its 90.00 %",
    ),
    (
        "dense_undertrained",
        lambda s: s.changed(of(phase="dense"), curve=curve(0.5, 0.6, 0.7, 0.8)),
        "still brought 20.00 points",
    ),
    (
        "dense_undertrained",
        lambda s: replace(s, others=(HALF,)),
        "50 epochs instead of 25 (sweep half) brought the dense network 1.50 points",
    ),
    ("dense_undertrained", control, "training the dense network on (control@dense) brought 2.0"),
    ("dense_below_published", published, "1.25 points below the 91.25 % published"),
    ("foreign_checkpoint", lambda s: loaded(s, None), "is not said"),
    ("foreign_checkpoint", lambda s: loaded(s, True), "validation images, which choose"),
    (
        "foreign_checkpoint",
        lambda s: loaded(s, False),
        "loaded (net.pt, 50 epochs); the sweep file says that it has not seen",
    ),
    ("shared_dense_network", lambda s: s.planned(dense_fresh=False), "of pruned start"),
    ("early_stopping_misranks", misranked, "Kendall's tau -1.00"),
    ("early_stopping_misranks", stopped_the_best, "would have ended 4 trials"),
    (
        "growth_after_look",
        lambda s: grown(s, "2026-01-03T00:00:00+00:00"),
        "grew on 2026-01-03, after test accuracies were known: confirm.seeds: 3 -> 5",
    ),
    ("winner_replaced", replaced, "thin@0.5 marginal: 5 confirmed networks of the former winner"),
    (
        "unfinished_sweep",
        lambda s: s.without(lambda r: r.phase == "confirm" and r.seed == 1004),
        "8 trials of 78",
    ),
]

SILENT: list[tuple[str, Break]] = [
    # training MACs of scratch_b are those of the pruned network and its dense network together
    ("unequal_compute", lambda s: matched_by_scratch_b(s)),
    ("unequal_epochs", lambda s: matched_by_scratch_b(s)),
    ("unequal_first", lambda s: s.studies(of(), first=({LR: 0.1},))),
    ("unequal_early_stopping", lambda s: stopped(stopped(s, "thin"), "pruned")),
    # nothing lies below zero, so a winner there cannot move on
    (
        "winner_on_edge",
        lambda s: s.studies(of("thin"), space=space_with(LR, Float(low=0, high=9))),
    ),
    ("too_few_searches", lambda s: s.studies(of(), space=Space())),
    ("single_trial", lambda s: s.studies(of(), trials=1, first=({LR: 0.1},))),
    ("all_trials_random", lambda s: s.planned(sampler=Named(name="tpe")).studies(of(), trials=7)),
    ("test_read_again", lambda s: replace(s, others=(OtherSweep(sweep="other", tested=0),))),
    # a schedule that falls to zero always gains at its end
    ("dense_undertrained", lambda s: s.changed(of(phase="dense"), curve=annealed())),
    ("dense_below_published", lambda s: published(s).changed(of(phase="dense"), test_acc1=0.91)),
    ("too_few_dense_networks", lambda s: s.planned(dense_fresh=False)),
    ("growth_after_look", lambda s: grown(s, "2026-01-01T00:00:00+00:00")),
    ("early_stopping_misranks", lambda s: s.planned(early_stopping=Asha())),
]


def name_of(value: object) -> str:
    """The name of a rule, as the name of its test."""
    return value if isinstance(value, str) and value.isidentifier() else ""


def matched_by_scratch_b(sweep: Sweep) -> Sweep:
    for study in sweep.plan.studies:
        if study.arm == "thin":
            epochs = round(50 / study.budget + 20)
            sweep = sweep.studies(
                lambda s, i=study.id: s.id == i, matching="scratch_b", epochs=epochs
            )
    return sweep


def annealed() -> tuple[Epoch, ...]:
    return (*curve(0.5, 0.6), *curve(0.7, 0.93, lr=0.001))


@pytest.fixture(scope="module")
def clean() -> Sweep:
    return clean_sweep()


def findings_of(sweep: Sweep, rule: str) -> list[Any]:
    return [f for f in audit_findings(sweep.case()) if f.rule == rule]


@pytest.mark.parametrize(("rule", "broken", "said"), BROKEN, ids=name_of)
def test_a_rule_fires_on_a_sweep_made_to_break_it(
    clean: Sweep, rule: str, broken: Break, said: str
) -> None:
    sweep = broken(clean)
    found = findings_of(sweep, rule)
    assert any(said in f.message for f in found), [f.message for f in found]
    assert all(f.advice for f in found)
    assert all(key in sweep.records for f in found for key in f.records)


def test_a_clean_sweep_has_no_findings(clean: Sweep) -> None:
    assert audit_findings(clean.case()) == ()


@pytest.mark.parametrize(("rule", "changed"), SILENT, ids=name_of)
def test_a_rule_is_silent_where_a_difference_is_fair(
    clean: Sweep, rule: str, changed: Break
) -> None:
    assert findings_of(changed(clean), rule) == []


def test_every_rule_has_a_sweep_that_breaks_it() -> None:
    assert {each.name for each in all_rules()} == {rule for rule, _, _ in BROKEN}
    assert all(each.reason and each.summary.endswith(".") for each in all_rules())


def test_unequal_effort_is_a_note_where_equal_effort_leads_to_the_same_verdicts(
    clean: Sweep,
) -> None:
    dear = clean.changed(of("thin", "search"), train_macs=spent(9 * 10**15))
    early = dear.changed(of("thin", "search", 0), val_acc1=0.8799)
    (finding,) = findings_of(early, "unequal_search_compute")
    assert finding.severity == "note"
    assert "no verdict would be another one" in finding.message
    late = dear.changed(of("thin", "search", 0), val_acc1=0.5)
    (finding,) = findings_of(late, "unequal_search_compute")
    assert finding.severity == "warning"
    assert '"undecided" becomes "recipe of pruned wins"' in finding.message


def test_errors_come_first(clean: Sweep) -> None:
    sweep = clean.planned(confirm=Confirm(seeds=2), dense_fresh=False, sampler=Named(name="tpe"))
    severities = [f.severity for f in audit_findings(sweep.case())]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert len(set(severities)) == 3


@pytest.mark.parametrize("fresh", [True, False])
def test_any_sweep_can_be_audited(fresh: bool) -> None:
    arms = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}
    plan = make_plan(arms, (0.5, 0.25), seeds=1, replicates=2, fresh=fresh)
    for records in ({}, run(plan, noisy(dict.fromkeys(arms, 0.9)))):
        assert audit_findings(Sweep(plan, records).case())


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [
        ((0, 4), (4, 4), 2 / 70),
        ((1, 2), (1, 2), 1.0),
        ((3, 3), (0, 3), 2 / 20),
        ((0, 0), (1, 3), 1.0),
    ],
)
def test_fishers_exact_test(a: tuple[int, int], b: tuple[int, int], p: float) -> None:
    assert fisher_exact(a, b) == pytest.approx(p)
    assert fisher_exact(b, a) == pytest.approx(p)
