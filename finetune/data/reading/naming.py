"""Do a track's file and the FASTA speak of the same chromosomes: names and lengths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from zoo.errors import InputError
from zoo.genome.assembly import alias_map, guess_assembly
from zoo.words import counted_of

__all__ = ["check_lengths", "check_names"]


def check_lengths(found: Mapping[str, int], sizes: Mapping[str, int], track: str, path: Path) -> None:
    """Compare the chromosome lengths of a file's header with the FASTA's.

    Args:
        found: chromosome -> bp in the file. sizes: in the FASTA.

    Raises:
        InputError: a chromosome has another length.
    """
    shared = [name for name in found if name in sizes]
    other = [name for name in shared if found[name] != sizes[name]]
    if not other:
        return
    name, guess = other[0], guess_assembly(found)
    raise InputError(
        f"track {track}: {path} is of another assembly than the FASTA: {name} has {found[name]:,} bp, "
        f"in the FASTA {sizes[name]:,}",
        counted_of(len(other), len(shared), "chromosome", "differ")
        + (f"; the file looks like {guess}" if guess else ""),
        "Fix: give the FASTA of the file's assembly as `genome`, or a file made on this one",
    )


def check_names(found: Iterable[str], sizes: Mapping[str, int], track: str, path: Path, kind: str) -> list[str]:
    """Which of a file's chromosomes the FASTA lacks.

    Args:
        kind: ``bigwig``, ``bam`` or ``text``: what the fix is for.

    Returns:
        Names that the FASTA lacks, in order; the file shares others with it.

    Raises:
        InputError: names are of another style, or none is shared.
    """
    names = list(found)
    absent = [name for name in names if name not in sizes]
    if names and not absent:
        return []
    joined = {name: contig for name, contig in alias_map(absent, sizes).items() if contig not in names}
    if joined:
        name, contig = next(iter(joined.items()))
        raise InputError(
            f"track {track}: {path} writes {name!r} where the FASTA writes {contig!r}: names of another style",
            f"{len(joined)} of {len(names)} chromosome names",
            f"Fix: {_renaming(name, contig, path, kind)}",
        )
    if len(absent) == len(names):
        raise InputError(
            f"track {track}: no chromosome of {path} is in the FASTA",
            f"the file has {', '.join(names[:4])}; the FASTA {', '.join(list(sizes)[:4])}",
            "Fix: give the FASTA of the file's assembly as `genome`",
        )
    return absent


def _renaming(name: str, contig: str, path: Path, kind: str) -> str:
    added, removed = contig == f"chr{name}", name == f"chr{contig}"
    if not (added or removed):
        return "rename the chromosomes in one of the two"
    if kind == "bigwig":  # no common tool renames those of a bigWig
        return f"rename those of the FASTA: sed 's/^>{'chr/>' if added else '/>chr'}/' genome.fa > renamed.fa"
    if kind == "bam":
        return f"samtools reheader -c \"sed 's/SN:{'/SN:chr' if added else 'chr/SN:'}/'\" {path} > renamed.bam"
    reader = "zcat" if path.suffix == ".gz" else "cat"
    return f"{reader} {path} | sed 's/^{'/chr' if added else 'chr/'}/' > renamed.bed"
