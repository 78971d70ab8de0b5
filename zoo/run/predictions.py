"""Predictions in memory: what ``zoo.predict`` returns where no OUT is given, and the tables and arrays made of them.

Rows are windows, in the order of the regions; skipped windows have none. Values stay in the model's orientation, as in
TSV, HDF5, Zarr and Parquet: for a ``reverse`` row bin 0 is the one with the highest coordinate. Where each bin lies on
the genome stands beside them in ``to_xarray``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError
from zoo.extras import needs
from zoo.notebook import card_html
from zoo.outputs import OutputSpec, PredictionBatch, annotations, first_of
from zoo.words import counted, near_names
from zoo.writers.base import WriterContext
from zoo.writers.text import ROW, flat_values, value_names

if TYPE_CHECKING:
    import anndata
    import pandas
    import xarray

    from zoo.cards.schema import Card

__all__ = ["Predictions", "bin_starts"]

SHOWN = 5  # rows and outputs of a card
#: What ``to_xarray`` calls the columns of the rows.
COORDINATES = (*ROW, "reverse", "region")


@dataclass(frozen=True, repr=False)
class Predictions(PredictionBatch):
    """A ``PredictionBatch`` that knows its model and outputs.

    Attributes:
        outputs: of ``values``, in order.
        model: name of the model. version: of its card; None where it has none.
        model_assembly: the genome that the model was trained on, by its card; None where that says nothing.
        counts: what was met: padded and skipped windows, unknown bases, values that are not finite ...
        notes: sentences that the user should read.
        seconds: wall-clock time of the run.
    """

    outputs: tuple[OutputSpec, ...]
    model: str
    version: str | None = None
    model_assembly: str | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(
        cls, batch: PredictionBatch, outputs: Sequence[OutputSpec], model: str, card: Card | None, **facts: Any
    ) -> Predictions:
        """A batch, with what is known of its model."""
        columns = {f.name: getattr(batch, f.name) for f in dataclasses.fields(PredictionBatch)}
        assembly = card.genome.assembly if card and card.genome else None
        return cls(
            **columns,
            outputs=tuple(outputs),
            model=model,
            version=card and card.version,
            model_assembly=assembly,
            **facts,
        )

    # ------------------------------------------------------------ tables and arrays

    def to_pandas(self, output: str | None = None) -> pandas.DataFrame:
        """A row a window, with the columns of the TSV.

        Args:
            output: of this output alone, as with ``tracks=["OUTPUT/*"]``; default all, each name then begins with
                its output's where there are several.

        Returns:
            ``chrom start end name score strand window_start window_end``, then every value (float32): a scalar has a
            column, a profile ``<track>/0``, ``<track>/1`` ... in the model's orientation. ``score`` is numbers where
            all of them are, else text.

        Raises:
            UsageError: no output of that name. SystemStateError: pandas is not installed.
        """
        with needs("pandas", "to_pandas()"):
            import pandas as pd
        chosen = self._chosen(output)
        rows = pd.DataFrame({name: _column(self, name) for name in ROW})
        values = pd.DataFrame(flat_values(self, chosen), columns=value_names(_context(chosen)))
        return pd.concat([rows, values], axis=1)

    def to_anndata(self, output: str | None = None) -> anndata.AnnData:
        """Windows as observations, values as variables, as gReLU lays out predictions: regions in obs, tracks in var.

        Args:
            output: of this output alone; default all, side by side.

        Returns:
            ``X`` is float32 (windows, values), in the order of the columns of ``to_pandas``, which name ``var``.
            ``obs``: chrom, start, end, name, score, strand of each region, window_start and window_end of what the
            model saw (bp, 0-based half-open), whether it was the reverse complement, and the region's number.
            ``var``: output, track, units; of a profile bin and bin_offset, bp from the beginning of the window as
            the model reads it to the bin's first base (-1 in rows of scalars, or where that is not known).

        Raises:
            UsageError: no output of that name. SystemStateError: anndata is not installed.
        """
        with needs("anndata", "to_anndata()"):
            import anndata
            import pandas as pd
        chosen = self._chosen(output)
        obs = pd.DataFrame({name: _column(self, name) for name in COORDINATES}, index=_row_names(self))
        var = pd.DataFrame(_variables(chosen), index=value_names(_context(chosen)))
        facts = {name: value for name, value in self._facts().items() if value is not None}
        return anndata.AnnData(np.ascontiguousarray(flat_values(self, chosen)), obs=obs, var=var, uns={"seqzoo": facts})

    def to_xarray(self, output: str | None = None) -> xarray.Dataset:
        """A variable an output, of the dimensions window, track and, for a profile, bin.

        Args:
            output: of this output alone; default all. Of several each has dimensions of its own: track_<output>
                and bin_<output>.

        Returns:
            Coordinates of ``window``: chrom, start, end, name, score, strand of the region, window_start, window_end,
            reverse, region. Of ``track``: names. Of ``bin``: bp from the beginning of the window, as the model reads
            it, to the bin's first base; and ``bin_start`` (window, bin): its lowest coordinate on the genome, true
            for reversed windows too. Where nothing says where bins lie, ``bin`` is their number. Attributes of a
            variable: units, kind, and bin_size and offset in bp. An output that bears the name of a coordinate is
            called ``<name>_values``.

        Raises:
            UsageError: no output of that name. SystemStateError: xarray is not installed.
        """
        with needs("xarray", "to_xarray()"):
            import xarray as xr
        chosen = self._chosen(output)
        coords: dict[str, Any] = {name: ("window", _column(self, name)) for name in COORDINATES}
        for name in ("start", "end", "window_start", "window_end"):
            coords[name] = (*coords[name], {"units": "bp", "convention": "0-based half-open"})
        data: dict[str, Any] = {}
        for spec in chosen:
            suffix = f"_{spec.name}" if len(chosen) > 1 else ""
            coords |= _axes(self, spec, suffix)
            data[spec.name] = (_dimensions(spec, suffix), self.values[spec.name], annotations(spec))
        data = {f"{name}_values" if name in coords or name in _DIMENSIONS else name: one for name, one in data.items()}
        return xr.Dataset(data, coords, {name: value for name, value in self._facts().items() if value is not None})

    def _chosen(self, output: str | None) -> tuple[OutputSpec, ...]:
        if output is None:
            return self.outputs
        found = tuple(spec for spec in self.outputs if spec.name == output)
        if not found:
            names = [spec.name for spec in self.outputs]
            near = near_names(str(output), names) or names[:3]
            raise UsageError(
                f"{self.model}: no output {output!r} in these predictions",
                f"{counted(len(names), 'output')}: {first_of(names)}",
                f"Fix: one of {', '.join(near)}; or leave it out for all",
            )
        return found

    def _facts(self) -> dict[str, Any]:
        return {"model": self.model, "version": self.version, "model_assembly": self.model_assembly}

    # ------------------------------------------------------------ cards

    def _title(self) -> str:
        n, regions = len(self), len(np.unique(self.region))
        return (
            f"{counted(n, 'window')} of {counted(regions, 'region')} by {self.model}"
            f"{f' {self.version}' if self.version else ''}"
        )

    def __repr__(self) -> str:
        """Windows, outputs and what to do with them."""
        lines = [f"<Predictions: {self._title()}"]
        lines += [f"  values[{spec.name!r}] {(len(self), *spec.shape)}{_about(spec)}" for spec in self._some()]
        if len(self.outputs) > SHOWN:
            lines.append(f"  and {len(self.outputs) - SHOWN:,} more outputs")
        return "\n".join([*lines, f"  {HOW}>"])

    def _repr_html_(self) -> str:
        more = len(self.outputs) - SHOWN
        rows = [
            (f'values["{spec.name}"]', f"{(len(self), *spec.shape)}", first_of(spec.tracks), spec.units or "not given")
            for spec in self._some()
        ]
        if more > 0:
            rows.append((f"and {more:,} more outputs", "", "", ""))
        notes = [("note", one) for one in self.notes[:SHOWN]]
        return card_html(self._title(), "", notes, ("output", "shape", "tracks", "units"), rows, foot=HOW)

    def _some(self) -> tuple[OutputSpec, ...]:
        return self.outputs[:SHOWN]


HOW = ".to_pandas(), .to_anndata(), .to_xarray()"
_DIMENSIONS = ("window", "track", "bin", "bin_start")


def _about(spec: OutputSpec) -> str:
    return f": {first_of(spec.tracks)}{f'; {spec.units}' if spec.units else ''}"


def bin_starts(rows: PredictionBatch, spec: OutputSpec) -> np.ndarray:
    """(n, bins) int64: the lowest coordinate of each bin on the genome, in the order of the values.

    Of a ``reverse`` row the model reads the window from its end, so that bin 0 lies highest.
    """
    before = spec.offset + spec.bin_size * np.arange(spec.n_bins)
    forward = rows.window_start[:, None] + before
    backward = rows.window_end[:, None] - before - spec.bin_size
    return np.where(rows.reverse[:, None], backward, forward)


def _context(outputs: tuple[OutputSpec, ...]) -> WriterContext:
    """What names of columns are made of."""
    return WriterContext(Path("-"), outputs, None, "mean", {})


def _column(rows: PredictionBatch, name: str) -> np.ndarray:
    column = getattr(rows, name)
    if name == "score":
        return _numbers(column)
    return column.astype(object) if column.dtype.kind == "U" else column


def _numbers(texts: np.ndarray) -> np.ndarray:
    """Numbers where all texts are: integers if they are all that, else float64."""
    for kind in (np.int64, np.float64):
        try:
            return texts.astype(kind)
        except (ValueError, OverflowError):
            continue
    return texts


def _row_names(rows: PredictionBatch) -> list[str]:
    """``chrom:start-end`` of the region, with a number behind it where that repeats."""
    seen: dict[str, int] = {}
    names = []
    for chrom, start, end in zip(rows.chrom, rows.start.tolist(), rows.end.tolist(), strict=True):
        name = f"{chrom}:{start}-{end}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return names


def _variables(outputs: tuple[OutputSpec, ...]) -> dict[str, np.ndarray]:
    """Columns of ``var``, a row a value."""
    parts = []
    for spec in outputs:
        tracks, bins = len(spec.tracks), spec.n_bins if spec.kind == "profile" else 1
        number = np.tile(np.arange(bins), tracks) if spec.kind == "profile" else np.full(tracks, -1)
        known = spec.kind == "profile" and spec.placed
        row = {
            "output": np.full(tracks * bins, spec.name, dtype=object),
            "track": np.repeat(np.array(spec.tracks, dtype=object), bins),
            "units": np.full(tracks * bins, spec.units or "unknown", dtype=object),
            "bin": number,
            "bin_offset": spec.offset + number * spec.bin_size if known else np.full(tracks * bins, -1),
        }
        parts.append(row)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _dimensions(spec: OutputSpec, suffix: str) -> tuple[str, ...]:
    named = ("window", f"track{suffix}", f"bin{suffix}")
    return named if spec.kind == "profile" else named[:2]


def _axes(rows: PredictionBatch, spec: OutputSpec, suffix: str) -> dict[str, Any]:
    """Coordinates of an output's tracks and bins."""
    track, at = f"track{suffix}", f"bin{suffix}"
    found: dict[str, Any] = {track: (track, np.array(spec.tracks, dtype=object))}
    if spec.kind != "profile":
        return found
    if not spec.placed:
        return found | {at: (at, np.arange(spec.n_bins), {"long_name": "number of the bin"})}
    offsets = spec.offset + spec.bin_size * np.arange(spec.n_bins)
    found[at] = (at, offsets, {"units": "bp", "long_name": "from the beginning of the window, as the model reads it"})
    where = {"units": "bp", "long_name": "lowest coordinate of the bin on the genome", "convention": "0-based"}
    found[f"bin_start{suffix}"] = (("window", at), bin_starts(rows, spec), where)
    return found
