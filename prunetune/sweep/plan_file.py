"""The plan file of a sweep: written before its first trial, extended when the sweep grows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prunetune.config.file.growth import GrowthError, growth
from prunetune.config.file.model import SweepSpec
from prunetune.config.file.yaml import dump
from prunetune.config.problems.errors import near_match
from prunetune.plan import Plan
from prunetune.records.files import CorruptFileError, StoredFile
from prunetune.records.key import digest
from prunetune.records.record_builder import now
from prunetune.records.store import Store, sweep_names
from prunetune.sweep.kept_trials import check_kept_trials


class NoSweepError(LookupError):
    """The storage has no sweep of that name."""

    exit_code = 2


def write_plan(store: Store, spec: SweepSpec, plan: Plan) -> None:
    """Write the sweep file and the plan before anything runs; a sweep that has begun may only grow.

    Raises:
        GrowthError: the sweep in this storage asks another question.
        OtherQuestionError: plan.json is gone, and the trials there answer another question.
        CorruptFileError: the plan file there was not written by prunetune, or a trial was changed.
    """
    tree = spec.model_dump(mode="json")
    facts = plan.model_dump(mode="json", by_alias=True)
    grown: list[dict[str, Any]] = []
    planned = store.plan_file.exists()
    if planned:
        with _intact(store.plan_file):
            before = json.loads(store.plan_file.read())
            grown = before["growth"]
            begun = SweepSpec.model_validate(before["spec"])  # new fields get their default
        changes = growth(begun.model_dump(mode="json"), tree) or _rewritten(before, facts)
        _same_data(before["plan"], plan)
        if changes:
            grown = [*grown, {"at": now(), "hash": before["hash"], "changes": changes}]
    check_kept_trials(plan, store, planned=planned)
    content = {"hash": digest(facts), "growth": grown, "spec": tree, "plan": facts}
    store.sweep_file.write(dump(tree).encode())
    store.plan_file.write_json(content)


def _rewritten(before: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """What makes the plan another one although the sweep file is the same; empty if nothing does.

    The hash under which the sweep began must not vanish without a note.
    """
    if digest(before["plan"]) != before["hash"]:
        return ["plan.json: changed by hand -> as the sweep file says"]
    if digest(facts) != before["hash"]:
        return ["plan.json: the form of an older version -> that of this version"]
    return []


def _same_data(before: dict[str, Any], plan: Plan) -> None:
    """Raise GrowthError where data, dense weights or code differ under the same name."""
    files, code = "other files than the sweep began with", "other code than the sweep began with"
    then, present = before["dense"], plan.dense
    same = {
        f"workload.dataset: {files}": before["data_key"] == plan.data_key,
        f"workload.dense: {files}": then["sha256"] == present.sha256,
        f"workload.model: {code}": _code(then["architecture"]) == _code(present.architecture),
    }
    changed = [problem for problem, holds in same.items() if not holds]
    if changed:
        raise GrowthError(changed)


def _code(architecture: dict[str, Any]) -> Any:
    """The digest of the network's code, where the network is a class of the user's."""
    return architecture["params"].get("digest") if architecture["model"] == "module" else None


def load_plan(store: Store) -> Plan:
    """The plan of a sweep that has begun.

    Raises:
        NoSweepError: the storage has no such sweep; the message lists its sweeps.
        CorruptFileError: the file is not a plan, or was changed since it was written.
    """
    if not store.plan_file.exists():
        names = sweep_names(store.storage)
        listed = f"there are: {', '.join(names)}" if names else "there is none"
        if near := near_match(store.sweep, names):
            listed = f"did you mean {near!r}? {listed}"
        raise NoSweepError(f"no sweep {store.sweep!r} under {store.storage}; {listed}")
    with _intact(store.plan_file):
        content = json.loads(store.plan_file.read())
        beside = {"growth": content["growth"], "hash": content["hash"]}
        plan = Plan.model_validate({**content["plan"], **beside})
        actual = digest(content["plan"])
    if actual != plan.hash:
        raise CorruptFileError(
            f"{store.plan_file}: changed by hand: the hash in it is {plan.hash}, that of its "
            f"content is {actual}; `prunetune sweep FILE` writes it anew from the sweep file"
        )
    return plan


@contextmanager
def _intact(file: StoredFile) -> Iterator[None]:
    """Name the file in the error if its content is not a plan."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{file} is not a plan of prunetune: {error}") from error
