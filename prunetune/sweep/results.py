"""What came out of a sweep, as data for Python: records, curves, frontier, audit, networks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunetune.agenda import study_outcomes
from prunetune.config.problems.errors import near_match
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.registry import load_plugins
from prunetune.sweep.locate import find_store
from prunetune.sweep.plan_file import load_plan

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from prunetune.analysis.audit.finding import Finding
    from prunetune.analysis.report import Report

_OF_A_CURVE = ("key", "study", "arm", "budget", "matching", "replicate", "phase", "number", "seed")


class NoWinnerError(LookupError):
    """The sweep has no such study, or the study has no such network."""

    exit_code = 2


def load_records(sweep: str, storage: str | Path = "runs") -> pd.DataFrame:
    """The records of a sweep as a table: one row a trial, facts and config by dotted name.

    The column `architecture` has what `rebuild` takes; for curves see `load_curves`.

    Raises:
        NoSweepError: the storage has no sweep of that name.

    Example:
        >>> records = load_records("quickstart")
        >>> records.query("phase == 'confirm'").groupby("arm")["test_acc1"].mean()
    """
    import pandas as pd

    from prunetune.analysis.page.csv_tables import facts

    return pd.DataFrame(
        [facts(r) | {"architecture": _shape(r)} | r.config for r in _records(sweep, storage)]
    )


def load_curves(sweep: str, storage: str | Path = "runs") -> pd.DataFrame:
    """The training curves of a sweep as a table: one row an epoch, beside what its trial is.

    Raises:
        NoSweepError: the storage has no sweep of that name.

    Example:
        >>> curves = load_curves("quickstart")
        >>> curves.pivot(index="epoch", columns="key", values="val_acc1").plot()
    """
    import pandas as pd

    from prunetune.records.record import Epoch

    columns = [*_OF_A_CURVE, *(field.name for field in dataclasses.fields(Epoch))]
    rows = [
        record.model_dump(mode="json", include=set(_OF_A_CURVE)) | dataclasses.asdict(epoch)
        for record in _records(sweep, storage)
        for epoch in record.curve
    ]
    return pd.DataFrame(rows, columns=columns)


def frontier(sweep: str, storage: str | Path = "runs") -> pd.DataFrame:
    """The frontier of a sweep as a table: one row a study, the columns of frontier.csv.

    Raises:
        NoSweepError: the storage has no sweep of that name.

    Example:
        >>> frontier("quickstart")[["arm", "budget", "macs", "test_acc1", "low", "high"]]
    """
    import pandas as pd

    from prunetune.analysis.evidence.frontier import FrontierRow

    rows = [row.model_dump(mode="json") for row in _report(sweep, storage).frontier]
    return pd.DataFrame(rows, columns=list(FrontierRow.model_fields))


def audit(sweep: str, storage: str | Path = "runs") -> tuple[Finding, ...]:
    """What is unfair, missing or doubtful in a sweep, the gravest first.

    Raises:
        NoSweepError: the storage has no sweep of that name.

    Example:
        >>> [finding.message for finding in audit("quickstart") if finding.severity == "error"]
        []
    """
    return _report(sweep, storage).findings


def load_winner(
    sweep: str, study: str, storage: str | Path = "runs", *, seed: int | None = None
) -> nn.Module:
    """The trained network of a study's winning configuration, in evaluation mode on the CPU.

    Args:
        sweep: the sweep's name under the storage, its folder or its file.
        study: the study's id; `thin@0.5` will do if it has one matching. `dense`: the dense
            network that the search started from.
        storage: where the sweep lies.
        seed: which of its confirm seeds; None: the first one.

    Returns:
        A plain module that takes (images, channels, height, width), normalised as in training.

    Raises:
        NoSweepError: the storage has no sweep of that name.
        NoWinnerError: there is no such study, or it has no confirmed network (of this seed).
        NoNetworkError: its weights are gone.

    Example:
        >>> model = load_winner("quickstart", "pruned@0.5")
        >>> model(torch.zeros(1, 1, 8, 8)).shape
        torch.Size([1, 10])
    """
    from prunetune.deploy.trained import trained_network

    store = find_store(sweep, storage)
    plan = load_plan(store)
    load_plugins(plan.plugins)
    return trained_network(store, _winner(plan, store.records(), study, seed))


def _winner(plan: Plan, records: dict[str, Record], study: str, seed: int | None) -> Record:
    """The record of a study's confirmed network of this seed, or of its first one."""
    if study == "dense":
        trained = sorted((r for r in records.values() if r.phase == "dense"), key=lambda r: r.seed)
    else:
        study = _study_id(plan, study)
        trained = list(study_outcomes(plan, records)[study].confirmed)
    for record in trained:
        if seed in (None, record.seed):
            return record
    seeds = ", ".join(str(record.seed) for record in trained) or "none"
    wanted = "" if seed is None else f" of seed {seed}"
    raise NoWinnerError(f"{study} has no confirmed network{wanted}; seeds with one: {seeds}")


def _study_id(plan: Plan, written: str) -> str:
    """The id of the study that a user means."""
    ids = [study.id for study in plan.studies]
    matches = [each for each in ids if each == written] or [
        each for each in ids if each.startswith(f"{written} ")
    ]
    if len(matches) == 1:
        return matches[0]
    near = near_match(written, ids)
    hint = f"; did you mean {near!r}?" if near and not matches else ""
    listed = ", ".join(matches or [*ids, "dense"])
    raise NoWinnerError(f"no study {written!r} in {plan.sweep}{hint}; allowed: {listed}")


def _report(sweep: str, storage: str | Path) -> Report:
    from prunetune.analysis.report import analyse

    store = find_store(sweep, storage)
    return analyse(load_plan(store), store.records(), store=store)


def _records(sweep: str, storage: str | Path) -> list[Record]:
    store = find_store(sweep, storage)
    if not store.exists():
        load_plan(store)  # says which sweeps there are
    return list(store.records().values())


def _shape(record: Record) -> dict[str, Any] | None:
    return record.architecture.model_dump(mode="json") if record.architecture else None
