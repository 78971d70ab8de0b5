"""bigWig to bases (Kent et al. 2010, doi:10.1093/bioinformatics/btq351), through figwig.

figwig reads many windows in one call in about half of pyBigWig's time, and refuses a damaged block, where pyBigWig
prints a line and gives NaN.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping

import numpy as np

from finetune.data.naming import check_lengths, check_names
from finetune.data.sources import TrackSource
from zoo.errors import InputError
from zoo.extras import needs

__all__ = ["BigWigBases"]

#: One array a thread, used by all tracks in turn: new pages for each read would cost a sixth of its time.
_SCRATCH = threading.local()


def _scratch(n: int, width: int) -> np.ndarray:
    """(n, width) float32 of any content, until the next call."""
    kept = getattr(_SCRATCH, "array", None)
    if kept is None or kept.size < n * width:
        kept = _SCRATCH.array = np.empty(n * width, dtype=np.float32)
    return kept[: n * width].reshape(n, width)


class BigWigBases:
    """The mean of one bigWig or several.

    A base that one of them does not measure is missing: a mean over fewer replicates would change its level in silence.

    Attributes:
        chroms: names that every file has. notes: what a user should know.
    """

    def __init__(self, source: TrackSource, sizes: Mapping[str, int]) -> None:
        self._source = source
        self._readers = []
        for path in source.files:
            with needs("figwig", "reading a bigWig"):
                from figwig import BigWigReader
            try:
                reader = BigWigReader(str(path))
            except (ValueError, OSError) as error:
                raise self._damaged(path, error) from None
            check_names(reader.chrom_sizes, sizes, source.name, path, "bigwig")
            check_lengths(reader.chrom_sizes, sizes, source.name, path)
            self._readers.append(reader)
        self.chroms = frozenset.intersection(*(frozenset(reader.chrom_sizes) for reader in self._readers))
        self.notes: tuple[str, ...] = ()

    def bases(self, chrom: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
        """(n, width) float32 of windows [start, start + width), start >= 0; NaN where not measured.

        The array is the next call's as well: reduce it before.
        """
        zero = self._source.missing == "zero"
        total: np.ndarray | None = None
        for path, reader in zip(self._source.files, self._readers, strict=True):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of chromosomes that the file lacks: those are checked
                    found = reader.read(
                        chrom.astype(str),
                        start,
                        width,
                        out=_scratch(len(start), width) if total is None else None,
                        n_jobs=1,
                        missing=0.0 if zero else np.nan,
                        keep_nan=True,
                    )
            except (ValueError, OSError) as error:
                raise self._damaged(path, error) from None
            total = found if total is None else np.add(total, found, out=total)
        if len(self._readers) > 1:
            total /= np.float32(len(self._readers))
        return total

    def close(self) -> None:
        """Nothing is held open between reads."""
        self._readers = []

    def _damaged(self, path: object, error: Exception) -> InputError:
        told = (str(error).splitlines() or [repr(error)])[0][:200]
        return InputError(
            f"track {self._source.name}: {path} cannot be read: {told}",
            "the bigWig is truncated or damaged",
            "Fix: fetch or make the file again",
        )
