"""A complete toy entry that passes every level, and small edits that each put one defect into it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import torch
import yaml
from toys import make_toy_entry

import zoo

METRIC = """\
import sys
from pathlib import Path


def main():
    value = float(Path(sys.argv[1], "metric.txt").read_text())
    print("- {metric: r, value: %s, split: test, output: total}" % value)


main()
"""
CHANGES: dict[str, Any] = {
    "genome": {"assembly": "sacCer3", "chrom_style": "ucsc"},
    "training": {
        "data": [{"name": "none", "licence": "LicenseRef-SRA; public data"}],
        "splits": {"train": ["chrI", "chrII"], "validation": ["chrIII"], "test": ["chrIV"]},
    },
    "evaluation": [
        {
            "metric": "r",
            "value": 0.5,
            "ci": [0.4, 0.6],
            "n": 10,
            "split": "test",
            "output": "total",
            "baseline": {"name": "mean", "value": 0.1},
            "command": "python -m NAME_metric DIR",
        }
    ],
}


def good_entry(folder: Path, kind: str = "stranded") -> Path:
    """Write an entry of which `zoo check` has nothing to say; ``folder.parent`` becomes a folder of entries."""
    make_toy_entry(folder, kind)
    # The number 1, in other bytes for each: two entries with the same weights are a defect of their own.
    other = torch.float32 if kind == "stranded" else torch.float64
    torch.save({"scale": torch.ones(1, dtype=other)}, folder / "weights.pth")
    edit_yaml(folder / "model.yaml", lambda data: data["info"].pop("version"))
    edit_yaml(folder / "model.yaml", lambda data: data["info"].update(doc="Counts the bases of a window."))
    output = "total" if kind == "stranded" else yaml_of(folder)["outputs"][0]["name"]
    changes = yaml.safe_load(
        yaml.safe_dump(CHANGES).replace("NAME", folder.name).replace("output: total", f"output: {output}")
    )
    edit_card(folder, lambda card: card.update(changes))
    module = folder / f"{folder.name}_metric.py"
    module.write_text(METRIC.replace("output: total", f"output: {output}"))
    record(folder)
    return folder


def yaml_of(folder: Path) -> dict[str, Any]:
    """The front matter."""
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def edit_yaml(path: Path, change: Any) -> None:
    """Change a YAML file in place."""
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data, sort_keys=False))


def edit_card(folder: Path, change: Any) -> None:
    """Change the front matter in place; the prose stays."""
    _, front, prose = (folder / "README.md").read_text().split("---\n", 2)
    data = yaml.safe_load(front)
    change(data)
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(data, sort_keys=False)}---\n{prose}")


def record(folder: Path) -> None:
    """Write the checksums of the files as they are now."""
    names = [path.name for path in sorted(folder.glob("*.py"))] + ["weights.pth"]
    names += [f"example/{name}" for name in ("regions.bed", "genome.fa", "expected.h5")]
    files = [
        {
            "path": name,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            "bytes": (folder / name).stat().st_size,
        }
        for name in names
        if (folder / name).is_file()
    ]
    edit_card(folder, lambda card: card.update(files=files))


def copy_of(entry: Path, parent: Path) -> Path:
    """The entry again, in another folder of entries, so that a test may break it."""
    parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copytree(entry, parent / entry.name))


def module_of(folder: Path) -> Path:
    """The file with the module."""
    return folder / f"toy_{folder.name}.py"


def edit_module(folder: Path, old: str, new: str) -> None:
    """Replace a piece of the module's code."""
    text = module_of(folder).read_text()
    assert old in text
    module_of(folder).write_text(text.replace(old, new))


def failing_model(folder: Path, error: BaseException, at: int) -> Any:
    """A toy entry's model, which raises ``error`` at its ``at``-th batch."""
    model = zoo.load_model(folder, trust=True)
    inner, calls = model.module, []

    class Failing(torch.nn.Module):
        def forward(self, x):
            calls.append(1)
            if len(calls) == at:
                raise error
            return inner(x)

    model.module = Failing()
    return model
