"""Tries many random networks, and counts what became of them."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections import Counter

import torch

from tests.compress.random_networks.network import recipe_of
from tests.compress.random_networks.oracle import Outcome, check
from tests.compress.random_networks.shrinking import described, failure, shrunk


def tried(seed: int) -> tuple[int, Outcome | str]:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    recipe = recipe_of(seed)
    try:
        return seed, check(recipe, seed)
    except Exception as error:
        small = shrunk(recipe, seed)
        why = failure(small, seed) or error
        return seed, f"{type(why).__name__}: {why}\n{described(small, seed)}"


def main(first: int, end: int, processes: int = 1) -> int:
    start, outcomes, wrong = time.perf_counter(), list[Outcome](), 0
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for seed, outcome in pool.imap_unordered(tried, range(first, end), chunksize=8):
            if isinstance(outcome, str):
                wrong += 1
                print(f"WRONG {seed}: {outcome}", flush=True)
            else:
                outcomes.append(outcome)
    print(table(outcomes, wrong))
    print(f"\n{time.perf_counter() - start:.0f} s, {processes} processes")
    return int(wrong > 0)


def table(outcomes: list[Outcome], wrong: int) -> str:
    """Counts by outcome, as Markdown."""
    networks = Counter(map(_became, outcomes))
    lines = ["| networks | |", "|---|---|", f"| tried | {len(outcomes) + wrong} |"]
    lines += [f"| {name} | {count} |" for name, count in networks.most_common()]
    lines += [f"| wrong | {wrong} |"]
    some, changed = sum(o.found > 0 for o in outcomes), sum(o.changed for o in outcomes)
    lines += [f"| with a prunable group | {some / max(1, len(outcomes)):.1%} |"]
    lines += [f"| of these, output changed | {changed / max(1, some):.1%} |"]
    for title, reasons in (
        ("networks refused because", Counter(o.refused for o in outcomes if o.refused)),
        ("groups left alone because", sum((o.left for o in outcomes), Counter[str]())),
    ):
        lines += ["", f"| {title} | {reasons.total()} |", "|---|---|"]
        lines += [f"| {why} | {count} |" for why, count in reasons.most_common()]
    lines += ["", f"Groups found: {sum(o.found for o in outcomes)}."]
    return "\n".join(lines)


def _became(outcome: Outcome) -> str:
    if outcome.refused:
        return "refused at tracing"
    if outcome.found:
        return "some groups, some left alone" if outcome.left else "all groups"
    return "refused, for no group can be pruned" if outcome.left else "without any group"
