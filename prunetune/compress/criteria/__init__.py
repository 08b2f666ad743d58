"""Criteria: one file each."""

from prunetune.compress.criteria import (
    activation,
    bn_scale,
    cp,
    fisher,
    fisher_accumulated,
    fpgm,
    hrank,
    lamp,
    magnitude,
    obd_c,
    obd_hessian,
    random,
    taylor,
    thinet,
)

__all__ = [
    "activation",
    "bn_scale",
    "cp",
    "fisher",
    "fisher_accumulated",
    "fpgm",
    "hrank",
    "lamp",
    "magnitude",
    "obd_c",
    "obd_hessian",
    "random",
    "taylor",
    "thinet",
]
