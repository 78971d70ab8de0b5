"""What Python of an entry tries, told by its stage: connections, files elsewhere, processes.

Audit hooks of Python put words to an attempt, also where the entry hides the error; what keeps it from succeeding is
`zoo.check.jail`. Code that avoids Python's own functions is not heard, and still confined.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["Watchman"]

NETWORK = {"socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto", "socket.gethostbyname"}
PROCESSES = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}
CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
FORWARD = {"forward", "call", "__call__", "predict_on_batch"}
READABLE = ("/usr/", "/lib", "/proc/", "/sys/", "/dev/", "/etc/")


class Watchman:
    """Listens from `arm` on, and tells an attempt once.

    Args:
        folder: that of the entry; an attempt counts where a frame of its files is on the stack.
        scratch: where it may write.
        readable: prefixes that it may read.
        tell: takes rule and words.
    """

    def __init__(self, folder: Path, scratch: Path, readable: list[str], tell: Callable[[str, str], None]) -> None:
        self.folder, self.scratch = f"{folder.resolve()}{os.sep}", f"{scratch.resolve()}{os.sep}"
        self.readable = (*READABLE, self.folder, self.scratch, *readable)
        self.tell, self.told, self.armed, self.busy = tell, set(), False, False

    def arm(self) -> None:
        """Begin to listen; there is no end, since Python has none for its hooks."""
        self.armed = True
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        interesting = event == "open" or event in NETWORK or event in PROCESSES or event in CHANGES
        if not interesting or self.busy or not self.armed:
            return
        self.busy = True
        try:
            if found := self._attempt(event, arguments):
                when = self._when()
                if when is not None and found not in self.told:
                    self.told.add(found)
                    self.tell(found[0], f"{found[1]} {when}")
        finally:
            self.busy = False

    def _when(self) -> str | None:
        """When the entry's code did it; None where none of its files is on the stack."""
        frame, found = sys._getframe(1), None
        while frame is not None:
            if os.path.realpath(frame.f_code.co_filename).startswith(self.folder):
                if frame.f_code.co_name in FORWARD:
                    return "when it predicts"
                found = "when it is loaded"
            frame = frame.f_back
        return found

    def _attempt(self, event: str, arguments: tuple) -> tuple[str, str] | None:
        if event in NETWORK:
            where = arguments[1] if event in ("socket.connect", "socket.bind", "socket.sendto") else arguments[0]
            return "network", f"uses the network ({event} {where})"
        if event in PROCESSES:
            return "confined", f"starts a process ({event})"
        if not arguments or not isinstance(arguments[0], str | bytes | os.PathLike):
            return None
        path = os.path.realpath(os.fsdecode(arguments[0]))
        writes = event in CHANGES or _writes(arguments)
        if writes and not f"{path}/".startswith(self.scratch) and path != "/dev/null":
            if path.startswith(self.folder):
                return "confined", f"writes into its folder ({path.removeprefix(self.folder)})"
            return "confined", f"writes outside its folder ({path})"
        if not writes and not path.startswith(self.readable):
            return "confined", f"reads a file that is not its own ({path})"
        return None


def _writes(arguments: tuple) -> bool:
    mode = arguments[1] if len(arguments) > 1 else None
    flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
    by_mode = isinstance(mode, str) and bool(set(mode) & set("wax+"))
    return by_mode or bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
