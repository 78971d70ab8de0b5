"""The genotype of a sample: GT and PS of a row of a VCF, as they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zoo.variants.alleles.allele import Record

__all__ = ["Genotype", "genotype"]

SAMPLES = 8
_GT = re.compile(r"[/|]?(\d+|\.)([/|](\d+|\.))*")


@dataclass(frozen=True, slots=True)
class Genotype:
    """What a sample has at a row.

    Attributes:
        alleles: 0 is REF, 1 the first ALT; None where it is not known. As many as the sample has copies.
        phased: whether their order is that of the chromosomes' copies: ``|`` stands between all, or there is one.
        phase_set: PS: phased rows of one set belong together; None where the row names none.
    """

    alleles: tuple[int | None, ...]
    phased: bool
    phase_set: str | None


def genotype(record: Record, sample: int) -> Genotype | None:
    """GT and PS of a sample.

    Args:
        record: of a VCF or BCF.
        sample: which one, from 0, as in ``VariantFile.header.samples``.

    Returns:
        None where the row has no GT, or one that cannot be read.
    """
    if len(record.columns) <= SAMPLES:
        return None
    keys, *samples = record.columns[SAMPLES].split("\t", sample + 2)
    values = dict(zip(keys.split(":"), samples[sample].split(":"), strict=False)) if len(samples) > sample else {}
    text = values.get("GT", "")
    if not _GT.fullmatch(text):
        return None
    bare = text.lstrip("/|")
    alleles = tuple(None if one == "." else int(one) for one in re.split(r"[/|]", bare))
    # VCF 4.4 may write the phase of the first allele in front of it.
    phased = "/" not in text
    phase_set = values.get("PS", ".")
    return Genotype(alleles, phased, None if phase_set in (".", "") else phase_set)
