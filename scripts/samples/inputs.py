"""What each sample report is made from: model, regions, genome and genes, written from the data folder."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from pathlib import Path

from zoo.results.whole import replacing

__all__ = ["Inputs", "bpnet_inputs", "yeast_inputs"]

UPSTREAM, DOWNSTREAM = 400, 100  # of the start of a gene: where yeast's promoters lie
YEAST_PROMOTERS = 1500
YEAST_MARGIN = 700  # half of the model's window and some
BPNET_LENGTH = 2114
LINE = 1_000_000


@dataclass(frozen=True)
class Inputs:
    """Arguments of ``zoo report``: model (name or folder), BED, FASTA, genes."""

    model: str
    regions: Path
    genome: Path
    genes: Path


def yeast_inputs(folder: Path, data: Path) -> Inputs:
    """``yeast-atac`` on the promoters of 1,500 genes, drawn with a seed from all of the nuclear chromosomes."""
    source = data / "d09_yeast"
    genome, regions = folder / "sacCer3.fa", folder / "promoters.bed"
    if not genome.exists():
        genome.write_bytes(gzip.decompress((source / "sacCer3.fa.gz").read_bytes()))
    sizes = _sizes(genome)
    promoters = []
    with gzip.open(source / "genes.bed.gz", "rt") as lines:
        for line in lines:
            chrom, start, end, name, _, strand = line.split()[:6]
            before, after = (UPSTREAM, DOWNSTREAM) if strand == "+" else (DOWNSTREAM, UPSTREAM)
            tss = int(start) if strand == "+" else int(end)
            if chrom != "chrM" and YEAST_MARGIN < tss < sizes[chrom] - YEAST_MARGIN:
                promoters.append((chrom, tss - before, tss + after, name.split("|")[-1], 0, strand))
    random.Random(0).shuffle(promoters)
    _write(regions, "".join("\t".join(map(str, row)) + "\n" for row in promoters[:YEAST_PROMOTERS]))
    return Inputs("yeast-atac", regions, genome, source / "genes.bed.gz")


def _sizes(fasta: Path) -> dict[str, int]:
    records = fasta.read_text().split(">")[1:]
    return {text.split(None, 1)[0]: len("".join(text.split("\n")[1:])) for text in records}


def bpnet_inputs(folder: Path, data: Path) -> Inputs:
    """``bpnet-k562-ctcf`` on its peaks that lie in windows of hg38 of the data folder, which has its weights too."""
    from scripts.shared_entries.hg38_windows import read_windows
    from zoo.entries.cache_add import cache_add

    cache_add(data / "m02_bpnet_ctcf_k562")
    windows = read_windows(data)
    regions, genes = folder / "peaks.bed", folder / "genes.bed"
    _write(regions, _peaks_within(data / "m02_bpnet_ctcf_k562" / "ENCSR000AKO.narrowPeak.gz", list(windows)))
    _write(genes, _genes(data / "d01_hg38_windows" / "genes_exons_dev.tsv"))
    return Inputs("bpnet-k562-ctcf", regions, _hg38_of(windows, folder / "hg38_windows.fa.gz"), genes)


def _place(window: str) -> tuple[str, int, int]:
    chrom, place = window.split(":")
    start, end = place.split("-")
    return chrom, int(start), int(end)


def _peaks_within(narrow_peak: Path, windows: list[str]) -> str:
    """200 bp around the summit of each peak whose 2,114 bp lie in a window, the strongest first."""
    places, found = [_place(window) for window in windows], []
    with gzip.open(narrow_peak, "rt") as lines:
        for line in lines:
            row = line.split("\t")
            summit = int(row[1]) + int(row[9])
            first, last = summit - BPNET_LENGTH // 2, summit + BPNET_LENGTH // 2
            if any(row[0] == chrom and start <= first and last <= end for chrom, start, end in places):
                found.append((-float(row[6]), row[0], summit))
    return "".join(
        f"{chrom}\t{summit - 100}\t{summit + 100}\tpeak{i}\t0\t.\n"
        for i, (_, chrom, summit) in enumerate(sorted(found), 1)
    )


def _genes(table: Path) -> str:
    """BED12 of the exons in the data folder's table."""
    lines = []
    for line in table.read_text().splitlines()[1:]:
        name, chrom, strand, start, end, starts, ends, *_ = line.split("\t")
        starts, ends = ([int(x) for x in text.strip(",").split(",")] for text in (starts, ends))
        sizes = ",".join(str(b - a) for a, b in zip(starts, ends, strict=True))
        places = ",".join(str(a - int(start)) for a in starts)
        row = (f"chr{chrom}", start, end, name, 0, strand, start, end, 0, len(starts), sizes, places)
        lines.append("\t".join(map(str, row)) + "\n")
    return "".join(lines)


def _hg38_of(windows: dict[str, str], path: Path) -> Path:
    """hg38 with N wherever the data folder has no sequence, so that coordinates and lengths are those of hg38."""
    import pysam

    from zoo.genome.assembly import load_assembly

    if path.exists():
        return path
    with replacing(path) as partial, pysam.BGZFile(str(partial), "wb") as file:
        for chrom in load_assembly("hg38").chromosomes:
            inside = {_place(window): text for window, text in windows.items() if _place(window)[0] == chrom.ucsc}
            if not inside:
                continue
            letters = bytearray(b"N") * chrom.length
            for (_, start, end), text in inside.items():
                letters[start:end] = text.encode()
            file.write(f">{chrom.ucsc}\n".encode())
            for at in range(0, len(letters), LINE):
                file.write(bytes(letters[at : at + LINE]) + b"\n")
    return path


def _write(path: Path, text: str) -> None:
    """Unless it is there: a newer file would make ``--resume`` start anew."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
