"""Criteria: one file each."""

from prunetune.compress.criteria import bn_scale, fpgm, lamp, magnitude, random

__all__ = ["bn_scale", "fpgm", "lamp", "magnitude", "random"]
