"""python -m tests.fuzzing FIRST END [sweeps|records] [--into FOLDER]

Tries the seeds FIRST to END - 1 and prints a table: what was done to a file, how verbs ended, and
the most that one took. Each complaint is printed with its seed; its file is kept in the folder.
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.fuzzing.judging import Tried
from tests.fuzzing.stored_records import try_record
from tests.fuzzing.sweep_files import try_sweep_file

Try = Callable[[random.Random, Path], tuple[str, list[tuple[Tried, list[str]]]]]
TRIES: dict[str, Try] = {"sweeps": try_sweep_file, "records": try_record}


def table(results: list[Tried]) -> str:
    """A row for each kind of mutation; a file with several counts in each of their rows."""
    rows: dict[str, list[Tried]] = defaultdict(list)
    for result in results:
        for kind in dict.fromkeys(result.kinds):
            rows[kind].append(result)
    rows = {**dict(sorted(rows.items())), "all": results}
    lines = ["| done to the file | runs | exit codes | most s | most MB |", "|---|---|---|---|---|"]
    for kind, of_kind in rows.items():
        codes = sorted(Counter(str(result.code) for result in of_kind).items())
        seconds = max(result.seconds for result in of_kind)
        memory = max(result.bytes for result in of_kind) / 1e6
        shown = ", ".join(f"{code}: {count}" for code, count in codes)
        lines.append(f"| {kind} | {len(of_kind)} | {shown} | {seconds:.2f} | {memory:.0f} |")
    return "\n".join(lines)


def main() -> int:
    """Try the seeds; the exit code is 1 if there was a complaint."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("first", type=int)
    words.add_argument("end", type=int)
    words.add_argument("what", choices=TRIES, default="sweeps", nargs="?")
    words.add_argument("--into", type=Path, default=Path(tempfile.mkdtemp()))
    given = words.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):  # show the table of what was tried
        signal.signal(number, lambda number, frame: stopped.append(number))
    results: list[Tried] = []
    n_files = n_complaints = 0
    for seed in range(given.first, given.end):
        if stopped:
            break
        text, runs = TRIES[given.what](random.Random(seed), given.into)
        results += [result for result, _ in runs]
        n_files += 1
        for result, complaints in runs:
            if complaints:
                n_complaints += 1
                kept = given.into / f"{given.what}-{seed}"
                kept.write_bytes(text.encode("utf-8", "surrogatepass"))
                print(f"{seed} {result.kinds}: {'; '.join(complaints)}", flush=True)
    print(f"\n{n_files} files, {n_complaints} complaints\n\n{table(results)}")
    return 1 if n_complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
