"""Gates: the places where one factor scales a unit as a whole.

The gate of a unit is a factor z = 1 on its channels wherever they are written, so that for image n

    q_n = ∂L_n/∂z = Σ over its gated layers, their channels and positions of a · ∂L_n/∂a

is what the loss would change by, to first order, per share of the unit that is taken away. A layer
that writes the channels from others (its *source*) carries a gate, which sits

- behind the chain of batch norms and depthwise convolutions that follow, each the only reader of
  what comes before it but for pointwise operations: behind the batch norm in most networks, behind
  the depthwise convolution's in MobileNet. So z = 0 removes the unit, shifts included, and nothing
  is scaled twice;
- on the source's own output where no such chain follows: without batch norm, and where several
  layers read (a residual stream before its norms, a concatenation). There z = 0 silences what is
  written, but not the shifts of the norms that read it.

A residual stream has a gate on every source that is added to it. Where channels are multiplied with
each other (squeeze and excitation, gated linear units) only the first factor carries a gate.
Modules that declare their units declare their gates (attention: on the values of a head).
`Group.gates` has the places; see `prunetune.compress.scoring.gate_gradients` for q, and
`prunetune.compress.criteria.fisher_accumulated` for q gathered while a network trains.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch_pruning as tp
from torch import nn


def gated_layers(
    graph: Any, sources: Sequence[nn.Module], links: Collection[nn.Module]
) -> list[nn.Module]:
    """The layers whose outputs carry the gates of a group, in the order of its sources.

    `graph` is torch-pruning's; `sources` and `links` are the layers on whose output side the
    group's channels are, the latter those that pass channels on one by one.
    """
    gated, products = [], set[Any]()
    for source in sources:
        last = _end_of_chain(graph.module2node[source], links)
        met = _products(last)
        if not met & products:
            gated.append(last.module)
        products |= met
    return gated


def _end_of_chain(node: Any, links: Collection[nn.Module]) -> Any:
    """The node of the last link that follows, each the only reader of the one before."""
    last = node
    while len(node.outputs) == 1:
        (node,) = node.outputs
        if node.module in links:
            last = node
        elif not _pointwise(node) or len(node.inputs) > 1:
            break
    return last


def _products(node: Any) -> set[Any]:
    """The products that what a node puts out is a factor of, through pointwise operations."""
    found, seen, ahead = set(), set(), list(node.outputs)
    while ahead:
        node = ahead.pop()
        if node in seen or not _pointwise(node):
            continue
        seen.add(node)
        if len(node.inputs) > 1 and "Mul" in str(node.module):
            found.add(node)
        else:
            ahead += node.outputs
    return found


def _pointwise(node: Any) -> bool:
    return bool(node.type == tp.ops.OPTYPE.ELEMENTWISE)
