"""Confine this process, then become the command: ``python -I -S jail.py SPEC``. Standard library only.

What the system offers without root is used, and what was really put in place is written to a pipe before the command
begins; `zoo.check.confine` starts this file and reads that. In order: namespaces (no network, own processes, the whole
file system read-only), resource limits, Landlock (which paths may be read and written), a seccomp filter (no
sockets, and more), no new privileges. A guard that is refused is left out and named; none of them needs another.

SPEC is JSON: ``command``, ``environment``, ``folder``, ``reads``, ``writes``, ``limits``, ``report`` (descriptor), and
``without``: guards to leave out, as on a system that refuses them.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["main"]

LINUX = sys.platform.startswith("linux")
# linux/prctl.h
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 24, 36, 38, 22
# linux/sched.h
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
# linux/mount.h
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = -100, 0x8000, 1
# The same numbers on every architecture.
SYS_IO_URING_SETUP, SYS_MOUNT_SETATTR, SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD, SYS_LANDLOCK_RESTRICT = (
    425,
    442,
    444,
    445,
    446,
)
NOBODY = 65534  # the number by which the confined process knows itself: not 0, so that exec leaves no capability


def main(spec: dict[str, Any]) -> int:
    """Confine a child that becomes the command, wait for it, and leave nobody behind."""
    guards: dict[str, str] = {}
    if LINUX:
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        guards["namespaces"] = "left out" if "namespaces" in spec["without"] else _namespaces()
    child = os.fork()
    if child == 0:
        try:
            _become(spec, guards)
        except BaseException as error:
            os.write(2, f"zoo check: the sandbox could not start the command: {error}\n".encode())
        os._exit(126)
    os.close(spec["report"])
    _, status = os.waitpid(child, 0)
    _reap()
    if os.WIFSIGNALED(status):  # end as the command did, so that who waits sees the signal
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(number, signal.SIG_DFL) if number not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), number)
    return os.waitstatus_to_exitcode(status)


def _reap() -> None:
    """Kill what the command left running: with its process namespace it is gone already, else it is adopted here."""
    while True:
        for pid in _children(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children(parent: int) -> list[int]:
    found = []
    for name in os.listdir("/proc") if LINUX else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as handle:
                    if int(handle.read().rpartition(")")[2].split()[1]) == parent:
                        found.append(int(name))
            except (OSError, ValueError, IndexError):
                continue
    return found


def _become(spec: dict[str, Any], guards: dict[str, str]) -> None:
    if LINUX:
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if guards["namespaces"] == "yes":
            guards["read_only"] = _read_only(spec["writes"], spec["limits"]["processes"])
        else:
            _drop_capabilities()
    guards["limits"] = _limits(spec["limits"])
    if LINUX:
        _libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        left_out = spec["without"]
        guards["landlock"] = "left out" if "landlock" in left_out else _landlock(spec["reads"], spec["writes"])
        guards["seccomp"] = "left out" if "seccomp" in left_out else _no_sockets(guards.get("read_only") != "yes")
    os.write(spec["report"], json.dumps(guards).encode())
    os.close(spec["report"])
    os.chdir(spec["folder"])
    os.execve(spec["command"][0], spec["command"], spec["environment"])


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _called(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


# ---------------- namespaces


def _namespaces() -> str:
    """Own users, mounts, network, processes; ``yes``, or why not."""
    uid, gid = os.getuid(), os.getgid()
    try:
        _called(_libc().unshare(NEWUSER | NEWNS | NEWNET | NEWPID | NEWIPC | NEWUTS))
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{NOBODY} {uid} 1")
        _write("/proc/self/gid_map", f"{NOBODY} {gid} 1")
    except OSError as error:
        return f"refused ({error.strerror})"
    return "yes"


def _write(path: str, text: str) -> None:
    with open(path, "w") as handle:
        handle.write(text)


def _read_only(writes: Sequence[str], processes: int) -> str:
    """All mounts read-only, but for the folders that may be written; a /proc of these processes alone.

    RLIMIT_NPROC does not hold for root's processes; since Linux 6.14 the highest process number of a namespace does.
    """
    libc = _libc()
    libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
    try:
        _called(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
        for folder in writes:
            _called(libc.mount(folder.encode(), folder.encode(), None, MS_BIND, None))
        libc.mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)  # refused where parts are hidden
        with contextlib.suppress(OSError):
            _write("/proc/sys/kernel/pid_max", str(max(301, processes + 8)))
        _set_mount(b"/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0)
        for folder in writes:
            _set_mount(folder.encode(), 0, 0, MOUNT_ATTR_RDONLY)
    except OSError as error:
        return f"refused ({error.strerror})"
    return "yes"


def _set_mount(path: bytes, flags: int, add: int, remove: int) -> None:
    attributes = ctypes.create_string_buffer(struct.pack("=QQQQ", add, remove, 0, 0))
    _called(_libc().syscall(SYS_MOUNT_SETATTR, AT_FDCWD, path, flags, attributes, ctypes.c_size_t(32)))


def _drop_capabilities() -> None:
    """What root may do beyond others is taken from what it becomes; nothing happens for anybody else."""
    if os.getuid() == 0:
        for number in range(64):
            _libc().prctl(PR_CAPBSET_DROP, number, 0, 0, 0)


# ---------------- limits


def _limits(limits: dict[str, int]) -> str:
    """Time on a processor, memory, size of a file, processes, open files; no core dumps."""
    wanted = {
        "RLIMIT_CPU": limits["seconds"] * 2 + 1,
        "RLIMIT_DATA": limits["memory"],
        "RLIMIT_FSIZE": limits["file_bytes"],
        "RLIMIT_NPROC": limits["processes"] + limits["others"],
        "RLIMIT_NOFILE": 1024,
        "RLIMIT_CORE": 0,
    }
    left_out = []
    for name, value in wanted.items():
        try:
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))
        except (AttributeError, ValueError, OSError):
            left_out.append(name)
    return "yes" if not left_out else f"without {', '.join(left_out)}"


# ---------------- Landlock: linux/landlock.h

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
ALL_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
BIND_TCP, CONNECT_TCP = 1, 2
ABSTRACT_UNIX, SIGNALS = 1, 2


def _landlock(reads: Sequence[str], writes: Sequence[str]) -> str:
    """Allow these paths and no other; ``yes (version)``, or why not."""
    libc = _libc()
    version = libc.syscall(SYS_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return f"refused ({os.strerror(ctypes.get_errno())})"
    everything = ALL_OF_ABI[max(abi for abi in ALL_OF_ABI if abi <= version)]
    network = BIND_TCP | CONNECT_TCP if version >= 4 else 0
    scoped = ABSTRACT_UNIX | SIGNALS if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = ctypes.create_string_buffer(struct.pack("=QQQ", everything, network, scoped))
    try:
        ruleset = _called(libc.syscall(SYS_LANDLOCK_CREATE, rules, ctypes.c_size_t(size), 0))
        for path in reads:
            _allow(ruleset, path, EXECUTE | READ_FILE | READ_DIR)
        for path in (*writes, "/dev/null"):
            _allow(ruleset, path, everything)
        _called(libc.syscall(SYS_LANDLOCK_RESTRICT, ruleset, 0))
        os.close(ruleset)
    except OSError as error:
        return f"refused ({error.strerror})"
    return f"yes (version {version})"


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there needs no rule
        return
    if not os.path.isdir(path):
        access &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
    rule = ctypes.create_string_buffer(struct.pack("=Qi", access, handle))
    try:
        _called(_libc().syscall(SYS_LANDLOCK_ADD, ruleset, 1, rule, 0))
    finally:
        os.close(handle)


# ---------------- seccomp: no sockets, no memory that no limit counts, nothing of other processes or the kernel's keys

# The architecture in linux/audit.h, and numbers of system calls there.
CALLS: dict[str, dict[str, Any]] = {
    "x86_64": {
        "architecture": 0xC000003E,
        # socket, connect: a socket of the machine itself (of Docker, say) would lead out as well.
        "sockets": (41, 42),
        # ptrace, unshare, setns, keyctl, add_key, request_key, process_vm_readv, process_vm_writev, bpf,
        # perf_event_open, mount, umount2, pivot_root, userfaultfd
        "others": (101, 272, 308, 250, 248, 249, 310, 311, 321, 298, 165, 166, 155, 323),
        "uncounted": (319, 29),  # memfd_create, shmget
        # chmod, fchmod, fchmodat, chown, fchown, lchown, fchownat, utime, utimes, futimesat, utimensat, and of extended
        # attributes set, lset, fset, remove, lremove, fremove
        "modes": (90, 91, 268, 92, 93, 94, 260, 132, 235, 261, 280, 188, 189, 190, 197, 198, 199),
        "clone": 56,
        "socketpair": 53,
    },
    "aarch64": {
        "architecture": 0xC00000B7,
        "sockets": (198, 203),
        "others": (117, 97, 268, 219, 217, 218, 270, 271, 280, 241, 40, 39, 41, 282),
        "uncounted": (279, 194),
        "modes": (52, 53, 54, 55, 88, 5, 6, 7, 14, 15, 16),
        "clone": 220,
        "socketpair": 199,
    },
}
# The same everywhere; open_tree to mount_setattr are mounts, fchmodat2 is a mode.
SYS_CLONE3, SYS_OPEN_TREE, SYS_FSPICK, SYS_FCHMODAT2 = 435, 428, 433, 452
EPERM, EACCES, ENOSYS = 1, 13, 38
LOAD, AND, EQUAL, AT_LEAST, HAS_BITS, ANSWER = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06  # BPF instructions
SECCOMP_ALLOW, SECCOMP_ERRNO = 0x7FFF0000, 0x00050000


def _no_sockets(keep_modes: bool) -> str:
    """Refuse the calls above.

    Args:
        keep_modes: changes of modes, owners, dates and attributes are answered and not done. Landlock knows no rule for
            them; where mounts are read-only there is no need.
    """
    known = CALLS.get(platform.machine())
    if known is None or sys.maxsize < 2**32:
        return f"not for {platform.machine()}"
    program = [
        (LOAD, 0, 0, 4),
        (EQUAL, 1, 0, known["architecture"]),
        (ANSWER, 0, 0, SECCOMP_ERRNO | EPERM),  # any other
        (LOAD, 0, 0, 0),  # the system call
        (AT_LEAST, 0, 1, 0x40000000),  # x32 numbers
        (ANSWER, 0, 0, SECCOMP_ERRNO | EPERM),
    ]
    mounts = (*range(SYS_OPEN_TREE, SYS_FSPICK + 1), SYS_MOUNT_SETATTR)
    answers = [
        (known["sockets"], EACCES),
        ((SYS_IO_URING_SETUP,), EACCES),  # it has sockets of its own
        ((*known["others"], *mounts), EPERM),
        ((*known["uncounted"], SYS_CLONE3), ENOSYS),  # libraries have another way; clone3 hides its flags
        ((*known["modes"], SYS_FCHMODAT2) if keep_modes else (), 0),
    ]
    for numbers, number_of_error in answers:
        for number in numbers:
            program += [(EQUAL, 0, 1, number), (ANSWER, 0, 0, SECCOMP_ERRNO | number_of_error)]
    refuse = (ANSWER, 0, 0, SECCOMP_ERRNO | EPERM)
    program += [(EQUAL, 0, 3, known["clone"]), (LOAD, 0, 0, 16), (HAS_BITS, 0, 1, NEWUSER), refuse]
    # Of a pair, datagrams (type 2) can be sent to any other socket of the machine.
    program += [(EQUAL, 0, 4, known["socketpair"]), (LOAD, 0, 0, 24), (AND, 0, 0, 15), (EQUAL, 0, 1, 2), refuse]
    program.append((ANSWER, 0, 0, SECCOMP_ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    done = _libc().prctl(PR_SET_SECCOMP, 2, filters, 0, 0)
    return "yes" if done == 0 else f"refused ({os.strerror(ctypes.get_errno())})"


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
