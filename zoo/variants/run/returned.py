"""What ``zoo.score_variants`` returns without OUT: rows in memory, and tables of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.extras import require
from zoo.notebook import card_html
from zoo.progress import pace
from zoo.variants.run.scorer import Row
from zoo.variants.writers.table import NO_NUMBER, NUMBERS, VariantContext, leading_columns, leading_fields, values_of
from zoo.words import counted

if TYPE_CHECKING:
    import pandas as pd

    from zoo.variants.scores.scores import Column

__all__ = ["VariantResult", "VariantScores"]

SHOWN = 8  # columns and notes of a card
HOW = ".to_pandas(), .values"


@dataclass(repr=False)
class VariantResult:
    """What a run did.

    Attributes:
        paths: the files written, the result first (empty for standard output or a dry run).
        records, rows, scored: rows of the input; rows of the result, an ALT and gene each; those that have scores.
        counts: statuses, padded windows, unknown bases ...
        notes: sentences that the user should read.
        seconds: wall-clock time of reading, computing and writing.
        dry_run: whether nothing was computed.
        earlier: of ``scored``, those that an interrupted run had left (``resume``).
        row: what one row is called: an ``ALT``, or a ``row`` where an ALT may have several (genes, copies).
    """

    paths: list[Any] = field(default_factory=list)
    records: int = 0
    rows: int = 0
    scored: int = 0
    counts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    dry_run: bool = False
    earlier: int = 0
    row: str = "ALT"

    def summary(self) -> str:
        """One line for people."""
        if self.dry_run:
            made = self.counts
            return (
                f"dry run: {counted(self.records, 'variant')}, {counted(len(made['columns']), 'score')} each "
                f"({', '.join(made['columns'][:4])}{', ...' if len(made['columns']) > 4 else ''}), windows of "
                f"{made['window_bp']:,} bp on {made['device']}, {made['batch_size']} at a time; nothing was written"
            )
        where = str(self.paths[0]) if self.paths else "standard output"
        return (
            f"{self.scored:,} of {counted(self.rows, self.row)} of {counted(self.records, 'variant')} scored in "
            f"{self.seconds:.1f} s ({pace(self.scored - self.earlier, self.seconds, 'variant')}) -> {where}"
        )

    def __repr__(self) -> str:
        """How much, how fast, and where it lies."""
        return f"<VariantResult: {self.summary()}>"

    def _repr_html_(self) -> str:
        return card_html(self.summary(), "", [("note", one) for one in self.notes[:SHOWN]])


@dataclass(repr=False)
class VariantScores:
    """Scores of variants, in the order of the input.

    Attributes:
        rows: an ALT and gene each.
        columns: what their values are.
        counts, notes, seconds: as in ``VariantResult``.
    """

    rows: list[Row]
    columns: tuple[Column, ...]
    counts: dict[str, Any]
    notes: list[str]
    seconds: float
    context: VariantContext

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def values(self) -> np.ndarray:
        """(rows, columns) float32; NaN where there is no score."""
        return values_of(self.rows, len(self.columns))

    def to_pandas(self) -> pd.DataFrame:
        """The columns of the TSV; whole numbers that are missing are <NA>, scores NaN."""
        require("a pandas table", "pandas")
        import pandas as pd

        names = leading_columns(self.context)
        fields = list(zip(*leading_fields(self.rows, self.context), strict=True)) or [() for _ in names]
        table = {
            name: pd.array([None if text == NO_NUMBER else int(text) for text in column], dtype="Int64")
            if name in NUMBERS
            else list(column)
            for name, column in zip(names, fields, strict=True)
        }
        values = self.values
        return pd.DataFrame(table | {one.name: values[:, i] for i, one in enumerate(self.columns)})

    def _title(self) -> str:
        return f"{self.counts['scored']:,} of {counted(len(self), 'row')} with scores"

    def __repr__(self) -> str:
        names = [one.name for one in self.columns[:SHOWN]] + ["..."] * (len(self.columns) > SHOWN)
        return f"<VariantScores: {self._title()}: {', '.join(names)}\n  {HOW}>"

    def _repr_html_(self) -> str:
        notes = [("note", one) for one in self.notes[:SHOWN]]
        rows = [(one.name, one.units, one.description) for one in self.columns[:SHOWN]]
        if (more := len(self.columns) - SHOWN) > 0:
            rows.append((f"and {counted(more, 'more column')}", "", ""))
        return card_html(self._title(), "", notes, ("column", "units", "meaning"), rows, foot=HOW)
