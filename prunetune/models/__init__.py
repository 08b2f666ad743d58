"""Networks by name. Our own can be built at any widths; torchvision's other networks are fixed."""

from prunetune.registry import import_all

import_all(__name__, __path__)
