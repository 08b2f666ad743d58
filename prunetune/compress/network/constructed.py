"""Initial weights that a network's own code draws, at widths that the code does not know of.

The class of a user's network draws its weights while it is built, often by a rule that reads the
shape of each layer once all layers are there (`for m in self.modules(): …`). So the network is
built again, and every layer gets its width at the moment when it becomes part of a module: the rule
then reads the narrow shapes, as in a class that had been written for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from prunetune.compress.network.undrawn import undrawn

Layers = Mapping[str, tuple[int, ...]]
"""Layer name -> its widths, as in `Architecture.layers`."""


def constructed(
    build: Callable[[], nn.Module],
    layers: Layers,
    widths_of: Callable[[nn.Module], tuple[int, ...]],
    resize: Callable[[nn.Module, tuple[int, ...]], None],
) -> nn.Module | None:
    """The network that `build` makes, its layers as wide as `layers` says from the first moment.

    None if it cannot be built so: its code insists on its own widths, or registers its layers in
    another order each time. Random numbers come from the global generator.

    Args:
        build: makes the network.
        layers: the widths of its layers.
        widths_of: the widths of a layer; empty for modules of other kinds.
        resize: gives a layer other widths.
    """
    registered: list[nn.Module] = []
    with undrawn(), _each_layer(widths_of, registered.append):
        names = {id(module): name for name, module in build().named_modules()}
    order = iter([names.get(id(layer), "") for layer in registered])

    def give_width(layer: nn.Module) -> None:
        widths = layers.get(next(order, ""))
        if widths and widths != widths_of(layer):
            resize(layer, widths)

    try:
        with _each_layer(widths_of, give_width):
            model = build()
    except Exception:  # the code of a user's network may insist on its widths in any way
        return None
    made = {name: widths_of(module) for name, module in model.named_modules()}
    return model if {name: w for name, w in made.items() if w} == {**layers} else None


@contextmanager
def _each_layer(
    widths_of: Callable[[nn.Module], tuple[int, ...]], act: Callable[[nn.Module], None]
) -> Iterator[None]:
    """Call `act` once with every layer that becomes part of a module within the block."""
    seen: dict[int, nn.Module] = {}  # holds the layers, so that no two have the same id

    def hook(parent: nn.Module, name: str, module: nn.Module | None) -> None:
        if module is not None and id(module) not in seen and widths_of(module):
            seen[id(module)] = module
            act(module)

    handle = register_module_module_registration_hook(hook)
    try:
        yield
    finally:
        handle.remove()
