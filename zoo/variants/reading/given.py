"""Variants that are not in a file: text such as ``chr7:1000:A>G``, a frame, or tuples, as the lines of a file.

Positions count from 1, as in a VCF.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zoo.errors import InputError, UsageError
from zoo.extras import is_a
from zoo.variants.reading.header import FIXED

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["Variants", "given_lines", "is_variant_text", "like_a_variant", "no_variant"]

#: What stands for variants wherever a path may stand.
Variants: TypeAlias = "str | Path | Sequence[str] | pd.DataFrame | pl.DataFrame | Iterable[Sequence[Any]]"

COLUMNS = ("chrom", "pos", "ref", "alt")

_ALT = r"(?:<[^,<>\s]+>|[^,:<>\s]+)"
_ONE = (
    r"(?P<chrom>[^,\s]+?):(?P<pos>\d{1,3}(?:,\d{3})+|\d+):(?P<ref>[^,:<>\s]+)>"
    rf"(?P<alt>{_ALT}(?:,{_ALT}(?=,|$))*)"
)
_ONE_TEXT = re.compile(_ONE)
_BARE = re.sub("[?]P<[a-z]+>", "?:", _ONE)
_TEXT = re.compile(f"{_BARE}(?:,{_BARE})*")


def is_variant_text(source: object) -> bool:
    """Whether a source is the text of variants (``chr7:1000:A>G``, several separated by commas) and no file's name."""
    return isinstance(source, str) and _TEXT.fullmatch(source) is not None and not Path(source).exists()


#: Without its `>`: what is left of a variant that a shell was given without quotes.
_CUT = re.compile(r"[\w.]+:(?:g\.)?[\d,]+:?[ACGTNacgtn]+")
#: chr7-1000-A-G, 7:1000:A:G, chr7_1000_A/G, chr7:g.1000A>G and the like.
_OTHER = re.compile(
    r"(?P<chrom>[\w.]+)[:\-_ ](?:g\.)?(?P<pos>[\d,]+)[:\-_ ]?(?P<ref>[ACGTNacgtn]*)[>:\-_/ ](?P<alt>[ACGTNacgtn]*)"
)


def like_a_variant(text: str) -> bool:
    """Whether a variant may be meant in another notation (``chr7-1000-A-G``, ``chr7:1000A>G``, ``7:1000:A:G``)."""
    return ">" in text or any(form.fullmatch(text) for form in (re.compile(r"rs\d+"), _OTHER, _CUT))


def no_variant(text: str) -> UsageError:
    """The error of a text that is neither a file nor a variant."""
    why, fix = (
        "",
        "write 'chr7:1000:A>G' (chromosome, position from 1, REF, ALT) in quotes; several: separated by commas",
    )
    if re.fullmatch(r"rs\d+", text):
        why = "a number of dbSNP names neither a place of an assembly nor alleles"
    elif _CUT.fullmatch(text):
        why = "without quotes a shell takes > and what follows for a file to write to"
    elif (meant := _OTHER.fullmatch(text)) and meant["ref"] and meant["alt"]:
        one = f"'{meant['chrom']}:{meant['pos']}:{meant['ref']}>{meant['alt']}'"
        fix = f"{one}, if that is meant: chromosome, position from 1, REF, ALT, in quotes; several: separated by commas"
    return UsageError(f"{text}: neither a file, nor a variant as it is written here", why, f"Fix: {fix}")


def given_lines(source: Any) -> list[str]:
    """Variants as lines: of a VCF for text, of a table for frames and tuples.

    Args:
        source: text, or a list of texts; a frame whose columns name chrom, pos, ref and alt, others may follow; or
            tuples of chrom, pos, ref, alt.

    Raises:
        UsageError: it is none of these. InputError: a value holds a tab or a line break.
    """
    if is_a(source, "pandas", "DataFrame") or is_a(source, "polars", "DataFrame"):
        columns = [source[name].to_list() for name in source.columns]
        return _table([str(name) for name in source.columns], zip(*columns, strict=True))
    if not isinstance(source, Iterable):
        raise UsageError(
            f"{type(source).__name__} where variants are expected",
            "",
            "Fix: a path, text such as 'chr7:1000:A>G', a frame with chrom, pos, ref, alt, or a list of such tuples",
        )
    items = [source] if isinstance(source, str) else list(source)
    if items and all(isinstance(one, tuple | list) and len(one) == len(COLUMNS) for one in items):
        return _table(COLUMNS, items)
    rows = []
    for text in items:
        if not isinstance(text, str) or not _TEXT.fullmatch(text):
            raise no_variant(str(text))
        for one in _ONE_TEXT.finditer(text):
            pos = one["pos"].replace(",", "")
            rows.append("\t".join([one["chrom"], pos, ".", one["ref"], one["alt"], ".", ".", "."]))
    return ["##fileformat=VCFv4.2", "\t".join(FIXED), *rows]


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = ["\t".join(names)]
    for number, row in enumerate(rows, 1):
        texts = ["" if _is_missing(value) else str(value) for value in row]
        if any("\t" in text or "\n" in text or "\r" in text for text in texts):
            wrong = next(text for text in texts if any(one in text for one in "\t\n\r"))
            raise InputError(
                f"<table>, row {number}: {wrong[:40]!r} holds a tab or a line break",
                "",
                "Fix: leave these out, or leave the column out",
            )
        lines.append("\t".join(texts))
    return lines


def _is_missing(value: Any) -> bool:
    """What stands for no value: None, NaN, and the NA of pandas, none of which are letters of an allele."""
    if isinstance(value, Real):
        return bool(value != value)
    pandas = sys.modules.get("pandas")
    return value is None or (pandas is not None and (value is pandas.NA or value is pandas.NaT))
