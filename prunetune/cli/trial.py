"""The verbs that look at one trial: `show` and `logs`."""

from __future__ import annotations

from prunetune.cli.json_text import print_json
from prunetune.cli.options import AsJson, Storage, TrialArgument


def show(trial: TrialArgument, storage: Storage = "runs", as_json: AsJson = False) -> None:
    """Show one trial: how it was dealt, what came out, what it cost and which files it left."""
    from prunetune.sweep.trial_facts import trial_facts

    facts = trial_facts(trial, storage)
    if as_json:
        print_json(facts)
    else:
        from prunetune.cli.trial_text import trial_text

        print(trial_text(facts))


def logs(trial: TrialArgument, storage: Storage = "runs") -> None:
    """Print what happened to one trial: its epochs, its faults, and the messages that name it."""
    from prunetune.cli.trial_text import log_lines
    from prunetune.sweep.trial_facts import trial_facts, trial_messages

    facts = trial_facts(trial, storage)
    store = facts.store(storage)
    print("\n".join([*log_lines(facts), *trial_messages(store, facts.key)]))
    error = store.trial_folder(facts.key).error
    if error.exists():
        print(f"\nThe traceback of its last fault:\n{error.read().decode(errors='replace')}")
