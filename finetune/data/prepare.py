"""A prepared set: windows, their split and the binned targets, on disk under a hash of all that made them.

    $ZOO_CACHE/prepared/<hash>/
        windows.npz     chrom, start, kind, split of each window
        targets.npy     (tracks, windows, bins) float32, NaN where nothing was measured
        atac.npy        (cells, windows, bins) float32, where the model is told of cells
        facts.json      tracks, counts, fitted numbers, checksums

A set is written whole or not at all. The same files and options find it again; a byte that changed makes another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from finetune.config import FinetuneConfig, HeadConfig, RegionsConfig, SplitConfig, TargetConfig
from finetune.data.augment import partners_of
from finetune.data.duplicates import check_duplicates
from finetune.data.reading.sources import TrackSource, source_of
from finetune.data.regions import Geometry, Sees, Windows, choose_windows
from finetune.data.splits import check_base, check_overlap, split_cells, split_windows
from finetune.data.tracks import Track, check_sides, check_track, open_track
from finetune.data.transform import background_depth, parse_transform
from zoo.errors import InputError, UsageError
from zoo.files import cache_folder, hold_lock, sha256_of
from zoo.genome.checks import check_assembly
from zoo.genome.encode import letters_met
from zoo.genome.fasta import Genome, open_genome
from zoo.genome.unknown import UnknownBases, unknown_notes
from zoo.results.whole import replacing_folder, require_room
from zoo.words import counted, counted_of, near_names

__all__ = ["Prepared", "TrackInfo", "genome_of", "head_names", "prepare"]

#: Of what is written; another number makes other sets.
LAYOUT = 1
#: Windows that are read at once, and letters.
ROWS = 4096
LETTERS_AT_ONCE = 1 << 22

Report = Callable[[str], None]


@dataclass(frozen=True)
class TrackInfo:
    """What one row of ``targets`` is.

    Attributes:
        name, cell, assay, weight: of the config; the assay of a track without one is its name.
        side: ``train``, ``validation``, ``test`` or ``reference``: of its cell. A track of no cell trains.
        partner: number of the track of the other strand, or None.
        transform: names of what was applied. depth: what it was divided by.
        reduce: how bases became a bin.
    """

    name: str
    cell: str | None
    assay: str
    side: str = "train"
    weight: float = 1.0
    partner: int | None = None
    transform: tuple[str, ...] = ("none",)
    depth: float = 1.0
    reduce: str = "mean"


@dataclass
class Prepared:
    """Windows, split and targets of one head.

    Attributes:
        head: its name.
        geometry: where input and bins lie.
        windows: those that belong to a side.
        split: (n,) ``<U10``: ``train``, ``validation`` or ``test``.
        tracks: what the rows of ``targets`` are.
        targets: (tracks, n, bins) float32, transformed; NaN where nothing was measured.
        letters: gives (k, L) uint8 of sequence for (k,) row numbers and (k,) bp of shift; None without sequence.
        cells: names of the rows of ``atac``.
        atac: (cells, n, bins) float32, or None.
        read: gives (tracks, k, bins) targets and (cells, k, bins) ATAC or None for rows laid anew with a shift; None
            where the set was made of arrays.
        facts: counts, fitted numbers and checksums, for the record and the card. folder: where it lies.
    """

    head: str
    geometry: Geometry
    windows: Windows
    split: np.ndarray
    tracks: tuple[TrackInfo, ...]
    targets: np.ndarray
    letters: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    cells: tuple[str, ...] = ()
    atac: np.ndarray | None = None
    read: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray | None]] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.windows)

    def rows(self, side: str) -> np.ndarray:
        """Numbers of the windows of a side, (k,) int64."""
        return np.flatnonzero(self.split == side)

    @cached_property
    def assays(self) -> tuple[str, ...]:
        """Assays in order of their first track: the tracks of a model that is told of cells."""
        return tuple(dict.fromkeys(track.assay for track in self.tracks))

    @cached_property
    def track_of(self) -> dict[tuple[str | None, str], int]:
        """(cell, assay) -> row of ``targets``."""
        return {(track.cell, track.assay): i for i, track in enumerate(self.tracks)}

    def cells_of(self, side: str) -> list[str]:
        """Cells of a side that have a track, in order."""
        return list(dict.fromkeys(track.cell for track in self.tracks if track.cell and track.side == side))

    @cached_property
    def averaged(self) -> list[str]:
        """Cells whose mean is the average: those that train, and those that are there for it alone."""
        return [*self.cells_of("train"), *self.cells_of("reference")]

    def of_cells(self, assay: str, cells: Sequence[str]) -> np.ndarray:
        """(cells, n, bins) targets of an assay; NaN for a cell that lacks it."""
        known = [self.track_of.get((cell, assay)) for cell in cells]
        empty = np.full(self.targets.shape[1:], np.nan, np.float32)
        return np.stack([empty if row is None else self.targets[row] for row in known])

    def middle(self) -> np.ndarray:
        """(n,) int64: base in the middle of each window's bins."""
        return self.windows.start + self.geometry.offset + self.geometry.span // 2


