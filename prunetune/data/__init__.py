"""Data sets by name, their splits, and per-sample augmentation on the training device."""

from prunetune.registry import import_all

import_all(__name__, __path__)
