"""Networks that several trials share: found, or made by the first trial that needs one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack, suppress

from torch import nn

from prunetune.models.pretrained import WeightsFileError
from prunetune.protocols import Pulse
from prunetune.records.architecture import Architecture
from prunetune.records.files import StoredFile
from prunetune.records.folders import SharedNetworkFolder
from prunetune.workload import load_network

_log = logging.getLogger(__name__)


def shared_network(
    folder: SharedNetworkFolder,
    architecture: Architecture,
    is_complete: Callable[[], bool],
    make: Callable[[], None],
    *,
    pulse: Pulse,
) -> nn.Module:
    """The network in `folder`; where it is missing or damaged, `make` makes it under a lock.

    Args:
        folder: where the weights lie.
        architecture: the network as data.
        is_complete: whether the network was made.
        make: makes the network and writes its weights.
        pulse: is paused while another trial makes the network.
    """
    with suppress(WeightsFileError):  # whoever holds the lock may be mending them
        if is_complete():
            return _load(folder.weights, architecture)
    with ExitStack() as stack:
        with pulse.paused():
            stack.enter_context(folder.lock())
        try:
            if is_complete():  # the former holder of the lock may have made them
                return _load(folder.weights, architecture)
        except WeightsFileError as error:
            name = folder.weights.set_aside().name
            _log.warning("%s; set aside as %s, and the network is trained again", error, name)
        make()
    return _load(folder.weights, architecture)


def _load(weights: StoredFile, architecture: Architecture) -> nn.Module:
    with weights.local() as path:
        return load_network(architecture, path)
