"""The errors a user can meet, each with the exit code of the command line.

    ZooError                       exit
    ├── UsageError                  2    the command line or a Python argument is wrong
    ├── InputError                  3    a BED, FASTA or other data file is wrong
    ├── ModelError                  4    a model folder, card or weights file is wrong
    │   └── TrustError              4    Python of a foreign source was not allowed to run
    ├── FetchError                  5    download failed, offline, or a checksum differs
    ├── MismatchError               6    the expected output differs
    └── SystemStateError            7    the machine: disk full, no CUDA, a package missing

An error is three lines to the user: what happened (with ``file:line`` where
there is one), how many rows it concerns, and the fix to type. A bug is any
exception that is not a ZooError: exit 1, with a traceback.
"""

from __future__ import annotations

__all__ = [
    "FetchError",
    "InputError",
    "MismatchError",
    "ModelError",
    "SystemStateError",
    "TrustError",
    "UsageError",
    "ZooError",
]


class ZooError(Exception):
    """Base of every error that is explained to the user instead of traced.

    Args:
        what: one line; names the file and line, or the argument.
        extent: one line; how many rows, files or elements are concerned.
        fix: one line; what to type or change.
    """

    exit_code = 1

    def __init__(self, what: str, extent: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.extent = extent
        self.fix = fix

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.extent, self.fix) if line)


class UsageError(ZooError):
    """An argument of the command or function cannot be used."""

    exit_code = 2


class InputError(ZooError):
    """A data file of the user (regions, genome) is missing, broken or does not fit."""

    exit_code = 3


class ModelError(ZooError):
    """A model folder, its YAML, card or weights cannot be used."""

    exit_code = 4


class TrustError(ModelError):
    """Code or a pickle of a foreign source would run; the user has not trusted it."""


class FetchError(ZooError):
    """A file could not be fetched, or its checksum is not the one recorded."""

    exit_code = 5


class MismatchError(ZooError):
    """A prediction differs from the expected one by more than the tolerance."""

    exit_code = 6


class SystemStateError(ZooError):
    """The machine cannot do it: disk full, device absent, package missing."""

    exit_code = 7
