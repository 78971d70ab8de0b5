"""What the page carries for its script: files to download, numbers of patterns and regions, shapes of the letters."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from interpret.motifs.exports import meme, motifs_tsv, seqlets_bed
from interpret.motifs.motifs_file import MotifsFile
from interpret.report.logo import PATHS
from interpret.report.numbers import Row

__all__ = ["BED_ROWS", "data", "downloads"]

BED_ROWS = 20_000


def downloads(motifs: MotifsFile) -> str:
    """MEME, TSV and BED as text that no browser runs."""
    total = sum(len(pattern.seqlets) for pattern in motifs.patterns)
    bed = list(islice(seqlets_bed(motifs), BED_ROWS + 1))
    if total > BED_ROWS:
        bed.insert(0, f"# {BED_ROWS} of {total} seqlets; all are in the .seqlets.bed beside {motifs.path.name}\n")
    texts = {"meme": meme(motifs), "tsv": motifs_tsv(motifs), "bed": bed}
    return "".join(
        f'<script type="text/plain" id="{key}">{_unclosed("".join(lines))}</script>' for key, lines in texts.items()
    )


def data(motifs: MotifsFile, rows: list[Row], views: list[dict[str, Any]]) -> str:
    """Names of the patterns, the views and the letters as JSON."""
    patterns = [
        {
            "name": f"{pattern.short_name} {row.named.motif.name}" if row.named else pattern.short_name,
            "raises": pattern.positive,
        }
        for pattern, row in zip(motifs.patterns, rows, strict=True)
    ]
    texts = {"data": {"patterns": patterns, "views": views}, "shapes": PATHS}
    return "".join(
        f'<script type="application/json" id="{key}">{_unclosed(json.dumps(value, separators=(",", ":")))}</script>'
        for key, value in texts.items()
    )


def _unclosed(text: str) -> str:
    """Text that cannot end its script element, whatever a BED called its regions.

    In JSON ``<\\/`` reads as ``</``; names in BED and MEME with ``</`` would be strange enough to show a backslash.
    """
    return text.replace("</", "<\\/").replace("<!--", "<\\u0021--")
