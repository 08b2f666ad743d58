"""One trial as text: its facts in aligned lines, and what happened to it in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from prunetune.analysis.format import count, percent, plural
from prunetune.records.record import Epoch, Record
from prunetune.sweep.trial_facts import TrialFacts

_INDENT = "  "


def trial_text(facts: TrialFacts) -> str:
    """What `prunetune show` prints."""
    trial = facts.record or facts.trial
    sections: dict[str, Mapping[str, str]] = {"": _identity(facts)}
    if facts.record is not None:
        sections |= {"network": _network(facts.record), "accuracy": _accuracy(facts.record)}
        sections["cost"] = _cost(facts.record)
    if trial is not None:
        sections["configuration"] = {path: str(value) for path, value in trial.config.items()}
        sections["starts from"] = trial.inputs
    if facts.record is not None:
        sections["widths"] = _widths(facts.record)
    sections["files"] = {name: f"{count(size)}B" for name, size in facts.files.items()}
    return "\n".join(_lines(sections))


def log_lines(facts: TrialFacts) -> Iterator[str]:
    """What happened to the trial, one event a line: it began, trained, broke off, ended."""
    record = facts.record
    if record is not None and record.started_at:
        yield f"{record.started_at} began on {record.device or 'a device that is not known'}"
    if facts.unfinished is not None:
        yield facts.unfinished.sentence()
    for fault in facts.breaks:
        yield f"{fault.at} broke off: {fault.kind}: {fault.error}"
    if record is not None:
        for epoch in record.curve:
            yield epoch_line(epoch, record.epochs_planned)
        yield f"{record.ended_at} {record.status}{f': {record.error}' if record.error else ''}"


def _identity(facts: TrialFacts) -> dict[str, str]:
    trial = facts.record or facts.trial
    rows = {"trial": facts.key, "sweep": ", ".join(facts.sweeps), "state": facts.state}
    if trial is not None:
        rows["study"] = trial.study or "dense"
        number = "" if trial.number is None else f" {trial.number}"
        rows["phase"] = f"{trial.phase}{number}, seed {trial.seed}"
        rows["method"] = trial.method or ""
    if facts.unfinished is not None:
        rows["progress"] = facts.unfinished.sentence()
    if facts.record is not None and facts.record.error:
        rows["error"] = facts.record.error
    if facts.breaks:
        last = facts.breaks[-1]
        rows["broke off"] = f"{len(facts.breaks)} times, last {last.at}: {last.kind}: {last.error}"
    return rows


def _network(record: Record) -> dict[str, str]:
    macs = "" if record.macs is None else f"{record.macs:,} of {record.target_macs:,} allowed"
    share = "" if record.macs is None else f" ({percent(record.macs / record.dense_macs)} of dense)"
    params = "" if record.params is None else f"{record.params:,} of {record.dense_params:,}"
    departures = {f"departs: {name}": str(value) for name, value in record.departures.items()}
    return {"MACs": macs + share, "parameters": params, **departures}


def _accuracy(record: Record) -> dict[str, str]:
    values = {
        "validation": record.val_acc1,
        "validation, best epoch": record.val_acc1_best,
        "validation, before training": record.val_acc1_before_training,
        "test": record.test_acc1,
        "test, best epoch": record.test_acc1_best,
    }
    return {name: percent(value) for name, value in values.items() if value is not None}


def _cost(record: Record) -> dict[str, str]:
    seconds = record.wall_s.get("total")
    memory, macs = record.peak_memory_bytes, record.train_macs
    return {
        "epochs": f"{record.epochs} of {record.epochs_planned}",
        "training MACs": f"{count(macs.total)}, {count(macs.spent)} spent",
        "time": "" if seconds is None else str(timedelta(seconds=round(seconds))),
        "peak memory": "" if memory is None else f"{count(memory)}B",
        "device": record.device or "",
        "dtype": f"{record.dtype}, {plural(record.threads or 1, 'thread')}" if record.dtype else "",
        "ended": record.ended_at or "",
    }


def _widths(record: Record) -> dict[str, str]:
    """Layer -> its channels in and out, of the convolutions and linear layers."""
    layers = record.architecture.layers if record.architecture else {}
    return {name: f"{w[0]} -> {w[1]}" for name, w in layers.items() if len(w) > 1}


def epoch_line(epoch: Epoch, planned: int) -> str:
    """One epoch of `planned` in a line."""
    return (
        f"epoch {epoch.epoch}/{planned}: train_loss {epoch.train_loss:.4g}, val_loss "
        f"{epoch.val_loss:.4g}, val_acc1 {percent(epoch.val_acc1)}, lr {epoch.lr:.3g}, "
        f"{epoch.seconds:.1f} s"
    )


def _lines(sections: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for title, rows in sections.items():
        shown = {name: value for name, value in rows.items() if value}
        if title and shown:
            yield f"\n{title}"
        width = max((len(name) for name in shown), default=0)
        for name, value in shown.items():
            yield f"{_INDENT if title else ''}{name:<{width}}  {value}"
