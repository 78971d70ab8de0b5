"""Run foreign code confined: without network, reading little, writing to a scratch folder alone, within limits.

`zoo.check.jail` puts the guards in place in the new process; here the environment is made, and the process with all
that it starts is watched and ended. ``docs/security.md`` says what each guard guarantees and what none does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zoo.check import jail

__all__ = ["Guards", "Limits", "Outcome", "environment", "run_confined"]

ROOT = Path(__file__).resolve().parents[2]  # the checkout, or the folder that the package is installed in
#: What programs read of the system; nothing of a user, no host keys, no shadow file.
SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/nix/store", "/proc", "/sys/devices/system",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime", "/etc/passwd",
    "/etc/nsswitch.conf", "/etc/os-release", "/etc/mime.types", "/dev/zero", "/dev/urandom", "/dev/random",
)  # fmt: skip
POLL, DISK_POLL = 0.02, 0.5  # seconds between looks at the processes, and at the scratch folder
LAST_OUTPUT = 4000  # letters of what the command printed that are kept


@dataclass(frozen=True)
class Limits:
    """What a confined command may take.

    Attributes:
        seconds: wall-clock time.
        memory: bytes of memory, of a process and of all together.
        processes: of the command and all that it starts, threads included.
        file_bytes: size of one file; all in the scratch folder together may have twice that.
    """

    seconds: float = 600
    memory: int = 2_500_000_000
    processes: int = 256
    file_bytes: int = 500_000_000


@dataclass(frozen=True)
class Guards:
    """What was really put in place: the answers of `zoo.check.jail`, ``yes`` or a reason."""

    answers: dict[str, str]

    def __contains__(self, name: str) -> bool:
        return self.answers.get(name, "").startswith("yes")

    @property
    def network(self) -> bool:
        """Whether no internet connection can be made."""
        return "namespaces" in self or "seccomp" in self

    @property
    def writes(self) -> bool:
        """Whether nothing outside the scratch folder can be written."""
        return "read_only" in self or "landlock" in self

    @property
    def reads(self) -> bool:
        """Whether a user's files cannot be read."""
        return "landlock" in self

    def sentence(self) -> str:
        """What is guaranteed and what is not, for a report."""
        parts = {
            "no network": self.network,
            "no services of this machine": "seccomp" in self,
            "writes to a scratch folder alone": self.writes,
            "reads no files of the user": self.reads,
            "all its processes end with it": "namespaces" in self or jail.LINUX,
            "limits of time, memory and file size": self.answers.get("limits") == "yes",
        }
        kept = [text for text, yes in parts.items() if yes]
        lost = [text for text, yes in parts.items() if not yes]
        said = f"foreign code ran confined: {', '.join(kept)}" if kept else "foreign code ran unconfined"
        return said + (f"; NOT guaranteed on this system: {', '.join(lost)}" if lost else "")


@dataclass(frozen=True)
class Outcome:
    """How a confined command ended.

    Attributes:
        code: exit status, negative for a signal.
        ended_for: ``time``, ``memory``, ``processes`` or ``disk`` where a limit ended it, else None.
        output: the end of what it printed.
        seconds: wall-clock time.
        guards: what was in place.
    """

    code: int
    ended_for: str | None
    output: str
    seconds: float
    guards: Guards


def environment(scratch: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """A clean environment: no variable of the user's is passed, no token, no home."""
    made = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "XDG_CACHE_HOME": str(scratch / "xdg"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "PASSIVE",
        "MALLOC_ARENA_MAX": "2",
        "CUDA_VISIBLE_DEVICES": "",
        "ZOO_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
    }
    return made | (extra or {})


def run_confined(
    command: Sequence[str],
    scratch: Path,
    *,
    reads: Iterable[Path] = (),
    limits: Limits | None = None,
    variables: dict[str, str] | None = None,
    without: Iterable[str] = (),
) -> Outcome:
    """Run a command with everything confined that this system can confine, and end all that it started.

    Args:
        command: program and arguments.
        scratch: the folder that it may write to, and where it runs.
        reads: files and folders that it may read, beside Python, the system's libraries and seqzoo itself.
        limits: of time, memory, processes and file size.
        variables: added to the clean environment.
        without: guards to leave out (``namespaces``, ``landlock``, ``seccomp``), as on a system that refuses them.
    """
    limits = limits or Limits()
    scratch = scratch.resolve()
    answers, report = os.pipe()
    reads = {str(path) for one in (*_python(), ROOT, *reads) for path in (Path(os.path.abspath(one)), one.resolve())}
    spec = {
        "command": list(command),
        "environment": environment(scratch, variables),
        "folder": str(scratch),
        "reads": [*SYSTEM, *sorted(reads)],
        "writes": [str(scratch)],
        "limits": {
            "seconds": int(limits.seconds) + 1,
            "memory": limits.memory,
            "file_bytes": limits.file_bytes,
            "processes": limits.processes,
            "others": _tasks_of_user(),
        },
        "report": report,
        "without": list(without),
    }
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:  # without a name: the command cannot put another file in its place
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(jail.__file__)), json.dumps(spec)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=[report],
            start_new_session=True,
            env={"PATH": "/usr/bin:/bin"},
        )
        os.close(report)
        try:
            ended_for = _watch(process, limits, scratch, started)
        finally:
            _end(process)
            told = _drained(answers)
        size = os.fstat(out.fileno()).st_size
        text = os.pread(out.fileno(), LAST_OUTPUT, max(0, size - LAST_OUTPUT)).decode("utf-8", "replace")
    return Outcome(process.returncode, ended_for, text, time.monotonic() - started, Guards(told))


