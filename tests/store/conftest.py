"""Fixtures of downloads: a server, an empty cache, and settings that do not wait long."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from http_server import MisbehavingServer

from zoo.store.cache import Cache
from zoo.store.fetch import FetchSettings
from zoo.store.remote import RemoteFile


class Notes:
    """A listener that keeps what it is told."""

    def __init__(self):
        self.notes, self.states, self.ended = [], [], 0

    def note(self, text):
        self.notes.append(text)

    def progress(self, state):
        self.states.append(state)

    def finished(self):
        self.ended += 1


@pytest.fixture
def server():
    server = MisbehavingServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _online(monkeypatch):
    for name in ("ZOO_OFFLINE", "HF_HUB_OFFLINE", "ZOO_TIMEOUT", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def quick():
    return FetchSettings(timeout=30, attempts=3, backoff=0.01, longest_wait=1.5)


@pytest.fixture
def impatient(quick):
    """For servers that fall silent: elsewhere a busy machine would pass for one."""
    return replace(quick, timeout=0.4)


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def body():
    """300 kB that do not repeat: a piece at the wrong place is seen."""
    return b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(9375))


@pytest.fixture
def remote_of(body):
    """Make a RemoteFile for URLs; its checksum is of ``body``."""

    def make(*urls, name="weights.pth", known="sha256", size=True):
        checksums = {known: hashlib.new(known, body).hexdigest()}
        return RemoteFile(name, urls, bytes=len(body) if size else None, **checksums)

    return make
