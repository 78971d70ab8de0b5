"""A local HTTP server that misbehaves as told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Page:
    """What the server does with requests of one path.

    Attributes:
        body: the file.
        etag: sent as ETag and honoured in If-Range.
        ranges: whether Range is honoured.
        statuses: codes to answer first, one a request.
        headers: sent in addition.
        cut: close the connection after so many bytes of each answer.
        cuts: how many answers are cut; None is all.
        stall: seconds of silence after ``cut`` bytes, instead of closing.
        block: send in blocks of so many bytes.
        hold: after so many bytes wait until the test sets ``go``.
        before: called with the page before each answer; may change it.
        length: Content-Length to claim; None is the truth, 0 sends none.
    """

    body: bytes
    etag: str | None = None
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    cuts: int | None = None
    stall: float = 0.0
    block: int = 1 << 16
    hold: int | None = None
    go: threading.Event = field(default_factory=threading.Event)
    before: Callable[[Page], None] | None = None
    length: int | None = None


class MisbehavingServer:
    """Pages by path; counts requests and the bytes of bodies sent, and keeps the headers received."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.received: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def add(self, path: str, body: bytes, **options: Any) -> str:
        self.pages[path] = Page(body, **options)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(server: MisbehavingServer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def do_HEAD(self) -> None:
                """Hugging Face: what it says of a file before it sends it."""
                server.requests[f"HEAD {self.path}"] += 1
                page = server.pages.get(self.path)
                self.send_response(200 if page else 404)
                for name, value in (page.headers if page else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(page.body) if page else 0))
                self.end_headers()

            def do_GET(self) -> None:
                server.requests[self.path] += 1
                server.received.append(dict(self.headers))
                page = server.pages.get(self.path)
                self.close_connection = True
                if page is None:
                    self._answer(404, b"no such page", {})
                    return
                if page.before:
                    page.before(page)
                if page.statuses:
                    self._answer(page.statuses.pop(0), b"<html>not the file</html>", page.headers)
                    return
                self._send(page)

            def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def _send(self, page: Page) -> None:
                start = self._start(page)
                if start is not None and start >= len(page.body):
                    self._answer(416, b"", {"Content-Range": f"bytes */{len(page.body)}"})
                    return
                body = page.body[start or 0 :]
                self.send_response(200 if start is None else 206)
                if start is not None:
                    size = len(page.body)
                    self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
                if page.length != 0:
                    self.send_header("Content-Length", str(len(body) if page.length is None else page.length))
                if page.etag:
                    self.send_header("ETag", page.etag)
                for name, value in page.headers.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self._write(page, body)

            def _start(self, page: Page) -> int | None:
                asked, version = self.headers.get("Range"), self.headers.get("If-Range")
                if not page.ranges or asked is None or (version is not None and version != page.etag):
                    return None
                return int(asked.removeprefix("bytes=").removesuffix("-"))

            def _write(self, page: Page, body: bytes) -> None:
                cut = page.cut is not None and (page.cuts is None or page.cuts > 0)
                if cut:
                    body = body[: page.cut]
                    page.cuts = None if page.cuts is None else page.cuts - 1
                try:
                    for i in range(0, len(body), page.block):
                        # Counted first: who has the last byte may look at the count.
                        server.sent[self.path] += len(body[i : i + page.block])
                        self.wfile.write(body[i : i + page.block])
                        if page.hold is not None and i + page.block >= page.hold:
                            self.wfile.flush()
                            page.go.wait()
                    self.wfile.flush()
                    if cut and page.stall:
                        time.sleep(page.stall)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client went away

        return Handler
