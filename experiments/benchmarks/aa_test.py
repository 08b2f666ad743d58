"""Does the whole system name winners where there are none? Thin against thin, on real data.

    PYTHONPATH=. python experiments/benchmarks/aa_test.py [--sweeps 100] [--controls 10]
        [--storage runs/aa] [--out experiments/benchmarks/results/NAME]

Two arms with the same method and the same search space are compared at four budgets on the
embedded digits, in a hundred sweeps with different seeds: search, confirm seeds, records, verdicts.
With a level of 5 %, more than 9 of 100 would name a winner in 3 % of such experiments if the level
were kept. In the positive control one arm's learning rates are a hundred times too small; it must
lose.

Trials are real (`prunetune.trial.run_trial`); the product's own driver deals and records them
(agenda, samplers, store), and its own code judges them. Only Ray and MLflow are left out: one
process runs all sweeps, one trial after another. The command continues where it stopped, in the
middle of a sweep too.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from prunetune.agenda import Deal
from prunetune.bind import bind
from prunetune.config.file.parse import parse
from prunetune.records.files import to_json, write_whole
from prunetune.records.store import Store
from prunetune.sweep.plan_file import write_plan
from prunetune.trial import run_trial
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.driver import Driver
from tests.analysis.simulated import judge

SWEEP = Path(__file__).with_suffix(".yaml")
CRIPPLED = "arms.right.recipe.optimizer={sgd: {lr: {float: [0.0002, 0.005], log: true}}}"
MOST_FALSE = 9
LEAST_FOUND = 9
"""Of ten controls."""


def run_one(name: str, seed: int, overrides: list[str], storage: Path) -> dict[str, Any]:
    """Run or continue one sweep, and say what its verdicts are."""
    spec, problems = parse(str(SWEEP), [f"name={name}", f"seed={seed}", *overrides])
    assert spec is not None, problems.found
    plan = bind(spec, problems, str(SWEEP))
    store = Store(storage, name)
    write_plan(store, spec, plan)
    driver = Driver(plan, store, Broadcast([]))
    while isinstance(due := driver.deal(), Deal):
        for report in run_trial(due.spec, store, device="cpu", offline=True):
            if driver.report(due.spec.key, report):
                break
        driver.complete(due.spec.key)
    records = store.records()
    said = judge(plan, records)
    (frontier,) = said.judgements.frontiers
    accuracies = [r.test_acc1 for r in records.values() if r.phase == "confirm" and r.test_acc1]
    return {
        "name": name,
        "trials": len(records),
        "failed": sum(r.status == "failed" for r in records.values()),
        "mean_acc1": round(sum(accuracies) / len(accuracies), 4),
        "winner": frontier.winner,
        "budget_winners": [v.winner for v in said.verdicts],
        "turns": said.tilts,
        "subject": frontier.subject,
        "area": frontier.area,
        "low": frontier.low,
        "high": frontier.high,
        "p_area": frontier.p,
        "p_tilt": frontier.tilt.p if frontier.tilt else None,
    }


def names_a_winner(result: dict[str, Any]) -> bool:
    """Whether an arm wins over all budgets or at one of them."""
    return result["winner"] is not None or any(result["budget_winners"])


def results(args: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """The result of every sweep, finished ones from their file."""
    done = args.storage / "done"
    done.mkdir(parents=True, exist_ok=True)
    runs: list[tuple[str, int, list[str]]] = [("aa", i, []) for i in range(args.sweeps)]
    runs += [("control", i, [CRIPPLED]) for i in range(args.controls)]
    # Controls run first among equals, so that an early end has some of both.
    for kind, i, overrides in sorted(runs, key=lambda run: (run[1], run[0])):
        name = f"{kind}-{i:03}"
        file = done / f"{name}.json"
        if not file.exists():
            result = run_one(name, i, overrides, args.storage / "sweeps")
            write_whole(file, to_json(result))
            shutil.rmtree(args.storage / "sweeps" / name)
            shutil.rmtree(args.storage / "sweeps" / "dense", ignore_errors=True)
        yield kind, json.loads(file.read_text())


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """The result as Markdown."""
    titles = {
        "aa": f"thin against thin (limit: {MOST_FALSE} of 100)",
        "control": f"one arm crippled (at least {LEAST_FOUND} of 10)",
    }
    rows = ["| sweeps that name a winner | any | over the budgets | at a budget | sweeps |"]
    rows.append("|---" * 5 + "|")
    for kind, sweeps in found.items():
        over = sum(r["winner"] is not None for r in sweeps)
        at = sum(any(r["budget_winners"]) for r in sweeps)
        either = sum(map(names_a_winner, sweeps))
        rows.append(f"| {titles[kind]} | {either} | {over} | {at} | {len(sweeps)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--sweeps", type=int, default=100)
    parser.add_argument("--controls", type=int, default=10)
    parser.add_argument("--storage", type=Path, default=Path("runs/aa"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[dict[str, Any]]] = {"aa": [], "control": []}
    for kind, result in results(args):
        found[kind].append(result)
        print(json.dumps(result), flush=True)
        if args.out:
            write_whole(args.out.with_suffix(".json"), to_json(found))
            text = f"# A/A test and positive control\n\n{ABOUT}\n\n{table(found)}\n"
            write_whole(args.out.with_suffix(".md"), text.encode())
    print(table(found))


ABOUT = """Two arms with the same method and search space, at four budgets on the embedded digits,
in sweeps with different seeds (`experiments/benchmarks/aa_test.py`; real trials by the product's
own driver in one process, without Ray and MLflow). The level of all verdicts of a sweep together is
5 %. In the control one arm's learning rates are a hundred times too small."""

if __name__ == "__main__":
    main()
