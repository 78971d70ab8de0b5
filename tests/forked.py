"""A command as a process of its own, forked from one that has imported what takes longest.

Nearly all the time of a short command is that of importing torch, and the tests have dozens. The program that is
started hands its arguments, folder, environment, standard streams and limit of a file's size over, and ends as the
forked process ends. What a start itself imports, and how long it takes, is no matter of tests that use it; other open
files, as bash's ``<(...)``, are not there.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENT = """#!{python} -IS
import json, os, resource, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"-"], [0, 1, 2])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    server.sendall(json.dumps([sys.argv, os.getcwd(), dict(os.environ), limit]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(16)))
"""
#: Nothing that reads the environment or the home when it is imported, as huggingface_hub and matplotlib do.
ZOO = ("torch", "zoo.cards.schema", "zoo.models.loaded", "zoo.run.predict", "zoo.cli")


@contextmanager
def forked_program(folder: Path, name: str, imported: tuple[str, ...], env: dict[str, str]) -> Iterator[Path]:
    """A program of that name in a folder of its own, for PATH; it calls ``main()`` of the last module of ``imported``.

    Args:
        folder: where the program goes.
        env: of the process that imports.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-") as short:  # the name of a socket has 100 letters at most
        yield from _served(f"{short}/socket", folder, name, imported, env)


def _served(address: str, folder: Path, name: str, imported: tuple[str, ...], env: dict[str, str]) -> Iterator[Path]:
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(CLIENT.format(python=sys.executable, address=address))
    program.chmod(0o755)
    code = f"import sys; sys.path[:0] = {[str(HERE.parent), str(HERE)]!r}; import forked"
    words = [sys.executable, "-W", "ignore", "-c", f"{code}; forked.serve({address!r}, {imported!r})"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    try:
        assert server.stdout and server.stdout.readline() == b"ready\n", (folder / "log").read_text()
        yield program
    finally:
        server.kill()
        server.wait()


def serve(address: str, imported: tuple[str, ...]) -> None:
    """Fork for each call, as long as the tests live; returns in a forked process whose ``main()`` returned too."""
    modules = [importlib.import_module(name) for name in imported]
    gc.collect()
    gc.freeze()  # what is imported is no garbage, and none of it is copied for the search
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    listener.settimeout(30)
    tests = os.getppid()
    print("ready", flush=True)
    while True:
        try:
            call, _ = listener.accept()
        except TimeoutError:
            if os.getppid() == tests:
                continue
            return  # they were killed
        with suppress(ChildProcessError):  # those that have told an exit code
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork():
            call.close()
            continue
        listener.close()
        _, files, _, _ = socket.recv_fds(call, 1, 3)
        with call.makefile("rb") as request:
            arguments, here, environment, limit = json.loads(request.read())
        if child := os.fork():
            for file in files:
                os.close(file)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            call.sendall(str(code if code >= 0 else 128 - code).encode())
            os._exit(0)
        call.close()
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        become(arguments, here, environment, files)
        return leave(modules[-1].main)


def become(arguments: list[str], here: str, environment: dict[str, str], files: list[int]) -> None:
    """Take what a process has that was started there."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "rww"[number], closefd=False) for number in range(3))
    sys.stderr.reconfigure(line_buffering=True)
    os.chdir(here)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments


def leave(main: Callable) -> None:
    """End as a process does, but for taking torch apart, which takes longer than most commands."""
    try:
        main()
    except SystemExit as end:
        threading._shutdown()
        atexit._run_exitfuncs()
        with suppress(OSError, TypeError):  # neither a full pipe nor words in place of a code: these end as they do
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code or 0)
        raise
