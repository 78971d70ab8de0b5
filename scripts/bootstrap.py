#!/usr/bin/env python3
"""From a fresh clone to a working `zoo`, with Python 3.11 or 3.12 and nothing else.

    python3 scripts/bootstrap.py demo              install, then predict, draw and report on the bundled example
    python3 scripts/bootstrap.py test [ARGS]       install, then run the test suite (ARGS go to pytest)
    python3 scripts/bootstrap.py env               install only
    python3 scripts/bootstrap.py run -- ARGS       install, then run zoo ARGS

`test` runs `ruff format --check` and `ruff check` first where no ARGS are given, and the tests on as many cores as
there are, four at most, unless ARGS name -n, -s, --pdb or -p no:xdist.
It opens HTML reports in a browser: where there is neither Chromium nor Chrome it installs
Debian's chromium when run by root, and otherwise says what to do.

"Install" means: make .venv (--venv DIR before the command, or ZOO_VENV, for another place) and
put there what constraints.txt and pyproject.toml ask for. A stamp in .venv holds a hash of those
two files; while it fits, nothing is installed and the command starts at once.

Exit code: that of the command; 7 when the environment could not be made; 130 when interrupted.
"""

# Standard library only, and readable by Python 3.6 (so no annotations that it cannot evaluate):
# an old Python must get as far as the message of check_python().
import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ((3, 11), (3, 12))
COMMANDS = ("demo", "test", "env", "run")
EXIT_ENVIRONMENT = 7
EXIT_INTERRUPTED = 130

STAMP = ".seqzoo-stamp"
LOCK = ".seqzoo-lock"
LOG = "seqzoo-install.log"
LOG_LINES_SHOWN = 12
TOLD_EVERY = float(os.environ.get("ZOO_BOOTSTRAP_TOLD_EVERY") or 15)  # s between lines where there is no terminal
OTHER_FOLDER = "python3 scripts/bootstrap.py --venv DIR demo"

