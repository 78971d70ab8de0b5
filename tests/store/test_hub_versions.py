"""``hf://`` over a connection, with whichever huggingface_hub is installed: 0.36, 1 and 2 speak through other clients.

The server stands in for Hugging Face, and huggingface_hub itself is the real one, in a process of its own: it reads
the address when it is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import COMMIT, HubServer

from zoo.store.hub import HTTP_CLIENTS, is_lost_connection

pytest.importorskip("huggingface_hub")

FETCH = """
import json, sys, time
time.sleep = lambda seconds: None  # huggingface_hub waits between its attempts
from zoo.errors import ZooError
from zoo.store.hub import fetch_model
for name in sys.argv[1:]:
    try:
        found = fetch_model(name)
        print(json.dumps(["found", found.pinned, str(found.path)]))
    except ZooError as error:
        print(json.dumps([type(error).__name__, error.what, error.extent, error.fix]))
"""
FILES = {"model.yaml": b"type: pytorch\n", "toy.py": b"x = 1\n", "example/regions.bed": b"chr1\t0\t9\n"}
CHECKPOINT = {"README.md": b"# x\n", "human.ckpt": b"not read here"}


@pytest.fixture
def server():
    server = HubServer({"org/folder": FILES, "org/ckpt": CHECKPOINT}, gated=("org/gated",))
    yield server
    server.close()


@pytest.fixture
def fetch(tmp_path, server):
    """``fetch(*names)``: what comes of each, in one new process."""

    def run(*names):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        env = kept | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        env |= {"HF_HUB_DISABLE_TELEMETRY": "1", "ZOO_CACHE": str(tmp_path / "cache"), "no_proxy": "*"}
        command = [sys.executable, "-c", FETCH, *names]
        done = subprocess.run(command, env=env, text=True, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_what_is_there_is_fetched_and_served_while_the_connection_is_lost(fetch, server):
    folder, checkpoint = fetch("hf://org/folder", f"hf://org/ckpt@{COMMIT}/human.ckpt")
    assert folder[:2] == ["found", f"hf://org/folder@{COMMIT}"]
    for name, body in FILES.items():
        assert Path(folder[2], name).read_bytes() == body
    assert checkpoint[:2] == ["found", f"hf://org/ckpt@{COMMIT}/human.ckpt"]
    assert Path(checkpoint[2]).read_bytes() == CHECKPOINT["human.ckpt"]
    server.close()
    again = fetch("hf://org/folder", f"hf://org/ckpt@{COMMIT}/human.ckpt", "hf://org/new/x.ckpt", "hf://org/new")
    assert again[:2] == [folder, checkpoint]
    for found in again[2:]:
        assert found[0] == "FetchError" and "Hugging Face cannot be reached" in found[1], found
        assert found[3].startswith("Fix: check the connection")


REFUSED = {
    "hf://org/absent": "no such repo",
    "hf://org/absent/a.ckpt": "no such repo",
    "hf://org/folder@v9": "no revision 'v9'",
    "hf://org/ckpt/other.ckpt": "no file 'other.ckpt'",
    "hf://org/gated": "limited by its authors",
    "hf://org/a..b": "Fix: hf://org/repo",
}


def test_what_the_server_refuses_is_explained(fetch):
    for (name, said), (kind, *lines) in zip(REFUSED.items(), fetch(*REFUSED), strict=True):
        assert kind == ("UsageError" if ".." in name else "FetchError"), lines
        assert said in "\n".join(lines) and lines[0].startswith(name)
        assert lines[2].startswith("Fix: ")


@pytest.mark.parametrize("client", HTTP_CLIENTS)
def test_the_errors_of_every_client_are_known_without_importing_it(client):
    timeout = type("ConnectTimeout", (Exception,), {"__module__": f"{client}.exceptions"})
    below = type("HubTimeout", (timeout,), {"__module__": "huggingface_hub.errors"})
    assert is_lost_connection(timeout("no answer")) and is_lost_connection(below("no answer"))
    namesake = type("ConnectTimeout", (Exception,), {"__module__": f"{client}_like.exceptions"})
    assert not is_lost_connection(namesake("no answer"))


def test_what_is_no_error_of_the_network_stays_what_it_is():
    assert is_lost_connection(ConnectionResetError("gone")) and is_lost_connection(TimeoutError("late"))
    for bug in (KeyError("x"), ValueError("x"), AttributeError("x"), FileNotFoundError("x")):
        assert not is_lost_connection(bug)
