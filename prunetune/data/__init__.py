"""Data sets by name, their splits, and augmentation per image on the training device."""

from prunetune.registry import import_all

import_all(__name__, __path__)
