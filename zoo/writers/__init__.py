"""Predictions to files: one module a format, chosen by the suffix of the result.

``open_writer`` gives the `Writer` for a result; the loop then calls ``open``, ``write`` ...,
and ``finish`` (or ``suspend``, to go on later with ``--resume``).
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError
from zoo.extras import require
from zoo.words import did_you_mean
from zoo.writers.base import Writer, WriterContext
from zoo.writers.stream import LAYOUTS, StreamWriter, check_stream_format

if TYPE_CHECKING:
    from zoo.writers.hub_text import HubFacts

__all__ = [
    "FORMATS",
    "Format",
    "StreamWriter",
    "Writer",
    "WriterContext",
    "aggregates",
    "check_format",
    "open_hub",
    "open_writer",
    "store_of",
]


@dataclass(frozen=True)
class Format:
    """Where the writer of a suffix lives.

    Attributes:
        module, name: the class is ``zoo.writers.<module>.<name>``.
        package: what must be installed for it, imported only when the format is used.
        options: further arguments of the class.
    """

    module: str
    name: str
    package: str | None = None
    options: dict = field(default_factory=dict)


GZIP = {"compressed": True}
BIGWIG = Format("bigwig", "BigWigWriter")
HDF5 = Format("hdf5", "Hdf5Writer", "h5py")
HUB = Format("track_hub", "TrackHubWriter")
FORMATS: dict[str, Format] = {
    ".tsv": Format("tsv", "TsvWriter"),
    ".tsv.gz": Format("tsv", "TsvWriter", options=GZIP),
    ".bed": Format("bed", "BedWriter"),
    ".bed.gz": Format("bed", "BedWriter", options=GZIP),
    ".bedgraph": Format("bedgraph", "BedGraphWriter"),
    ".bedgraph.gz": Format("bedgraph", "BedGraphWriter", options=GZIP),
    ".bg": Format("bedgraph", "BedGraphWriter"),
    ".bg.gz": Format("bedgraph", "BedGraphWriter", options=GZIP),
    ".bw": BIGWIG,
    ".bigwig": BIGWIG,
    ".h5": HDF5,
    ".hdf5": HDF5,
    ".zarr": Format("zarr", "ZarrWriter", "zarr"),
    ".parquet": Format("parquet", "ParquetWriter", "pyarrow"),
}


def open_writer(context: WriterContext, fmt: str | None = None) -> Writer:
    """The writer for ``context.out``, not yet opened.

    Args:
        context: what the run writes, and where.
        fmt: a suffix of `FORMATS`, with or without the dot; None takes it from ``context.out``.

    Raises:
        UsageError: no such format.
        SystemStateError: the package that writes it is not installed.
    """
    chosen = _find(context.out.name, fmt)
    writer = getattr(importlib.import_module(f"zoo.writers.{chosen.module}"), chosen.name)
    return writer(context, **chosen.options)


def open_hub(context: WriterContext, facts: HubFacts) -> Writer:
    """The writer of a track hub in the folder ``context.out``, not yet opened."""
    return getattr(importlib.import_module(f"zoo.writers.{HUB.module}"), HUB.name)(context, facts)


def check_format(out: str, fmt: str | None = None) -> None:
    """Raise what ``open_writer`` would raise for this name and format, before a model is loaded."""
    if out == "-":
        check_stream_format(fmt or "tsv")
    else:
        _find(Path(out).name, fmt)


def store_of(out: str, fmt: str | None = None) -> tuple[str, str] | None:
    """``Writer.store`` of the format of this name, None for a format that is not known."""
    found = _class_of(out, fmt)
    return found and found.store


def aggregates(out: str, fmt: str | None = None) -> bool:
    """``Writer.aggregates`` of the format of this name; ``-`` is standard output."""
    found = LAYOUTS[check_stream_format(fmt or "tsv")] if out == "-" else _class_of(out, fmt)
    return bool(found and found.aggregates)


def _class_of(out: str, fmt: str | None) -> type[Writer] | None:
    suffix = _suffix_of(Path(out).name) if fmt is None else "." + fmt.lower().lstrip(".")
    if suffix not in FORMATS:
        return None
    return getattr(importlib.import_module(f"zoo.writers.{FORMATS[suffix].module}"), FORMATS[suffix].name)


def _find(name: str, fmt: str | None) -> Format:
    suffix = _suffix_of(name) if fmt is None else "." + fmt.lower().lstrip(".")
    if suffix not in FORMATS:
        raise _unknown(name if fmt is None else fmt, suffix)
    chosen = FORMATS[suffix]
    if chosen.package:
        require(f"writing {suffix}", chosen.package)
    return chosen


def _suffix_of(name: str) -> str:
    """The longest known suffix of a file name, else what follows its last dot (with .gz: the last two)."""
    lower = name.lower()
    known = [suffix for suffix in FORMATS if lower.endswith(suffix) and len(lower) > len(suffix)]
    if known:
        return max(known, key=len)
    parts = lower.split(".")
    kept = 2 if len(parts) > 2 and parts[-1] == "gz" else 1
    return "." + ".".join(parts[-kept:]) if len(parts) > 1 else ""


def _unknown(given: str, suffix: str) -> UsageError:
    return UsageError(
        f"the format of {given!r} is not known" if suffix else f"{given!r} has no suffix that names a format",
        f"formats: {' '.join(FORMATS)}",
        did_you_mean(suffix, FORMATS, n=1) or "give OUT one of these suffixes",
    )
