"""Gates: the layer outputs where one factor scales a whole unit.

The gate of a unit is a factor z = 1 on its channels, wherever layers write them. For image n,

    q_n = ∂L_n/∂z = Σ over the gated layers, their channels and positions of a · ∂L_n/∂a

is the first-order change of the loss per share of the unit that is taken away. Every *source*, a
layer that computes the unit's channels from other channels, has one gate:

- Usually the gate lies behind the chain of batch norms and depthwise convolutions that follow the
  source. Each of them must be the only reader of the output before it, apart from pointwise
  operations. In most networks the gate lies behind the batch norm, in MobileNet behind the batch
  norm of the depthwise convolution. Then z = 0 removes the unit with its shifts, and no factor is
  applied twice.
- Without such a chain the gate lies on the source's own output: in networks without batch norm, and
  where several layers read the output (a residual stream before its norms, a concatenation). There
  z = 0 silences the source's output, but not the shifts of the norms that read it.

A residual stream has a gate on every source that is added to it. Where channels are multiplied with
each other (squeeze and excitation, gated linear units) only the first factor has a gate. Modules
that declare their units also declare their gates (attention: on the values of a head).

`Group.gates` lists the gates. `prunetune.compress.scoring.gate_gradients` computes q, and
`prunetune.compress.criteria.fisher_accumulated` gathers q while a network trains.
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

    Args:
        graph: torch-pruning's dependency graph.
        sources: the layers that compute the group's channels from other channels.
        links: the layers that pass the group's channels on one by one.
    """
    gated, products = [], set[Any]()
    for source in sources:
        end = _end_of_chain(graph.module2node[source], links)
        products_of_source = _products(end)
        if not products_of_source & products:  # else another factor of the product has the gate
            gated.append(end.module)
        products |= products_of_source
    return gated


def _end_of_chain(node: Any, links: Collection[nn.Module]) -> Any:
    """The node of the last link behind `node`, each link the only reader of the one before."""
    end = node
    while len(node.outputs) == 1:
        (node,) = node.outputs
        if node.module in links:
            end = node
        elif not _is_pointwise(node) or len(node.inputs) > 1:
            break
    return end


def _products(node: Any) -> set[Any]:
    """The multiplications that the output of `node` reaches through pointwise operations."""
    products, seen, to_visit = set(), set(), list(node.outputs)
    while to_visit:
        node = to_visit.pop()
        if node in seen or not _is_pointwise(node):
            continue
        seen.add(node)
        if len(node.inputs) > 1 and "Mul" in str(node.module):
            products.add(node)
        else:
            to_visit += node.outputs
    return products


def _is_pointwise(node: Any) -> bool:
    return bool(node.type == tp.ops.OPTYPE.ELEMENTWISE)
