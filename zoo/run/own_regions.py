"""The BED that a model's own dataloader reads: it is no table of another kind, and its strands are strands.

The dataloader reads what it likes, so only what is surely wrong is refused: a file that is given for an argument of
intervals and is another format, and, where the dataloader is told to use strands, what ``zoo.genome.strand`` refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.genome.intervals import RegionFile
from zoo.genome.strand import check_strands
from zoo.models.foreign_loader import KINDS, ForeignLoader

__all__ = ["check_own_regions"]

#: Arguments of dataloaders that take a BED; ``tsv_file`` takes what its model says.
BED_ARGUMENTS = ("intervals_file", "intervals", "bed_file", "bed", "bedfile", "regions_file", "regions")


def check_own_regions(loader: ForeignLoader, values: Mapping[str, Any]) -> list[str]:
    """Check the file of intervals among a dataloader's arguments; returns what was assumed of it.

    Raises:
        InputError: it is no BED, or strands are used and one is none.
    """
    notes = []
    for name in BED_ARGUMENTS:
        path = values.get(name) if name in loader.names else None
        if not isinstance(path, str | Path) or not Path(path).is_file() or _is_of_another_kind(str(path)):
            continue
        with RegionFile(path) as regions:
            notes += regions.check_head(ambiguous=False).notes
            if values.get("use_strand"):
                user = f"the dataloader {loader.defined_as} reads them"
                check_strands(regions.scan(), regions.label, user, "--set use_strand=false")
    return notes


def _is_of_another_kind(path: str) -> bool:
    """A VCF or GTF, by its suffix: a dataloader may take it in the place of intervals."""
    return Path(path.lower().removesuffix(".gz").removesuffix(".bgz")).suffix in KINDS
