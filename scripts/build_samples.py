"""Rebuild the README's sample report and the pictures of reports: ``OUTDIR [NAME ...]``.

    python scripts/build_samples.py /tmp/samples                # both reports, and the pictures
    python scripts/build_samples.py /tmp/samples yeast-atac     # one of them

Each report is one ``zoo report`` command, printed before it runs; what an earlier run has finished is kept, so that
after a change of the page alone the pictures are made again within a minute. The data are not part of the
repository; ``--data`` names the folder that holds them. Pictures need Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.samples.inputs import Inputs, bpnet_inputs, yeast_inputs
from scripts.samples.pictures import Picture, take

ROOT = Path(__file__).resolve().parents[1]

DATA = ROOT.parent / "shared" / "data"
PICTURES = ROOT / ".github" / "pictures"
SAMPLE = ROOT / "docs" / "sample" / "report.html"  # the page of yeast-atac as it is, for readers of the README


@dataclass(frozen=True)
class Recipe:
    """How a report is made: ``inputs`` writes model, regions, genome and genes; ``options`` are those of zoo report."""

    inputs: Callable[[Path, Path], Inputs]
    options: tuple[str, ...]
    pictures: tuple[Picture, ...]


RECIPES = {
    "yeast-atac": Recipe(
        yeast_inputs,
        (
            "--database",
            "jaspar:fungi",
            "--central",
            "500",
            "--references",
            "20",
            "--seed",
            "0",
            "--look-for",
            "ABF1,REB1,RAP1,CBF1,MCM1,poly(dA:dT)=AAAAAAAA",
        ),
        (
            Picture("yeast-atac-head.png", "head", width=1400),
            Picture("yeast-atac-table.png", "table", rows=4, width=1400),
            Picture("yeast-atac-motif.png", "motif", motif="ABF1"),
            Picture("yeast-atac-region.png", "region", motif="ABF1"),
            Picture("yeast-atac-phone-dark.png", "table", width=390, rows=2, dark=True),
        ),
    ),
    "bpnet-k562-ctcf": Recipe(
        bpnet_inputs,
        (
            "--output",
            "counts",
            "--database",
            "jaspar:vertebrates",
            "--central",
            "400",
            "--references",
            "20",
            "--seed",
            "0",
            "--look-for",
            "CTCF",
        ),
        (
            Picture("bpnet-k562-ctcf-head.png", "head", width=1400),
            Picture("bpnet-k562-ctcf-table.png", "table", rows=4, width=1400),
            Picture("bpnet-k562-ctcf-region.png", "region", motif="CTCF"),
        ),
    ),
}


def make_report(name: str, recipe: Recipe, out: Path, data: Path, limit: int | None) -> Path:
    """Run ``zoo report``; returns the page."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    inputs = recipe.inputs(folder, data)
    page = folder / f"{name}.html"
    command = [
        "report",
        inputs.model,
        str(inputs.regions),
        "-g",
        str(inputs.genome),
        "--genes",
        str(inputs.genes),
        *recipe.options,
        *(["--limit", str(limit)] if limit else []),
        "--resume",
        "-o",
        str(page),
    ]
    print("$ zoo " + shlex.join(command), flush=True)
    subprocess.run([Path(sys.executable).with_name("zoo"), *command], check=True)
    return page


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}; default all")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="where the PNGs go")
    parser.add_argument("--limit", type=int, help="only the first regions, for a trial")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in RECIPES]:
        parser.error(f"unknown report {unknown[0]!r}; known: {', '.join(RECIPES)}")
    if not arguments.data.is_dir():
        parser.error(f"no data folder {arguments.data}; give --data")
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or RECIPES:
        page = make_report(name, RECIPES[name], arguments.out, arguments.data, arguments.limit)
        if name == "yeast-atac" and arguments.pictures == PICTURES and not arguments.limit:
            SAMPLE.parent.mkdir(exist_ok=True)
            shutil.copyfile(page, SAMPLE)
        for picture in RECIPES[name].pictures:
            path = take(page, picture, arguments.pictures)
            print(f"{path} {path.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
