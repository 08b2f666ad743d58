"""Joins a Ray cluster, after one question at its port: Ray itself would wait there for minutes."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import ray
from ray._private.ray_constants import GLOBAL_GRPC_OPTIONS
from ray._private.services import canonicalize_bootstrap_address
from ray.core.generated import (
    gcs_service_pb2,
    gcs_service_pb2_grpc,
    ray_client_pb2,
    ray_client_pb2_grpc,
)
from ray.exceptions import AuthenticationError

from prunetune.tune.ray.errors import AddressError, ClusterError
from prunetune.tune.ray.token import given_token, token_mode
from prunetune.tune.ray.waiting import told

_log = logging.getLogger(__name__)
ANSWER_S = 4.0
"""How long a port may take to answer one small question."""
_CLIENT = "ray://"
_TOO_SLOW = "Starting Ray client server failed"
_TOKEN_HELP = "RAY_AUTH_TOKEN_PATH must name a file with the cluster's token"


@contextmanager
def joined(address: str, runtime_env: dict[str, Any] | None = None) -> Iterator[None]:
    """Connected to the cluster at `address` in the block.

    Raises:
        AddressError: the address is none.
        ClusterError: the cluster does not answer or refuses us.
    """
    host_port = _host_port(address)
    _log.info("connecting to the Ray cluster at %s", address)
    mode = _token_mode(address, host_port)
    with token_mode(mode):
        with told(f"waiting for the Ray cluster at {address}"):
            _connect(address if address.startswith(_CLIENT) else host_port, runtime_env)
        yield


def _host_port(address: str) -> str:
    if address == "auto":
        try:
            found = canonicalize_bootstrap_address("auto")
        except ConnectionError:
            found = None
        if found is None or found == "auto":
            raise ClusterError("no Ray cluster runs on this machine; give its address: HOST:PORT")
        return str(found)
    host_port = address.removeprefix(_CLIENT)
    if not re.fullmatch(r"[^\s/]+:\d+", host_port):
        raise AddressError(
            f"address {address!r} is none; write auto, HOST:PORT (often port 6379) or "
            "ray://HOST:PORT (often port 10001)"
        )
    return host_port


def _token_mode(address: str, host_port: str) -> str:
    """Whether the cluster asks for a token; every way of refusing us is an error.

    A cluster that asks for none serves anybody. Ray could not talk to it with a token either.
    """
    client = address.startswith(_CLIENT)
    open_to_all = _ask(address, host_port, client, token="")
    if open_to_all and os.environ.get("RAY_AUTH_MODE") == "token":
        raise ClusterError(
            f"the Ray cluster at {address} asks for no token, though RAY_AUTH_MODE is token here; "
            "start all of its nodes with RAY_AUTH_MODE=token"
        )
    if open_to_all:
        _log.warning(
            "the Ray cluster at %s asks for no token: whoever reaches its ports runs commands on "
            "it; start its nodes with RAY_AUTH_MODE=token",
            address,
        )
        return "disabled"
    try:
        token = given_token()
    except AuthenticationError as error:
        reason = str(error).strip().partition(". ")[0]
        raise ClusterError(f"the Ray cluster at {address} asks for a token: {reason}") from error
    if not token:
        raise ClusterError(f"the Ray cluster at {address} asks for a token; {_TOKEN_HELP}")
    if not _ask(address, host_port, client, token):
        raise ClusterError(
            f"the Ray cluster at {address} refuses the token that it was shown; {_TOKEN_HELP}"
        )
    return "token"


def _ask(address: str, host_port: str, client: bool, token: str) -> bool:
    """Whether the service at the port answers us; False if it wants another token.

    Raises:
        ClusterError: nobody is at the port, or it is not Ray.
    """
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    try:
        with grpc.insecure_channel(host_port, options=GLOBAL_GRPC_OPTIONS) as channel:
            _question(channel, client)(timeout=ANSWER_S, metadata=metadata)
    except grpc.RpcError as error:
        code = error.code()
        if code == grpc.StatusCode.UNAUTHENTICATED:
            return False
        raise ClusterError(_silence(address, client, code, error.details() or "")) from error
    return True


def _question(channel: grpc.Channel, client: bool) -> Any:
    """The smallest question that Ray's client server, or else its control service, answers."""
    if client:
        stub = ray_client_pb2_grpc.RayletDriverStub(channel)
        ping = ray_client_pb2.ClusterInfoRequest(type=ray_client_pb2.ClusterInfoType.PING)
        return lambda **options: stub.ClusterInfo(ping, **options)
    stub = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
    request = gcs_service_pb2.CheckAliveRequest()
    return lambda **options: stub.CheckAlive(request, **options)


def _silence(address: str, client: bool, code: grpc.StatusCode, details: str) -> str:
    cause = details.rpartition("last error: ")[2]
    why = f"the port does not speak Ray's protocol ({cause})"
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        why = f"no answer within {ANSWER_S:.0f} s"
    elif code == grpc.StatusCode.UNIMPLEMENTED and client:
        why = "another service answers there; ray:// wants the port of Ray's client server (10001)"
    elif code == grpc.StatusCode.UNIMPLEMENTED:
        why = "another service answers there; HOST:PORT wants the port of Ray's head (6379)"
    elif "refused" in details:
        why = "nobody listens at this port"
    elif "resol" in details or "lookup" in details:
        why = "the host's name is unknown"
    return f"cannot connect to a Ray cluster at {address}: {why}"


def _connect(address: str, runtime_env: dict[str, Any] | None) -> None:
    """Connect; try twice if a busy head was too slow to start the client's server."""
    options = {"log_to_driver": False, "logging_level": "ERROR", "runtime_env": runtime_env}
    try:
        try:
            ray.init(address=address, **options)
        except (ConnectionError, RuntimeError) as error:
            if _TOO_SLOW not in str(error):
                raise
            ray.init(address=address, **options)
    except (ConnectionError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ClusterError(f"cannot connect to a Ray cluster at {address}: {reason}") from error
