from __future__ import annotations

import numpy as np
import pytest
import torch

from prunetune.data.augment import crop_flip, cutout, pad

from .conftest import seeded

IMAGES = torch.randint(0, 256, (20, 6, 9, 3), dtype=torch.uint8, generator=seeded(0))
FILL = torch.tensor([10, 20, 30], dtype=torch.uint8)


@pytest.mark.parametrize("crop", [1, 2, 5])
def test_zero_padding_is_a_margin_of_one_colour(crop):
    padded = pad(IMAGES, crop, "zero", FILL)
    assert torch.equal(padded[:, crop:-crop, crop:-crop], IMAGES)
    margin = torch.ones(padded.shape[1:3], dtype=torch.bool)
    margin[crop:-crop, crop:-crop] = False
    assert (padded[:, margin] == FILL).all()


@pytest.mark.parametrize("crop", [1, 2, 5, 6, 23])
def test_reflection_agrees_with_numpy_beyond_the_image_too(crop):
    sides = (crop, crop)
    expected = np.pad(IMAGES.numpy(), ((0, 0), sides, sides, (0, 0)), mode="reflect")
    assert torch.equal(pad(IMAGES, crop, "reflect", FILL), torch.from_numpy(expected))


def test_the_reflection_of_a_single_pixel_is_that_pixel():
    pixel = IMAGES[:, :1, :1]
    assert torch.equal(pad(pixel, 2, "reflect", FILL), pixel.expand(-1, 5, 5, -1))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("crop", [0, 1, 3])
def test_crop_flip_agrees_with_a_loop_over_samples(crop, flip):
    padded = pad(IMAGES, crop, "zero", FILL) if crop else IMAGES
    index = torch.randperm(20, generator=seeded(5))[:16]
    got = crop_flip(padded, index, (6, 9), flip, seeded(7))
    draws = seeded(7)
    mirrored = torch.randint(0, 2, (16, 1), generator=draws) if flip else torch.zeros(16, 1)
    offsets = torch.zeros(2, 16, 1, dtype=torch.long)
    if crop:
        offsets = torch.randint(0, 2 * crop + 1, (2, 16, 1), generator=draws)
    for i, image in enumerate(index):
        top, left = offsets[:, i, 0].tolist()
        expected = padded[image, top : top + 6, left : left + 9]
        if mirrored[i]:
            expected = expected.flip(1)
        assert torch.equal(got[i], expected.permute(2, 0, 1))


def test_every_sample_has_a_draw_of_its_own_and_all_draws_occur():
    marked = torch.arange(5 * 5, dtype=torch.uint8).view(1, 5, 5, 1)
    index = torch.zeros(4000, dtype=torch.long)
    got = crop_flip(marked, index, (3, 3), True, seeded(0)).flatten(1)
    kinds, counts = got.unique(dim=0, return_counts=True)
    assert len(kinds) == 3 * 3 * 2
    assert counts.min() > 4000 / 18 * 0.7
    assert counts.max() < 4000 / 18 * 1.3


def test_without_crop_and_flip_nothing_is_drawn():
    generator = seeded(0)
    before = generator.get_state()
    got = crop_flip(IMAGES, torch.arange(20), (6, 9), False, generator)
    assert torch.equal(got, IMAGES.permute(0, 3, 1, 2))
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("side", [1, 2, 3, 20])
def test_cutout_clears_one_square_per_sample_clipped_at_the_border(side):
    x = torch.ones(500, 2, 6, 9)
    out = cutout(x, side, seeded(0))
    assert out is x
    centres = []
    for image in out:
        assert torch.equal(image[0], image[1])
        rows, columns = (image[0] == 0).nonzero(as_tuple=True)
        height, width = len(rows.unique()), len(columns.unique())
        assert len(rows) == height * width > 0  # a full rectangle
        assert height <= min(side, 6)
        assert width <= min(side, 9)
        centres.append((rows.min().item(), columns.min().item()))
    if side < 6:
        assert len(set(centres)) > 30


def test_cutout_is_the_whole_square_where_it_fits():
    out = cutout(torch.ones(500, 1, 30, 30), 3, seeded(0))
    cleared = (out == 0).flatten(1).sum(1)
    assert cleared.max() == 9
    assert (cleared == 9).float().mean() > 0.8
