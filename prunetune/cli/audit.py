"""The verb `audit`: what is unfair, missing or doubtful in a sweep."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from prunetune.cli.completion import offered_sweeps
from prunetune.cli.exits import FAILED_AUDIT, SURROUNDINGS, Exit
from prunetune.cli.options import AsJson, Storage
from prunetune.records.collector import uncollected


def audit_(
    sweep: Annotated[
        str | None,
        typer.Argument(
            metavar="SWEEP",
            help="A sweep's name under the storage, or its folder.",
            autocompletion=offered_sweeps,
        ),
    ] = None,
    storage: Storage = "runs",
    as_json: AsJson = False,
    rules: Annotated[
        bool, typer.Option("--rules", help="Print the table of all rules instead.")
    ] = False,
) -> None:
    """Say what is unfair or doubtful in a sweep; exit code 1 if it cannot be published as it is."""
    from prunetune.analysis.audit.table import findings_text, rules_table

    if rules:
        print(rules_table())
        return
    if sweep is None:
        raise Exit(2, "name a sweep, or ask for --rules")
    from prunetune.analysis.report import analyse
    from prunetune.sweep.locate import find_store
    from prunetune.sweep.plan_file import load_plan

    damaged: list[str] = []
    with uncollected():
        store = find_store(sweep, storage)
        findings = analyse(load_plan(store), store.records(damaged), store=store).findings
    if as_json:
        print(json.dumps([finding.model_dump(mode="json") for finding in findings], indent=1))
    else:
        print(findings_text(store.sweep, findings))
    if damaged:
        raise Exit(SURROUNDINGS, "\n".join(damaged))
    if any(finding.severity == "error" for finding in findings):
        raise Exit(FAILED_AUDIT)
