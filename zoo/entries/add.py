"""``add``: draft an entry from a checkpoint, a folder or a Hugging Face repo."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from zoo.cards.card import is_card, read_exported, split_readme
from zoo.cards.yaml_lines import component_file
from zoo.entries.example import Example, cut_example, random_example
from zoo.entries.grelu import SHOWN_TRACKS, draft_card, draft_info, draft_prose, slim_bytes, task_table
from zoo.entries.writer import EntryFiles
from zoo.errors import ModelError, UsageError
from zoo.models.file_model import describe_file, no_model_in
from zoo.models.grelu import GreluCheckpoint, activation_name, build_module, output_spec, read_checkpoint
from zoo.outputs import OutputSpec
from zoo.paths import given_path, near_file
from zoo.results.check_out import check_folder
from zoo.results.whole import replacing_folder
from zoo.store.versions import FOLDER as VERSIONS
from zoo.words import counted

__all__ = [
    "add",
    "checkpoint_in",
    "copy_entry",
    "entry_of_checkpoint",
    "locate",
    "target_of",
    "with_exported_card",
]


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

    Nothing of ``source`` is run: a checkpoint is read as data, a folder is copied once it is seen that it can load.

    Args:
        source: gReLU ``.ckpt``, folder with ``model.yaml`` or with a checkpoint, or ``hf://org/repo[@rev][/file]``.
        name: of the entry and of its folder.
        genome, regions: FASTA and BED that the example is cut from; without them it is random sequence.
        force: replace an entry of that name.

    Raises:
        UsageError: a name that cannot be one, or that is taken. ModelError: the source cannot be used.
        FetchError: a repo cannot be fetched.
    """
    target = target_of(name, Path(out), force, [source, genome, regions])
    path, origin = locate(source)
    with replacing_folder(target) as made:
        _make(path, name, origin, made.parent, genome, regions).rename(made)  # a link is named otherwise
    return target


