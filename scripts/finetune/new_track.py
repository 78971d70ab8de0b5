"""A new track on a published trunk: a DNase biosample from k windows, the other nine, and Mini-Borzoi's embeddings.

    python -m scripts.finetune.new_track --data ../shared/data [--draws 2]

Everything happens on the square root of coverage: on coverage itself a handful of bins holds most of the error. The
model is a head on the other nine tracks, their neighbouring bins, the embeddings, and embeddings times the average of
the nine: ridge regression and a small network, averaged. Its numbers were chosen by cross-validation within the
training windows. It is judged on the validation windows against the best of all baselines there, the frozen base's own
track (which was trained on this very biosample) among them. "Adapted", not "novel": the published trunk saw these
biosamples. The second trunk did not: a small network trained here on the CAGE and RNA tracks of the training windows.
The third model has no trunk at all.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from finetune.models.base import open_base
from finetune.verdict.baselines import Known, baselines, best_baseline
from finetune.verdict.intervals import block_bootstrap
from finetune.verdict.score import skill_of
from zoo.entries.cache_add import cache_add
from zoo.genome.encode import one_hot

BIN = 32
KS = (1, 2, 5, 10, 20, 30, 45)
#: Bins of a block of the bootstrap: 16,384 bp, four a window.
BLOCK = 512
#: Ridge penalties of 45 windows, as shares of the variance of a feature; fewer windows count for less beside them.
PENALTIES = {"mix": 0.001, "near": 0.01, "square": 0.01, "embedding": 0.1, "gated": 1.0}
PENALISED_FOR = 45
#: Of the small network of the head: passes over the bins, bins a step, peak rate.
EPOCHS, BATCH, RATE = 5, 1024, 4e-3


@dataclass(frozen=True)
class Windows:
    """The windows of d01: letters, coverage of all tracks, and which of them train.

    Attributes:
        letters: a sequence of L bp a window. tracks: (n, bins, tracks) float32 square roots of coverage.
        names: (tracks,). dnase: numbers of the DNase tracks. train, test: rows.
    """

    letters: list[str]
    tracks: np.ndarray
    names: tuple[str, ...]
    dnase: np.ndarray
    train: np.ndarray
    test: np.ndarray


def read(data: Path) -> Windows:
    """All windows of the folder, with their split."""
    folder = data / "d01_hg38_windows"
    with gzip.open(folder / "hg38_windows_dev.fa.gz", "rt") as handle:
        records = (record.split("\n", 1) for record in handle.read().split(">")[1:])
        sequences = {name: body.replace("\n", "") for name, body in records}
    rows = [line.split("\t") for line in (folder / "hg38_windows_dev.bed").read_text().splitlines()]
    with (data / "m01_mini_borzoi" / "targets_hg38.txt").open() as handle:
        names = [row["description"].strip() for row in csv.DictReader(handle, delimiter="\t")]
    with np.load(folder / "tracks_dev.npz") as file:
        tracks = np.sqrt(file["targets"].astype(np.float32))
    side = np.array([row[3] for row in rows])
    return Windows(
        [sequences[f"{row[0]}:{row[1]}-{row[2]}"] for row in rows],
        tracks,
        tuple(names),
        np.array([i for i, name in enumerate(names) if name.startswith("DNASE:")]),
        np.flatnonzero(side == "train"),
        np.flatnonzero(side == "valid"),
    )


# ---------------------------------------------------------------- trunks


@dataclass(frozen=True)
class Trunk:
    """(n, bins, channels) float32 embeddings of all windows, and (n, bins, tracks) own predictions, or None."""

    embedding: np.ndarray
    own: np.ndarray | None


def _letters(sequence: str, n_value: float) -> torch.Tensor:
    return torch.from_numpy(one_hot(np.frombuffer(sequence.encode(), np.uint8)[None], n_value))


def published(windows: Windows, data: Path) -> Trunk:
    """Mini-Borzoi, frozen: means over both strands."""
    cache_add(data / "m01_mini_borzoi")
    base = open_base("mini-borzoi")
    embeddings, own = [], []
    with torch.inference_mode():
        for sequence in windows.letters:
            x = _letters(sequence, 0.0)
            both = [base.trunk(x), base.trunk(x.flip(1, 2)).flip(2)]
            predicted = [functional.softplus(base.head(one)) for one in both]
            embeddings.append(_mean_of(both))
            own.append(np.sqrt(_mean_of(predicted)))
    return Trunk(np.stack(embeddings), np.stack(own)[..., windows.dnase])


def _mean_of(parts: list[torch.Tensor]) -> np.ndarray:
    """(1, channels, bins) each to (bins, channels)."""
    return torch.stack(parts).mean(0)[0].T.numpy()


class SmallTrunk(nn.Module):
    """One-hot (n, 4, L) to (n, 64, L / 32), which sees about 1 kb around a bin."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, width, pool in ((4, 32, 15, 4), (32, 48, 7, 4), (48, 64, 5, 2)):
            layers += [nn.Conv1d(before, after, width, padding=width // 2), nn.BatchNorm1d(after), nn.GELU()]
            layers.append(nn.MaxPool1d(pool))
        self.stem = nn.Sequential(*layers)
        self.wide = nn.ModuleList(nn.Conv1d(64, 64, 3, padding=2**i, dilation=2**i) for i in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embeddings."""
        x = self.stem(x)
        for layer in self.wide:
            x = x + layer(functional.gelu(x))
        return functional.gelu(x)


def without_dnase(windows: Windows, epochs: int = 6, seed: int = 0, crop: int = 512) -> Trunk:
    """A small network that was trained on the other assays of the training windows, and never saw DNase."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    other = np.setdiff1d(np.arange(windows.tracks.shape[2]), windows.dnase)
    target = windows.tracks[:, :, other]
    mean, spread = (getattr(target[windows.train], what)((0, 1)) for what in ("mean", "std"))
    target = torch.from_numpy((target - mean) / (spread + 1e-6)).transpose(1, 2)
    bins = target.shape[2]
    offset = (len(windows.letters[0]) - bins * BIN) // 2
    trunk, head = SmallTrunk(), nn.Conv1d(64, len(other), 1)
    parts = [*trunk.parameters(), *head.parameters()]
    pieces = [(row, first) for row in windows.train for first in range(0, bins, crop)]
    optimizer = torch.optim.AdamW(parts, lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, epochs * len(pieces) // 4)
    codes = [np.frombuffer(sequence.encode(), np.uint8) for sequence in windows.letters]
    for _ in range(epochs):
        for batch in rng.permutation(len(pieces))[: len(pieces) // 4 * 4].reshape(-1, 4):
            chosen = [pieces[i] for i in batch]
            starts = [offset + first * BIN for _, first in chosen]
            letters = np.stack([codes[row][s : s + crop * BIN] for (row, _), s in zip(chosen, starts, strict=True)])
            x = torch.from_numpy(one_hot(letters, 0.25))
            y = torch.stack([target[row, :, first : first + crop] for row, first in chosen])
            if rng.random() < 0.5:
                x = x.flip(1, 2)
                y = y.flip(2)
            loss = functional.mse_loss(head(trunk(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    trunk.eval()
    with torch.inference_mode():
        found = []
        for sequence in windows.letters:
            x = _letters(sequence[offset : offset + bins * BIN], 0.25)
            found.append(_mean_of([trunk(x), trunk(x.flip(1, 2)).flip(2)]))
    return Trunk(np.stack(found), None)


# ---------------------------------------------------------------- the head


class Head:
    """One track from the others and from embeddings: the mean of a ridge regression and of a small network.

    The regression is fitted from sums over windows that are made once. By cross-validation within the training windows
    the mean of the two was better than either.

    Args:
        others: (n, bins, 9). target: (n, bins). embedding: (n, bins, channels), standardised, or None.
        known: windows whose other tracks and sequence are known before any of the target is, to scale features by.
    """

    def __init__(self, others: np.ndarray, target: np.ndarray, embedding: np.ndarray | None, known: np.ndarray) -> None:
        average = others.mean(2, keepdims=True)
        padded = np.pad(others, ((0, 0), (1, 1), (0, 0)), mode="edge")
        parts = {"mix": others, "near": padded[:, :-2] + padded[:, 2:], "square": average**2}
        if embedding is not None:
            parts |= {"embedding": embedding, "gated": embedding * average}
        penalty = np.concatenate([np.full(part.shape[2], PENALTIES[name]) for name, part in parts.items()])
        self.features = np.concatenate([*parts.values(), np.ones_like(average)], 2)
        self.target = target
        self.penalty = penalty * PENALISED_FOR * target.shape[1] * self.features[known, :, :-1].var((0, 1))
        self.gram = np.stack([window.T @ window for window in self.features]).astype(np.float64)
        self.cross = np.stack([w.T @ y for w, y in zip(self.features, target, strict=True)]).astype(np.float64)
        # What is gated is a product that a network finds by itself.
        self.seen = np.concatenate([standard(part, known) for name, part in parts.items() if name != "gated"], 2)

    def predict(self, train: np.ndarray, rows: np.ndarray, seed: int = 0) -> np.ndarray:
        """Fitted on the windows ``train``: (rows, bins); coverage is never negative."""
        return (np.maximum(self.ridge(train, rows), 0) + np.maximum(self.network(train, rows, seed), 0)) / 2

    def ridge(self, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Linear in the features."""
        gram, cross = self.gram[train].sum(0), self.cross[train].sum(0)
        gram[np.diag_indices(len(self.penalty))] += self.penalty + 1e-6
        return self.features[rows] @ np.linalg.solve(gram, cross).astype(np.float32)

    def network(self, train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
        """A line plus one hidden layer with dropout."""
        torch.manual_seed(seed)
        x, y = (torch.from_numpy(array[train].reshape(-1, *array.shape[2:])) for array in (self.seen, self.target))
        net = Bent(x.shape[1], float(y.mean()))
        steps = EPOCHS * (len(y) // BATCH)
        optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps + 1)
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(y))[: len(y) // BATCH * BATCH].reshape(-1, BATCH):
                loss = functional.mse_loss(net(x[batch]), y[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        net.eval()
        with torch.inference_mode():
            return net(torch.from_numpy(self.seen[rows])).numpy()


class Bent(nn.Module):
    """(..., features) to (...): linear at first, and constant before the first step."""

    def __init__(self, features: int, mean: float) -> None:
        super().__init__()
        self.line, last = nn.Linear(features, 1), nn.Linear(48, 1)
        self.bend = nn.Sequential(nn.Dropout(0.1), nn.Linear(features, 48), nn.GELU(), nn.Dropout(0.3), last)
        for layer in (self.line, last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.line.bias, mean)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Square roots of coverage."""
        return (self.line(x) + self.bend(x))[..., 0]


# ---------------------------------------------------------------- the verdict


@dataclass(frozen=True)
class Score:
    """Skill of one biosample over the best baseline, its interval over blocks, and which that baseline was."""

    value: float
    ci: tuple[float, float]
    baseline: str


def yardsticks(windows: Windows, own: np.ndarray, track: int, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Every baseline of one biosample, fitted on the windows ``rows``, on the judged windows: (m, bins) each."""
    dnase = windows.tracks[:, :, windows.dnase]
    others = np.delete(dnase, track, axis=2).transpose(2, 0, 1)
    base = own.transpose(2, 0, 1)
    known = Known(
        [str(i) for i in range(len(others))],
        others[:, rows],
        others[:, windows.test],
        own=dnase[rows, :, track],
        base_train=base[track : track + 1, rows],
        base_test=base[track : track + 1, windows.test],
    )
    return baselines(known) | {"frozen base as it is": base[track, windows.test]}


def score(predicted: np.ndarray, observed: np.ndarray, made: Mapping[str, np.ndarray]) -> Score:
    """Against the baseline that is best on the judged windows themselves."""
    best = best_baseline(made, observed)
    squares = [((one - observed) ** 2).astype(np.float64) for one in (predicted, made[best])]
    sums = np.stack([one.reshape(-1, BLOCK).sum(1) for one in squares], axis=1)
    ci = block_bootstrap(skill_of, sums)
    return Score(float(skill_of(sums.sum(0))), ci or (np.nan, np.nan), best)


def standard(embedding: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Less the mean and over the spread of the rows, by channel; no more than 8 either way."""
    mean, spread = (getattr(embedding[rows], what)((0, 1)) for what in ("mean", "std"))
    return ((embedding - mean) / (spread + 1e-6)).clip(-8, 8)


def judge(
    windows: Windows, trunks: Mapping[str, np.ndarray | None], own: np.ndarray, draws: int
) -> dict[tuple[str, int, int], list[Score]]:
    """(model, k, draw) -> a score a biosample."""
    rng = np.random.default_rng(0)
    train = windows.train
    sets = [
        (k, draw, np.sort(rng.permutation(train)[:k]))
        for k in KS
        if k <= len(train)
        for draw in range(1 if k >= len(train) else draws)
    ]
    found: dict[tuple[str, int, int], list[Score]] = {}
    dnase = windows.tracks[:, :, windows.dnase]
    for track in range(dnase.shape[2]):
        observed = dnase[windows.test, :, track]
        made = {(k, draw): yardsticks(windows, own, track, rows) for k, draw, rows in sets}
        for name, embedding in trunks.items():
            head = Head(np.delete(dnase, track, axis=2), dnase[:, :, track], embedding, train)
            for k, draw, rows in sets:
                predicted = head.predict(rows, windows.test)
                found.setdefault((name, k, draw), []).append(score(predicted, observed, made[k, draw]))
    return found


def curve(found: Mapping[tuple[str, int, int], list[Score]]) -> str:
    """Markdown: for each model and k the median skill, how many intervals lie above 0, and the range."""
    lines = ["| model | k | median skill | intervals above 0 | lowest | highest |", "|---|---|---|---|---|---|"]
    for name, k in dict.fromkeys((name, k) for name, k, _ in found):
        runs = [scores for (one, windows, _), scores in found.items() if (one, windows) == (name, k)]
        values = np.array([[one.value for one in scores] for scores in runs])
        above = np.mean([sum(one.ci[0] > 0 for one in scores) for scores in runs])
        lines.append(
            f"| {name} | {k} | {np.median(values, axis=1).mean():+.3f} | {above:.1f} of {values.shape[1]} "
            f"| {values.min():+.2f} | {values.max():+.2f} |"
        )
    return "\n".join(lines)


def each(windows: Windows, scores: list[Score]) -> str:
    """Markdown, a biosample a row."""
    lines = ["| biosample | skill | interval | best baseline |", "|---|---|---|---|"]
    for number, one in zip(windows.dnase, scores, strict=True):
        name = windows.names[number].removeprefix("DNASE:")
        lines.append(f"| {name} | {one.value:+.3f} | {one.ci[0]:+.3f} to {one.ci[1]:+.3f} | {one.baseline} |")
    return "\n".join(lines)


ADAPTED, APART, NONE = "published trunk (saw these biosamples)", "small trunk, never saw DNase", "no trunk"


def main(argv: list[str] | None = None) -> int:
    """The command; exit status 1 where a promised figure does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds d01_hg38_windows, m01_mini_borzoi")
    parser.add_argument("--draws", type=int, default=2, help="sets of k windows, where there is a choice")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    start = time.process_time()
    windows = read(args.data)
    base = published(windows, args.data.resolve())
    if base.own is None:
        raise RuntimeError("the published trunk has tracks of its own")
    trunks = {
        ADAPTED: standard(base.embedding, windows.train),
        APART: standard(without_dnase(windows).embedding, windows.train),
        NONE: None,
    }
    found = judge(windows, trunks, base.own, args.draws)
    scores = found[ADAPTED, len(windows.train), 0]
    seconds = time.process_time() - start
    sys.stdout.write(f"{each(windows, scores)}\n\n{curve(found)}\n\n{seconds:.0f} CPU-s\n")
    median, above = np.median([one.value for one in scores]), sum(one.ci[0] > 0 for one in scores)
    return int(not (median >= 0.05 and above >= 4))


if __name__ == "__main__":
    raise SystemExit(main())
