"""The card of a draft: every key with a comment that says what to write, and marks where something is missing.

A mark is a line with ``TODO``. ``open_marks`` finds them in an entry; nobody has to read the whole draft to know what
is left to do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cards.upgrade import KEY, newest
from zoo.cards.yaml_edit import dumped

__all__ = ["MARK", "Mark", "draft_text", "mark_yaml", "open_marks"]

MARK = "TODO"
TEXTS = (".md", ".yaml", ".yml", ".py", ".tsv")

#: Key -> what is said above it, and the lines that stand in its place where nothing is known; those with the mark must
#: be written or removed. The order is that of the card.
KEYS: dict[str, tuple[str, str]] = {
    KEY: ("The version of this format; `zoo upgrade` keeps it new.", ""),
    "name": ("The entry's name: that of its folder.", ""),
    "version": ("Three numbers. A change that alters predictions is a new version; docs/cards.md says how.", ""),
    "summary": ("One sentence: what is predicted, of what, from how much sequence, by what network.", ""),
    "architecture": (
        "What the network is made of: convolutional, dilated, residual, recurrent, attention, U-Net, dense. May be "
        "left out; the gallery sorts by it.",
        "#architecture: [convolutional]\n",
    ),
    "cell_types": (
        "Cells or tissues in which the training data were measured: [K562]; `not applicable` where no cell was. May be "
        "left out.",
        "#cell_types: [K562]\n",
    ),
    "genome": (
        "The assembly that the model was trained on, and how its chromosomes are written: ucsc (chr1), plain (1), "
        "refseq or genbank.",
        f"# {MARK}: the genome; remove these lines where there is none\n#genome:\n#  assembly: hg38\n"
        "#  chrom_style: ucsc\n",
    ),
    "input": ("Window in bp.", ""),
    "outputs": (
        "Each output: kind scalar or profile; tracks in channel order; units; of a profile bin_size (bp) and offset "
        "(bp from the start of the window to the first bin). strand: unstranded, sense, or pairs that swap on the "
        "other strand: [[plus, minus]].",
        "",
    ),
    "training": (
        "Where the weights came from: data with accession and licence; the chromosomes of train, validation and test; "
        "base_model (a name of `zoo list`); code; seed.",
        "",
    ),
    "evaluation": (
        "Metrics on held-out data, each beside a baseline, with the number of items and the command that made it; "
        "reported_by where the number is somebody else's.",
        f"# {MARK}: at least one metric\n#evaluation:\n#- metric: pearson\n#  value: 0.5\n#  ci: [0.4, 0.6]\n"
        "#  n: 1000\n#  split: test\n#  output: NAME\n#  baseline: {name: mean of the training set, value: 0.1}\n"
        "#  command: python evaluate.py\n",
    ),
    "interpretation": (
        "How to explain it: which output, by which method. May be left out.",
        "#interpretation:\n#  output: logits\n#  method: deepliftshap\n#  reference: dinucleotide shuffles\n",
    ),
    "finetune": ("Settings that served to fine-tune it. May be left out.", "#finetune: {}\n"),
    "licence_note": (
        "What the licence of the weights forbids or asks for. May be left out.",
        "#licence_note: not for commercial use\n",
    ),
    "verification": (
        "How predictions were compared with the original's. May be left out for weights of your own.",
        "#verification:\n#  status: verified\n#  against: the trained network in the training code\n"
        "#  date: 2026-01-31\n#  command: python compare.py\n#  largest_difference: 1.0e-06\n",
    ),
    "wheels": ("Bytes of wheels that files are fetched from. May be left out.", "#wheels: {name==1.0: 1000}\n"),
    "deprecated": (
        "What takes its place, why, and since when: it still runs, and says so. Not for a new entry.",
        "#deprecated: {by: other-model, reason: why, since: 2026-01-31}\n",
    ),
    "withdrawn": (
        "Why it must not be used any more: it is shown, and neither run nor fetched. Not for a new entry.",
        "#withdrawn: why\n",
    ),
    "files": ("Checksums of the entry's files, and of those that lie elsewhere. Made by `zoo new`.", ""),
}
WIDTH = 110


@dataclass(frozen=True)
class Mark:
    """A line that somebody must still write."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def draft_text(front: Mapping[str, Any], prose: str, folder: Path) -> str:
    """README.md of a draft.

    Args:
        front: what is known; keys that are absent stand as comments.
        folder: where the card will lie, so that an editor finds the schema of a checkout beside it.
    """
    front = {KEY: newest()} | dict(front)
    parts = [f"# yaml-language-server: $schema={schema}\n"] if (schema := _schema_beside(folder)) else []
    for key, (about, absent) in KEYS.items():
        parts.append(_comment(about))
        if key not in front:
            parts.append(absent)
        elif key == "training":
            parts.append(_training(front[key]))
        elif key == "evaluation" and not front[key]:
            parts.append(absent)
        else:
            parts.append(dumped({key: front[key]}))
        if key == "outputs" and not all("strand" in output for output in front[key]):
            parts.append(f"  # {MARK}: strand of each output, where it is not unstranded; or remove this line\n")
    parts += [dumped({key: value}) for key, value in front.items() if key not in KEYS]
    return f"---\n{''.join(parts)}---\n\n{prose.strip()}\n"


def _comment(text: str) -> str:
    import textwrap

    return "".join(f"# {line}\n" for line in textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False))


def _training(known: Mapping[str, Any]) -> str:
    text = dumped({"training": dict(known)})
    if not known.get("data"):
        text = text.replace("  data: []\n", f"  data: []  # {MARK}: each data set: `- name: ...`, accession, licence\n")
    if "splits" not in known:
        text += f"  # {MARK}: which chromosomes trained, validated and tested it\n"
        text += "  #splits: {train: [chr1, chr2], validation: [chr3], test: [chr4]}\n"
    return text


def _schema_beside(folder: Path) -> str | None:
    """The path to the JSON Schema of a checkout that the folder lies in."""
    for above in folder.resolve().parents[:4]:
        if (above / "docs" / "card.schema.json").is_file() and (above / "model_cards").is_dir():
            return Path(os.path.relpath(above / "docs" / "card.schema.json", folder.resolve())).as_posix()
    return None


def mark_yaml(path: Path) -> None:
    """Put marks into ``info`` of a drafted ``model.yaml``, which says nothing of authors and licence."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(  authors: \[\])$", rf"\1  # {MARK}: `- name: Ada Lovelace`, one a person", text, count=1)
    licence = f"# {MARK}: SPDX identifier of the licence of the weights, such as MIT"
    path.write_text(re.sub(r"(?m)^(  license: unknown)$", rf"\1  {licence}", text, count=1), encoding="utf-8")


def open_marks(folder: Path) -> list[Mark]:
    """The lines of an entry's texts that somebody must still write, in the order of files and lines."""
    found = []
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix not in TEXTS or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if re.search(rf"\b{MARK}", line):
                found.append(Mark(path, number, line.strip().lstrip("#").strip()))
    return found
