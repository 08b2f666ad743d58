"""The command line in this process: what it prints, and the code that it would exit with."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

from prunetune.cli.app import app
from prunetune.cli.exits import guarded


def prunetune(*words: object) -> CompletedProcess[str]:
    """Run a verb in this process. A defect raises, as it would print its traceback there."""
    args = [str(word) for word in words]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = guarded(lambda: app(args, prog_name="prunetune"))
    return CompletedProcess(args, code, out.getvalue(), err.getvalue())
