"""scripts/bootstrap.py against a stand-in for the environment's Python, pip and zoo.

No test here reaches the network. A copy of the script runs in a small project of its own.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
STAMP = ".seqzoo-stamp"

#: Stands for .venv/bin/python: answers its version, notes calls of pip, and fails on demand.
STUB_PYTHON = """\
#!/bin/sh
here=$(dirname "$0")
case "$*" in
  "-I -c "*) echo "${STUB_VERSION:-VERSION}" ;;
  "-I -m pip "*)
    echo "$*" >> "$here/pip-calls"
    echo "Collecting something"
    while test -e "$here/hold"; do sleep 0.05; done
    echo "$*" >> "$here/pip-done"
    case "$*" in *"${STUB_FAIL:-nothing-fails}"*) echo "ERROR: No matching distribution"; exit 1 ;; esac ;;
  "-m ruff ${STUB_STYLE:-is kept}"*) echo "Would reformat: x.py"; exit 1 ;;
  "-m ruff "*) echo "$*" ;;
  "-m scripts."*) for word; do result=$word; done; echo picture > "$result" ;;
  "-m pytest"*) echo "$*"; echo "threads ${OMP_NUM_THREADS:-many}"; exit 5 ;;
esac
""".replace("VERSION}", f"{sys.version_info[0]}.{sys.version_info[1]}}}")

#: Stands for .venv/bin/zoo: writes a table to the path after -o.
STUB_ZOO = """\
#!/bin/sh
echo "zoo $*"
test "$1" = predict || test "$1" = report || exit 4
for word; do result=$word; done
printf 'chrom\\tstart\\tend\\tname\\nchrI\\t0\\t500\\tpeak_1\\nchrI\\t900\\t1400\\tpeak_2\\n' > "$result"
echo '{}' > "$result.run.json"
"""


@pytest.fixture
def project(tmp_path):
    """A checkout with the real script and an environment that has no stamp yet."""
    root = tmp_path / "checkout"
    bin_folder = root / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (root / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "bootstrap.py", root / "scripts")
    (root / "constraints.txt").write_text("torch==2.13.0\n")
    (root / "pyproject.toml").write_text("[project]\n")
    for name, text in (("python", STUB_PYTHON), ("zoo", STUB_ZOO), ("pip", "#!/bin/sh\n")):
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)
    return root


def command(project: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(project / "scripts" / "bootstrap.py"), *arguments]


def environment(**extra: str) -> dict[str, str]:
    # A browser is "there", so that no test installs one.
    return {**os.environ, "ZOO_VENV": "", "ZOO_BROWSER": sys.executable, **extra}


def bootstrap(project: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(project, *arguments), capture_output=True, text=True, env=environment(**extra), timeout=300
    )


def pip_calls(project: Path, what: str = "calls") -> list[str]:
    calls = project / ".venv" / "bin" / f"pip-{what}"
    return calls.read_text().splitlines() if calls.exists() else []


def hold_pip(project: Path) -> Path:
    """From now on pip takes until this file is removed."""
    hold = project / ".venv" / "bin" / "hold"
    hold.write_text("")
    return hold


def test_torch_is_installed_first_and_alone(project):
    run = bootstrap(project, "env")
    assert run.returncode == 0, run.stderr
    assert pip_calls(project) == [
        "-I -m pip install -c constraints.txt torch",
        "-I -m pip install -c constraints.txt -e .[all]",
    ]
    assert (project / ".venv" / STAMP).exists()


def test_second_run_installs_nothing(project):
    bootstrap(project, "env")
    hold_pip(project)  # it would not come back
    run = bootstrap(project, "demo")
    assert run.returncode == 0
    assert len(pip_calls(project)) == 2


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_changed_requirements_install_again(project, name):
    bootstrap(project, "env")
    with open(project / name, "a") as handle:
        handle.write("# changed\n")
    bootstrap(project, "env")
    assert len(pip_calls(project)) == 4
    bootstrap(project, "env")
    assert len(pip_calls(project)) == 4


def test_moved_checkout_installs_again(project):
    bootstrap(project, "env")
    moved = project.rename(project.with_name("moved"))
    bootstrap(moved, "env")
    assert len(pip_calls(moved)) == 4


def test_failed_install_shows_the_log_and_leaves_no_stamp(project):
    bootstrap(project, "env")
    (project / "constraints.txt").write_text("torch==0\n")
    run = bootstrap(project, "demo", STUB_FAIL=".[all]")
    assert run.returncode == 7
    assert "ERROR: No matching distribution" in run.stderr
    assert str(project / ".venv" / "seqzoo-install.log") in run.stderr
    assert "Traceback" not in run.stderr
    assert not (project / ".venv" / STAMP).exists()
    # Nothing was deleted, and the next run goes on.
    assert bootstrap(project, "env").returncode == 0


def test_failure_in_torch_stops_before_the_rest(project):
    assert bootstrap(project, "env", STUB_FAIL="torch").returncode == 7
    assert len(pip_calls(project)) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_install_leaves_no_stamp(project, number, code):
    # A suite that runs in the background of a script inherits an ignored SIGINT; the child must not.
    hold = hold_pip(project)
    run = subprocess.Popen(
        command(project, "env"),
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(lambda: pip_calls(project))
    run.send_signal(number)
    _, stderr = run.communicate(timeout=120)  # pip is not waited for
    assert run.returncode == code and pip_calls(project, "done") == []
    assert "Traceback" not in stderr
    assert not (project / ".venv" / STAMP).exists()
    hold.unlink()  # a pip that had been left would end now


def test_a_long_step_says_without_a_terminal_that_it_goes_on(project):
    """Lines come while pip is held: the step, for how long, and what pip said last; then one with its whole time."""
    hold = hold_pip(project)
    run = subprocess.Popen(
        command(project, "env"), env=environment(ZOO_BOOTSTRAP_TOLD_EVERY="0.1"), stderr=subprocess.PIPE, text=True
    )
    lines = [run.stderr.readline() for _ in range(4)]
    assert lines[0].startswith("Installing into ")
    told = [re.fullmatch(r"  torch +(\d+\.\d) s  (.+)\n", line) for line in lines[1:]]
    assert all(told), lines
    assert told[-1][2] == "Collecting something" and float(told[-1][1]) > float(told[0][1])
    hold.unlink()
    rest = run.communicate(timeout=120)[1].splitlines()
    assert run.returncode == 0
    assert any(re.fullmatch(r"  seqzoo and all its extras +\d+\.\d s", line) for line in rest), rest


def test_two_at_once_install_once(project):
    hold = hold_pip(project)
    first = subprocess.Popen(command(project, "env"), env=environment())
    wait_for(lambda: pip_calls(project))
    second = subprocess.Popen(command(project, "env"), env=environment(), stderr=subprocess.PIPE, text=True)
    said = second.stderr.readline()
    assert f"process {first.pid}" in said and "waiting" in said
    hold.unlink()
    assert first.wait(timeout=120) == 0
    second.communicate(timeout=120)
    assert second.returncode == 0
    assert len(pip_calls(project)) == 2


def wait_for(condition) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def test_environment_of_another_python_is_refused_and_kept(project):
    run = bootstrap(project, "env", STUB_VERSION="3.9")
    assert run.returncode == 7
    assert "3.9" in run.stderr and "--venv" in run.stderr
    assert (project / ".venv" / "bin" / "zoo").exists()
    assert pip_calls(project) == []


def test_environment_that_cannot_be_made(project):
    run = bootstrap(project, "--venv", str(project / "pyproject.toml"), "env")
    assert run.returncode == 7
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("way", ["option", "variable"])
def test_another_folder_for_the_environment(project, way):
    other = project.parent / "test"  # also the name of a command
    (project / ".venv").rename(other)
    if way == "option":
        run = bootstrap(project, "--venv", str(other), "env")
    else:
        run = bootstrap(project, "env", ZOO_VENV=str(other))
    assert run.returncode == 0, run.stderr
    assert (other / STAMP).exists() and not (project / ".venv").exists()


def test_test_passes_arguments_and_exit_code_on(project):
    run = bootstrap(project, "test", "-k", "demo and not slow", "--venv", "-h", "-n", "0")
    assert run.returncode == 5
    assert run.stdout.splitlines()[0] == "-m pytest -k demo and not slow --venv -h -n 0"


def test_the_style_is_checked_before_the_whole_suite_only(project):
    run = bootstrap(project, "test")
    lines = run.stdout.splitlines()
    assert run.returncode == 5
    assert lines[:2] == ["-m ruff format --check .", "-m ruff check ."] and lines[2].startswith("-m pytest")
    assert "ruff" not in bootstrap(project, "test", "-q").stdout


@pytest.mark.parametrize(("failing", "fix"), [("format", "ruff format ."), ("check", "ruff check --fix .")])
def test_a_style_that_is_not_kept_fails_the_run_with_its_own_words(project, failing, fix):
    run = bootstrap(project, "test", STUB_STYLE=failing)
    assert run.returncode == 1 and "Would reformat: x.py" in run.stdout and "pytest" not in run.stdout
    assert f"Fix: .venv/bin/{fix}" in run.stderr


def test_workers_have_one_thread_each_unless_the_user_says_otherwise(project, script):
    many = script.cores() > 1
    unset = {name: value for name, value in environment().items() if name != "OMP_NUM_THREADS"}
    run = subprocess.run(command(project, "test", "-q"), capture_output=True, text=True, env=unset)
    assert run.stdout.splitlines()[-1] == ("threads 1" if many else "threads many")
    assert bootstrap(project, "test", "-q", OMP_NUM_THREADS="3").stdout.splitlines()[-1] == "threads 3"
    run = subprocess.run(command(project, "test", "-n0"), capture_output=True, text=True, env=unset)
    assert run.stdout.splitlines()[-1] == "threads many"


@pytest.mark.parametrize(("cores", "workers"), [(1, None), (2, "2"), (3, "3"), (4, "4"), (64, "4")])
def test_a_worker_a_core_and_four_at_most(script, monkeypatch, cores, workers):
    monkeypatch.setattr(script, "cores", lambda: cores)
    assert script.worker_arguments([]) == ([] if workers is None else ["-n", workers, "--dist", "loadfile"])


def test_only_cores_that_this_process_may_use_count(script, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    assert script.cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert script.cores() == 1


@pytest.mark.parametrize(
    ("arguments", "split"),
    [
        (["-q"], True),
        (["-k", "assembly"], True),
        (["tests/genome", "-x"], True),
        (["-m", "not browser"], True),
        (["--strict-markers"], True),
        (["-n", "3"], False),
        (["-n3"], False),
        (["-nauto"], False),
        (["--numprocesses=2"], False),
        (["--dist", "load"], False),
        (["-p", "no:xdist"], False),
        (["-pno:xdist"], False),
        (["--pdb"], False),
        (["--trace"], False),
        (["-s"], False),
        (["-xs"], False),
        (["-svv"], False),
        (["--capture=no"], False),
        (["--co", "-q"], False),
        (["tests/test_samples.py::test_x"], False),
    ],
)
def test_arguments_that_choose_the_workers_are_left_alone(script, monkeypatch, arguments, split):
    monkeypatch.setattr(script, "cores", lambda: 2)
    assert bool(script.worker_arguments(arguments)) is split


@pytest.fixture
def script():
    """scripts/bootstrap.py as a module."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bare(script, tmp_path, monkeypatch):
    """A machine whose only program is an apt-get that notes its calls and installs a chromium."""
    programs = tmp_path / "programs"
    programs.mkdir()
    apt = programs / "apt-get"
    apt.write_text(
        f'#!/bin/sh\necho $* >> {tmp_path}/calls\ntest "$1" = install || exit 0\n'
        f"echo '#!/bin/sh' > {programs}/chromium\n/bin/chmod +x {programs}/chromium\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("ZOO_BROWSER", raising=False)
    monkeypatch.setattr(script, "BROWSER_MACOS", str(programs / "none"))
    return tmp_path


def test_root_gets_a_browser_for_the_tests_that_open_pages(script, bare, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    script.ensure_browser(bare)
    assert (bare / "calls").read_text() == "update\ninstall -y --no-install-recommends chromium\n"
    assert script.browser() == str(bare / "programs" / "chromium")
    script.ensure_browser(bare)  # it is there now
    assert len((bare / "calls").read_text().splitlines()) == 2
    assert "No Chromium" not in capsys.readouterr().err


def test_others_are_told_what_to_do(script, bare, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    script.ensure_browser(bare)
    assert not (bare / "calls").exists()
    said = capsys.readouterr().err
    assert "No Chromium or Chrome was found" in said and "apt-get install chromium" in said and "not browser" in said


def test_a_failed_install_of_the_browser_is_told(script, bare, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (bare / "programs" / "apt-get").write_text("#!/bin/sh\necho no network\nexit 100\n")
    script.ensure_browser(bare)
    said = capsys.readouterr().err
    assert "it failed" in said and "No Chromium or Chrome was found" in said
    assert "no network" in (bare / script.LOG).read_text()


@pytest.mark.parametrize(
    "arguments, needed",
    [
        ([], True),
        (["-q"], True),
        (["tests"], True),
        (["tests/interpret/report/test_browser.py::test_dark"], True),
        (["tests/interpret"], True),
        (["tests/test_samples.py"], True),
        (["tests/gallery"], True),
        (["tests/genome"], False),
        (["-m", "not browser"], False),
        (["tests/genome", "tests/interpret/report/"], True),
    ],
)
def test_only_tests_that_open_pages_need_a_browser(script, arguments, needed):
    assert script.opens_pages(arguments) is needed


def test_run_passes_arguments_and_exit_code_on(project):
    run = bootstrap(project, "run", "--", "info", "--help")
    assert run.returncode == 4
    assert run.stdout.strip() == "zoo info --help"


def test_demo_shows_what_it_made(project):
    keep = project / "demo_output" / "mine.txt"
    keep.parent.mkdir()
    keep.write_text("mine")
    (keep.parent / "yeast-atac.old").write_text("from an earlier demo")
    (keep.parent / "yeast-atac.report.contribs.h5.partial").mkdir()  # from one that was interrupted
    (keep.parent / "yeast-atac.report.contribs.h5.partial" / "rows").write_text("1")
    run = bootstrap(project, "demo", COLUMNS="30")
    assert run.returncode == 0, run.stderr
    assert "peak_2" in run.stdout
    for made in (r"\.tsv", r"\.bw", r"\.png", r"\.report\.html"):
        assert re.search(rf"yeast-atac{made} +\d+ B  \w", run.stdout)
    assert "and 3 files" in run.stdout  # records of the two predictions and the report
    assert "Open demo_output/yeast-atac.report.html" in run.stdout
    advised = run.stdout.partition("Next, with your own regions:")[2]
    assert advised.split()[:2] == ["source", ".venv/bin/activate"]
    for suggestion in ("genome add sacCer3", "predict yeast-atac", "report yeast-atac", "info yeast-atac", "list"):
        assert f"  zoo {suggestion}" in advised
    assert keep.exists() and not (keep.parent / "yeast-atac.old").exists()
    assert not (keep.parent / "yeast-atac.report.contribs.h5.partial").exists()


def test_demo_cuts_rows_to_the_terminal(project):
    run = bootstrap(project, "demo", COLUMNS="20")
    rows = [line for line in run.stdout.splitlines() if line.startswith("  chr")]
    assert rows and all(len(row) <= 20 for row in rows)
    assert rows[0].endswith("…")


def test_demo_returns_the_exit_code_of_zoo(project):
    (project / ".venv" / "bin" / "zoo").write_text("#!/bin/sh\nexit 3\n")
    assert bootstrap(project, "demo").returncode == 3


def test_an_old_python_gets_a_message(project):
    # The check itself, under a version of Python that is too old.
    code = (
        "import runpy, sys; sys.version_info = (3, 8, 1); sys.argv = ['bootstrap.py', 'env'];"
        f"runpy.run_path({str(project / 'scripts' / 'bootstrap.py')!r}, run_name='__main__')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert run.returncode == 7
    assert "needs Python 3.11 or 3.12" in run.stderr
    assert pip_calls(project) == []


def test_script_parses_on_old_pythons():
    import ast

    ast.parse((ROOT / "scripts" / "bootstrap.py").read_text(), feature_version=(3, 6))


def pinned() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def test_constraints_pin_and_satisfy_everything_declared():
    constraints = pinned()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in map(Requirement, chain.from_iterable(groups)):
        if requirement.name == "seqzoo":
            continue
        pin = constraints[canonicalize_name(requirement.name)]
        version = str(pin.specifier).removeprefix("==")
        assert requirement.specifier.contains(version), (str(requirement), str(pin))


def test_constraints_name_exact_public_versions():
    for requirement in pinned().values():
        assert re.fullmatch(r"==[^+,]+", str(requirement.specifier)), requirement
        assert requirement.url is None


def test_conda_environment_uses_the_same_constraints():
    spec = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [item for item in spec["dependencies"] if isinstance(item, str)]
    (pip,) = [item["pip"] for item in spec["dependencies"] if isinstance(item, dict)]
    assert pip == ["-c constraints.txt", "-e .[all]"]
    assert "python=3.11" in conda and "pip" in conda
    torch = next(item for item in conda if item.startswith("pytorch"))
    assert torch.partition("=")[2] == str(pinned()["torch"].specifier).removeprefix("==")


def test_ci_runs_the_documented_command_and_nothing_hidden():
    script = (ROOT / ".ci" / "run").read_text()
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands == [
        "set -euo pipefail",
        'cd "$(dirname "$0")/.."',
        "python3 scripts/bootstrap.py test",
    ]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_workflow_runs_the_two_documented_commands():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["python3 scripts/bootstrap.py demo", "python3 scripts/bootstrap.py test"]
