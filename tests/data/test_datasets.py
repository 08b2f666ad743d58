"""Laws of data sets that stay on the device, tested on `digits`."""

from __future__ import annotations

import pytest
import torch

from prunetune.config.recipe import Augment
from prunetune.data.dataset import DatasetInfo

from .conftest import CPU, made, seeded

PLAIN = Augment(crop=0, flip=False)


def opened(seed: int = 0, **params):
    return made("digits", **params).open(seed, CPU, False)


def pixels(split) -> torch.Tensor:
    return torch.cat([x for x, _ in split.batches(64)])


def labels(split) -> torch.Tensor:
    return torch.cat([y for _, y in split.batches(64)])


@pytest.mark.parametrize("params", [{}, {"val_fraction": 0.2}, {"train_limit": 100}])
def test_info_states_what_is_opened(params):
    info = made("digits", **params).info()
    splits = opened(**params)
    assert splits.info == info
    sizes = len(splits.train), len(splits.val), len(splits.test())
    assert sizes == (info.train_size, info.val_size, info.test_size)
    for split in (splits.train, splits.val, splits.test()):
        assert len(labels(split)) == len(split)
        assert pixels(split).shape[1:] == info.shape
        assert set(labels(split).tolist()) == set(range(info.classes))


def test_images_are_float32_normalised_and_channels_last():
    splits = opened()
    batches = [
        *splits.train.epoch(100, Augment(), seeded(0), seeded(0)),
        *splits.val.batches(100),
        *splits.train.sample(200, seeded(0)),
    ]
    for x, y in batches:
        assert x.dtype == torch.float32
        assert y.dtype == torch.int64
        assert x.is_contiguous(memory_format=torch.channels_last)
    x = pixels(splits.train)
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1) < 0.02


def test_the_same_image_is_never_in_two_splits():
    splits = opened()
    images_per_split = [
        {tuple(row) for row in pixels(split).flatten(1).tolist()}
        for split in (splits.train, splits.val, splits.test())
    ]
    assert sum(map(len, images_per_split)) == 1797  # no two of the digits are alike
    assert len(set.union(*images_per_split)) == 1797


def test_the_test_set_is_fixed_and_stratified():
    test = opened(seed=0).test()
    other = opened(seed=1, val_fraction=0.3).test()
    assert torch.equal(pixels(test), pixels(other))
    counts = torch.bincount(labels(test))
    assert counts.min() >= 34  # a fifth of 174 to 183 of each class
    assert counts.max() <= 37


def test_an_epoch_without_augmentation_is_a_permutation():
    train = opened().train
    got = torch.cat([x for x, _ in train.epoch(len(train), PLAIN, seeded(3), seeded(0))])
    expected = pixels(train)[torch.randperm(len(train), generator=seeded(3))]
    assert torch.equal(got, expected)
    assert not torch.equal(got, pixels(train))


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(500, [500, 500]), (1293, [1293]), (5000, [1293]), (1000, [1000])]
)
def test_a_last_partial_batch_is_dropped_unless_it_is_the_only_one(batch_size, sizes):
    epoch = opened().train.epoch(batch_size, PLAIN, seeded(0), seeded(0))
    assert [len(y) for _, y in epoch] == sizes


def test_two_generators_decide_an_epoch():
    train = opened().train

    def run(order: int, augmentation: int) -> tuple[torch.Tensor, torch.Tensor]:
        augment = Augment(cutout=3, flip=True)
        batches = list(train.epoch(64, augment, seeded(order), seeded(augmentation)))
        return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])

    (x, y), (same_x, same_y) = run(1, 2), run(1, 2)
    assert torch.equal(x, same_x)
    assert torch.equal(y, same_y)
    other_x, other_y = run(1, 3)
    assert torch.equal(y, other_y)
    assert not torch.equal(x, other_x)
    assert not torch.equal(y, run(4, 2)[1])


def test_samples_of_a_batch_are_augmented_apart():
    train = opened().train
    x, _ = next(train.epoch(len(train), Augment(crop=1, flip=False), seeded(0), seeded(0)))
    plain = pixels(train)[torch.randperm(len(train), generator=seeded(0))]
    moved = (x != plain).flatten(1).any(1).float().mean()
    assert 0.8 < moved < 0.95  # one of nine crops leaves an image in its place


def test_null_takes_what_is_usual_for_the_data_set():
    train = opened().train
    info = train.info
    usual = torch.cat([x for x, _ in train.epoch(64, Augment(), seeded(0), seeded(0))])
    explicit = Augment(crop=info.crop, flip=info.flip)
    same = torch.cat([x for x, _ in train.epoch(64, explicit, seeded(0), seeded(0))])
    assert torch.equal(usual, same)


def test_the_margin_is_zero_once_normalised():
    train = opened(mean=[100 / 255]).train
    margin = train.padded(2, Augment(crop=2))[:, :2].permute(0, 3, 1, 2)
    assert torch.equal(train.normalise(margin), torch.zeros(margin.shape))


def test_a_sample_is_seeded_plain_and_in_small_batches():
    train = opened().train
    drawn = list(train.sample(300, seeded(9)))
    assert [len(y) for _, y in drawn] == [128, 128, 44]
    expected = pixels(train)[torch.randperm(len(train), generator=seeded(9))[:300]]
    assert torch.equal(torch.cat([x for x, _ in drawn]), expected)
    assert sum(len(y) for _, y in train.sample(10**6, seeded(9))) == len(train)


def test_open_sets_are_kept_by_all_that_decides_their_content():
    splits = opened()
    assert opened() is splits
    assert opened().test() is splits.test()
    assert opened(seed=1) is not splits
    other = opened(train_limit=200)
    assert len(other.train) == 200


def test_the_digest_tells_apart_what_is_learned_from():
    digests = [
        made(name, **params).digest()
        for name in ("digits", "cifar10", "cifar100", "fashion_mnist")
        for params in ({}, {"val_fraction": 0.2}, {"train_limit": 99})
    ]
    grey = made("digits", mean=[0.5]).digest(), made("digits", std=[0.5]).digest()
    assert len({*digests, *grey}) == len(digests) + 2
    assert made("digits", root="/elsewhere").digest() == made("digits").digest()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"train_limit": 1400}, "train_limit: got 1400, there are 1293 training images"),
        ({"val_fraction": 1e-6}, "leaves 1437 for training and 0 for validation"),
        ({"mean": [0.1, 0.2]}, "allowed: 1 values each"),
        ({"mean": [128.0]}, "means from 0 to 1"),
        ({"std": [0.0]}, "std above 0"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        made("digits", **params).info()


@pytest.mark.parametrize("name", ["digits", "cifar10", "cifar100", "fashion_mnist"])
def test_info_needs_no_file(name, tmp_path):
    info = made(name, root=str(tmp_path)).info()
    assert isinstance(info, DatasetInfo)
    assert info.train_size == 9 * info.val_size or name == "digits"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_an_epoch_never_waits_for_the_gpu():
    device = torch.device("cuda", torch.cuda.current_device())
    train = made("digits").open(0, device, False).train
    augmentation = torch.Generator(device).manual_seed(0)
    augment = Augment(crop=2, padding="reflect", flip=True, cutout=3)
    list(train.epoch(64, augment, seeded(0), augmentation))  # makes the margin
    torch.cuda.set_sync_debug_mode("error")
    try:
        batches = list(train.epoch(64, augment, seeded(0), augmentation))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert sum(len(y) for _, y in batches) == 1280
