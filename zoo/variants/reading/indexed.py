"""Rows of a BCF, and those of regions through an index (.tbi, .csi), as lines of text; read by htslib."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import InputError, UsageError
from zoo.genome.fasta_kind import is_bgzf
from zoo.genome.intervals import RegionFile
from zoo.paths import near_file
from zoo.variants.reading.header import Header
from zoo.words import did_you_mean

__all__ = ["Place", "bcf_header", "bcf_lines", "indexed_lines", "name_in_commands", "parse_regions"]

#: Contig as the file names it; 0-based half-open.
Place = tuple[str, int, int]

FAR = (1 << 31) - 1
_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+"
_REGION = re.compile(rf"(?P<name>[^,\s]+?)(:(?P<start>{_NUMBER})(?P<to>-(?P<end>{_NUMBER})?)?)?(?=,|$)")


@contextmanager
def _quiet() -> Iterator[Any]:
    """pysam, without what htslib writes to stderr."""
    import pysam

    before = pysam.set_verbosity(0)
    try:
        yield pysam
    finally:
        pysam.set_verbosity(before)


def bcf_header(path: Path, label: str) -> list[str]:
    """Lines of the header of a BCF.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with _quiet() as pysam, pysam.VariantFile(str(path)) as file:
            return str(file.header).rstrip("\n").split("\n")
    except NotImplementedError:  # htslib wants to go back in it
        raise InputError(
            f"{label}: is a BCF that was compressed by gzip, where a BCF has bgzip or nothing",
            "nothing was scored",
            f"Fix: gzip -dc {name_in_commands(label)} | bcftools view -Ob -o new.bcf",
        ) from None
    except (OSError, ValueError) as error:
        raise _damaged_bcf(label, error) from None


def bcf_lines(path: Path, label: str, places: Sequence[Place] | None = None) -> Iterator[str]:
    """Rows of a BCF as lines of a VCF."""
    with _quiet() as pysam:
        try:
            with pysam.VariantFile(str(path)) as file:
                if places is None:
                    yield from map(str, file)
                else:
                    yield from _once(places, lambda place: map(str, file.fetch(*place)))
        except (OSError, ValueError) as error:
            raise _damaged_bcf(label, error) from None


def indexed_lines(path: Path, kind: str, places: Sequence[Place], label: str, header: Header) -> Iterator[str]:
    """Lines of the rows that overlap the places, each once, in file order."""
    if kind == "bcf":
        yield from bcf_lines(path, label, places)
        return
    with _quiet() as pysam:
        try:
            with pysam.TabixFile(str(path), index=str(_index_of(path)), encoding="latin-1") as file:
                there = set(file.contigs)
                known = [one for one in places if one[0] in there]
                for line in _once(known, lambda place: file.fetch(*place), header.layout.pos):
                    yield line if line.isascii() else line.encode("latin-1").decode("utf-8", "surrogateescape")
        except (OSError, ValueError) as error:
            raise InputError(
                f"{label}: cannot be read through its index ({error})",
                "the file is truncated, or the index is of another one",
                f"Fix: make the index again: {_make_index(label, kind, header)}",
            ) from None


def _once(places: Sequence[Place], fetch: Any, pos: int = 1) -> Iterator[str]:
    """Lines of all places; one that reaches from one place into the next is given once.

    Args:
        pos: which column is the position.
    """
    before: Place | None = None
    for place in places:
        for line in fetch(place):
            if before is None or before[0] != place[0] or int(line.split("\t", pos + 1)[pos]) - 1 >= before[2]:
                yield line
        before = place


def name_in_commands(label: str) -> str:
    """How the file is named in a command that is advised: a placeholder for what is no file, as a pipe."""
    return shlex.quote(label) if Path(label).is_file() else "x"


def _damaged_bcf(label: str, error: object) -> InputError:
    return InputError(
        f"{label}: the BCF is truncated or damaged ({str(error) or 'htslib cannot read it'})",
        "nothing was scored",
        f"Fix: fetch or write the file again; "
        f"`bcftools view -H {name_in_commands(label)} | wc -l` tells whether it is whole",
    )


# ---------------------------------------------------------------- which regions


def parse_regions(
    regions: str | Path | Sequence[str], path: Path, kind: str, header: Header, label: str
) -> tuple[list[Place], list[str]]:
    """Regions in the order of the file, merged where they touch; notes.

    Args:
        regions: text as in bcftools, a list of such, or the path of a BED.

    Raises:
        InputError: the file has no index, or a region is on a chromosome that it does not name.
        UsageError: the text is no region.
    """
    order, notes = _indexed_contigs(path, kind, label, header)
    names = list(dict.fromkeys([*order, *header.contigs]))
    if isinstance(regions, str | Path) and Path(regions).is_file():
        with RegionFile(regions) as bed:
            bed.scan()
            places = [
                (str(chrom), int(start), int(end))
                for block in bed.chunks()
                for chrom, start, end in zip(block.chrom, block.start, block.end, strict=True)
            ]
    elif isinstance(regions, str | Path) and ("/" in str(regions) or str(regions).endswith((".bed", ".gz"))):
        raise InputError(f"--regions {regions}: no such file", near_file(regions), "Fix: check the path of the BED")
    else:
        texts = [str(regions)] if isinstance(regions, str | Path) else list(regions)
        places = [place for text in texts for place in _parse(text, names)]
    for name, _, _ in places:
        if name not in names:
            meant = did_you_mean(name, names) or (f"it has {', '.join(names[:4])}" + (", ..." if names[4:] else ""))
            raise InputError(
                f"--regions: {label} has no chromosome {name!r}",
                meant,
                "Fix: write the chromosome as the variants do",
            )
    rank = {name: i for i, name in enumerate(names)}
    merged: list[Place] = []
    for name, start, end in sorted(places, key=lambda place: (rank[place[0]], place[1:])):
        if merged and merged[-1][0] == name and start <= merged[-1][2]:
            merged[-1] = (name, merged[-1][1], max(end, merged[-1][2]))
        else:
            merged.append((name, start, end))
    return [place for place in merged if place[0] in order], notes


