"""What a model predicts for the example of its entry, from ``expected.h5``: no model is loaded, nothing is run.

Coordinates are those of the genome where a contig of the example's FASTA is a whole chromosome of the model's assembly,
by its name and length, or says by these which part of one it is (``chrI_30000_80000``, 0-based half-open, or
``chrI:30001-80000``); else those of the contig.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.gallery.collect import Item
from zoo.genome.assembly import load_assembly

if TYPE_CHECKING:
    import h5py
    import numpy as np

__all__ = ["Place", "ScalarExample", "TrackExample", "examples_of", "place_in_genome"]

WIDTH, HEIGHT = 1000, 120  # units of the drawing
POINTS = 1000  # that a line has at most: of more bins, the greatest and least of each stretch
TRACKS = 4  # drawn of an output
ROWS = 12  # regions in the table of a scalar output


@dataclass(frozen=True)
class Place:
    """A stretch of a genome, 0-based half-open, or of a contig that is no part of one known."""

    chrom: str
    start: int
    end: int
    real: bool

    @property
    def text(self) -> str:
        """``chrI:30,001-80,000`` as genome browsers have it, counting from 1; where it is a contig's, that is said."""
        return f"{self.chrom}:{self.start + 1:,}-{self.end:,}"


@dataclass(frozen=True)
class Line:
    """One track of a prediction: SVG points, and the numbers at the ends of its axis."""

    name: str
    points: str
    zero: str
    low: float
    high: float
    separate: bool


@dataclass(frozen=True)
class TrackExample:
    """A profile over the first region of the example: ``place`` is what the bins cover."""

    output: str
    region: str
    place: Place
    bin_size: int
    n_bins: int
    lines: tuple[Line, ...]
    more_tracks: int
    kept: int | None
    units: str | None
    reverse: bool


@dataclass(frozen=True)
class ScalarExample:
    """Values of an output for the regions of the example: ``rows`` are (region, place, values of the tracks)."""

    output: str
    tracks: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[float, ...]], ...]
    real: bool
    more_tracks: int
    more_rows: int
    units: str | None


@dataclass(frozen=True)
class _Region:
    contig: str
    start: int
    end: int
    name: str
    strand: str


def examples_of(item: Item, record: Mapping[str, Any]) -> list[TrackExample | ScalarExample]:
    """The predictions for the example, an output each; none where the entry has no example, or one in other shapes."""
    description = item.description
    if item.folder is None or description is None or description.expect is None:
        return []
    files = description.loader.examples if description.loader else {}
    bed, fasta = files.get("intervals_file"), files.get("fasta_file")
    if not (isinstance(bed, str) and isinstance(fasta, str) and description.expect.is_file()):
        return []
    if not (item.folder / bed).is_file():
        return []
    regions = _regions(item.folder / bed)
    lengths = _contig_lengths(item.folder / f"{fasta}.fai")
    found: list[TrackExample | ScalarExample] = []
    try:
        predicted = _predictions(description.expect, record, item)
    except (OSError, KeyError, ValueError, TypeError):
        return []
    for output in record["outputs"]:
        values = predicted.get(output["name"])
        if values is None or len(values.values) != len(regions) or not regions:
            continue
        if output["kind"] == "profile" and values.values.ndim == 3:
            if (made := _track(item, record, output, values, regions, lengths)) is not None:
                found.append(made)
        elif output["kind"] == "scalar" and values.values.ndim == 2:
            found.append(_scalars(output, values.values, regions, lengths, record["assembly"]))
    return found


def place_in_genome(contig: str, start: int, end: int, length: int | None, assembly: str | None = None) -> Place:
    """Where a stretch of an example's contig lies in the genome, if the contig's name says which part of it it is.

    Args:
        length: of the contig; a name that says another is only a name.
        assembly: of which the contig may be a whole chromosome.
    """
    known = load_assembly(assembly) if assembly else None
    if known is not None and length in {chromosome.length for chromosome in known.candidates(contig)}:
        return Place(contig, start, end, True)
    for pattern, counts_from in ((r"(.+)_(\d+)_(\d+)", 0), (r"(.+):(\d+)-(\d+)", 0), (r"(.+):(\d+)-(\d+)", 1)):
        if match := re.fullmatch(pattern, contig):
            first, last = int(match[2]) - counts_from, int(match[3])
            if length is not None and last - first == length:
                return Place(match[1], first + start, first + end, True)
    return Place(contig, start, end, False)


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class _Values:
    """``(regions, tracks)`` or ``(regions, tracks, bins)``; ``bins`` are those that were kept, of ``n_bins``."""

    values: np.ndarray
    bins: np.ndarray | None = None
    n_bins: int | None = None
    starts: np.ndarray | None = None


def _predictions(path: Path, record: Mapping[str, Any], item: Item) -> dict[str, _Values]:
    import h5py
    import numpy as np

    from zoo.entries.kept import read_bins

    member = _member(record, item)
    with h5py.File(path) as handle:
        starts = handle["metadata/windows/start"][()] if "metadata/windows/start" in handle else None
        if member is not None and "models" in handle:
            names = handle["models"].asstr()[()].tolist()
            return {record["outputs"][0]["name"]: _Values(np.asarray(handle["preds"][names.index(member)], float))}
        preds = handle[f"{member}/preds" if member is not None and member in handle else "preds"]
        datasets = {record["outputs"][0]["name"]: preds} if isinstance(preds, h5py.Dataset) else _below(preds)
        found = {}
        for name, dataset in datasets.items():
            values, kept = np.asarray(dataset[()], float), read_bins(dataset)
            bins, n_bins = kept or (None, None)
            found[name] = _Values(values, bins, n_bins, starts)
        return found