#: Torch goes first and alone. Resolved together with the rest, pip may take another index's
#: build; alone, a CPU wheel wins where pip is configured with one, and the rest then keeps it.
INSTALL_STEPS = (
    ("torch", ["torch"]),
    ("seqzoo and all its extras", ["-e", ".[all]"]),
)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
BROWSER_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
BROWSER_TESTS = ("tests/interpret/report", "tests/gallery", "tests/test_samples.py")
APT = (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"])

#: Before the whole suite: their messages say what to mend.
STYLE_CHECKS = (["ruff", "format", "--check", "."], ["ruff", "check", "."])
MOST_WORKERS = 4  # each imports torch and takes up to 1.5 GB
#: Arguments of pytest that choose the workers, or that need its terminal: -n 3, -n3, --dist=load, -s, -xs, --pdb, ...
OWN_WORKERS = (
    r"(-n(\d+|auto|logical)?|-[qvxl]*s[qvxls]*|-pno:xdist"
    r"|--(numprocesses|dist|pdb|trace|collect-only|co|capture)(=.*)?)$"
)

DEMO_MODEL = "yeast-atac"
DEMO_EXAMPLE = Path("model_cards") / DEMO_MODEL / "example"
DEMO_OUTPUT = Path("demo_output")
DEMO_PICTURE = "scripts.yeast_atac.demo_picture"
#: Suffixes of what the demo makes, with what each is for.
DEMO_RESULTS = {
    ".tsv": "a row a region, a column a bin; for any spreadsheet",
    ".bw": "a track of sacCer3, for IGV or the UCSC browser",
    ".png": "the track with its genes",
    ".report.html": "motifs, where they are and what they do; for a browser",
}
DEMO_ROWS_SHOWN = 5


class BootstrapError(Exception):
    """The environment cannot be made. ``fix`` is what to type."""

    def __init__(self, what: str, fix: str):
        super().__init__(what)
        self.fix = fix


# ---------------------------------------------------------------- the machine and the stamp


def check_machine() -> None:
    """Stop with a clear message where the packages cannot be installed at all."""
    if os.name == "nt":
        raise BootstrapError(
            "pysam, which reads genomes, has no build for Windows.", "Use the Windows Subsystem for Linux."
        )
    if sys.version_info[:2] in SUPPORTED:
        return
    found = [name for name in map("python{0[0]}.{0[1]}".format, SUPPORTED) if _runs(name)]
    if found:
        fix = f"Run it with another Python that is here: {found[0]} {' '.join(sys.argv)}"
    else:
        fix = "Install Python 3.11, then: python3.11 scripts/bootstrap.py demo"
    raise BootstrapError(f"seqzoo needs Python 3.11 or 3.12; {sys.executable} is Python {python_version()}.", fix)


def python_version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _runs(name: str) -> bool:
    """True when ``name`` is on PATH and works; a pyenv shim may exist and fail."""
    if shutil.which(name) is None:
        return False
    return subprocess.call([name, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def environment_key() -> str:
    """Hash of everything that decides what is installed, and of where this checkout is.

    The place counts because the install is editable: a .venv shared by two checkouts would
    otherwise run the code of the other one.
    """
    digest = hashlib.sha256()
    for name in ("constraints.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
        digest.update(b"\0")
    digest.update(f"python {python_version()} in {ROOT}".encode())
    return digest.hexdigest()


def is_ready(venv: Path) -> bool:
    """True when the stamp says that the last install was for the present files."""
    try:
        return (venv / STAMP).read_text().strip() == environment_key() and venv_python(venv).exists()
    except OSError:
        return False


def venv_python(venv: Path) -> Path:
    return venv / "bin" / "python"


def zoo_command(venv: Path) -> Path:
    return venv / "bin" / "zoo"


# ---------------------------------------------------------------- installing


def ensure_environment(venv: Path) -> None:
    """Make or complete the environment in ``venv``; nothing is done when its stamp fits."""
    if is_ready(venv):
        return
    try:
        venv.mkdir(parents=True, exist_ok=True)
        with only_one(venv):
            # The one that we may have waited for has perhaps done the work.
            if not is_ready(venv):
                install(venv)
    except OSError as error:
        raise BootstrapError(
            f"The environment cannot be made in {venv}: {error.strerror or error}.",
            f"Make room or choose another folder: {OTHER_FOLDER}",
        ) from error


@contextmanager
def only_one(venv: Path):
    """Hold the environment's lock, after waiting for another bootstrap that holds it.

    The kernel drops the lock when its holder dies, so a killed bootstrap never blocks the next.
    """
    import fcntl  # here, because Windows has none and must get as far as check_machine()

    with open(venv / LOCK, "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"Another bootstrap (process {lock.read() or '?'}) is installing here; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def install(venv: Path) -> None:
    """Run venv and pip. The stamp is written last, so that a broken install has none."""
    started = time.monotonic()
    with suppress(FileNotFoundError):
        (venv / STAMP).unlink()
    say(f"Installing into {venv} (the first time: some minutes and 3 GB, more with CUDA).")
    log = venv / LOG
    log.write_text("")
    if os.path.lexists(venv_python(venv)):
        check_same_python(venv)
    if not (venv / "bin" / "pip").exists():
        fix = f"On Debian or Ubuntu: sudo apt install python{python_version()}-venv; then run it again."
        run_step("virtual environment", [sys.executable, "-m", "venv", str(venv)], log, fix)
    # -I: packages of a PYTHONPATH must not count as installed.
    pip = [str(venv_python(venv)), "-I", "-m", "pip", "install", "-c", "constraints.txt"]
    for label, arguments in INSTALL_STEPS:
        run_step(label, pip + arguments, log)
    # pip compiles what it copies, and an editable install copies nothing: each start would compile again
    # where PYTHONDONTWRITEBYTECODE is set.
    compile_all = [str(venv_python(venv)), "-I", "-m", "compileall", "-q", "zoo", "interpret", "finetune"]
    run_step("byte code", compile_all, log)
    unfinished = venv / (STAMP + ".partial")
    unfinished.write_text(environment_key() + "\n")
    os.replace(unfinished, venv / STAMP)
    say(f"Installed in {clock(time.monotonic() - started)}.")


def check_same_python(venv: Path) -> None:
    """Refuse an environment of another Python: pip would choose other packages than the stamp says."""
    ask = "import sys; print('{0[0]}.{0[1]}'.format(sys.version_info))"
    try:
        output = subprocess.check_output(
            [str(venv_python(venv)), "-I", "-c", ask], stderr=subprocess.DEVNULL, universal_newlines=True
        )
        found = "Python " + output.strip()
    except (OSError, subprocess.CalledProcessError):
        found = "a Python that no longer runs"
    if found != "Python " + python_version():
        raise BootstrapError(
            f"{venv} holds {found}, and this is Python {python_version()}.",
            f"Delete that folder, or use another: {OTHER_FOLDER}",
        )


def run_step(label: str, command: list, log: Path, fix: str = "") -> None:
    """Run one step of the install, its output into ``log``, showing what is done and for how long.

    Raises:
        BootstrapError: it failed; the last lines of the log have been printed.
    """
    started = time.monotonic()
    if watched(label, command, log, pip_environment()) != 0:
        for line in log_lines(log)[-LOG_LINES_SHOWN:]:
            say("  | " + line)
        raise BootstrapError(
            f"Installing {label} failed; the whole log is {log}",
            fix or "Check the network and the free disk space, then run the same command again.",
        )
    say(f"  {label:<28}{clock(time.monotonic() - started):>12}")


def watched(label: str, command: list, log: Path, environment: dict) -> int:
    """Exit code of a command, its output into ``log``, while what it does and for how long is shown."""
    started, told = time.monotonic(), 0.0
    with open(log, "ab") as sink:
        sink.write(f"$ {' '.join(command)}\n".encode())
        sink.flush()
        process = subprocess.Popen(
            command, cwd=str(ROOT), env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                elapsed = time.monotonic() - started
                if sys.stderr.isatty():
                    show_progress(label, elapsed, log)
                elif elapsed - told >= TOLD_EVERY:
                    told = elapsed
                    say(progress_line(label, elapsed, log))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.5)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            clear_progress()
    return process.returncode


def pip_environment() -> dict:
    """Our environment variables for pip, without those that send packages elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PIP_USER", "PIP_TARGET")}
    return {**kept, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


# ---------------------------------------------------------------- what the user sees


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"


def show_progress(label: str, elapsed: float, log: Path) -> None:
    """One line of a terminal that is overwritten: the step, its time, and what pip does."""
    line = progress_line(label, elapsed, log)
    sys.stderr.write("\r\033[K" + line[: shutil.get_terminal_size().columns - 1])
    sys.stderr.flush()


def progress_line(label: str, elapsed: float, log: Path) -> str:
    """The step, how long it has run, and the last line of the log."""
    return f"  {label:<28}{clock(elapsed):>12}  {log_lines(log)[-1].strip()[:200]}"


def clear_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")


def log_lines(log: Path) -> list:
    """The last lines of the log that are not empty."""
    with open(log, "rb") as handle:
        handle.seek(max(0, log.stat().st_size - 20_000))
        text = handle.read().decode("utf-8", "replace")
    return [line.rstrip() for line in text.splitlines() if line.strip()]


# ---------------------------------------------------------------- the commands


def run_env(venv: Path, _arguments: list) -> int:
    say(f"Ready. Activate it with: source {shown(venv)}/bin/activate")
    return 0


def run_test(venv: Path, arguments: list) -> int:
    os.chdir(str(ROOT))
    if not arguments:
        code = check_style(venv)
        if code != 0:
            return code
    if opens_pages(arguments):
        ensure_browser(venv)
    workers = worker_arguments(arguments)
    if workers:
        # A worker a core: threads of torch in each would wait for one another.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    return become([str(venv_python(venv)), "-m", "pytest", *workers, *arguments])


def check_style(venv: Path) -> int:
    """Exit code of the first check of the code's style that fails, 0 where none does."""
    for check in STYLE_CHECKS:
        code = subprocess.call([str(venv_python(venv)), "-m", *check])
        if code != 0:
            say("Fix: {} {}".format(shown(venv) / "bin" / "ruff", "format ." if "format" in check else "check --fix ."))
            return code
    return 0


def worker_arguments(arguments: list) -> list:
    """Options of pytest-xdist for as many workers as there are cores; none where the arguments choose otherwise.

    A file of tests stays with one worker (``loadfile``): its models and reports are made once.
    """
    chosen = any(re.match(OWN_WORKERS, word) for word in arguments) or "-p no:xdist" in " ".join(arguments)
    if chosen or any("::" in word for word in arguments):  # of single tests a worker would start longer than run
        return []
    workers = min(cores(), MOST_WORKERS)
    return ["-n", str(workers), "--dist", "loadfile"] if workers > 1 else []


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def opens_pages(arguments: list) -> bool:
    """Whether these arguments of pytest leave in the tests that need a browser."""
    if "not browser" in " ".join(arguments):
        return False
    paths = [word.split("::")[0].rstrip("/") for word in arguments if word.startswith("tests")]
    return not paths or any(
        path.startswith(BROWSER_TESTS) or any(test.startswith(path) for test in BROWSER_TESTS) for path in paths
    )


def browser() -> str:
    """Path of Chromium or Chrome; empty where there is none."""
    candidates = (os.environ.get("ZOO_BROWSER") or "", *BROWSERS, BROWSER_MACOS)
    return next(filter(None, (shutil.which(name) for name in candidates if name)), "")


def ensure_browser(venv: Path) -> None:
    """Install Debian's chromium if there is no browser and this is root; without one say so, and go on."""
    if browser():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("Installing chromium with apt-get: tests open reports in it.")
        started, quiet = time.monotonic(), {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        try:
            codes = (watched("chromium", command, venv / LOG, quiet) for command in APT)
            failed = next((f"exit code {code}" for code in codes if code != 0), "")  # the first ends it
        except OSError as error:
            failed = str(error)
        if failed:
            say(f"  it failed ({failed}); the whole log is {venv / LOG}")
        else:
            say(f"  {'chromium':<28}{clock(time.monotonic() - started):>12}")
    if not browser():
        say(
            "No Chromium or Chrome was found: the tests that open reports will fail.\n"
            "Install one (Debian: sudo apt-get install chromium), name it in ZOO_BROWSER,\n"
            "or leave those tests out: python3 scripts/bootstrap.py test -m 'not browser'"
        )


def run_zoo(venv: Path, arguments: list) -> int:
    return become([str(zoo_command(venv)), *arguments])


def become(command: list) -> int:
    """Replace this process: the command's exit code and signals are then nobody else's business."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)
    raise AssertionError("execv does not return")


def run_demo(venv: Path, _arguments: list) -> int:
    """Predict, draw and explain with the bundled model; show what came out and what to type next."""
    os.chdir(str(ROOT))
    forget_last_demo()
    started = time.monotonic()
    steps = demo_steps(venv)
    say(f"{len(steps)} steps, about a minute on two cores. Everything is written to {DEMO_OUTPUT}/.")
    for number, (title, command) in enumerate(steps, start=1):
        say(f"\n{number}. {title}\n$ {typed(command)}")
        code = subprocess.call(command)
        if code != 0:
            return code
        if number == 1:
            print_rows(DEMO_OUTPUT / (DEMO_MODEL + ".tsv"))
    print(f"\nMade in {clock(time.monotonic() - started)}, in {DEMO_OUTPUT}/:")
    print_made()
    print_next_steps(venv)
    return 0


def demo_steps(venv: Path) -> list:
    """What is done, in words and as a command; the result is its last argument."""
    zoo, python = str(zoo_command(venv)), str(venv_python(venv))
    genome = ["-g", str(DEMO_EXAMPLE / "genome.fa")]
    regions, locus, promoters, genes = (
        str(DEMO_EXAMPLE / name) for name in ("regions.bed", "locus.bed", "promoters.bed", "genes.bed")
    )
    table, track, picture, page = (str(DEMO_OUTPUT / (DEMO_MODEL + suffix)) for suffix in DEMO_RESULTS)
    report = ["--genes", genes, "--database", "jaspar:fungi", "--central", "700"]
    return [
        (
            "A table: predictions for 12 promoters and genes",
            [zoo, "predict", DEMO_MODEL, regions, *genome, "-o", table],
        ),
        (
            "A track: predictions along 20 kb, for a genome browser",
            [zoo, "predict", DEMO_MODEL, locus, *genome, "--window", "tile", "-o", track],
        ),
        ("A picture of the track", [python, "-m", DEMO_PICTURE, track, genes, locus, picture]),
        (
            "A report: which motifs drive the predictions for 101 promoters",
            [zoo, "report", DEMO_MODEL, promoters, *genome, *report, "-o", page],
        ),
    ]


def typed(command: list) -> str:
    """A command as one types it in the activated environment."""
    return " ".join([Path(command[0]).name, *command[1:]])


def forget_last_demo() -> None:
    """Remove what an earlier demo made, and nothing else that someone keeps there."""
    DEMO_OUTPUT.mkdir(exist_ok=True)
    for path in DEMO_OUTPUT.glob(DEMO_MODEL + ".*"):
        if path.is_dir():  # what an interrupted report had begun
            shutil.rmtree(path)
        else:
            path.unlink()


def print_rows(table: Path) -> None:
    """The first rows of a TSV in columns, cut to the terminal."""
    with open(table, encoding="utf-8") as handle:
        rows = [line.rstrip("\n").split("\t") for line in islice(handle, DEMO_ROWS_SHOWN + 1)]
    columns = shutil.get_terminal_size((100, 24)).columns
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=False)]
    print(f"\nThe first rows of {table}:")
    for row in rows:
        line = "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        print(line if len(line) <= columns else line[: columns - 1] + "…", flush=True)


def print_made() -> None:
    """The results with what they are for; what they were made of, counted."""
    others = set(DEMO_OUTPUT.glob(DEMO_MODEL + ".*"))
    for suffix, purpose in DEMO_RESULTS.items():
        path = DEMO_OUTPUT / (DEMO_MODEL + suffix)
        if path in others:
            others.remove(path)
            print(f"  {path.name:<24}{human_size(path.stat().st_size):>10}  {purpose}")
    size = human_size(sum(path.stat().st_size for path in others))
    print(f"  and {len(others)} files that the report was made of or that say how each was made (*.run.json), {size}")


def human_size(size: int) -> str:
    return f"{size} B" if size < 1000 else f"{size / 1000:,.1f} kB" if size < 10**6 else f"{size / 10**6:,.1f} MB"


def print_next_steps(venv: Path) -> None:
    print(f"\nOpen {DEMO_OUTPUT / DEMO_MODEL}.report.html in a browser.")
    print("\nNext, with your own regions:")
    for command, why in (
        (f"source {shown(venv)}/bin/activate", "so that `zoo` is found, once a terminal"),
        ("zoo genome add sacCer3", "once: then no command needs -g"),
        (f"zoo predict {DEMO_MODEL} YOUR.bed -o predictions.bw", ""),
        (f"zoo report {DEMO_MODEL} YOUR.bed -o report.html", ""),
        (f"zoo info {DEMO_MODEL}", "what the model is for, and what it is not for"),
        ("zoo list", "the other models"),
    ):
        print(f"  {command:<50}{'# ' + why if why else ''}".rstrip())


def shown(path: Path) -> Path:
    """The path as one would type it from the root of the repository."""
    try:
        return path.relative_to(ROOT)
    except ValueError:
        return path


# ---------------------------------------------------------------- the command line


def parse(argv: list) -> tuple:
    """(venv, command, its arguments); what follows ``test`` or ``run`` is passed on untouched."""
    at = command_position(argv)
    passes_on = argv[at : at + 1] in (["test"], ["run"])
    ours, theirs = (argv[: at + 1], argv[at + 1 :]) if passes_on else (argv, [])
    parser = argparse.ArgumentParser(
        prog="bootstrap.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--venv", metavar="DIR", default=os.environ.get("ZOO_VENV") or str(ROOT / ".venv"))
    parser.add_argument("command", choices=COMMANDS)
    options = parser.parse_args(ours)
    if theirs[:1] == ["--"]:
        theirs = theirs[1:]
    # abspath, not resolve: a .venv that is a link keeps its name.
    return Path(os.path.abspath(os.path.expanduser(options.venv))), options.command, theirs


def command_position(argv: list) -> int:
    """Index of the command word; a folder after --venv may be called "test"."""
    for index, word in enumerate(argv):
        if word in COMMANDS and (index == 0 or argv[index - 1] != "--venv"):
            return index
    return len(argv)


def main() -> int:
    venv, command, arguments = parse(sys.argv[1:])
    actions = {"demo": run_demo, "test": run_test, "env": run_env, "run": run_zoo}
    try:
        check_machine()
        ensure_environment(venv)
        return actions[command](venv, arguments)
    except BootstrapError as error:
        say(f"Error: {error}\n{error.fix}")
        return EXIT_ENVIRONMENT
    except KeyboardInterrupt:
        say("Interrupted; run the same command again to go on.")
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    # So that a terminated bootstrap also ends its pip.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