def _python() -> list[Path]:
    """Where this Python, its library and its packages are."""
    paths = sysconfig.get_paths()
    found = [sys.prefix, sys.base_prefix, sys.exec_prefix, *(paths[key] for key in ("stdlib", "purelib", "platlib"))]
    return [Path(one) for one in found if one not in ("/", "")]


def _drained(answers: int) -> dict[str, str]:
    with os.fdopen(answers, "rb") as handle:
        os.set_blocking(handle.fileno(), False)
        text = handle.read() or b""
    try:
        return json.loads(text)
    except ValueError:
        return {}


# ---------------- watching


def _watch(process: subprocess.Popen[bytes], limits: Limits, scratch: Path, started: float) -> str | None:
    """Wait for the end, or for a limit."""
    looked = started
    while True:
        try:
            process.wait(POLL)
            return None
        except subprocess.TimeoutExpired:
            pass
        now = time.monotonic()
        if now - started > limits.seconds:
            return "time"
        tasks, resident = _taken(_descendants(process.pid))
        if tasks > limits.processes:
            return "processes"
        if resident > limits.memory:
            return "memory"
        if now - looked > DISK_POLL:
            looked = now
            if _size(scratch) > 2 * limits.file_bytes:
                return "disk"


def _size(folder: Path) -> int:
    """Bytes on disk below a folder; a sparse file counts what it takes."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total


def _parents() -> dict[int, int]:
    """Process -> parent, of all that are seen in /proc."""
    found = {}
    for name in os.listdir("/proc") if jail.LINUX else ():
        if name.isdigit():
            with suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat") as handle:
                found[int(name)] = int(handle.read().rpartition(")")[2].split()[1])
    return found


def _children(pid: int) -> list[int]:
    """Direct children, by the kernel's own list where it has one."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as handle:
            return [int(one) for one in handle.read().split()]
    except OSError:
        return [one for one, parent in _parents().items() if parent == pid]


def _descendants(pid: int) -> list[int]:
    """What a process started, and what that started; its orphans too, since the jail adopts them."""
    children: dict[int, list[int]] = {}
    for one, parent in _parents().items():
        children.setdefault(parent, []).append(one)
    found, waiting = [], list(children.get(pid, []))
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, [])
    return found


def _taken(processes: Iterable[int]) -> tuple[int, int]:
    """Tasks (threads) and bytes of memory of processes; pages of files are left out, shared memory is not."""
    tasks = resident = 0
    for pid in processes:
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/status") as handle:
            for line in handle:
                if line.startswith(("RssAnon:", "RssShmem:")):
                    resident += int(line.split()[1]) * 1024
                elif line.startswith("Threads:"):
                    tasks += int(line.split()[1])
    return tasks, resident


def _tasks_of_user() -> int:
    """Tasks that this user has already: the limit of processes counts them where there is no namespace."""
    uid, count = os.getuid(), 0
    for name in os.listdir("/proc") if jail.LINUX else ():
        if name.isdigit():
            with suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _end(process: subprocess.Popen[bytes]) -> None:
    """End all that the command started, then what waited for it.

    The jail's child is the first process of their namespace, with which all others end; where there is none, what
    multiplies is stopped before it is killed, so that nothing is born meanwhile.
    """
    if process.poll() is not None and not jail.LINUX:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # the children of one that ended
        return
    for pid in _children(process.pid):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    stopped: set[int] = set()
    while new := [one for one in _descendants(process.pid) if one not in stopped]:
        for pid in new:
            with suppress(OSError):
                os.kill(pid, signal.SIGSTOP)
        stopped.update(new)
    for pid in sorted(stopped):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