def _below(group: h5py.Group) -> dict[str, h5py.Dataset]:
    import h5py

    found: dict[str, h5py.Dataset] = {}
    group.visititems(lambda name, it: found.update({name: it} if isinstance(it, h5py.Dataset) else {}))
    return found


def _member(record: Mapping[str, Any], item: Item) -> str | None:
    return item.member(record) if item.is_group else None


def _regions(path: Path) -> list[_Region]:
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split("\t")
        if len(fields) < 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            continue
        contig, start, end, name, _, strand = (*fields[:6], *["", "", ""][: max(0, 6 - len(fields))])
        found.append(_Region(contig, int(start), int(end), name, strand or "."))
    return found


def _contig_lengths(path: Path) -> dict[str, int]:
    if not path.is_file():
        return {}
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}


# ---------------------------------------------------------------- drawing


def _track(
    item: Item,
    record: Mapping[str, Any],
    output: Mapping[str, Any],
    predicted: _Values,
    regions: list[_Region],
    lengths: Mapping[str, int],
) -> TrackExample | None:
    from zoo.genome.windows import center_starts

    length, bin_size, offset = record["input_length"], output["bin_size"], output["offset"]
    assembly = record["assembly"]
    if not isinstance(length, int) or bin_size is None or offset is None:
        return None
    row = next((i for i, region in enumerate(regions) if region.strand != "-"), 0)
    region = regions[row]
    if predicted.starts is not None:
        start = int(predicted.starts[row])
    else:
        import numpy as np

        start = int(center_starts(np.array([region.start]), np.array([region.end]), length, "kipoiseq")[0])
    values = predicted.values[row]
    n_bins = predicted.n_bins or values.shape[1]
    # On - a model that reads the strand has its first bin at the right.
    reads_strand = bool(item.description and item.description.loader.args.get("use_strand"))
    reverse = region.strand == "-" and reads_strand
    first = start + (length - offset - n_bins * bin_size if reverse else offset)
    bins = predicted.bins if predicted.bins is not None else range(values.shape[1])
    at = [n_bins - 1 - int(i) if reverse else int(i) for i in bins]
    names = list(output["tracks"]) or [f"{output['name']} {i}" for i in range(len(values))]
    lines = tuple(
        _line(names[i] if i < len(names) else str(i), at, [float(v) for v in values[i]], n_bins)
        for i in range(min(TRACKS, len(values)))
    )
    return TrackExample(
        output["name"],
        region.name,
        place_in_genome(region.contig, first, first + n_bins * bin_size, lengths.get(region.contig), assembly),
        bin_size,
        n_bins,
        lines,
        max(0, len(values) - TRACKS),
        None if predicted.bins is None else len(predicted.bins),
        output.get("units"),
        reverse,
    )


def _line(name: str, at: list[int], values: list[float], n_bins: int) -> Line:
    """Steps of a track, a step a bin; of kept bins a stroke each; of very many the least and greatest of a stretch."""
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 1.0
    pairs = sorted(zip(at, values, strict=True))

    def y(value: float) -> str:
        return f"{HEIGHT * (1 - (value - low) / span):.4g}"

    def x(index: float) -> str:
        return f"{WIDTH * index / n_bins:.5g}"

    zero = f"M0 {y(0)}H{WIDTH}"
    if len(pairs) < n_bins:
        return Line(name, "".join(f"M{x(i + 0.5)} {y(0)}V{y(v)}" for i, v in pairs), zero, low, high, True)
    if n_bins <= POINTS:
        steps = "".join(f"V{y(v)}H{x(i + 1)}" for i, v in pairs)
        return Line(name, f"M{x(0)} {y(pairs[0][1])}{steps}", zero, low, high, False)
    width = -(-n_bins // (POINTS // 2))
    ends = []
    for i in range(0, n_bins, width):
        part = [value for _, value in pairs[i : i + width]]
        ends += [f"{x(i + width / 2)} {y(min(part))}", f"{x(i + width / 2)} {y(max(part))}"]
    return Line(name, "M" + "L".join(ends), zero, low, high, False)


def _scalars(
    output: Mapping[str, Any],
    values: np.ndarray,
    regions: list[_Region],
    lengths: Mapping[str, int],
    assembly: str | None,
) -> ScalarExample:
    names = tuple(output["tracks"]) or tuple(f"{output['name']} {i}" for i in range(values.shape[1]))
    rows, real = [], True
    for region, row in list(zip(regions, values, strict=True))[:ROWS]:
        place = place_in_genome(region.contig, region.start, region.end, lengths.get(region.contig), assembly)
        real = real and place.real
        strand = f" ({region.strand})" if region.strand in "+-" else ""
        rows.append((region.name, place.text + strand, tuple(float(value) for value in row[:TRACKS])))
    more = max(0, len(regions) - ROWS)
    return ScalarExample(
        output["name"], names[:TRACKS], tuple(rows), real, max(0, values.shape[1] - TRACKS), more, output.get("units")
    )
