"""The SLURM script: one token a job, the driver's exit code is the job's, and signals reach it.

Real bash runs the script; SLURM, Ray and prunetune are stand-ins that note how they were called.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "experiments" / "cluster" / "slurm.sh"
STAND_INS = {
    "scontrol": "for i in 1 2 3; do echo node$i; sleep 0.1; done",
    "srun": 'echo "srun $*" >> calls; sleep 30 & wait',
    "ray": 'echo "ray $*" >> calls',
    "prunetune": """echo "prunetune $*" >> calls
stat -c %a "$RAY_AUTH_TOKEN_PATH" >> token; wc -c < "$RAY_AUTH_TOKEN_PATH" >> token
trap 'echo "driver heard SIGTERM" >> calls; sleep 0.3; exit 143' TERM
touch started; sleep "$SLEEP" & wait; exit "$CODE" """,
}


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a job whose programs are stand-ins."""
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'export PATH="{programs}:$PATH"\n')
    for name, body in STAND_INS.items():
        program = programs / name
        program.write_text(f"#!/usr/bin/env bash\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    facts = {"JOB_ID": "1234567", "JOB_NODELIST": "node[1-3]", "JOB_NUM_NODES": "3"}
    slurm = {f"SLURM_{name}": value for name, value in facts.items()}
    own = {"PRUNETUNE_VENV": str(tmp_path / "venv"), "SLURM_CPUS_PER_TASK": "16"}
    return {**os.environ, **slurm, **own, "SLEEP": "0.5", "CODE": "0"}


def submitted(folder: Path, job: dict[str, str], *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", str(SCRIPT), *words], cwd=folder, env=job, start_new_session=True
    )


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code; what the job left running ends, as SLURM would end it."""
    try:
        return process.wait(30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_job_ends_as_the_driver_does(tmp_path: Path, job: dict[str, str], code: int) -> None:
    words = ("my.yaml", "results", "--set", "seed=7")
    assert ended(submitted(tmp_path, job | {"CODE": str(code)}, *words)) == code
    calls = (tmp_path / "calls").read_text().splitlines()
    address = "node1:24567"
    assert f"prunetune sweep my.yaml --storage results --address {address} --set seed=7" in calls
    head, others = sorted(call for call in calls if call.startswith("srun"))
    assert "--nodelist=node1 ray start --head --port=24567" in head
    assert f"--nodes=2 --ntasks=2 --exclude=node1 ray start --address={address}" in others
    assert (tmp_path / "token").read_text().split() == ["600", "64"]
    assert not list(tmp_path.glob(".ray-token-*"))


def test_a_signal_before_the_time_is_up_reaches_the_driver(
    tmp_path: Path, job: dict[str, str]
) -> None:
    process = submitted(tmp_path, job | {"SLEEP": "60"}, "my.yaml", "results")
    for _ in range(200):
        if (tmp_path / "started").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)  # to the batch shell alone, as --signal=B:TERM does
    assert ended(process) == 143
    assert "driver heard SIGTERM" in (tmp_path / "calls").read_text()


def test_too_few_words_are_refused(tmp_path: Path, job: dict[str, str]) -> None:
    assert ended(submitted(tmp_path, job, "my.yaml")) == 2
