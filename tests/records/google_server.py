"""Google's object store in few lines: the requests of its XML interface, with generations."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_EMPTY: dict[str, str] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: dict[str, tuple[bytes, int]]
    changing: threading.Lock

    def do_PUT(self) -> None:
        key, content = self._key(), self.rfile.read(int(self.headers["Content-Length"]))
        wanted = self.headers["x-goog-if-generation-match"]
        with self.changing:
            generation = self.objects.get(key, (b"", 0))[1]
            if wanted is not None and int(wanted) != generation:
                self._answer(412)
                return
            new = max((g for _, g in self.objects.values()), default=100) + 1
            self.objects[key] = (content, new)
        self._answer(200, headers=self._facts(key))

    def do_GET(self) -> None:
        key, query = self._key(), parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            self._answer(200, self._list(query.get("prefix", [""])[0]))
        elif key in self.objects:
            self._answer(200, self.objects[key][0], self._facts(key))
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self._answer(204 if self.objects.pop(self._key(), None) else 404)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/bucket").removeprefix("/")

    def _facts(self, key: str) -> dict[str, str]:
        content, generation = self.objects[key]
        tag = hashlib.md5(content).hexdigest()  # equal for equal contents, as Google's may be
        return {"ETag": f'"{tag}"', "x-goog-generation": str(generation)}

    def _list(self, prefix: str) -> bytes:
        names = sorted(name for name in self.objects if name.startswith(prefix))
        direct = [name for name in names if "/" not in name[len(prefix) :]]
        below = {prefix + n[len(prefix) :].partition("/")[0] + "/" for n in {*names} - {*direct}}
        entries = "".join(
            f"<Contents><Key>{name}</Key><Size>{len(self.objects[name][0])}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>x</ETag></Contents>"
            for name in direct
        )
        folders = "".join(
            f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in sorted(below)
        )
        return f"<ListBucketResult>{entries}{folders}</ListBucketResult>".encode()

    def _answer(self, code: int, content: bytes = b"", headers: dict[str, str] = _EMPTY) -> None:
        self.send_response(code)
        stated = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", **headers}
        for name, value in {**stated, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def google_server() -> Iterator[int]:
    """A server with one empty bucket; yields its port."""
    facts = {"objects": {}, "changing": threading.Lock()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), facts))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
