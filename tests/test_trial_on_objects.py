"""A trial whose storage is an object store: the same bits as in a folder, also after a crash."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from prunetune.records.store import Store
from tests.object_server import address, object_server
from tests.test_trial import DENSE, facts, pruned, run


@pytest.mark.slow
def test_an_interrupted_trial_gives_what_it_gives_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-id-of-the-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    trial = pruned("p", phase="confirm")
    with object_server() as port:
        found = []
        for storage in (tmp_path / "folder", address(port, "runs")):
            store = Store(storage, "s")
            dense = run(DENSE, store)
            assert dense is not None
            run(trial, store, limit=2)  # the process dies after an epoch
            record = run(trial, store)
            assert record is not None
            store.write_record(record)
            folder = store.trial_folder("p")
            folder.drop_checkpoints()
            files = (folder.weights, folder.test_outputs, folder.kept)
            found.append((facts(dense), facts(record), [file.read() for file in files]))
            assert not folder.checkpoint.exists()
            assert json.loads(folder.spent.read())["macs"] == record.train_macs.spent
    assert found[0] == found[1]
    assert os.listdir(tmp_path) == ["folder"]
