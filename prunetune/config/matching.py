"""How many epochs each network trains for; fixed for every budget before the first trial.

The `ratio` r is dense MACs / *target* MACs (not achieved MACs), so that all trials of a study train
for equally many epochs. K1 is the number of epochs of the dense network, K2 of fine-tuning, and Ks
of sparsifying at dense MACs. Fractions are exact, so that rounding does not depend on the machine.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Literal, get_args

from pydantic import Field

from prunetune.config.parts import Form

EpochRule = Literal["scratch_e", "scratch_b", "scratch_b_rethinking", "marginal"]
MATCHINGS: tuple[EpochRule, ...] = get_args(EpochRule)
EPOCHS = "epochs="
"""`epochs=60`: a length of training in place of a rule, for a curve of accuracy over training."""
Length = Annotated[str, Field(pattern=f"^{EPOCHS}[1-9][0-9]{{0,5}}$"), Form(f"{EPOCHS}60")]
Matching = EpochRule | Length


def mac_ratio(dense_macs: int, target_macs: int) -> Fraction:
    """r = dense MACs / target MACs, at least 1."""
    if not 0 < target_macs <= dense_macs:
        raise ValueError(f"target MACs {target_macs} must lie in [1, {dense_macs}]")
    return Fraction(dense_macs, target_macs)


def pruned_epochs(ratio: Fraction, *, finetune: int, sparsify: int, sparsifies: bool) -> int:
    """Epochs of a network that inherits weights, after any sparsifying: K2, or K2 + floor(Ks r).

    A network that does not sparsify gets the MACs of Ks dense epochs as epochs of its own.
    """
    return finetune if sparsifies else finetune + math.floor(sparsify * ratio)


def needs_dense_epochs(matching: Matching) -> bool:
    """Whether the epochs of a matching follow from those of the dense network."""
    return matching != "marginal" and not matching.startswith(EPOCHS)


def scratch_epochs(
    matching: Matching,
    ratio: Fraction,
    *,
    dense: Fraction | int | None,
    finetune: int,
    sparsify: int,
) -> int:
    """Epochs of a network that is trained from scratch.

    K1 may be a fraction: a loaded network may have seen more or fewer images in an epoch.

    scratch_e             round(K1)                Liu et al. (1810.05270)
    scratch_b             round((K1 + Ks) r + K2)  equal training MACs, Wang et al. (2301.05219)
    scratch_b_rethinking  floor(K1 r)              Liu et al. (1810.05270)
    marginal              K2 + floor(Ks r)         the dense network counts as free
    epochs=N              N                        whatever the others had

    Raises:
        ValueError: the matching needs K1, but `dense` is None because loaded weights do not state
            their epochs.
    """
    if matching.startswith(EPOCHS):
        return int(matching.removeprefix(EPOCHS))
    if matching == "marginal":
        return finetune + math.floor(sparsify * ratio)
    if dense is None:
        raise ValueError(f"{matching} needs the epochs of the dense network; allowed: marginal")
    if matching == "scratch_e":
        return round(dense)
    if matching == "scratch_b":
        return round((dense + sparsify) * ratio + finetune)
    return math.floor(dense * ratio)
