"""Intervals for new images: seeds and test images are both a sample.

An interval over seeds speaks of the test set at hand. For new images from the same source the luck
of this test set belongs to the error as well. Seeds and images are crossed: every network sees the
same images. The part of the images is the variance over images of the mean difference, less what
the seeds put into it (two-way random effects; Satterthwaite's degrees of freedom).

Scores are per image and network: 1 for a hit and 0 for a miss, or a loss.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from prunetune.statistics.contrasts import Contrast
from prunetune.statistics.intervals import ALPHA, Estimate, t_quantile
from prunetune.statistics.moments import Floats


def image_variance(a: ArrayLike, b: ArrayLike | None = None, *, pairs: bool = False) -> float:
    """Variance that the choice of images adds to the mean score of a, or to a's minus b's.

    Args:
        a: Scores of shape (networks, images); two networks at least.
        b: The other arm's, on the same images.
        pairs: Whether network i of both arms shares a block.
    """
    first = np.asarray(a, np.float64)
    if b is None:
        mean, noise = first.mean(0), _noise(first)
    elif pairs:
        differences = first - np.asarray(b, np.float64)
        mean, noise = differences.mean(0), _noise(differences)
    else:
        second = np.asarray(b, np.float64)
        mean, noise = first.mean(0) - second.mean(0), _noise(first) + _noise(second)
    images = first.shape[1]
    return float(max(0.0, float(mean.var(ddof=1)) - noise) / images)


def on_new_images(contrast: Contrast, variance: float, images: int) -> Contrast:
    """The contrast with the error of new images, from `image_variance` over so many images."""
    own = contrast.error**2
    error, df = _joint(own, contrast.df, variance, images)
    return contrast.model_copy(update={"error": error, "df": df})


def mean_on_new_images(scores: ArrayLike, alpha: float = ALPHA) -> Estimate:
    """Mean score of new networks of one arm on new images, with its interval at 1 - alpha.

    `scores` has shape (networks, images). Below two networks there is no interval.
    """
    values = np.asarray(scores, np.float64)
    n, images = values.shape
    mean = float(values.mean())
    if n < 2:
        return Estimate(mean=mean, n=n)
    seeds = float(values.mean(1).var(ddof=1)) / n
    error, df = _joint(seeds, n - 1, image_variance(values), images)
    half = t_quantile(1 - alpha / 2, df) * error
    return Estimate(mean=mean, low=mean - half, high=mean + half, n=n)


def _noise(scores: Floats) -> float:
    """What the networks' luck puts into the variance over images of the mean over networks."""
    return float(scores.var(0, ddof=1).mean()) / len(scores)


def _joint(seeds: float, seed_df: float, images: float, n_images: int) -> tuple[float, float]:
    """Standard error and degrees of freedom of the sum of both variances."""
    total = seeds + images
    if total == 0:
        return 0.0, seed_df
    df = total**2 / (seeds**2 / seed_df + images**2 / (n_images - 1))
    return math.sqrt(total), df
