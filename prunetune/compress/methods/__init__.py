"""The methods, one file or folder each; every module registers its own method."""

from prunetune.registry import import_all

import_all(__name__, __path__)
