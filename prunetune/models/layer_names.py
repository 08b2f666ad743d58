"""Names of tensors without the names that wrappers of a network put before them."""

from __future__ import annotations

from collections.abc import Collection

_WRAPPERS = frozenset(
    {
        "module",  # DataParallel, DistributedDataParallel, AveragedModel
        "_orig_mod",  # torch.compile
        "_forward_module",  # Lightning Fabric
        "_fsdp_wrapped_module",
        "_checkpoint_wrapped_module",
    }
)
"""Names under which a wrapper of PyTorch or Lightning keeps what it wraps."""

_HOLDERS = frozenset({"model", "_model", "net", "_net", "network", "backbone", "base_model"})
"""Names under which scripts keep a whole network in a module of their own."""


def without_prefixes(names: Collection[str]) -> dict[str, str]:
    """Each name without the known prefixes that all names have, however many there are.

    Example:
        >>> without_prefixes(["module.model.conv.weight", "module.model.fc.weight"])
        {'module.model.conv.weight': 'conv.weight', 'module.model.fc.weight': 'fc.weight'}
    """
    start = 0
    while True:
        parts = {name[start:].partition(".")[:2] for name in names}
        if len(parts) != 1:
            break
        [(prefix, dot)] = parts
        if not dot or prefix not in _WRAPPERS | _HOLDERS:
            break
        start += len(prefix) + 1
    return {name: name[start:] for name in names}


def sources(expected: Collection[str], given: Collection[str]) -> dict[str, str]:
    """For each expected name the given one that means it; names without one are left out.

    A name means itself if it is given. The others are compared without the prefixes that all names
    have, and without the wrappers inside (`features.module.0.weight`). No name is used twice.
    """
    found = {name: name for name in expected if name in given}
    free: dict[str, str] = {}
    for name, bare in _bare_names(given).items():
        if name not in found:
            free.setdefault(bare, name)
    for name, bare in _bare_names(expected).items():
        if name not in found and bare in free:
            found[name] = free.pop(bare)
    return found


def _bare_names(names: Collection[str]) -> dict[str, str]:
    return {
        name: ".".join(part for part in rest.split(".") if part not in _WRAPPERS)
        for name, rest in without_prefixes(names).items()
    }
