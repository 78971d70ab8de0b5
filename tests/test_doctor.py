"""zoo doctor: foreign packages under our import names, missing requirements, the cache."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata as metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from zoo import doctor
from zoo.cli.doctor import command
from zoo.errors import SystemStateError

ROOT = Path(__file__).resolve().parents[1]

CHECK_NAMES = (
    "from zoo.doctor import check_import_names\n"
    "from zoo.errors import SystemStateError\n"
    "try:\n"
    "    check_import_names()\n"
    "except SystemStateError as error:\n"
    "    print(error); raise SystemExit(error.exit_code)\n"
)


def run_python(code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    """Run code with ``folders`` before everything else on the path."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=env, timeout=300)


def plant_package(folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(f"raise SystemError('{name} was imported')\n")


def by_name(checks: list[doctor.Check]) -> dict[str, doctor.Check]:
    return {check.name: check for check in checks}


def test_this_environment_is_sound():
    failed = [check for check in doctor.run_checks() if check.ok is False]
    assert failed == []
    doctor.check_import_names()


@pytest.mark.parametrize("name", ["interpret", "finetune"])
def test_foreign_package_is_found_without_importing_it(tmp_path, name):
    plant_package(tmp_path, name)
    run = run_python(CHECK_NAMES, tmp_path, ROOT)
    assert run.returncode == 7, run.stderr
    assert str(tmp_path / name) in run.stdout
    assert "PYTHONPATH" in run.stdout
    assert len(run.stdout.splitlines()) == 3


def test_doctor_names_the_distribution_that_owns_a_foreign_package(tmp_path):
    plant_package(tmp_path, "interpret")
    info = tmp_path / "interpret_core-0.7.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: interpret-core\nVersion: 0.7.0\n")
    (info / "top_level.txt").write_text("interpret\n")
    code = "import sys; sys.argv = ['doctor', '--json']; from zoo.cli.doctor import command; command()"
    run = run_python(code, tmp_path, ROOT)
    assert run.returncode == 7, run.stderr
    report = json.loads(run.stdout)
    assert report["ok"] is False
    check = next(check for check in report["checks"] if check["name"] == "import interpret")
    assert check["ok"] is False
    assert "interpret-core" in check["detail"]
    assert check["fix"] == f"pip uninstall -y interpret-core && pip install -e {ROOT}"


def test_missing_package_is_found():
    hide = (
        "import importlib.machinery as m, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'interpret' else find(name, *a)\n"
    )
    run = run_python(hide + CHECK_NAMES, ROOT)
    assert run.returncode == 7
    assert "interpret cannot be found" in run.stdout


def record_line(folder: Path, file: str) -> str:
    digest = hashlib.sha256((folder / file).read_bytes()).digest()
    return f"{file},sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()},0"


@pytest.fixture
def wheel_install(tmp_path):
    """A folder like site-packages after `pip install seqzoo`: not editable, with a RECORD."""
    for name in doctor.IMPORT_NAMES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        marker = tmp_path / name / "__init__.py"
        marker.write_text(marker.read_text() + f"# ours: {name}\n")
    info = tmp_path / "seqzoo-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: seqzoo\nVersion: 0.1.0\n")
    record = [record_line(tmp_path, f"{name}/__init__.py") for name in doctor.IMPORT_NAMES]
    (info / "RECORD").write_text("\n".join(record) + "\n")
    return tmp_path


def test_wheel_install_is_sound(wheel_install):
    run = run_python(CHECK_NAMES, wheel_install)
    assert run.returncode == 0, run.stdout + run.stderr


def test_foreign_wheel_over_ours_is_found(wheel_install):
    # Both wheels unpack into site-packages/interpret; the later one wins.
    (wheel_install / "interpret" / "__init__.py").write_text("# somebody else's\n")
    run = run_python(CHECK_NAMES, wheel_install)
    assert run.returncode == 7, run.stderr
    assert "overwritten" in run.stdout


def versions(monkeypatch, **changed: str | None) -> None:
    """Pretend that packages have other versions, or (None) are not installed."""
    real = metadata.version

    def fake(name: str) -> str:
        if name in changed:
            if changed[name] is None:
                raise metadata.PackageNotFoundError(name)
            return changed[name]
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", fake)


def test_missing_core_package(monkeypatch):
    versions(monkeypatch, pysam=None, h5py="3.2.1")
    checks = by_name(doctor.run_checks())
    assert checks["pysam"].ok is False
    assert checks["pysam"].fix.startswith("pip install 'pysam")
    assert checks["h5py"].ok is False and "3.2.1" in checks["h5py"].detail


