from __future__ import annotations

import pickle
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch

from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.records.files import StoredFile
from prunetune.records.record import Epoch
from prunetune.train.checkpoint import Checkpoint, CheckpointError, CheckpointFile
from prunetune.train.loop import train
from tests.train.conftest import CPU, SEEDS, TinySplits, tiny_network

RECIPE = Recipe(batch_size=16)


def epoch(number: int) -> Epoch:
    return Epoch(
        epoch=number, train_loss=0.1, val_loss=1 / 3, val_acc1=0.7, lr=0.1 + 0.2, seconds=1e-3
    )


def checkpoint(epochs: int = 2) -> Checkpoint:
    model = tiny_network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = {"0.momentum_buffer": torch.randn(3), "1.step": torch.tensor(3.0)}
    sections = {"model": model.state_dict(), "best": model.state_dict(), "optimizer": optimizer}
    return Checkpoint(
        {"epochs": 5, "seeds": SEEDS}, tuple(epoch(n + 1) for n in range(epochs)), 1, sections
    )


@pytest.fixture
def file(tmp_path: Path) -> CheckpointFile:
    return CheckpointFile(StoredFile(tmp_path / "trial" / "checkpoint.safetensors"))


def test_a_checkpoint_comes_back_as_it_was(file: CheckpointFile) -> None:
    assert file.read() is None
    assert file.curve() == []
    assert file.best() is None
    written = checkpoint()
    file.write(written)
    read = file.read()
    assert read is not None
    assert (read.identity, read.curve, read.best_epoch) == (
        written.identity,
        written.curve,
        written.best_epoch,
    )
    assert read.sections.keys() == written.sections.keys()
    for name, section in written.sections.items():
        assert read.sections[name].keys() == section.keys()
        assert all(torch.equal(read.sections[name][key], section[key]) for key in section)
    assert file.curve() == list(written.curve)


def test_a_writer_that_dies_leaves_the_former_checkpoint(
    file: CheckpointFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write(checkpoint(1))

    def die(self: Path, target: Path) -> Path:
        raise SystemExit

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(SystemExit):
        file.write(checkpoint(2))
    assert len(file.curve()) == 1


def test_training_goes_on_from_the_epoch_before_a_torn_write(
    file: CheckpointFile, splits: TinySplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go(model: torch.nn.Module, where: CheckpointFile) -> None:
        list(train(model, splits, RECIPE, 3, seeds=SEEDS, device=CPU, checkpoint=where))

    whole = tiny_network()
    go(whole, CheckpointFile(StoredFile(file.path.with_name("whole"))))
    replace, writes = Path.replace, []

    def die_second(self: Path, target: Path) -> Path:
        writes.append(target)
        if len(writes) == 2:
            raise SystemExit
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", die_second)
    with pytest.raises(SystemExit):
        go(tiny_network(), file)
    assert len(file.curve()) == 1
    again = tiny_network()
    go(again, file)
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), whole.parameters(), strict=True)
    )


def test_every_truncation_is_refused_by_name(file: CheckpointFile) -> None:
    file.write(checkpoint())
    content = file.path.read_bytes()
    for length in (0, 1, 7, 8, 100, len(content) // 2, len(content) - 1):
        file.path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=str(file.path)):
            file.read()


@pytest.mark.parametrize("where", [0.0, 0.3, 0.5, 0.8, 0.999])
def test_a_changed_byte_is_refused(file: CheckpointFile, where: float) -> None:
    file.write(checkpoint())
    content = bytearray(file.path.read_bytes())
    content[int(where * len(content))] ^= 0x55
    file.path.write_bytes(content)
    with pytest.raises(CheckpointError, match=str(file.path)):
        file.read()


def test_foreign_files_are_refused_and_never_unpickled(file: CheckpointFile) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return pytest.fail, ("unpickled",)

    file.path.parent.mkdir()
    foreign = [
        pickle.dumps(Bomb()),
        b"{}",
        safetensors.torch.save({"model/0.weight": torch.zeros(2)}),
        safetensors.torch.save({"x": torch.zeros(2)}, {"prunetune.checkpoint": '{"curve": []}'}),
        struct.pack("<Q", 2**40) + b"x" * 64,
    ]
    for content in foreign:
        file.path.write_bytes(content)
        with pytest.raises(CheckpointError, match=str(file.path)):
            file.read()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"recipe": RECIPE.model_copy(update={"weight_decay": 0.1})}, "recipe"),
        ({"epochs": 4}, "epochs"),
        ({"seeds": {"order": 1, "augmentation": 3}}, "seeds"),
    ],
)
def test_another_trainings_checkpoint_is_refused(
    file: CheckpointFile, splits: TinySplits, change: dict[str, object], named: str
) -> None:
    arguments = {"recipe": RECIPE, "epochs": 2, "seeds": SEEDS, "device": CPU, "checkpoint": file}
    list(train(tiny_network(), splits, **arguments))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=f"{file.path}: .* its {named} is"):
        list(train(tiny_network(), splits, **(arguments | change)))  # type: ignore[arg-type]


def test_another_networks_checkpoint_is_refused(file: CheckpointFile, splits: TinySplits) -> None:
    def go(model: torch.nn.Module) -> None:
        list(train(model, splits, RECIPE, 2, seeds=SEEDS, device=CPU, checkpoint=file))

    go(tiny_network())
    wider = tiny_network()
    wider[9] = torch.nn.Linear(12, 5)
    for other in (wider, torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))):
        with pytest.raises(CheckpointError, match=f"{file.path}: .*network"):
            go(other)


def test_a_missing_section_is_refused(file: CheckpointFile, splits: TinySplits) -> None:
    recipe = RECIPE.model_copy(update={"ema": 0.9, "optimizer": Named(name="adamw")})
    list(train(tiny_network(), splits, recipe, 1, seeds=SEEDS, device=CPU, checkpoint=file))
    whole = file.read()
    assert whole is not None
    sections = {name: part for name, part in whole.sections.items() if name != "ema"}
    file.write(Checkpoint(whole.identity, whole.curve, whole.best_epoch, sections))
    with pytest.raises(CheckpointError, match="ema"):
        list(train(tiny_network(), splits, recipe, 1, seeds=SEEDS, device=CPU, checkpoint=file))
