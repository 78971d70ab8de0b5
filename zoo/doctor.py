"""Is this Python set up to run the zoo, and what to type where it is not: what ``zoo doctor`` prints.

Everything is read from the packages' metadata; nothing heavy is imported, except torch where its devices are asked for.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata as metadata
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import SystemStateError
from zoo.files import cache_folder, is_offline

__all__ = ["Check", "check_import_names", "run_checks"]

DISTRIBUTION = "seqzoo"
#: Import names of this project. PyPI has unrelated packages under the last two.
IMPORT_NAMES = ("zoo", "interpret", "finetune")
SUPPORTED_PYTHONS = ((3, 11), (3, 12))
MIN_FREE_BYTES = 500_000_000


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        ok: True; False when something the zoo needs is wrong; None for an optional part that
            is not installed.
        detail: what was found.
        fix: what to type; empty when there is nothing to do.
    """

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class _Requirement:
    """A line of our metadata: ``h5py>=3.11; extra == "formats"``."""

    name: str
    specifier: str
    extra: str | None

    @property
    def text(self) -> str:
        return self.name + self.specifier


def run_checks(deep: bool = False) -> list[Check]:
    """Look at Python, packages, cache and, with ``deep``, at torch's devices.

    Args:
        deep: import torch (a second or more) and list the devices it can use.

    Returns:
        The findings; those with ``ok`` False keep the zoo from working.
    """
    checks = [_check_python(), *_check_imports(), *_check_core(), *_check_extras(), *_check_kipoi()]
    checks += _check_captum()
    if deep:
        checks.append(_check_torch())
    return [*checks, *_check_cache(), _check_offline()]


# ---------------------------------------------------------------- Python and our own packages


def _check_python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] in SUPPORTED_PYTHONS
    fix = "" if ok else "use Python 3.11: python3.11 scripts/bootstrap.py env"
    return Check("python", ok, f"{version} ({sys.executable})", fix)


def check_import_names() -> None:
    """Make sure that ``interpret`` and ``finetune`` are ours, without importing them.

    Raises:
        SystemStateError: another package of that name would be imported, or ours is missing.
    """
    for name in IMPORT_NAMES:
        problem = _import_problem(name)
        if problem:
            extent = "the zoo needs its own package of that name"
            raise SystemStateError(problem, extent, f"Fix: {_import_fix(name)}")


def _check_imports() -> Iterator[Check]:
    for name in IMPORT_NAMES:
        problem = _import_problem(name)
        if problem:
            owners = ", ".join(_owners(name))
            detail = f"{problem} (installed by {owners})" if owners else problem
            yield Check(f"import {name}", False, detail, _import_fix(name))
        else:
            yield Check(f"import {name}", True, str(_our_folder(name)))


def _import_fix(name: str) -> str:
    """What to type so that ``name`` is ours again."""
    checkout = _our_folder(name).parent
    from_checkout = (checkout / "pyproject.toml").exists()
    reinstall = f"pip install -e {checkout}" if from_checkout else "pip install --force-reinstall --no-deps seqzoo"
    owners = _owners(name)
    if owners:
        return f"pip uninstall -y {' '.join(owners)} && {reinstall}"
    return f"{reinstall}; if that does not help, take the folder out of PYTHONPATH"


def _our_folder(name: str) -> Path:
    """Where our package of this name must be: beside the package that this module is part of."""
    return Path(__file__).resolve().parents[1] / name


def _import_problem(name: str) -> str | None:
    """Why ``import name`` would not give our package, or None when it does."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a broken entry of sys.modules or sys.path
        spec = None
    if spec is None:
        return f"the package {name} cannot be found"
    places = list(spec.submodule_search_locations or [])
    folder = Path(places[0]) if places else Path(spec.origin or "")
    if folder.resolve() != _our_folder(name):
        return f"'import {name}' finds another package: {folder}"
    if _is_overwritten(name):
        return f"another package has overwritten {folder}"
    return None


def _is_overwritten(name: str) -> bool:
    """True when ``name/__init__.py`` is not the file that our wheel installed.

    Two wheels with one import name share a folder of site-packages, and the later one wins.
    An editable install records no such file, and cannot be overwritten this way.
    """
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return False
    for file in files:
        if file.as_posix() == f"{name}/__init__.py" and file.hash is not None:
            digest = hashlib.new(file.hash.mode, Path(str(file.locate())).read_bytes()).digest()
            return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value
    return False


def _owners(name: str) -> list[str]:
    """Distributions other than ours that bring an import package of this name."""
    owners = metadata.packages_distributions().get(name, [])
    return sorted({owner for owner in owners if owner != DISTRIBUTION})


# ---------------------------------------------------------------- what we depend on


def _requirements() -> list[_Requirement]:
    """Our declared requirements; empty when seqzoo is not installed."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    return [_parse_requirement(line) for line in lines]