def _parse(text: str, names: Sequence[str]) -> list[Place]:
    if text in names:  # HLA-A*01:01:01:01
        return [(text, 0, FAR)]
    places, at = [], 0
    while at <= len(text):
        if not (found := _REGION.match(text, at)):
            raise _no_region(text)
        start = _number(found["start"]) or 1
        end = _number(found["end"]) or (start if found["start"] and not found["to"] else FAR)
        if found["start"] and (_number(found["start"]) < 1 or end < start):
            raise _no_region(text)
        places.append((found["name"], start - 1, end))
        at = found.end() + 1
    return places


def _number(text: str | None) -> int:
    return int(text.replace(",", "")) if text else 0


def _no_region(text: str) -> UsageError:
    return UsageError(
        f"--regions {text!r}: neither regions nor a BED file that is there",
        "",
        "Fix: write chr1, chr1:1000 or chr1:1000-2000 (counted from 1, both ends included), or give a BED",
    )


def _indexed_contigs(path: Path, kind: str, label: str, header: Header) -> tuple[list[str], list[str]]:
    """Contigs of the index in the order of the file, and a note where the index may be of an earlier file."""
    with path.open("rb") as handle:
        if not is_bgzf(handle.read(18)):
            raise InputError(
                f"{label}: --regions needs an index, and only a bgzip file has one",
                "",
                f"Fix: {_sorted_copy(label, kind, header)}; or leave out --regions",
            )
    index = _index_of(path)
    if index is None:
        raise InputError(
            f"{label}: has no index ({path.name}.csi or {path.name}.tbi), through which --regions are found",
            "only sorted files can have one",
            f"Fix: {_make_index(label, kind, header)}   (if it is not sorted: {_sorted_copy(label, kind, header)})",
        )
    notes = []
    if index.stat().st_mtime < path.stat().st_mtime:
        notes.append(f"{index.name} is older than {label}: if the file was changed since, make its index again")
    try:
        with _quiet() as pysam:
            if kind == "bcf":
                with pysam.VariantFile(str(path)) as file:
                    return list(file.header.contigs), notes
            with pysam.TabixFile(str(path), index=str(index)) as file:
                return list(file.contigs), notes
    except (OSError, ValueError) as error:
        raise InputError(
            f"{index}: cannot be read as an index ({error})",
            "",
            f"Fix: make it again: {_make_index(label, kind, header)}",
        ) from None


def _index_of(path: Path) -> Path | None:
    indexes = (path.with_name(path.name + suffix) for suffix in (".csi", ".tbi"))
    return next((one for one in indexes if one.is_file()), None)


def _make_index(label: str, kind: str, header: Header) -> str:
    """The command that makes an index."""
    quoted = shlex.quote(label)
    if kind != "tsv":
        return f"bcftools index -f {quoted}" if kind == "bcf" else f"tabix -f -p vcf {quoted}"
    chrom, pos = header.layout.chrom + 1, header.layout.pos + 1
    return f"tabix -f -s {chrom} -b {pos} -e {pos} -S {len(header.lines)} {quoted}"


def _sorted_copy(label: str, kind: str, header: Header) -> str:
    """The command that makes a sorted copy with an index."""
    name, quoted = Path(label).name, shlex.quote(label)
    for suffix in (".gz", ".bgz", ".vcf", ".bcf", ".tsv", ".txt"):
        name = name.removesuffix(suffix)
    if kind != "tsv":
        made = shlex.quote(f"{name}.sorted.{'bcf' if kind == 'bcf' else 'vcf.gz'}")
        return f"bcftools sort -O{'b' if kind == 'bcf' else 'z'} -o {made} {quoted} && bcftools index {made}"
    chrom, pos, made = header.layout.chrom + 1, header.layout.pos + 1, f"{name}.sorted.tsv.gz"
    read = f"{'gzip -dc' if label.endswith('gz') else 'cat'} {quoted}"
    sort = f"sort -t\"$(printf '\\t')\" -k{chrom},{chrom} -k{pos},{pos}n"
    put = f"bgzip > {shlex.quote(made)} && {_make_index(made, kind, header)}"
    return f"{read} | (sed -u {len(header.lines)}q; {sort}) | {put}"
