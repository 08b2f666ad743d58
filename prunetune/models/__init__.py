"""Networks by name: of explicit widths where they can be scaled, and torchvision's others."""

from prunetune.registry import import_all

import_all(__name__, __path__)
