"""The example of an entry: a genome and regions, cut from a real one or random, and what the model predicts there."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from zoo.entries.check import run_example, save_predictions
from zoo.entries.kept import choose_bins, describe_bins, restrict
from zoo.errors import InputError, UsageError
from zoo.genome.encode import one_hot, reverse_complement
from zoo.genome.fasta import open_genome
from zoo.genome.intervals import RegionFile
from zoo.models.entry import open_entry
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader, given_length

__all__ = [
    "EXAMPLE",
    "Example",
    "cut_example",
    "file_record",
    "make_example",
    "random_example",
    "write_expected",
]

EXAMPLE = ("example/genome.fa", "example/regions.bed", "example/expected.h5")
KEEP = 6000  # predictions of an output, about 24 kB


def make_example(
    model: str | Path, *, seed: int = 1, regions: int = 4, strand: bool = False, keep: int = KEEP
) -> list[dict[str, Any]]:
    """Make ``example/`` of an entry folder: seeded random bases, regions on them, and the model's predictions.

    Args:
        model: folder, or name of a bundled entry, whose weights are there or can be fetched. The models of a group
            share genome and regions; each has predictions of its own in their file.
        seed: of the random bases.
        regions: how many.
        strand: whether every second region lies on ``-``, for a model whose dataloader reads the strand.
        keep: predictions of an output to keep; of a longer profile a selection of bins is kept.

    Returns:
        For each file, path, sha256 and bytes, as the card records them.

    Raises:
        UsageError: nothing says how long the model's windows are. ZooError: it cannot be loaded or does not predict.
    """
    entry = open_entry(model, trust=True)
    length = given_length(entry.description.loader.args, entry.description)
    if not isinstance(length, int):
        raise UsageError(f"{model}: the input length is not given", "", "Fix: set auto_resize_len in dataloader.yaml")
    example = random_example(length, seed=seed, windows=regions, strands="+-" if strand else ".")
    folder = entry.folder
    (folder / "example").mkdir(exist_ok=True)
    (folder / EXAMPLE[0]).write_text(example.fasta)
    (folder / EXAMPLE[1]).write_text(example.bed)
    (folder / f"{EXAMPLE[0]}.fai").unlink(missing_ok=True)
    write_expected(model, keep=keep)
    made = [EXAMPLE[0], f"{EXAMPLE[0]}.fai", *EXAMPLE[1:]]
    return [file_record(folder, name) for name in made if (folder / name).is_file()]


def file_record(folder: Path, name: str) -> dict[str, Any]:
    """A file of an entry as its card records it."""
    data = (folder / name).read_bytes()
    return {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


# ---------------- expected.h5


def write_expected(model: str | Path, *, keep: int | None = None, trust: bool = True) -> bool:
    """Write ``example/expected.h5``: predictions for the example, and the inputs, which ``kipoi test`` asks for.

    Args:
        model: folder or name of an entry with genome and regions in ``example/``.
        keep: predictions of an output to keep at most; None for all of them.
        trust: whether its Python may run: that of a draft is its author's own.

    Returns:
        Whether all predictions are in it. Where a selection is, ``test.expect`` must not stand in model.yaml: Kipoi
        compares all.
    """
    entry = open_entry(model, trust=trust)
    loaded, batch = run_example(entry)
    path = entry.folder / EXAMPLE[2]
    whole = path.with_name("expected.all.h5")
    try:
        save_predictions(whole, loaded, batch)
        if isinstance(loaded, LoadedModel) and entry.description.member is None:
            _add_inputs(whole, entry.folder / EXAMPLE[0], loaded.loader)
        return _keep(whole, path, entry.description.member, keep)
    finally:
        whole.unlink(missing_ok=True)


def _keep(whole: Path, path: Path, member: str | None, keep: int | None) -> bool:
    """Copy what is kept, packed; the models of a group share the file."""
    with h5py.File(whole) as source:
        found: dict[str, h5py.Dataset] = {}
        source.visititems(lambda name, item: found.update({name: item} if isinstance(item, h5py.Dataset) else {}))
        preds = {name: found.pop(name) for name in list(found) if name.split("/")[0] == "preds"}
        chosen = {name: None if keep is None else choose_bins(dataset[()], keep) for name, dataset in preds.items()}
        complete = all(bins is None for bins in chosen.values())
        # The newer format takes a few hundred bytes an object, not thousands.
        with h5py.File(path, "w" if member is None else "a", libver=("v110", "v110")) as made:
            into = made if member is None else made.require_group(member)
            if "preds" in into:
                del into["preds"]
            for name, bins in chosen.items():
                values = preds[name][()]
                dataset = _packed(into, name, restrict(values, bins))
                if member is None:
                    dataset.attrs.update(preds[name].attrs)
                if bins is not None:
                    describe_bins(dataset, bins, values.shape[2])
            for name, dataset in found.items() if complete and member is None else ():
                _packed(made, name, dataset[()], dataset.dtype)
    return complete


def _packed(into: h5py.Group, name: str, values: np.ndarray, dtype: np.dtype | None = None) -> h5py.Dataset:
    """Compressed where that makes it smaller: chunks have an index of some kB."""
    packing = {"compression": "gzip", "shuffle": True} if values.nbytes > 4000 else {}
    return into.create_dataset(name, data=values, dtype=dtype, **packing)


def _add_inputs(expected: Path, fasta: Path, loader: SequenceLoader) -> None:
    with h5py.File(expected, "r+") as handle:
        chroms = handle["metadata/ranges/chr"].asstr()[()]
        starts = handle["metadata/windows/start"][()].astype(np.int64)
        reverse = handle["metadata/windows/reverse"][()].astype(bool)
        genome = open_genome(fasta)
        letters = genome.gather(genome.numbers(chroms), starts, loader.length)
        genome.close()
        letters[reverse] = reverse_complement(letters[reverse])
        inputs = loader.arrange(torch.from_numpy(one_hot(letters, loader.n_value))).contiguous()
        handle.create_dataset("inputs", data=inputs.numpy(), compression="gzip", shuffle=True)


# ---------------- genome and regions: windows cut from a genome, or seeded random sequence


WINDOWS = 6
MAX_BASES = 200_000  # so that the example of a long model stays small
RANDOM_BASES, MIN_STEP = 24_000, 500
LINE = 80


@dataclass(frozen=True)
class Example:
    """Text of a FASTA with one contig a window, of a BED6, and where they came from."""

    fasta: str
    bed: str
    origin: str


def random_example(length: int, *, seed: int = 0, windows: int = WINDOWS, strands: str = "+-") -> Example:
    """Random sequence of equal base frequencies, the same for the same seed; the strands are taken in turn.

    Windows lie on one contig, side by side where that is short, else as far from each other as ``RANDOM_BASES`` allow.
    """
    step = min(length, max(MIN_STEP, (RANDOM_BASES - length) // max(1, windows - 1)))
    sequence = "".join(random.Random(seed).choices("ACGT", k=length + step * (windows - 1)))
    rows = [
        ("chrRandom", i * step, i * step + length, f"window_{i}", strands[i % len(strands)]) for i in range(windows)
    ]
    return _example(rows, [sequence] * windows, "random sequence (seeded, equal base frequencies), not of a genome")


def cut_example(genome: Path, regions: Path, length: int) -> Example:
    """The windows of the first regions that lie inside their chromosomes.

    A window becomes a contig of its own, named ``chrom_start_end`` after its place in the genome, and
    with ``chr`` before it: Kipoi's dataloader puts it there where it is missing.

    Raises:
        InputError: a row is malformed, or no window lies inside a chromosome of the FASTA.
    """
    fasta = open_genome(genome)
    try:
        with RegionFile(regions) as file:
            file.scan(fasta.sizes)
            rows, letters = [], []
            for chunk in file.chunks():
                for i in range(len(chunk)):
                    chrom, start, end = str(chunk.chrom[i]), int(chunk.start[i]), int(chunk.end[i])
                    first = (start + end) // 2 - length // 2
                    if chrom not in fasta.sizes or first < 0 or first + length > fasta.sizes[chrom]:
                        continue
                    low, high = max(0, start - first), min(length, end - first)
                    if (low + high) // 2 != length // 2:  # a region that is longer than the window
                        low, high = 0, length
                    codes = fasta.gather(fasta.numbers(np.array([chrom], dtype=object)), np.array([first]), length)
                    letters.append(codes[0].tobytes().decode("ascii"))
                    name = f"region_{i}" if chunk.name[i] == "." else str(chunk.name[i])
                    contig = f"chr{chrom.removeprefix('chr')}_{first}_{first + length}"
                    rows.append((contig, low, high, name, _strand(str(chunk.strand[i]))))
                    if len(rows) == _count(length):
                        return _example(rows, letters, _origin(genome, regions))
    finally:
        fasta.close()
    if not rows:
        raise InputError(
            f"{regions}: no region leaves room for a window of {length:,} bp in {genome}",
            "",
            "Fix: give regions further from the ends of chromosomes, of the genome's names",
        )
    return _example(rows, letters, _origin(genome, regions))


def _count(length: int) -> int:
    return max(1, min(WINDOWS, MAX_BASES // length))


def _strand(strand: str) -> str:
    return strand if strand in "+-" else "."


def _origin(genome: Path, regions: Path) -> str:
    return f"windows of {Path(genome).name} on the first regions of {Path(regions).name}"


def _example(rows: list[tuple[str, int, int, str, str]], letters: list[str], origin: str) -> Example:
    placed = dict(zip((row[0] for row in rows), letters, strict=True))
    fasta = []
    for contig, sequence in placed.items():
        lines = [sequence[i : i + LINE] for i in range(0, len(sequence), LINE)]
        fasta.append(f">{contig}\n" + "\n".join(lines) + "\n")
    bed = [f"{contig}\t{start}\t{end}\t{name}\t0\t{strand}\n" for contig, start, end, name, strand in rows]
    return Example("".join(fasta), "".join(bed), origin)
