"""A stranger at the shell: the command itself, and what it may leave behind."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from toys import Toy, make_toy_entry

COMMAND = [sys.executable, "-c", "from zoo.cli import main; main()"]


@dataclass(frozen=True)
class Answer:
    """What a command said: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    def error(self, code: int) -> str:
        """The three lines of an error with this exit code; nothing may be on standard output."""
        assert self.code == code, self
        assert self.out == "", self
        lines = self.err.splitlines()
        assert len(lines) == 3, self
        assert lines[0].startswith("error: ") and lines[1].startswith("  "), self
        assert lines[2].startswith("  Fix: ") and len(lines[2]) > 10, self
        return self.err

    def notes(self) -> str:
        """What is on standard error of a command that succeeded."""
        assert self.code == 0, self
        assert "Warning" not in self.err and "Traceback" not in self.err
        return self.err


class Shell:
    """A working folder with toys, and ways to run `zoo` in it."""

    def __init__(self, folder: Path, toys: dict[str, Toy], program: Path, capsys, monkeypatch) -> None:
        self.folder, self.toys, self._capsys, self._monkeypatch = folder, toys, capsys, monkeypatch
        self._program = program
        monkeypatch.chdir(folder)

    def write(self, name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(data)
        return name

    def files(self) -> set[str]:
        """What lies in the folder; the index that is made beside a genome may."""
        return {path.name for path in self.folder.iterdir() if path.suffix != ".fai"}

    def zoo(self, *arguments: object) -> Answer:
        """The command in this process."""
        from zoo.cli import run

        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    def process(
        self, *arguments: object, stdin: bytes = b"", env: dict | None = None, cwd=None, start: bool = False
    ) -> Answer:
        """The command in a process of its own.

        Args:
            start: as a user starts it, of whatever matter that is; else forked from one that has imported torch.
        """
        done = subprocess.run(
            [*(COMMAND if start else [self._program]), *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=cwd or self.folder,
            check=False,
            env=os.environ | (env or {}),
            timeout=300,
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    def bash(self, line: str, start: bool = False) -> Answer:
        """A line of bash in which ``zoo`` is the command, which is started as that of ``process`` is."""
        command = shlex.join(COMMAND if start else [str(self._program)])
        done = subprocess.run(
            ["bash", "-c", f'zoo() {{ {command} "$@"; }}; {line}'],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=self.folder,
            check=False,
            timeout=300,
        )
        return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def predict(self, regions: object, *more: object, kind: str = "gc", genome: object = None, out="out.tsv") -> Answer:
        toy = self.toys[kind]
        return self.zoo("predict", toy.folder, regions, "-g", genome or toy.genome, "-o", out, "--trust", *more)

    def refused(self, regions: object, code: int, *more: object, **options) -> str:
        """The error of a prediction that must leave no file behind."""
        before = self.files()
        message = self.predict(regions, *more, **options).error(code)
        assert self.files() == before
        return message

    def fresh_toy(self, kind: str = "gc", **options) -> Toy:
        """A toy of this test's own, to be damaged."""
        return make_toy_entry(self.folder / f"own-{kind}", kind, **options)


@pytest.fixture(scope="session")
def _toys(tmp_path_factory) -> dict[str, Toy]:
    folder = tmp_path_factory.mktemp("toys")
    return {kind: make_toy_entry(folder / kind, kind) for kind in ("gc", "profile", "stranded")}


@pytest.fixture
def shell(tmp_path, _toys, zoo_program, capsys, monkeypatch) -> Shell:
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(folder, _toys, zoo_program, capsys, monkeypatch)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture
def read_only(small_disk):
    """A function that makes the small disk read-only."""

    def seal() -> Path:
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        return small_disk

    return seal
