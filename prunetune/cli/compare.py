"""The verb `report`: the page of a sweep again, or of several sweeps side by side."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prunetune.cli.completion import offered_sweeps
from prunetune.cli.exits import SURROUNDINGS, Exit
from prunetune.cli.options import AsJson, Storage
from prunetune.records.collector import uncollected
from prunetune.records.user_path import user_path

if TYPE_CHECKING:
    from prunetune.analysis.page.view import PageView
    from prunetune.plan import Plan
    from prunetune.records.files import StoredFile
    from prunetune.records.store import Store

Sweeps = Annotated[
    list[str],
    typer.Argument(
        metavar="SWEEP...",
        help="Names under the storage, folders or sweep files.",
        autocompletion=offered_sweeps,
    ),
]
Destination = Annotated[
    str,
    typer.Option("--to", metavar="DIR", help="Where the page that compares several sweeps goes."),
]


def report(
    sweeps: Sweeps,
    storage: Storage = "runs",
    to: Destination = "comparison",
    as_json: AsJson = False,
) -> None:
    """Write the report again from the records; of several sweeps also a page that compares them."""
    from prunetune.analysis.page.terminal import text_table
    from prunetune.sweep.locate import find_store
    from prunetune.sweep.plan_file import load_plan

    stores = [find_store(sweep, storage) for sweep in sweeps]
    repeated = [s for i, s in enumerate(sweeps) if stores[i].root in {t.root for t in stores[:i]}]
    if repeated:
        raise Exit(2, f"sweep {repeated[0]!r} is named twice; name each sweep once")
    damaged: list[str] = []
    plans = [load_plan(store) for store in stores]  # all of them, before anything is written
    pages = [store.report_folder.file("index.html") for store in stores]
    with uncollected():
        views = [_written(plan, store, damaged) for plan, store in zip(plans, stores, strict=True)]
        comparison = [str(_compare(views, pages, user_path(to)))] if len(views) > 1 else []
    if as_json:
        reports = [view.report.model_dump(mode="json", by_alias=True) for view in views]
        print(json.dumps(reports if len(reports) > 1 else reports[0], indent=1))
    else:
        shown = zip(views, pages, strict=True)
        texts = [f"{text_table(view.report)}\n\n{page}" for view, page in shown]
        print("\n\n".join([*texts, *comparison]))
    if damaged:
        raise Exit(SURROUNDINGS, "\n".join(damaged))


def _written(plan: Plan, store: Store, damaged: list[str]) -> PageView:
    """The sweep as its page shows it, once its report is written; see `Store.records`."""
    from prunetune.analysis.page.view import PageView
    from prunetune.analysis.page.write import write_report

    records = store.records(damaged)
    return PageView(plan, records, write_report(plan, records, store.report_folder, store))


def _compare(views: list[PageView], pages: list[StoredFile], folder: Path) -> Path:
    """Write the page that compares the sweeps; it links to the page of each."""
    from dataclasses import replace

    from prunetune.analysis.page.write import write_comparison
    from prunetune.records.files import StoredFolder

    shown = []
    for view, page in zip(views, pages, strict=True):
        address = _address(page, folder)
        shown.append(replace(view, base=address))
    write_comparison(shown, StoredFolder(folder))
    return folder / "index.html"


def _address(page: StoredFile, folder: Path) -> str:
    """The page's address as seen from a page in `folder`."""
    from urllib.parse import quote

    if not isinstance(page.place, Path):
        return str(page)
    return quote(Path(os.path.relpath(page.path, folder)).as_posix())
