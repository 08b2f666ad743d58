"""Criteria, one file each; every module registers its own."""

from prunetune.registry import import_all

import_all(__name__, __path__)
