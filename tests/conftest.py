"""Fixtures of all tests, and the path to `toys`."""

from __future__ import annotations

import compileall
import gc
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from _pytest.assertion import rewrite as rewriting
from hypothesis import settings

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"

# The repository before `tests/`: there the folders `interpret` and `keras` would be taken for the packages.
sys.path[:0] = [str(HERE.parent), str(HERE)]

if "PYTEST_XDIST_WORKER" in os.environ:
    # numba's threads in each of the workers would wait for one another; torch's are the matter of who starts them.
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")

settings.register_profile("zoo", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("zoo")


def pytest_configure(config):
    """Bytecode for the processes that tests start: where PYTHONDONTWRITEBYTECODE is set, each would compile."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        config.option.loadscopereorder = False  # the workers' own order stands
        for package in ("zoo", "interpret", "finetune"):
            compileall.compile_dir(HERE.parent / package, quiet=2)
    if worker or not config.getoption("numprocesses", None):
        number = int(worker["workerid"].removeprefix("gw")) if worker else 0
        rewrite(config, number, worker["workercount"] if worker else 1)


def rewrite(config, number, workers):
    """This worker's share of the files of tests, with their assertions as pytest rewrites them, beside the files.

    Every worker reads every test. Each would rewrite all of them; so each finds the others' shares done. pytest keeps
    them by their content, and not at all where PYTHONDONTWRITEBYTECODE is set.
    """
    named = [HERE.parent / argument.partition("::")[0] for argument in config.args]
    files = {path for one in named for path in (one.rglob("test_*.py") if one.is_dir() else [one])}
    files = sorted((path for path in files if path.suffix == ".py"), key=lambda path: (-path.stat().st_size, path))
    for path in files[number::workers]:
        kept = rewriting.get_cache_dir(path) / (path.stem + rewriting.PYC_TAIL)
        if rewriting._read_pyc(path, kept) is None and rewriting.try_makedirs(kept.parent):
            source, code = rewriting._rewrite_test(path, config)
            rewriting._write_pyc(config.stash[rewriting.assertstate_key], code, source, kept)


def pytest_collection(session):
    """Python looks for garbage among thousands of tests that stay: not while they are made, and never again after."""
    gc.disable()


def pytest_collection_finish(session):
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config, items):
    """Tests that take minutes run where ``-m`` asks for them; workers begin with the files that take longest."""
    if "long" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("long")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("long")]
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        tests = Counter(item.path for item in items)
        # A slow file that came last would leave the other workers with nothing to do.
        items.sort(key=lambda item: (item.path not in slow, -tests[item.path]))


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data beside the repository; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: real data are not part of the repository")
    return SHARED


@pytest.fixture(scope="session")
def package_index(tmp_path_factory):
    """The package index that pip uses; the test is skipped where it is not reached. Asked once a session."""
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--retries", "1", "--dest", str(tmp_path_factory.mktemp("probe")), "six==1.17.0"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip reaches no package index: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")


@pytest.fixture(scope="session")
def zoo_program(tmp_path_factory):
    """A program ``zoo`` that starts in no time: see ``forked.py``."""
    from forked import ZOO, forked_program

    folder = tmp_path_factory.mktemp("zoo")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ZOO_", "HF_"))}
    with forked_program(folder, "zoo", ZOO, env | {"HOME": str(folder), "PYTHONPATH": str(HERE.parent)}) as made:
        yield made


@pytest.fixture(scope="session")
def program():
    """The browser. Without one these tests fail: a page that nobody opened is not tested."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
    macos = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    found = os.environ.get("ZOO_BROWSER") or next(filter(None, map(shutil.which, [*names, macos])), None)
    if found is None:
        pytest.fail(
            "no Chromium or Chrome on this machine. Fix: apt-get install chromium (scripts/bootstrap.py test "
            "does it for root), ZOO_BROWSER=PATH, or leave these tests out: -m 'not browser'"
        )
    return found


@pytest.fixture(scope="session")
def browser(program, tmp_path_factory):
    """The browser that was started with these flags: see ``browser.py``."""
    from browser import Browser

    started = {}

    def with_flags(*flags: str) -> Browser:
        if flags not in started:
            started[flags] = Browser(program, tmp_path_factory.mktemp("browser"), *flags)
        return started[flags]

    yield with_flags
    for one in started.values():
        one.close()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Genome indexes go to a folder of the test run, not to the user's cache; the network is each test's own matter."""
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def _full_float32():
    """gReLU's predict_on_dataset lowers the matrix products of the whole process: no test leaves that to the next."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_float32_matmul_precision("highest")
