"""An object store on loopback, and a wire to it that a test can cut, stall or tamper with."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from moto.server import ThreadedMotoServer

BUCKET = "bucket"


@contextmanager
def object_server() -> Iterator[int]:
    """moto's S3 with one bucket; yields its port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        port = server.get_host_and_port()[1]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        made = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
        opener.open(made).close()
        yield port
    finally:
        server.stop()


def address(port: int, folder: str = "") -> str:
    """The address of a folder of the bucket, as a user writes it."""
    return f"s3://{BUCKET}/{folder}?endpoint_override=127.0.0.1:{port}&scheme=http"


class Wire:
    """Passes connections on to a port of this machine."""

    def __init__(self, port: int, dropped_header: bytes | None = None) -> None:
        self._target, self._dropped = port, dropped_header
        self.answers = True
        """Set it to False, and nothing passes any more, without an error."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Refuse further connections."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                while not self.answers:
                    time.sleep(0.02)
                if self._dropped:
                    data = data.replace(self._dropped, b"x-" + self._dropped[2:])
                to.sendall(data)
        for end in (source, to):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