def _parse_requirement(line: str) -> _Requirement:
    requirement, _, marker = line.partition(";")
    match = re.match(r"\s*([A-Za-z0-9._-]+)\s*(\[[^\]]*\])?\s*\(?([^)]*)\)?", requirement)
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
    assert match is not None, line
    return _Requirement(match[1], match[3].replace(" ", ""), extra[1] if extra else None)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _satisfies(version: str, specifier: str) -> bool:
    """Whether a version meets ``>=2,<3``; by release numbers, which is all that we declare."""
    compare = {
        ">=": lambda a, b: a >= b,
        "<=": lambda a, b: a <= b,
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        ">": lambda a, b: a > b,
        "<": lambda a, b: a < b,
    }
    for clause in filter(None, specifier.split(",")):
        match = re.match(r"(>=|<=|==|!=|>|<)(.+)", clause)
        if match and not compare[match[1]](*_same_length(_release(version), _release(match[2]))):
            return False
    return True


def _release(version: str) -> list[int]:
    match = re.match(r"\d+(\.\d+)*", version)
    return [int(part) for part in match[0].split(".")] if match else []


def _same_length(a: list[int], b: list[int]) -> tuple[list[int], list[int]]:
    size = max(len(a), len(b))
    return a + [0] * (size - len(a)), b + [0] * (size - len(b))


def _unmet(requirement: _Requirement) -> str | None:
    """What is wrong with a requirement, or None."""
    version = _version(requirement.name)
    if version is None:
        return f"{requirement.name} is not installed"
    if not _satisfies(version, requirement.specifier):
        return f"{requirement.name} {version} is not {requirement.specifier}"
    return None


def _check_core() -> Iterator[Check]:
    own_version = _version(DISTRIBUTION)
    if own_version is None:
        yield Check("seqzoo", False, "this Python has no seqzoo installed", "pip install -e .")
        return
    yield Check("seqzoo", True, own_version)
    for requirement in _requirements():
        if requirement.extra is None:
            problem = _unmet(requirement)
            detail = problem or _version(requirement.name) or ""
            fix = f"pip install '{requirement.text}'" if problem else ""
            yield Check(requirement.name, problem is None, detail, fix)


def _check_extras() -> Iterator[Check]:
    extras: dict[str, list[_Requirement]] = {}
    for requirement in _requirements():
        if requirement.extra and requirement.name != DISTRIBUTION:
            extras.setdefault(requirement.extra, []).append(requirement)
    for extra, requirements in extras.items():
        problems = [problem for problem in map(_unmet, requirements) if problem]
        if problems:
            fix = f"pip install 'seqzoo[{extra}]'"
            yield Check(f"extra {extra}", None, "; ".join(problems), fix)
        else:
            names = ", ".join(f"{r.name} {_version(r.name)}" for r in requirements)
            yield Check(f"extra {extra}", True, names)


def _check_kipoi() -> Iterator[Check]:
    """What kipoi and kipoiseq import without declaring it."""
    needs = {
        "kipoi": [_Requirement("setuptools", "<81", None), _Requirement("six", "", None)],
        "kipoiseq": [_Requirement("pybedtools", "", None)],
    }
    for package, requirements in needs.items():
        if _version(package) is None:
            continue
        for requirement in requirements:
            problem = _unmet(requirement)
            detail = problem or f"{requirement.name} {_version(requirement.name)}"
            fix = f"pip install '{requirement.text}'" if problem else ""
            yield Check(f"{package} needs {requirement.name}", problem is None, detail, fix)


def _check_captum() -> Iterator[Check]:
    """gReLU pins one version of captum, and pip only warns when another is installed later."""
    if _version("gReLU") is None:
        return
    for line in metadata.requires("gReLU") or []:
        requirement = _parse_requirement(line)
        if requirement.name == "captum" and requirement.extra is None:
            problem = _unmet(requirement)
            detail = problem or f"captum {_version('captum')}"
            fix = f"pip install '{requirement.text}'" if problem else ""
            yield Check("gReLU needs captum", problem is None, detail, fix)


# ---------------------------------------------------------------- the machine


def _check_torch() -> Check:
    try:
        import torch
    except Exception as error:  # a broken build raises OSError or ImportError, and others
        reinstall = "pip install --force-reinstall torch"
        return Check("torch devices", False, f"torch does not import: {error}", reinstall)
    devices = ["cpu"]
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        devices += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(count)]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return Check("torch devices", True, f"{', '.join(devices)}; {torch.get_num_threads()} threads")


def _check_cache() -> Iterator[Check]:
    """The cache can be written and has room. It is not created: looking changes nothing."""
    elsewhere = "export ZOO_CACHE=/a/folder/with/room"
    try:
        folder = cache_folder()
    except ImportError:
        return  # platformdirs is reported among the core packages
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    if not writable:
        yield Check("cache folder", False, f"{folder} cannot be written", elsewhere)
        return
    yield Check("cache folder", True, str(folder))
    free = shutil.disk_usage(existing).free
    enough = free >= MIN_FREE_BYTES
    yield Check("free disk", enough, f"{free / 1e9:,.1f} GB", "" if enough else elsewhere)


def _check_offline() -> Check:
    if is_offline():
        names = "ZOO_OFFLINE or HF_HUB_OFFLINE"
        return Check("network", True, f"{names} is set: nothing is fetched", "unset ZOO_OFFLINE HF_HUB_OFFLINE")
    return Check("network", True, "allowed; models are fetched when first used")
