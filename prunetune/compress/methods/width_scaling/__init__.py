"""Width scaling: a smaller network of the same family, trained from scratch (ThinResNet)."""

from prunetune.compress.methods.width_scaling.method import WidthScaling

__all__ = ["WidthScaling"]
