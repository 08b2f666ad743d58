"""Regularisers: one file each."""

from prunetune.compress.regularizers import bn_scale, group_lasso, group_norm, growing_reg

__all__ = ["bn_scale", "group_lasso", "group_norm", "growing_reg"]
