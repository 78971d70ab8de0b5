"""A folder to an entry: one with model.yaml is taken whole; an exported gReLU repo is drafted from its checkpoint."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import yaml

from zoo.add.entry_writer import EntryFiles
from zoo.errors import ModelError
from zoo.export.readme import read_exported, split_readme

__all__ = ["checkpoint_in", "copy_entry", "with_exported_card"]

# What programs leave beside a model, and our own scratch folders; the last two are of Hugging Face.
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.partial", ".git", ".zoo-*", ".cache", ".gitattributes")
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
    elif "schema_version" in split_readme(readme)[0]:
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
