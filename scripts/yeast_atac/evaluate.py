"""Evaluate the yeast-atac entry on the test chromosomes, beside baselines.

    python -m scripts.yeast_atac.evaluate --data DIR --model model_cards/yeast-atac

Correlates log1p of predicted and of observed Tn5 cuts over chrI and chrVIII, tiled without
overlap, in 32-bp bins and in 512-bp sums. Left out are the last partial window of each
chromosome and the margin that the input has more than the output at either end. Intervals are
95% bootstrap intervals over blocks of 10 kb. Baselines are fitted on the training chromosomes
and see the same windows. `--update-card` writes the figures and the files' checksums into the
card.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml

from scripts.yeast_atac import data as yeast
from scripts.yeast_atac.example import load_network

BLOCK = 10_000
RESAMPLES = 1000
#: Widths in bp of the sequence around a bin whose composition the regression sees.
CONTEXTS = (32, 160, 512, 1024)
RIDGE = 1.0
CARD_FILES = ("weights.pth", "grelu.ckpt", "yeast_atac_model.py")  # and all of example/
COMMAND = "python -m scripts.yeast_atac.evaluate --data DIR --model model_cards/yeast-atac"


@dataclass(frozen=True)
class Tiling:
    """Binned cuts of whole chromosomes, one row a window.

    Attributes:
        codes: (n, L) uint8 input windows.
        cuts: (n, bins) float32 observed cuts of the output, in the middle of the input.
        block: (n, bins) int, number of the 10-kb block that each bin lies in.
    """

    codes: np.ndarray
    cuts: np.ndarray
    block: np.ndarray


def tile(chroms: list[yeast.Chromosome], length: int, output_length: int) -> Tiling:
    """Tile chromosomes with the outputs of windows of `length` bp."""
    codes, cuts, blocks = [], [], []
    first_block = 0
    for chrom in chroms:
        starts = yeast.tile_starts(chrom, length, output_length)
        window_codes, window_cuts = yeast.window_arrays(chrom, starts, length, output_length)
        middles = starts[:, None] + bin_middles(length, output_length, yeast.BIN_SIZE)
        codes.append(window_codes)
        cuts.append(window_cuts)
        blocks.append(first_block + middles // BLOCK)
        first_block += chrom.length // BLOCK + 1
    return Tiling(*(np.concatenate(parts) for parts in (codes, cuts, blocks)))


def bin_middles(length: int, output_length: int, bin_size: int) -> np.ndarray:
    """Middle of each output bin, in bp from the start of the input window."""
    first = (length - output_length) // 2
    return np.arange(first, first + output_length, bin_size) + bin_size // 2


@torch.inference_mode()
def predict(network: torch.nn.Module, codes: np.ndarray) -> np.ndarray:
    """Expected cuts, (n, L) codes to (n, bins)."""
    rows = np.array_split(codes, max(1, len(codes) // 128))
    return np.concatenate([network(torch.from_numpy(yeast.one_hot(part)))[:, 0].numpy() for part in rows])


def composition(codes: np.ndarray, middles: np.ndarray, bin_size: int) -> np.ndarray:
    """Composition around bins: (n, L) codes to (n, bins, features) float32.

    For each width of CONTEXTS the frequencies of the 16 dinucleotides and the GC fraction in
    the part of the window that lies within that width around the bin.
    """
    chunks = np.array_split(codes, max(1, len(codes) // 256))
    return np.concatenate([_composition(chunk, middles, bin_size) for chunk in chunks])


def _composition(codes: np.ndarray, middles: np.ndarray, bin_size: int) -> np.ndarray:
    n, length = codes.shape
    bases = np.where(codes < 4, codes, 0).astype(np.int64)
    pairs = np.eye(16, dtype=np.float32)[bases[:, :-1] * 4 + bases[:, 1:]]
    gc = np.isin(codes, (1, 2)).astype(np.float32)[:, :-1, None]
    summed = np.cumsum(np.concatenate([pairs, gc], axis=2), axis=1, dtype=np.float64)
    summed = np.concatenate([np.zeros((n, 1, 17)), summed], axis=1)
    features = []
    for width in (max(width, bin_size) for width in CONTEXTS):
        left = np.clip(middles - width // 2, 0, length - 1)
        right = np.clip(middles + width // 2, 0, length - 1)
        features.append((summed[:, right] - summed[:, left]) / (right - left)[:, None])
    return np.concatenate(features, axis=2).astype(np.float32)


def fit_ridge(features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights (features + 1,) of a ridge regression on standardised columns and a constant."""
    design = np.column_stack([features, np.ones(len(features), dtype=np.float32)]).astype(float)
    penalty = RIDGE * np.diag(np.append(design[:, :-1].var(axis=0), 0.0)) + 1e-9 * np.eye(design.shape[1])
    return np.linalg.solve(design.T @ design + penalty, design.T @ target)


