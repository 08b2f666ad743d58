"""From what a user names to the networks that are timed: of a sweep, one of each study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prunetune.agenda import study_outcomes
from prunetune.deploy.latency.bench import BenchTarget
from prunetune.records.find_trial import NoTrialError
from prunetune.records.record import Record
from prunetune.records.store import Store
from prunetune.sweep.locate import find_store
from prunetune.sweep.plan_file import load_plan
from prunetune.sweep.trial_facts import trial_facts


def bench_targets(words: Sequence[str], storage: str | Path) -> tuple[list[BenchTarget], list[str]]:
    """The networks that the words name, each once, and the plug-ins that build them.

    A word is a sweep (a dense network and each study's first confirmed one are meant) or a trial.

    Raises:
        NoTrialError: a word is neither, or names a trial without a network.
    """
    targets: dict[str, BenchTarget] = {}
    plugins: list[str] = []
    for word in words:
        store = find_store(word, storage)
        if store.plan_file.exists():
            plan = load_plan(store)
            plugins += plan.plugins
            found = [_target(store, record) for record in _of_sweep(store)]
        else:
            facts = trial_facts(word, storage)
            plugins += facts.trial.plugins if facts.trial else ()
            found = [_target(facts.store(storage), _with_network(facts.record, facts.key))]
        for target in found:
            targets.setdefault(target.record.key, target)
    return list(targets.values()), list(dict.fromkeys(plugins))


def _target(store: Store, record: Record) -> BenchTarget:
    masked = False
    if record.study is not None and store.plan_file.exists():
        masked = load_plan(store).study(record.study).masked
    return BenchTarget(store, record, masked)


def _of_sweep(store: Store) -> list[Record]:
    plan, records = load_plan(store), store.records()
    dense = sorted((r for r in records.values() if r.phase == "dense"), key=lambda r: r.seed)
    confirmed = [
        record
        for outcome in study_outcomes(plan, records).values()
        for record in outcome.confirmed[:1]
    ]
    found = [r for r in (*dense[:1], *confirmed) if r.architecture is not None]
    if not found:
        raise NoTrialError(f"sweep {store.sweep}: no network has been confirmed yet")
    return found


def _with_network(record: Record | None, key: str) -> Record:
    if record is None or record.architecture is None or record.macs is None:
        raise NoTrialError(f"trial {key} has no network: it has not ended, or ended before it had")
    return record
