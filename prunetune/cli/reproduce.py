"""The verb `reproduce`: a finished trial runs again, and is compared with its record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prunetune.cli.exits import Exit
from prunetune.cli.json_text import print_json
from prunetune.cli.options import AsJson, Offline, Storage, TrialArgument

if TYPE_CHECKING:
    from prunetune.records.record import Epoch

_DISAGREES = 1


def reproduce(
    trial: TrialArgument,
    storage: Storage = "runs",
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Run a trial again, in a scratch storage, and say whether it agrees with its record.

    On one CPU thread, and on a GPU with resources.deterministic, it has to agree to the last bit if
    versions and dtype are the same. Elsewhere its accuracy has to lie within the 95 % prediction
    interval of its seeds. Exit code 1 if it does not agree.
    """
    from prunetune.cli.trial_text import epoch_line
    from prunetune.deploy.reproduce import reproduce_trial
    from prunetune.registry import make_importable
    from prunetune.sweep.trial_facts import trial_facts

    facts = trial_facts(trial, storage)
    record = facts.record
    if record is None:
        raise Exit(2, f"trial {facts.key} has not ended: {facts.state}")
    make_importable([str(Path.cwd())])  # plug-ins may lie beside the sweep file

    def say(epoch: Epoch) -> None:
        if not as_json:
            print(epoch_line(epoch, record.epochs_planned), flush=True)

    result = reproduce_trial(facts.store(storage), record, offline=offline, on_epoch=say)
    if as_json:
        print_json(result)
    else:
        print(f"trial {result.trial} of {result.sweep} {result.sentence()}")
    if not result.agrees:
        raise Exit(_DISAGREES)
