"""Hugging Face on this machine: what its API and its files answer to huggingface_hub, of any version."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


class HubServer:
    """Repos by name, each a dict of files; ``gated`` names are refused, and all others are not found."""

    def __init__(
        self, repos: dict[str, dict[str, bytes]], gated: tuple[str, ...] = (), token: str | None = None
    ) -> None:
        self.repos, self.gated, self.token = repos, gated, token
        self.commits: list[str] = []
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

    def taken(self, path: str, body: bytes, token: str | None) -> tuple[int, dict[str, str], bytes]:
        """What is answered to a POST: a repo is made, asked how files come (all in the commit), and committed to."""
        if self.token is None or token != f"Bearer {self.token}":
            return 401, {}, b"{}"
        parts = unquote(path).strip("/").split("/")
        if parts == ["api", "validate-yaml"]:
            return 200, {}, b'{"warnings": [], "errors": []}'
        if parts[:3] == ["api", "repos", "create"]:
            asked = json.loads(body)
            repo = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            made = repo not in self.repos
            self.repos.setdefault(repo, {})
            return 200 if made else 409, {}, json.dumps({"url": f"{self.url}/{repo}"}).encode()
        repo = "/".join(parts[2:4])
        if parts[4:5] == ["preupload"]:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            return 200, {}, json.dumps({"files": files}).encode()
        if parts[4:5] == ["commit"]:
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    self.repos[repo][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "header":
                    self.commits.append(line["value"]["summary"])
            found = {"commitOid": COMMIT, "commitUrl": f"{self.url}/{repo}/commit/{COMMIT}", "hookOutput": ""}
            return 200, {}, json.dumps(found).encode()
        return 404, {}, b"{}"

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

            def do_POST(self) -> None:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    sent = b""
                    while size := int(self.rfile.readline().strip() or b"0", 16):
                        sent += self.rfile.read(size)
                        self.rfile.readline()
                else:
                    sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._reply(*server.taken(urlsplit(self.path).path, sent, self.headers.get("Authorization")))

            def _send(self, with_body: bool) -> None:
                self._reply(*server.answer(urlsplit(self.path).path), with_body)

            def _reply(self, status: int, headers: dict[str, str], body: bytes, with_body: bool = True) -> None:
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
