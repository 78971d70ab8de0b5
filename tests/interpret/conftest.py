"""One run of the whole way on planted motifs, shared by the tests of motifs and of reports."""

from __future__ import annotations

import fcntl
import os
import pickle
import sys
from pathlib import Path

import pytest

MOTIFS = Path(__file__).resolve().parent / "motifs"


@pytest.fixture(scope="session")
def planted_folder(tmp_path_factory):
    """A folder that the processes of a test run share: the run takes half a CPU-minute. Tests change nothing in it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "planted"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def planted(planted_folder):
    """The planted file, before motifs were looked for."""
    if str(MOTIFS) not in sys.path:
        sys.path.insert(0, str(MOTIFS))
    from planted import plant

    made = planted_folder / "planted.pickle"
    with (planted_folder / "planted.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_bytes(pickle.dumps(plant(planted_folder)))
    return pickle.loads(made.read_bytes())


@pytest.fixture(scope="session")
def found(planted):
    """What ``find_motifs`` made of it."""
    from interpret.motifs.find import find_motifs
    from interpret.motifs.motifs_file import read_motifs

    path = planted.path.with_name("motifs.h5")
    with planted.path.with_name("motifs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return read_motifs(path) if path.exists() else find_motifs(planted.path, path, database="jaspar:fungi")