def test_missing_extra_is_no_failure(monkeypatch):
    versions(monkeypatch, pyarrow=None)
    check = by_name(doctor.run_checks())["extra formats"]
    assert check.ok is None
    assert "pyarrow" in check.detail
    assert check.fix == "pip install 'seqzoo[formats]'"


def test_what_kipoi_does_not_declare(monkeypatch):
    versions(monkeypatch, kipoi="0.8.6", kipoiseq="0.7.1", setuptools="82.0.1", six=None, pybedtools=None)
    checks = by_name(doctor.run_checks())
    assert checks["kipoi needs setuptools"].ok is False
    assert checks["kipoi needs setuptools"].fix == "pip install 'setuptools<81'"
    assert checks["kipoi needs six"].ok is False
    assert checks["kipoiseq needs pybedtools"].ok is False


def test_without_kipoi_its_needs_are_not_ours(monkeypatch):
    versions(monkeypatch, kipoi=None, kipoiseq=None, six=None, gReLU=None)
    checks = by_name(doctor.run_checks())
    assert not any(name.startswith(("kipoi needs", "kipoiseq needs", "gReLU needs")) for name in checks)


def test_other_captum_than_grelu_pins(monkeypatch):
    pytest.importorskip("captum", reason="the finetune extra is not installed")
    versions(monkeypatch, gReLU="1.1.0", captum="0.8.0")
    check = by_name(doctor.run_checks())["gReLU needs captum"]
    assert check.ok is False
    assert check.fix == "pip install 'captum==0.5.0'"


@pytest.mark.parametrize(
    ("version", "specifier", "meets"),
    [
        ("2.13.0+cpu", ">=2.6", True),
        ("80.10.2", "<81", True),
        ("81.0", "<81", False),
        ("3", ">=3.0,<4", True),
        ("2.9", ">=2.11", False),
        ("0.5.0", "==0.5.0", True),
        ("0.5", "==0.5.0", True),
        ("0.8.0", "==0.5.0", False),
        ("1.0", "", True),
    ],
)
def test_version_comparison(version, specifier, meets):
    assert doctor._satisfies(version, specifier) is meets


def test_requirement_lines():
    line = 'ray[tune]>=2.9; extra == "ray"'
    requirement = doctor._parse_requirement(line)
    assert (requirement.name, requirement.specifier, requirement.extra) == ("ray", ">=2.9", "ray")
    assert doctor._parse_requirement("setuptools<81").text == "setuptools<81"


def test_cache_in_a_file_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file" / "cache"))
    check = by_name(doctor.run_checks())["cache folder"]
    assert check.ok is False
    assert "ZOO_CACHE" in check.fix


def test_looking_at_the_cache_creates_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "a" / "b"))
    assert by_name(doctor.run_checks())["cache folder"].ok is True
    assert list(tmp_path.iterdir()) == []


def test_full_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 1 << 80)
    assert by_name(doctor.run_checks())["free disk"].ok is False


@pytest.mark.parametrize(("value", "said"), [("1", "nothing is fetched"), ("0", "allowed")])
def test_offline_flag(monkeypatch, value, said):
    monkeypatch.setenv("ZOO_OFFLINE", value)
    assert said in by_name(doctor.run_checks())["network"].detail


def test_table_and_exit_code(monkeypatch):
    result = CliRunner().invoke(command, [])
    assert result.exit_code == 0
    assert "Everything needed is here." in result.output
    versions(monkeypatch, pysam=None)
    result = CliRunner().invoke(command, [])
    assert result.exit_code == SystemStateError.exit_code
    assert "FAIL  pysam" in result.output
    assert "fix: pip install" in result.output


def test_json_is_complete():
    result = CliRunner().invoke(command, ["--json"])
    report = json.loads(result.stdout)
    assert report["ok"] is True
    assert all(set(check) == {"name", "ok", "detail", "fix"} for check in report["checks"])


@pytest.mark.slow
def test_deep_lists_devices():
    assert "cpu" in by_name(doctor.run_checks(deep=True))["torch devices"].detail


def test_import_is_light():
    code = (
        "import sys\nfrom zoo.doctor import run_checks\nrun_checks()\n"
        "heavy = {'torch', 'numpy', 'pandas', 'grelu', 'kipoi', 'captum'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    run = run_python(code, ROOT)
    assert run.returncode == 0, run.stderr
