"""A lock waits for a holder that lives, and not for one that died."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from prunetune.records.lock import waiting_lock

HOLDER = """
import sys, time
from pathlib import Path
from prunetune.records.lock import waiting_lock
with waiting_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_only_one_holds_the_lock_at_a_time(tmp_path: Path):
    inside: list[int] = []
    most = 0

    def work() -> None:
        nonlocal most
        with waiting_lock(tmp_path / "below" / ".lock"):
            inside.append(1)
            most = max(most, len(inside))
            time.sleep(0.05)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert (most, inside) == (1, [])


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path):
    path = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            waited = threading.Event()

            def wait() -> None:
                with waiting_lock(path):
                    waited.set()

            waiter = threading.Thread(target=wait)
            waiter.start()
            assert not waited.wait(0.5)
        finally:
            holder.send_signal(signal.SIGKILL)
        waiter.join(timeout=60)
        assert waited.is_set()