def target_of(name: str, out: Path, force: bool, inputs: Iterable[str | Path | None]) -> Path:
    """The folder of an entry that is drafted.

    Raises:
        UsageError: a name that cannot be one, or that is taken, or a place that cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        extent = "letters, digits, . _ - are allowed, a letter or digit first"
        raise UsageError(f"{name!r} cannot name an entry", extent, "Fix: a name such as my-model")
    target = out / name
    if target.exists() and not force:
        raise UsageError(f"{target} exists", "nothing was changed", "Fix: another name, or --force to replace it")
    return check_folder(target, inputs=inputs, replaced=True, option="-o")


def locate(source: str | Path) -> tuple[Path, str]:
    """The source on this machine, and how the card names it."""
    from zoo.store.hub import fetch_model, is_hub_name

    if is_hub_name(source):
        found = fetch_model(str(source))
        return found.path, found.pinned
    path = given_path(source, ModelError)
    if not path.exists():
        raise ModelError(f"{source}: no such checkpoint or folder", near_file(path), "Fix: check the path")
    return path, path.resolve().name


def _make(path: Path, name: str, origin: str, out: Path, genome: Path | None, regions: Path | None) -> Path:
    if path.is_file() and path.name in ("model.yaml", "model.yml"):
        path = path.parent
    if path.is_dir() and component_file(path, "model") is not None:
        from zoo.entries.loadable import check_loadable

        check_loadable(path)
        return copy_entry(path, out / name, name)
    if path.is_file() and path.suffix != ".ckpt":
        raise _no_source(path)
    from zoo.entries.writer import write_entry

    file = checkpoint_in(path) if path.is_dir() else path
    entry = entry_of_checkpoint(file, name, origin, genome, regions)
    return write_entry(with_exported_card(entry, path) if path.is_dir() else entry, out)


def _no_source(path: Path) -> ModelError:
    """The error for a file that is no checkpoint: a Keras model runs as it is, others do not run."""
    describe_file(path)
    return ModelError(
        f"{path}: is a Keras model, and entries are drafted from gReLU checkpoints and folders with model.yaml",
        "",
        f"Fix: `zoo predict {path} REGIONS -g FASTA` runs it as it is; for an entry write a model.yaml beside it",
    )


# ---------------------------------------------------------------- from a gReLU checkpoint


MODULE = Path(__file__).with_name("grelu_entry_module.py")
LABELLED = 1000  # targets in model.yaml carry labels up to so many


def entry_of_checkpoint(
    path: Path, name: str, source: str, genome: Path | None = None, regions: Path | None = None
) -> EntryFiles:
    """What the entry's files will hold.

    Args:
        path: the checkpoint.
        name: of the entry.
        source: where the checkpoint came from, for the card.
        genome, regions: FASTA and BED to cut the example from; without them it is random sequence.

    Raises:
        ModelError: the checkpoint cannot be used. InputError: FASTA or BED cannot.
    """
    checkpoint = read_checkpoint(path)
    module = build_module(checkpoint)
    spec, places_bins = output_spec(module, checkpoint)
    if not places_bins:
        raise ModelError(
            f"{path}: the checkpoint does not say where its {counted(spec.n_bins, 'bin')} lie in "
            f"{checkpoint.length:,} bp",
            "train.bin_size of data_params and crop_len of model_params do not fill the window",
            "Fix: correct model.data_params['train']['bin_size'] and save it again",
        )
    example = _example(genome, regions, checkpoint.length)
    return EntryFiles(
        name=name,
        module_source=MODULE,
        module_class="GreluEntry",
        module_kwargs=_kwargs(checkpoint, spec),
        state=checkpoint.state,
        length=checkpoint.length,
        targets=_target(spec),
        info=draft_info(checkpoint, spec),
        card=draft_card(checkpoint, spec),
        prose=draft_prose(checkpoint, spec, source, example.origin),
        fasta=example.fasta,
        bed=example.bed,
        pip=("grelu>=1.1",),
        extra=_extra(checkpoint, spec),
    )


def _example(genome: Path | None, regions: Path | None, length: int) -> Example:
    if (genome is None) != (regions is None):
        fix = "Fix: give -g FASTA and --regions BED, or neither"
        raise UsageError("an example needs both a genome and regions", "", fix)
    return random_example(length) if genome is None else cut_example(genome, regions, length)


def _kwargs(checkpoint: GreluCheckpoint, spec: OutputSpec) -> dict[str, Any]:
    params = {key: list(value) if isinstance(value, tuple) else value for key, value in checkpoint.model_params.items()}
    return {
        "model_type": checkpoint.model_type,
        "model_params": params,
        "activation": activation_name(checkpoint),
        "scalar": spec.kind == "scalar",
    }


def _target(spec: OutputSpec) -> dict[str, Any]:
    n = len(spec.tracks)
    shape = f"({n},)" if spec.kind == "scalar" else f"({n}, {spec.n_bins})"
    labels = {"column_labels": list(spec.tracks)} if spec.kind == "scalar" and n <= LABELLED else {}
    return {"name": spec.name, "shape": shape, "doc": "one row a track, see the card"} | labels


def _extra(checkpoint: GreluCheckpoint, spec: OutputSpec) -> dict[str, bytes]:
    files = {"grelu.ckpt": slim_bytes(checkpoint)}
    if len(spec.tracks) > SHOWN_TRACKS:
        files["tracks.txt"] = "".join(f"{track}\n" for track in spec.tracks).encode()
    if table := task_table(checkpoint, spec):
        files["tasks.tsv"] = table.encode()
    return files


# ---------------- from a folder: with model.yaml it is taken whole, of a gReLU repo its checkpoint


# What programs leave beside a model, and our own scratch folders; older versions, whose cards have the old name; what
# Hugging Face leaves.
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.partial", ".git", ".zoo-*", ".cache", ".gitattributes", VERSIONS
)
OURS, STOCK = "grelu.ckpt", "model.ckpt"


def copy_entry(source: Path, target: Path, name: str) -> Path:
    """Copy a folder with ``model.yaml`` and give its card the new name.

    The card of a Hugging Face export becomes ours again, and its ``model.ckpt`` ``grelu.ckpt``.
    """
    shutil.copytree(source, target, ignore=LEFT_OUT)
    readme = target / "README.md"
    exported = read_exported(readme)
    if exported.card is not None:
        front = exported.card | {"name": name}
        if (target / STOCK).is_file() and not (target / OURS).exists():
            (target / STOCK).rename(target / OURS)
            front["files"] = [
                item | {"path": OURS} if item["path"] == STOCK else item for item in front.get("files") or []
            ]
        text = yaml.safe_dump(front, sort_keys=False, width=110, allow_unicode=True)
        readme.write_text(f"---\n{text}---\n\n{exported.prose.strip()}\n", encoding="utf-8")
    elif is_card(split_readme(readme)[0]):
        text = readme.read_text(encoding="utf-8")
        readme.write_text(re.sub(r"(?m)^name:.*$", f"name: {name}", text, count=1), encoding="utf-8")
    return target


def checkpoint_in(folder: Path) -> Path:
    """The one checkpoint of a folder without ``model.yaml``.

    Raises:
        ModelError: there is none, or several.
    """
    found = [folder / STOCK] if (folder / STOCK).is_file() else sorted(folder.glob("*.ckpt"))
    if len(found) == 1:
        return found[0]
    if not found and (folder / "saved_model.pb").is_file():
        raise no_model_in(folder)
    names = ", ".join(path.name for path in found[:8])
    raise ModelError(
        f"{folder}: no model.yaml, and {'several checkpoints' if found else 'no checkpoint'}",
        names,
        f"Fix: name the file, for instance {found[0]}" if found else "Fix: give a folder with model.yaml or a .ckpt",
    )


def with_exported_card(entry: EntryFiles, folder: Path) -> EntryFiles:
    """An entry drafted from a gReLU export, with the card, ``info`` and example that the export carries."""
    exported = read_exported(folder / "README.md")
    if exported.card is None:
        return entry
    made = ("schema_version", "name", "input", "files")
    output = exported.card["outputs"][0]
    entry = replace(
        entry,
        card={key: value for key, value in exported.card.items() if key not in made},
        info={"authors": []} | (exported.info or entry.info),
        prose=exported.prose,
        targets=entry.targets | {"name": output["name"]},
    )
    if output.get("tracks_file") and (folder / output["tracks_file"]).is_file():
        tracks = {output["tracks_file"]: (folder / output["tracks_file"]).read_bytes()}
        entry = replace(entry, extra=entry.extra | tracks)
    fasta, bed = folder / "example" / "genome.fa", folder / "example" / "regions.bed"
    if fasta.is_file() and bed.is_file():
        entry = replace(entry, fasta=fasta.read_text(), bed=bed.read_text())
    return entry
