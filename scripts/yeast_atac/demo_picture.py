"""Draw a predicted track over the genes of a region, as the demo does.

    python -m scripts.yeast_atac.demo_picture TRACK.bw GENES.bed REGION.bed OUT.png

REGION.bed holds one region. The values are those of the bigWig, base by base, as a genome browser shows them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pyBigWig
from matplotlib.axes import Axes

PREDICTED, GENE, TEXT, FAINT = "#1f6f8b", "#c9b458", "#24292f", "#d0d7de"
#: Genes shorter than this share of the region have no room for a name.
NAMED = 0.035


def read_bed(path: Path) -> list[list[str]]:
    """The fields of each row."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def draw(track: Path, genes: Path, region: Path, out: Path) -> None:
    """Write the picture."""
    chrom, start, end = read_bed(region)[0][0], *map(int, read_bed(region)[0][1:3])
    with pyBigWig.open(str(track)) as handle:
        values = np.array(handle.values(chrom, start, end), dtype=float)
    plt.rcParams.update({"font.size": 10, "text.color": TEXT, "axes.edgecolor": FAINT})
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(11, 3.4), sharex=True, height_ratios=[3, 1], layout="constrained"
    )
    above.fill_between(np.arange(start, end), values, color=PREDICTED, linewidth=0)
    above.set(title="Chromatin accessibility predicted from sequence", ylabel="Tn5 cuts per 32 bp", ylim=(0, None))
    draw_genes(below, [row for row in read_bed(genes) if row[0] == chrom], start, end)
    below.set(xlim=(start, end), xlabel=f"{chrom} of sacCer3; genes with the direction of their transcription")
    below.xaxis.set_major_formatter("{x:,.0f}")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=110)


def draw_genes(axes: Axes, genes: list[list[str]], start: int, end: int) -> None:
    """Genes of the + strand above, of the - strand below, with their names."""
    for _, low, high, name, _, strand in genes:
        first, last = max(int(low), start), min(int(high), end)
        if first >= last:
            continue
        height = 0.55 if strand == "+" else -0.55
        axes.barh(height, last - first, left=first, height=0.7, color=GENE)
        if last - first > NAMED * (end - start):
            label = f"{name} >" if strand == "+" else f"< {name}"
            axes.text((first + last) / 2, height, label, ha="center", va="center", fontsize=7.5)
    axes.set(ylim=(-1.1, 1.1), yticks=[0.55, -0.55], yticklabels=["+", "−"])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("track", "genes", "region", "out"):
        parser.add_argument(name, type=Path)
    draw(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
