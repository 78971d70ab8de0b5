"""Make the example of the entries of splice site models: ``[NAME ...]``, default all.

    python scripts/make_splice_examples.py spliceai

Genome and regions are those of ``shared_entries/splice_entry.py``: random bases with a gene on each strand. Of the
model's predictions for them all are kept, to six decimals (Pangolin's to five), so that they take little room and
unmodified Kipoi compares them too. What the card's ``files`` record of the example is printed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import h5py
import numpy as np

import zoo
from scripts.shared_entries.splice_entry import LENGTH, MODELS, NAME, example, example_windows
from zoo.models.entry import open_entry

DECIMALS = {"pangolin": 5}  # its twelve tracks take more room
GZIP = {"compression": "gzip", "compression_opts": 9}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODELS)}")
    for name in parser.parse_args().names or MODELS:
        entry = open_entry(name)
        folder = entry.folder / "example"
        fasta, bed = example()
        (folder / "genome.fa").write_text(fasta)
        (folder / "genome.fa.fai").write_text(f"{NAME}\t{LENGTH}\t{len(NAME) + 2}\t60\t61\n")
        (folder / "regions.bed").write_text(bed)
        expected = entry.description.expect
        write_expected(name, folder, expected)
        for path in [*(folder / one for one in ("genome.fa", "genome.fa.fai", "regions.bed")), expected]:
            data = path.read_bytes()
            where = path.relative_to(entry.folder).as_posix()
            print(f"- {{path: {where}, sha256: {hashlib.sha256(data).hexdigest()}, bytes: {len(data)}}}")
    return 0


def write_expected(name: str, folder: Path, out: Path) -> None:
    """Predictions, and the model's inputs, which ``kipoi test`` asks for; packed by HDF5's own filters."""
    windows = example_windows(MODELS[name].context)
    unknown = ~windows.any(axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "expected.h5"
        zoo.predict(name, folder / "regions.bed", folder / "genome.fa", whole, any_genome=True, device="cpu")
        with h5py.File(whole) as source, h5py.File(out, "w", libver="latest") as made:
            decimals = DECIMALS.get(name, 6)
            preds = source["preds"][()].astype(np.float64).round(decimals)  # of float32 the filter loses a digit
            made.create_dataset("preds", data=preds, chunks=(1, 1, 5000), scaleoffset=decimals, **GZIP)
            inputs = np.where(unknown, np.float32(0.25), windows)
            made.create_dataset("inputs", data=inputs, chunks=(1, *inputs.shape[1:]), **GZIP)


if __name__ == "__main__":
    sys.exit(main())