def composition_baseline(train: Tiling, test: Tiling, bin_size: int) -> np.ndarray:
    """log1p cuts that composition alone predicts on `test`: (n, bins)."""
    group = bin_size // yeast.BIN_SIZE
    output_length = train.cuts.shape[1] * yeast.BIN_SIZE
    middles = bin_middles(train.codes.shape[1], output_length, bin_size)
    fitted = composition(train.codes, middles, bin_size)
    weights = fit_ridge(fitted.reshape(-1, fitted.shape[-1]), np.log1p(sum_bins(train.cuts, group)).ravel())
    return composition(test.codes, middles, bin_size) @ weights[:-1] + weights[-1]


def mean_profile_baseline(train: Tiling, test: Tiling, group: int) -> np.ndarray:
    """log1p of the training windows' mean cuts at each bin position: (n, bins)."""
    profile = sum_bins(train.cuts, group).mean(axis=0)
    return np.log1p(np.broadcast_to(profile, (len(test.cuts), len(profile))))


def sum_bins(cuts: np.ndarray, group: int) -> np.ndarray:
    """Add up neighbouring bins: (n, bins) to (n, bins / group)."""
    return cuts.reshape(len(cuts), -1, group).sum(axis=2)


def pearson(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Pearson correlation of two arrays of the same shape."""
    return float(np.corrcoef(predicted.ravel(), observed.ravel())[0, 1])


def bootstrap(predicted: np.ndarray, observed: np.ndarray, block: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95% interval of the Pearson correlation over resampled blocks.

    Correlation needs six sums only, so each block is summed once and resamples add up blocks.
    """
    x, y = predicted.ravel().astype(float), observed.ravel().astype(float)
    moments = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    _, number = np.unique(block.ravel(), return_inverse=True)
    per_block = np.stack([np.bincount(number, weights=row) for row in moments])
    blocks = per_block.shape[1]
    drawn = np.random.default_rng(seed).integers(0, blocks, (RESAMPLES, blocks))
    n, sx, sy, sxx, syy, sxy = per_block[:, drawn].sum(axis=2)
    r = (n * sxy - sx * sy) / np.sqrt((n * sxx - sx**2) * (n * syy - sy**2))
    low, high = np.percentile(r, [2.5, 97.5])
    return float(low), float(high)


def split_half(cuts: np.ndarray, group: int, seed: int = 0) -> float:
    """Pearson of log1p between two random halves of the observed cuts: how thin the data are."""
    half = np.random.default_rng(seed).binomial(cuts.astype(int), 0.5)
    return pearson(np.log1p(sum_bins(half, group)), np.log1p(sum_bins(cuts - half, group)))


def evaluate(data: Path, entry: Path, fragments: str = "nfr", split: str = "test") -> list[dict]:
    """One record for each metric and baseline, in the card's form."""
    chroms = {"test": yeast.TEST_CHROMS, "validation": yeast.VALIDATION_CHROMS}[split]
    lengths = input_and_output_length(entry)
    train = tile(yeast.load_chromosomes(data, yeast.TRAIN_CHROMS, fragments), *lengths)
    test = tile(yeast.load_chromosomes(data, chroms, fragments), *lengths)
    predicted = predict(load_network(entry), test.codes)
    records = []
    for bin_size in (yeast.BIN_SIZE, 512):
        group = bin_size // yeast.BIN_SIZE
        observed = np.log1p(sum_bins(test.cuts, group))
        ours = np.log1p(sum_bins(predicted, group))
        block = test.block[:, ::group]
        print(f"halves of the {split} cuts, {bin_size} bp: {split_half(test.cuts, group):.4f}")
        baselines = {
            "ridge regression on GC and dinucleotides": composition_baseline(train, test, bin_size),
            "mean profile of training windows": mean_profile_baseline(train, test, group),
        }
        for name, baseline in baselines.items():
            records.append(
                {
                    "metric": f"pearson_log1p_{bin_size}bp",
                    "value": round(pearson(ours, observed), 4),
                    "ci": [round(v, 4) for v in bootstrap(ours, observed, block)],
                    "n": int(observed.size),
                    "split": split,
                    "output": "atac",
                    "baseline": {"name": name, "value": round(pearson(baseline, observed), 4)},
                    "command": COMMAND,
                }
            )
    return records


def input_and_output_length(entry: Path) -> tuple[int, int]:
    """Lengths in bp of the input window and of its output, from the entry's model.yaml."""
    schema = yaml.safe_load((entry / "model.yaml").read_text())["schema"]
    _, length = ast.literal_eval(schema["inputs"]["shape"])
    _, bins = ast.literal_eval(schema["targets"]["shape"])
    return length, bins * yeast.BIN_SIZE


def file_records(entry: Path) -> list[dict]:
    """Path, sha256 and size of the entry's files."""
    return [
        {
            "path": name,
            "sha256": hashlib.sha256((entry / name).read_bytes()).hexdigest(),
            "bytes": (entry / name).stat().st_size,
        }
        for name in [*CARD_FILES, *sorted(f"example/{path.name}" for path in (entry / "example").iterdir())]
    ]


def update_card(entry: Path, records: list[dict]) -> None:
    """Rewrite `evaluation` and `files` in the card's front matter; leave all else as it is."""
    card = entry / "README.md"
    _, front, prose = card.read_text().split("---\n", 2)
    blocks = {"evaluation": records, "files": file_records(entry)}
    kept, skipping = [], False
    for line in front.splitlines():
        if line and not line[0].isspace() and not line.startswith("-"):
            skipping = line.split(":")[0] in blocks
        if not skipping:
            kept.append(line)
    dumped = yaml.safe_dump(blocks, sort_keys=False, width=100)
    card.write_text("---\n" + "\n".join(kept) + "\n" + dumped + "---\n" + prose)


def print_table(records: list[dict]) -> None:
    """Print metric, value, interval and baseline."""
    for record in records:
        low, high = record["ci"]
        baseline = record["baseline"]
        print(
            f"{record['metric']:<22} {record['value']:.4f} ({low:.4f}-{high:.4f}), "
            f"n = {record['n']}; {baseline['name']}: {baseline['value']:.4f}"
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with fragments and FASTA")
    parser.add_argument("--model", type=Path, default=Path("model_cards/yeast-atac"))
    parser.add_argument("--fragments", choices=("nfr", "all"), default="nfr")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--json", type=Path, help="write the records here")
    parser.add_argument("--yaml", action="store_true", help="print the records as a card has them")
    parser.add_argument("--update-card", action="store_true")
    args = parser.parse_args()
    if args.update_card and (args.split, args.fragments) != ("test", "nfr"):
        parser.error("the card holds figures of the test split and of nfr fragments")
    records = evaluate(args.data, args.model, args.fragments, args.split)
    if args.yaml:
        print(yaml.safe_dump(records, sort_keys=False, width=100), end="")
    else:
        print_table(records)
    if args.json:
        args.json.write_text(json.dumps(records, indent=2) + "\n")
    if args.update_card:
        update_card(args.model, records)


if __name__ == "__main__":
    main()
