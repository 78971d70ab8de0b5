"""Scores of variants to files: one module a format, chosen by the suffix of the result."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.extras import require
from zoo.words import did_you_mean

if TYPE_CHECKING:
    from zoo.variants.writers.table import VariantContext
    from zoo.writers.base import Writer

__all__ = ["FORMATS", "check_format", "format_of", "open_writer"]

#: Suffix -> module, class, arguments, and the package that must be installed.
FORMATS: dict[str, tuple[str, str, Mapping[str, Any], str | None]] = {
    ".vcf": ("vcf", "VcfWriter", {}, None),
    ".vcf.gz": ("vcf", "VcfWriter", {"compressed": True}, None),
    ".bcf": ("bcf", "BcfWriter", {}, None),
    ".tsv": ("tsv", "TsvWriter", {}, None),
    ".tsv.gz": ("tsv", "TsvWriter", {"compressed": True}, None),
    ".parquet": ("parquet", "ParquetWriter", {}, "pyarrow"),
    ".h5": ("hdf5", "Hdf5Writer", {}, "h5py"),
}


def format_of(out: str | Path, fmt: str | None = None) -> str:
    """The key of ``FORMATS``.

    Args:
        out: the result; ``-`` is a TSV, or a VCF if ``fmt`` says so.
        fmt: a suffix, with or without the dot; None takes that of ``out``.

    Raises:
        UsageError: no such format, or one that standard output cannot take.
    """
    if str(out) == "-":
        chosen = f".{(fmt or 'tsv').lower().lstrip('.')}"
        if chosen not in (".tsv", ".vcf"):
            raise UsageError(
                f"format {fmt!r} cannot be written to standard output", "formats for '-': tsv, vcf", "Fix: add -o OUT"
            )
        return chosen
    name = Path(out).name.lower() if fmt is None else f"x.{fmt.lower().lstrip('.')}"
    known = [suffix for suffix in FORMATS if name.endswith(suffix) and len(name) > len(suffix)]
    if known:
        return max(known, key=len)
    given = Path(out).name if fmt is None else fmt
    raise UsageError(
        f"the format of {given!r} is not known",
        did_you_mean(Path(name).suffix, FORMATS, n=1) or f"formats: {' '.join(FORMATS)}",
        f"Fix: give OUT one of these suffixes: {' '.join(FORMATS)}",
    )


def check_format(out: str | Path, fmt: str | None = None) -> str:
    """``format_of``, and whether what writes it is installed.

    Raises:
        SystemStateError: it is not.
    """
    chosen = format_of(out, fmt)
    if package := FORMATS[chosen][3]:
        require(f"writing {chosen}", package)
    return chosen


def open_writer(context: VariantContext, fmt: str | None = None) -> Writer:
    """The writer for ``context.out``, not yet opened."""
    module, name, options, _ = FORMATS[check_format(context.out, fmt)]
    return getattr(importlib.import_module(f"zoo.variants.writers.{module}"), name)(context, **options)
