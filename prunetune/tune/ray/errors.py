"""What went wrong with a Ray cluster, in words."""

from __future__ import annotations


class ClusterError(ConnectionError):
    """The Ray cluster does not answer or refuses us, or Ray does not start on this machine."""


class AddressError(ValueError):
    """The address of a cluster is none."""

    exit_code = 2
