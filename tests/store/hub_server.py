"""Hugging Face on this machine: what its API and its files answer to huggingface_hub, of any version."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


class HubServer:
    """Repos by name, each a dict of files; ``gated`` names are refused, and all others are not found."""

    def __init__(self, repos: dict[str, dict[str, bytes]], gated: tuple[str, ...] = ()) -> None:
        self.repos, self.gated = repos, gated
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        parts = unquote(path).strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        repo, rest = "/".join(parts[2:4] if api else parts[:2]), parts[4:] if api else parts[2:]
        if repo in self.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
        if repo not in self.repos:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if len(rest) > 1 and rest[1] not in ("main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        files = self.repos[repo]
        if not api:
            return self._file(files, "/".join(rest[2:]))
        if rest[:1] == ["tree"]:
            tree = [
                {"type": "file", "path": name, "size": len(body), "oid": _git_sha1(body)}
                for name, body in files.items()
            ]
            return 200, {}, json.dumps(tree).encode()
        found = {"_id": "0", "id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
        return 200, {}, json.dumps(found).encode()

    @staticmethod
    def _file(files: dict[str, bytes], name: str) -> tuple[int, dict[str, str], bytes]:
        if name not in files:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
        body = files[name]
        return 200, {"ETag": f'"{_git_sha1(body)}"', "X-Repo-Commit": COMMIT}, body

    def _handler(server: HubServer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def do_HEAD(self) -> None:
                self._send(with_body=False)

            def do_GET(self) -> None:
                self._send(with_body=True)

            def _send(self, with_body: bool) -> None:
                status, headers, body = server.answer(urlsplit(self.path).path)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
                    self.send_header(name, value)
                self.end_headers()
                if with_body:
                    self.wfile.write(body)
                self.close_connection = True

        return Handler


def _git_sha1(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
