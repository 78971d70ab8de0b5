"""Confinement: what foreign code tries does not succeed, with all guards and where a system refuses some."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from zoo.check.confine import Guards, Limits, run_confined

LINUX = sys.platform.startswith("linux")
SMALL = Limits(seconds=30, memory=400_000_000, processes=40, file_bytes=10_000_000)
PROBE = """
import ctypes, os, socket, sys
def tried(name, f):
    try:
        f()
    except BaseException as error:
        print(name, "refused")
    else:
        print(name, "done")
tried("internet", lambda: socket.socket(socket.AF_INET).connect(("127.0.0.1", PORT)))
tried("datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", PORT)))
tried("read", lambda: open("SECRET").read())
tried("write", lambda: open("OUTSIDE", "w").write("x"))
tried("remove", lambda: os.remove("SECRET"))
tried("mode", lambda: os.chmod("SECRET", 0o777))
tried("scratch", lambda: open("mine.txt", "w").write("x"))
tried("memory", lambda: bytearray(1_000_000_000))
tried("file", lambda: open("large", "wb").write(bytes(11_000_000)))
tried("token", lambda: os.environ["GITHUB_TOKEN"])
tried("parent", lambda: open(f"/proc/{os.getppid() or OUTER}/environ", "rb").read(1)[0])
tried("service", lambda: socket.socket(socket.AF_UNIX).connect("SERVICE"))
pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
tried("datagrams", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
tried("namespace", lambda: ctypes.CDLL(None).unshare(0x10000000) == 0 or 1 / 0)
tried("hidden memory", lambda: os.memfd_create("x"))
tried("root", lambda: os.setuid(0) if os.getuid() else os.mknod("/tmp/zoo-node"))
"""
REFUSED = {"internet", "datagram", "read", "write", "remove", "memory", "file", "token"}
CALLS = {"service", "datagrams", "namespace", "hidden memory"}  # a service of the machine may be Docker's


@pytest.fixture
def listening():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def probe(tmp_path, port, monkeypatch, without=()):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/secret").write_text("x")
    (tmp_path / "home/secret").chmod(0o644)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("GITHUB_TOKEN", "x")
    code = PROBE.replace("PORT", str(port)).replace("SECRET", str(tmp_path / "home/secret"))
    code = code.replace("SERVICE", str(tmp_path / "service"))
    code = code.replace("OUTSIDE", str(tmp_path / "outside")).replace("OUTER", str(os.getpid()))
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(tmp_path / "service"))
        service.listen()
        done = run_confined([sys.executable, "-c", code], tmp_path / "scratch", limits=SMALL, without=without)
    assert done.code == 0, done.output
    return done, dict(line.rsplit(" ", 1) for line in done.output.splitlines())


@pytest.mark.skipif(not LINUX, reason="macOS has resource limits alone")
@pytest.mark.parametrize("without", [(), ("namespaces",), ("landlock",)], ids=["all", "no namespaces", "no Landlock"])
def test_what_foreign_code_tries_is_refused(tmp_path, listening, monkeypatch, without):
    """A container refuses namespaces, an older kernel has no Landlock: each alone keeps network and files."""
    done, found = probe(tmp_path, listening, monkeypatch, without)
    assert found["scratch"] == "done"
    refused = {name for name, answer in found.items() if answer == "refused"}
    for name in REFUSED:
        if name == "read" and not done.guards.reads:
            continue
        if name in ("write", "remove") and not done.guards.writes:
            continue
        if name in ("internet", "datagram") and not done.guards.network:
            continue
        assert name in refused, (name, done.guards)
    assert "seccomp" not in done.guards or refused >= CALLS
    assert (tmp_path / "home/secret").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "home/secret").read_text() == "x" and not (tmp_path / "outside").exists()
    assert not set(without) & {name for name in ("namespaces", "landlock", "seccomp") if name in done.guards}


def test_what_is_not_guaranteed_is_said():
    full = Guards(
        {"namespaces": "yes", "read_only": "yes", "landlock": "yes (version 5)", "seccomp": "yes", "limits": "yes"}
    )
    assert "NOT guaranteed" not in full.sentence() and full.network and full.writes and full.reads
    mac = Guards({"limits": "without RLIMIT_DATA"})
    for words in ("no network", "writes to a scratch folder alone", "reads no files of the user"):
        assert words in mac.sentence().split("NOT guaranteed on this system: ")[1]
    container = Guards({"namespaces": "refused (Operation not permitted)", "seccomp": "yes", "limits": "yes"})
    assert container.network and not container.writes and not container.reads


def test_time_is_limited(tmp_path):
    started = time.monotonic()
    done = run_confined([sys.executable, "-c", "while True: pass"], tmp_path, limits=Limits(seconds=2))
    assert done.ended_for == "time" and done.code != 0 and time.monotonic() - started < 20


@pytest.mark.skipif(not LINUX, reason="needs /proc")
@pytest.mark.parametrize("without", [(), ("namespaces",)], ids=["namespaces", "none"])
def test_processes_are_limited_and_none_is_left(tmp_path, without):
    """Nine forks in a row make 512 processes where nobody ends them."""
    mark = f"zoo-check-{os.getpid()}-{len(without)}"
    code = (
        f"import os, time\nfor _ in range(9):\n    try: os.fork()\n    except OSError: pass\ntime.sleep(50)  # {mark}"
    )
    done = run_confined(
        [sys.executable, "-c", code], tmp_path, limits=Limits(seconds=40, processes=30), without=without
    )
    assert done.ended_for == "processes" or done.code != 0
    assert mark not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not LINUX, reason="needs /proc")
@pytest.mark.parametrize("without", [(), ("namespaces",)], ids=["namespaces", "none"])
def test_what_hides_in_a_session_of_its_own_ends_with_the_command(tmp_path, without):
    mark = f"zoo-orphan-{os.getpid()}-{len(without)}"
    child = f"    os.setsid()\n    if os.fork() == 0: time.sleep(60)  # {mark}\n    os._exit(0)"
    code = f"import os, time\nif os.fork() == 0:\n{child}\nos.wait()"
    done = run_confined([sys.executable, "-c", code], tmp_path, without=without)
    assert done.code == 0 and done.seconds < 30
    assert mark not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not LINUX, reason="needs /proc")
def test_shared_memory_is_counted(tmp_path):
    """No limit of a process holds for it: only who looks sees it."""
    code = "import mmap, time\nmade = mmap.mmap(-1, 250_000_000)\nfor _ in range(25): made.write(bytes(10_000_000))\n"
    code += "time.sleep(20)"
    limits = Limits(seconds=15, memory=200_000_000)
    assert run_confined([sys.executable, "-c", code], tmp_path, limits=limits).ended_for == "memory"


def test_many_small_files_fill_no_disk(tmp_path):
    code = "import time\nfor i in range(80):\n    open(f'f{i}', 'wb').write(b'x' * 500_000)\ntime.sleep(20)"
    done = run_confined([sys.executable, "-c", code], tmp_path, limits=Limits(seconds=15, file_bytes=10_000_000))
    assert done.ended_for == "disk"


def test_the_command_gets_its_own_status_and_a_clean_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    code = "import os, sys; print(sorted(os.environ)); sys.exit(7)"
    done = run_confined([sys.executable, "-c", code], tmp_path)
    assert done.code == 7 and done.ended_for is None
    assert "AWS_SECRET_ACCESS_KEY" not in done.output and "ZOO_OFFLINE" in done.output
