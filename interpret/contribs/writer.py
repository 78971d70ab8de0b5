"""The writer of a run: windows are spooled as they are explained, and the result is made from the spool at the end.

An HDF5 file that is being written does not survive a kill; raw records are cut back to the last checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from interpret.contribs.file import NUMBERS, SpoolSource, spooled_outputs
from interpret.contribs.formats import Format
from zoo.errors import InputError
from zoo.outputs import PredictionBatch
from zoo.results.record import write_run_record
from zoo.results.whole import rename_all
from zoo.words import counted_of
from zoo.writers.base import WriterContext
from zoo.writers.spool import RowSpool, SpooledWriter

__all__ = ["ContribsWriter", "writer_context_for"]


def writer_context_for(out: Path, length: int, chrom_sizes: dict[str, int], overlap: str = "mean") -> WriterContext:
    """What a ``ContribsWriter`` is told: windows of ``length`` bp."""
    return WriterContext(out, spooled_outputs(length), chrom_sizes, overlap, {})


class ContribsWriter(SpooledWriter):
    """Writes one result in any format.

    Args:
        context: of ``writer_context_for``.
        format: of ``formats.FORMATS``.
        check: called with the first windows' and in the end with all windows' pair errors (N,); raises where
            contributions are not complete.
        record: gives the run record, once everything is written but the result itself.

    Attributes:
        projection_error: (N,) of ``ContribBlock``, of windows with unknown bases, 0 for others; known to ``record``.
    """

    def __init__(
        self,
        context: WriterContext,
        format: Format,
        check: Callable[[np.ndarray], None],
        record: Callable[[np.ndarray], dict[str, Any]],
    ) -> None:
        super().__init__(context)
        self.format, self.check, self.record = format, check, record
        self.room = 2.2 if format.name == "bw" else 1.3  # of the spool; a bigWig takes a spool of its own
        self.length = context.outputs[0].n_bins
        self.finals = format.finals(context.out)
        self.parts = [self.partial / f"result.{i}{final.suffix}" for i, final in enumerate(self.finals)]
        self._checked = False

    def write(self, batch: PredictionBatch) -> None:
        """Append windows.

        Raises:
            InputError: contributions or a prediction are not finite.
            MismatchError: the first windows are not complete: found after seconds, not after hours.
        """
        finite = np.isfinite(batch.values["hypothetical"]).all((1, 2)) & np.isfinite(batch.values["numbers"][:, 0])
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            place = f"{batch.chrom[row]}:{batch.start[row]}-{batch.end[row]}"
            raise InputError(
                f"the contributions of {place} are not finite",
                counted_of(int((~finite).sum()), len(batch), "window"),
                "Fix: look at the model's output there with `zoo predict`",
            )
        if not self._checked:
            self.check(batch.values["numbers"][:, NUMBERS.index("pair_error")])
            self._checked = True
        super().write(batch)

    def assemble(self, spool: RowSpool, path: Path) -> None:
        if not spool.rows:
            raise InputError("no window was explained", "every window leaves its chromosome", "Fix: --edges pad")
        source = SpoolSource(spool, self.length, self.context.chrom_sizes, self.block_rows())
        found = [
            (block.numbers["pair_error"], np.where(block.has_unknown, block.projection_error, 0))
            for block in source.blocks()
        ]
        errors, self.projection_error = (np.concatenate(parts) for parts in zip(*found, strict=True))
        self.check(errors)
        self.run = self.record(errors)
        self.format.write(source, self.parts, self.run, self.context.overlap)

    def move_to_final(self) -> list[Path]:
        finals = rename_all(list(zip(self.parts, self.finals, strict=True)))
        if not self.format.record_inside:
            write_run_record(self.context.out, self.run | {"files": [str(path) for path in finals]})
        return finals[::-1]
