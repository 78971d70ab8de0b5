"""Draw the predicted track of yeast-atac beside the measured cuts on test chromosome I.

    python -m scripts.yeast_atac.plot --data ../shared/data/d09_yeast

The prediction is what ``zoo predict --window tile`` writes to a bigWig; the picture reads it back.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pyBigWig

import zoo
from scripts.yeast_atac.data import BIN_SIZE, GENOME_FILE, bin_cuts, load_chromosomes, log_pearson, read_fasta

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "model_cards" / "yeast-atac" / "chrI.png"
MEASURED, PREDICTED, GENE, TEXT, FAINT = "#8a8f98", "#1f6f8b", "#c9b458", "#24292f", "#d0d7de"


def predict_track(data: Path, chrom: str, start: int, end: int, rc_average: bool) -> np.ndarray:
    """Predicted cuts in 32-bp bins of [start, end), through the command's own way."""
    sequence = read_fasta(data / GENOME_FILE)[chrom]
    with tempfile.TemporaryDirectory() as folder:
        genome, bed, out = Path(folder) / "chrom.fa", Path(folder) / "region.bed", Path(folder) / "track.bw"
        genome.write_text(f">{chrom}\n{sequence}\n")
        bed.write_text(f"{chrom}\t{start}\t{end}\n")
        # Tiles overlap by half; where they do, the bigWig holds the mean.
        zoo.predict("yeast-atac", bed, genome, out, window="tile", stride=512, rc_average=rc_average)
        with pyBigWig.open(str(out)) as track:
            return np.array(track.values(chrom, start, end), dtype=float).reshape(-1, BIN_SIZE).mean(axis=1)


def read_genes(data: Path, chrom: str, start: int, end: int) -> list[tuple[int, int, str, str]]:
    """Genes that touch [start, end): (start, end, strand, name)."""
    genes = []
    with gzip.open(data / "genes.bed.gz", "rt") as lines:
        for line in lines:
            name, low, high, label, _, strand = line.rstrip("\n").split("\t")[:6]
            if name == chrom and int(low) < end and int(high) > start:
                genes.append((int(low), int(high), strand, label.split("|")[-1]))
    return genes


def draw(measured: np.ndarray, predicted: np.ndarray, genes: list, chrom: str, start: int, end: int, out: Path) -> None:
    plt.rcParams.update(
        {
            "font.size": 10,
            "font.family": "DejaVu Sans",
            "text.color": TEXT,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": TEXT,
            "xtick.color": TEXT,
            "ytick.color": TEXT,
        }
    )
    figure, (top, middle, below) = plt.subplots(
        3, 1, figsize=(11, 4.6), sharex=True, height_ratios=[3, 3, 1], constrained_layout=True
    )
    tallest = 1.1 * max(np.quantile(measured, 0.999), np.quantile(predicted, 0.999))
    edges = np.arange(start, end + 1, BIN_SIZE) / 1000
    for axis, values, color, label in (
        (top, measured, MEASURED, "measured"),
        (middle, predicted, PREDICTED, "predicted"),
    ):
        axis.stairs(values, edges, fill=True, color=color)
        axis.set_ylim(0, tallest)  # one scale for both
        axis.set_ylabel("cuts per 32 bp")
        axis.text(0.005, 0.93, label, transform=axis.transAxes, va="top", weight="bold", color=color)
        axis.spines[["top", "right"]].set_visible(False)
    for low, high, strand, name in genes:
        lane = 0.62 if strand == "+" else 0.0
        below.barh(lane, (high - low) / 1000, left=low / 1000, height=0.5, align="edge", color=GENE)
        if high - low > 190 * (len(name) + 2) * (end - start) / 32_000:
            middle_of_visible = (max(low, start) + min(high, end)) / 2000
            arrow = f"{name} ▸" if strand == "+" else f"◂ {name}"
            below.text(middle_of_visible, lane + 0.24, arrow, ha="center", va="center", size=7, clip_on=True)
    below.set(ylim=(-0.1, 1.25), yticks=[], xlim=(start / 1000, end / 1000), xlabel=f"{chrom} (kb, sacCer3)")
    below.spines[["top", "right", "left"]].set_visible(False)
    r = log_pearson(predicted, measured)
    figure.suptitle(
        f"yeast-atac on test chromosome {chrom.removeprefix('chr')}: Tn5 cuts in 32-bp bins, "
        f"Pearson of log1p in view {r:.2f}",
        x=0.01,
        ha="left",
        size=11,
    )
    figure.savefig(out, dpi=130, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with fragments, genome and genes")
    parser.add_argument("--chrom", default="chrI")
    parser.add_argument("--start", type=int, default=60_000)
    parser.add_argument("--end", type=int, default=60_000 + 32 * 1000)
    parser.add_argument("--fragments", default="nfr", choices=["nfr", "all"])
    parser.add_argument("--rc-average", action="store_true")
    parser.add_argument("--out", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    start, end = arguments.start, arguments.end
    (chromosome,) = load_chromosomes(arguments.data, (arguments.chrom,), arguments.fragments)
    measured = bin_cuts(chromosome.cuts, start, (end - start) // BIN_SIZE)
    predicted = predict_track(arguments.data, arguments.chrom, start, end, arguments.rc_average)
    draw(
        measured,
        predicted,
        read_genes(arguments.data, arguments.chrom, start, end),
        arguments.chrom,
        start,
        end,
        arguments.out,
    )
    print(f"{arguments.out}: Pearson of log1p in view {log_pearson(predicted, measured):.3f}")


if __name__ == "__main__":
    main()