def head_names(config: FinetuneConfig) -> list[str]:
    """Heads in order: those of ``heads``, else ``main``.

    Raises:
        UsageError: a target names a head that there is not, or a head has no target.
    """
    named = [head.name for head in config.heads] or ["main"]
    asked = dict.fromkeys(target.head for target in config.targets)
    if unknown := [name for name in asked if name not in named]:
        raise UsageError(
            f"targets name the head {unknown[0]!r}, which `heads` lacks",
            f"heads are {', '.join(named)}",
            "Fix: correct `head:` of the target, or add it to `heads`",
        )
    if idle := [name for name in named if name not in asked]:
        raise UsageError(
            f"the head {idle[0]!r} has no target", "", f"Fix: give a target `head: {idle[0]}`, or remove the head"
        )
    return named


def prepare(config: FinetuneConfig, base: Sees, *, head: str = "main", report: Report | None = None) -> Prepared:
    """Read, check and bin what one head is trained on, or find the set that was prepared before.

    Raises:
        UsageError, InputError: see the modules that read, lay and split. SystemStateError: the disk is full.
    """
    return _Preparation(config, base, head, report or (lambda text: None)).run()


class _Preparation:
    """The steps of ``prepare``, which share what they opened."""

    def __init__(self, config: FinetuneConfig, base: Sees, head: str, report: Report) -> None:
        own = next((one for one in config.heads if one.name == head), HeadConfig(name=head))
        self.config, self.base, self.head, self.report = config, base, head, report
        self.regions: RegionsConfig = own.regions or config.regions
        self.split: SplitConfig = own.split or config.split
        self.targets = tuple(target for target in config.targets if target.head == head)
        self.genome = _open_genome(genome_of(config, base, head))
        self.notes: list[str] = []
        if own.genome is None and (note := _check_assembly(base, self.genome)):
            self.notes.append(note)
        self.moved = config.augment.shift + config.augment.flank
        self.sides = _sides(self.targets, self.split)
        # A cell that `split.cells.train` leaves out is of no side, and not read.
        self.targets = tuple(target for target, side in zip(self.targets, self.sides, strict=True) if side)
        self.sides = [side for side in self.sides if side]
        self.geometry = _geometry(self.targets, base)
        self.transforms = [parse_transform(t.transform, f"target {t.name!r}") for t in self.targets]
        self.sources = [source_of(target, config.train.seed) for target in self.targets]
        self.opened = [self._opened(source) for source in self.sources]
        self.cells, self.cell_sources = _cell_sources(config)
        self.cell_tracks = [self._opened(source) for source in self.cell_sources]

    def _opened(self, source: TrackSource) -> Track:
        track = open_track(source, self.genome.sizes)
        self.notes += track.notes
        return track

    # ------------------------------------------------------------ in order

    def run(self) -> Prepared:
        key = self._key()
        folder = cache_folder() / "prepared" / key
        if (folder / "facts.json").is_file():
            self.report(f"the prepared set {folder} is used")
            return self._open(folder, key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with hold_lock(folder.with_name(f"{key}.lock"), self._waits):
            if not (folder / "facts.json").is_file():  # another run may have made it meanwhile
                self._make(folder)
        return self._open(folder, key)

    def _waits(self, holder: str) -> None:
        self.report(f"{holder} prepares the same set: waiting")

    def _key(self) -> str:
        config = self.config
        described = {
            "layout": LAYOUT,
            "genome": sha256_of(self.genome.path),
            "geometry": asdict(self.geometry),
            "tracks": [track.fingerprint() for track in (*self.opened, *self.cell_tracks)],
            "targets": [target.model_dump(exclude={"files"}) for target in self.targets],
            "regions": self.regions.model_dump(exclude={"files", "blacklist", "mappability"}),
            "files": [sha256_of(Path(name)) for name in _files_of(self.regions)],
            "split": self.split.model_dump(),
            "cell": config.cell.model_dump(exclude={"tracks"}),
            "cells": self.cells,
            "shift": self.moved,
            "trained_on": self.base.trained_on,
            "seed": config.train.seed,
        }
        text = json.dumps(described, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def _make(self, folder: Path) -> None:
        windows, counts = choose_windows(
            self.regions, self.geometry, self.genome, self.config.train.seed, self._mean_target, self.moved
        )
        split = split_windows(windows, self.split, self.geometry, self.moved, self.genome.sizes)
        counts = dict(counts) | {"on no side of the split": int((split == "").sum())}
        windows, split = windows.take(split != ""), split[split != ""]
        windows, split, dropped = self._checked(windows, split)
        counts |= {"near-duplicates left out": dropped} if dropped else {}
        self.notes += self._unknown_bases(windows)
        shape = (len(self.targets), len(windows), self.geometry.n_bins)
        with replacing_folder(folder) as made:
            made.mkdir()
            require_room(made, 4 * int(np.prod(shape)) + 4 * len(self.cells) * shape[1] * shape[2])
            np.savez(
                made / "windows.npz",
                chrom=windows.chrom.astype(str),
                start=windows.start,
                kind=windows.kind,
                split=split,
            )
            depths = self._write_targets(made, windows, split, shape)
            if self.cell_tracks:
                self._write_atac(made, windows, (len(self.cells), *shape[1:]))
            facts = {
                "tracks": [asdict(info) for info in self._infos(depths)],
                "geometry": asdict(self.geometry),
                "cells": list(self.cells),
                "counts": counts,
                "windows": {side: int((split == side).sum()) for side in ("train", "validation", "test")},
                "files": {track.name: track.fingerprint() for track in (*self.opened, *self.cell_tracks)},
                "notes": self.notes,
            }
            (made / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    def _checked(self, windows: Windows, split: np.ndarray) -> tuple[Windows, np.ndarray, int]:
        """Windows without the near-duplicates that are left out, once nothing of training is known to the test side."""
        check_overlap(windows, split, self.geometry, self.moved)
        split, dropped = check_duplicates(self.genome, windows, split, self.geometry, self.split)
        windows, split = windows.take(split != ""), split[split != ""]
        note = check_base(
            windows,
            split,
            self.base.trained_on,
            self.split,
            base=Path(self.base.name).name,
            held_out=_held_out(self.base),
        )
        if note:
            self.notes.append(note)
        return windows, split, dropped

    def _unknown_bases(self, windows: Windows) -> list[str]:
        """What the user should know of the letters of the windows that are kept (``most_n`` left others out)."""
        counts, length = UnknownBases(), self.geometry.length
        numbers = self.genome.numbers(windows.chrom)
        at_once = max(1, LETTERS_AT_ONCE // length)
        for first in range(0, len(windows), at_once):
            rows = slice(first, first + at_once)
            met = letters_met(self.genome.gather(numbers[rows], windows.start[rows], length))
            if met is not None:
                counts.add(met)
                whole = (first + met.whole).tolist()
                counts.name([f"{windows.chrom[i]}:{windows.start[i]}-{windows.start[i] + length}" for i in whole])
        return unknown_notes(counts, len(windows), len(windows) * length)

    def _mean_target(self, windows: Windows) -> np.ndarray:
        """(n,) mean over training tracks and bins: what ``choose: covered`` compares with its threshold."""
        training = [track for track, side in zip(self.opened, self.sides, strict=True) if side == "train"]
        total = np.zeros(len(windows))
        for track in training:
            for rows in _blocks(len(windows)):
                values = self._raw(track, windows.chrom[rows], windows.start[rows])
                with np.errstate(invalid="ignore"):
                    total[rows] += np.nan_to_num(
                        np.nanmean(np.where(np.isnan(values).all(1)[:, None], 0, values), axis=1)
                    )
        return total / max(len(training), 1)

    def _raw(self, track: Track, chrom: np.ndarray, start: np.ndarray) -> np.ndarray:
        return track.read(chrom, start + self.geometry.offset, self.geometry.n_bins, self.geometry.bin_size)

    def _write_targets(self, made: Path, windows: Windows, split: np.ndarray, shape: tuple[int, ...]) -> list[float]:
        """Fill ``targets.npy`` a track at a time; what each was divided by."""
        values = np.lib.format.open_memmap(made / "targets.npy", "w+", np.float32, shape)
        train = np.flatnonzero(split == "train")
        depths = []
        for i, (target, track) in enumerate(zip(self.targets, self.opened, strict=True)):
            for rows in _blocks(len(windows)):
                values[i, rows] = self._raw(track, windows.chrom[rows], windows.start[rows])
            self.notes += check_track(target.name, values[i], windows.chrom)
            check_sides(target.name, values[i], split, trains=self.sides[i] == "train")
            depths.append(self._depth(target, values[i], train, self.sides[i]))
            for rows in _blocks(len(windows)):
                values[i, rows] = self.transforms[i].forward(values[i, rows] / np.float32(depths[i]))
            self.report(f"{target.name}: {counted(len(windows), 'window')} read")
        values.flush()
        return depths

    def _depth(self, target: TargetConfig, values: np.ndarray, train: np.ndarray, side: str) -> float:
        """A validation or test cell's own depth is measured on the training chromosomes too: nothing of it trains."""
        return background_depth(values[train], f"target {target.name}") if target.depth.background else 1.0

    def _write_atac(self, made: Path, windows: Windows, shape: tuple[int, ...]) -> None:
        values = np.lib.format.open_memmap(made / "atac.npy", "w+", np.float32, shape)
        transform = parse_transform(self.config.cell.transform, "cell.transform")
        for i, track in enumerate(self.cell_tracks):
            for rows in _blocks(len(windows)):
                values[i, rows] = transform.forward(self._raw(track, windows.chrom[rows], windows.start[rows]))
            self.notes += check_track(f"cell.tracks.{self.cells[i]}", values[i], windows.chrom)
        values.flush()

    def _infos(self, depths: list[float]) -> list[TrackInfo]:
        partners = partners_of(self.targets) if any(t.strand or t.partner for t in self.targets) else None
        return [
            TrackInfo(
                target.name,
                target.cell,
                target.assay or (target.name if target.cell is None else "signal"),
                side,
                target.weight,
                None if partners is None or partners[i] == i else int(partners[i]),
                tuple(target.transform),
                depth,
                target.reduce,
            )
            for i, (target, side, depth) in enumerate(zip(self.targets, self.sides, depths, strict=True))
        ]

    def _open(self, folder: Path, key: str) -> Prepared:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        stored = np.load(folder / "windows.npz")
        windows = Windows(stored["chrom"].astype(object), stored["start"], stored["kind"])
        infos = tuple(TrackInfo(**{**info, "transform": tuple(info["transform"])}) for info in facts["tracks"])
        for note in facts["notes"]:
            self.report(note)
        numbers = self.genome.numbers(windows.chrom)

        def letters(rows: np.ndarray, shift: np.ndarray) -> np.ndarray:
            return self.genome.gather(numbers[rows], windows.start[rows] + shift, self.geometry.length)

        def read(rows: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
            chrom, start = windows.chrom[rows], windows.start[rows] + shift
            targets = [
                transform.forward(self._raw(track, chrom, start) / np.float32(info.depth))
                for track, transform, info in zip(self.opened, self.transforms, infos, strict=True)
            ]
            cell = parse_transform(self.config.cell.transform, "cell.transform")
            atac = [cell.forward(self._raw(track, chrom, start)) for track in self.cell_tracks]
            return np.stack(targets), np.stack(atac) if atac else None

        return Prepared(
            head=self.head,
            geometry=self.geometry,
            windows=windows,
            split=stored["split"],
            tracks=infos,
            targets=np.load(folder / "targets.npy", mmap_mode="r"),
            letters=letters,
            cells=self.cells,
            atac=np.load(folder / "atac.npy", mmap_mode="r") if self.cells else None,
            read=read,
            facts=facts | {"hash": key},
            folder=folder,
        )


def _blocks(n: int) -> Iterator[slice]:
    return (slice(first, min(first + ROWS, n)) for first in range(0, n, ROWS))


def genome_of(config: FinetuneConfig, base: Sees, head: str) -> Path:
    """The FASTA of a head: its own, that of the run, or that of the assembly on the base's card.

    Raises:
        UsageError: none was named, and none of that assembly is here.
    """
    from zoo.run.job import default_genome

    own = next((one.genome for one in config.heads if one.name == head), None)
    given = own or config.genome
    return Path(given) if given else default_genome(base.card, base.name, "`genome: {}.fa`")


def _open_genome(path: Path) -> Genome:
    try:
        return open_genome(path)
    except InputError as error:
        raise _in_our_words(error) from None


def _check_assembly(base: Sees, genome: Genome) -> str | None:
    """A note on the genome of the base's card.

    Raises:
        InputError: the FASTA is of another assembly.
    """
    try:
        return check_assembly(base.card, genome)
    except InputError as error:
        raise _in_our_words(error) from None


#: Options of commands that take a genome, and the keys of a run that are in their place.
OPTIONS = {
    "with -g": "as `genome`",
    "or --any-genome": "or name it as a head's own, `heads: [{name: main, genome: FASTA}]`,",
}


def _in_our_words(error: InputError) -> InputError:
    fix = error.fix
    for option, key in OPTIONS.items():
        fix = fix.replace(option, key)
    return InputError(error.what, error.extent, fix)


def _geometry(targets: Sequence[TargetConfig], base: Sees) -> Geometry:
    """Bins of the target within the base's positions.

    Raises:
        UsageError: targets of one head with unlike bins, or bins that the base's do not fill.
    """
    bins = {target.bin or base.bin_size for target in targets}
    if len(bins) > 1:
        raise UsageError(
            f"targets of one head have bins of {', '.join(map(str, sorted(bins)))} bp",
            f"{len(targets)} targets",
            "Fix: give them the same `bin:`, or a head each",
        )
    bin_size, own, span = bins.pop(), base.bin_size, base.bin_size * base.positions
    where = f"target {targets[0].name!r}" + (f" and {len(targets) - 1} more" if targets[1:] else "")
    if base.positions == 1:  # a scalar: one bin, around the middle of the window
        if bin_size > base.length or (base.length - bin_size) % 2:
            raise UsageError(
                f"{where}: bin {bin_size} is not centred in the {base.length:,} bp that {base.name} sees",
                "the base gives one number a window",
                f"Fix: bin: {base.length}, or less by an even number",
            )
        return Geometry(base.length, (base.length - bin_size) // 2, bin_size, 1)
    if bin_size % own or span % bin_size:
        fitting = [own * k for k in range(1, base.positions + 1) if base.positions % k == 0]
        raise UsageError(
            f"{where}: bin {bin_size} does not divide what {base.name} predicts",
            f"{counted(base.positions, 'position')} of {own} bp, {span:,} bp in all",
            f"Fix: bin: one of {', '.join(map(str, fitting[:8]))}",
        )
    return Geometry(base.length, base.offset, bin_size, span // bin_size)


def _sides(targets: Sequence[TargetConfig], split: SplitConfig) -> list[str]:
    """Of each target's cell."""
    cells = list(dict.fromkeys(target.cell for target in targets if target.cell))
    side = split_cells(cells, split.cells) if cells else {}
    if split.cells is not None and not cells:
        raise UsageError("`split.cells` is given, and no target names its cell", "", "Fix: add `cell:` to the targets")
    return [side[target.cell] if target.cell else "train" for target in targets]


def _cell_sources(config: FinetuneConfig) -> tuple[tuple[str, ...], list[TrackSource]]:
    """The tracks that the model is told of cells by: one a cell that has a target.

    Raises:
        UsageError: a cell has none, or is told where nothing is asked.
    """
    if config.cell.input == "none":
        if config.cell.tracks:
            raise UsageError("`cell.tracks` is given, and `cell.input` is none", "", "Fix: cell.input: atac")
        return (), []
    cells = tuple(dict.fromkeys(target.cell for target in config.targets if target.cell))
    if not cells:
        raise UsageError(
            "`cell.input: atac` needs cells, and no target names one", "", "Fix: add `cell:` to the targets"
        )
    if lacking := [cell for cell in cells if cell not in config.cell.tracks]:
        raise UsageError(
            f"the cell {lacking[0]!r} has targets and no track in `cell.tracks`",
            counted_of(len(lacking), len(cells), "cell"),
            f"Fix: cell.tracks: {{{lacking[0]}: FILE}}",
        )
    if surplus := [cell for cell in config.cell.tracks if cell not in cells]:
        raise UsageError(
            f"`cell.tracks.{surplus[0]}`: no target has the cell {surplus[0]!r}",
            f"{counted_of(len(surplus), len(config.cell.tracks), 'cell')} with tracks",
            f"Fix: write {' or '.join(near_names(surplus[0], cells) or cells[:3])}, or leave it out",
        )
    told = {"read": config.cell.read, "missing": config.cell.missing}
    return cells, [
        source_of(TargetConfig(name=f"cell.tracks.{cell}", files=config.cell.tracks[cell], **told)) for cell in cells
    ]


def _held_out(base: Sees) -> tuple[str, ...]:
    """Chromosomes that the base's card names for test."""
    splits = base.card.training.splits if base.card is not None else None
    return tuple(splits.test) if splits is not None and isinstance(splits.test, list) else ()


def _files_of(regions: RegionsConfig) -> list[str]:
    return [*regions.files, *regions.blacklist, *([regions.mappability] if regions.mappability else [])]
