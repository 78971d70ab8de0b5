"""``add``: draft an entry from a checkpoint, a folder or a Hugging Face repo."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.errors import ModelError, UsageError
from zoo.results import check_folder, replacing_folder

__all__ = ["add"]


def add(
    source: str | Path,
    name: str,
    out: Path = Path("."),
    *,
    genome: Path | None = None,
    regions: Path | None = None,
    force: bool = False,
) -> Path:
    """Write the entry ``out/name`` and return its folder.

    Nothing of ``source`` is run: a checkpoint is read as data, a folder is copied.

    Args:
        source: gReLU ``.ckpt``, folder with ``model.yaml`` or with a checkpoint, or ``hf://org/repo[@rev][/file]``.
        name: of the entry and of its folder.
        genome, regions: FASTA and BED that the example is cut from; without them it is random sequence.
        force: replace an entry of that name.

    Raises:
        UsageError: a name that cannot be one, or that is taken. ModelError: the source cannot be used.
        FetchError: a repo cannot be fetched.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"{name!r} cannot name an entry", "letters, digits, . _ - are allowed", "Fix: --name my-model")
    target = Path(out) / name
    if target.exists() and not force:
        raise UsageError(f"{target} exists", "nothing was changed", "Fix: another --name, or --force to replace it")
    target = check_folder(target, inputs=[source, genome, regions], replaced=True, option="--name or -o")
    path, origin = _locate(source)
    with replacing_folder(target) as made:
        _make(path, name, origin, made.parent, genome, regions).rename(made)  # a link is named otherwise
    return target


def _locate(source: str | Path) -> tuple[Path, str]:
    """The source on this machine, and how the card names it."""
    from zoo.store.hub import fetch_model, is_hub_name

    if is_hub_name(source):
        found = fetch_model(str(source))
        return found.path, found.pinned
    path = Path(source)
    if not path.exists():
        raise ModelError(f"{source}: no such checkpoint or folder", "", "Fix: check the path")
    return path, path.resolve().name


def _make(path: Path, name: str, origin: str, out: Path, genome: Path | None, regions: Path | None) -> Path:
    from zoo.add.from_folder import checkpoint_in, copy_entry, with_exported_card

    if path.is_file() and path.name in ("model.yaml", "model.yml"):
        path = path.parent
    if path.is_dir() and (path / "model.yaml").is_file():
        return copy_entry(path, out / name, name)
    from zoo.add.entry_writer import write_entry
    from zoo.add.from_checkpoint import entry_of_checkpoint

    file = checkpoint_in(path) if path.is_dir() else path
    entry = entry_of_checkpoint(file, name, origin, genome, regions)
    return write_entry(with_exported_card(entry, path) if path.is_dir() else entry, out)
