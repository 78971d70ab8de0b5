"""Measure the reading of tracks against pyBigWig, and its memory: ratios in one run on this machine.

    python -m scripts.bench.tracks          # a minute on two cores

34 bigWigs of hg38 (``../shared/data/d01_hg38_windows/bigwig_dev``; made at random where these are absent) are read as
bins of 32 bp over 55 windows of 65,536 bp. The peer takes pyBigWig's ``values`` as numpy arrays and numpy's mean.
Each process reads all once before it is timed, so that neither is charged for its imports and compilation, and then
five times, of which the fastest counts: other work on the machine slows the rest. Peak memory
is a process's that reads 200 tracks, or 2, and writes each to one file.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from scripts.bench.predict import run
from scripts.bench.rows import Row, limited, save

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "d01_hg38_windows"
TRACKS, MANY, FEW = 34, 200, 2
BIN, SPAN = 32, 65_536

OURS = """
import sys, time
import numpy as np
from finetune.config import TargetConfig
from finetune.data.tracks import open_track, source_of
import pyBigWig
windows, *files = sys.argv[1:]
rows = [line.split() for line in open(windows)]
chrom, low = np.array([row[0] for row in rows], object), np.array([int(row[1]) for row in rows])
with pyBigWig.open(files[0]) as file:
    sizes = file.chroms()

def read(out=None):
    total = 0.0
    for path in files:
        with open_track(source_of(TargetConfig(name="t", files=(path,))), sizes) as track:
            found = track.read(chrom, low, {n_bins}, {bin})
        total += float(found.sum())
        if out is not None:
            found.tofile(out)
    return total
"""
THEIRS = """
import sys, time
import numpy as np
import pyBigWig
windows, *files = sys.argv[1:]
rows = [line.split() for line in open(windows)]
windows = [(row[0], int(row[1]), int(row[1]) + {span}) for row in rows]

def read():
    total = 0.0
    for path in files:
        with pyBigWig.open(path) as file:
            found = np.stack([file.values(*one, numpy=True).reshape({n_bins}, {bin}).mean(-1) for one in windows])
        total += float(found.sum())
    return total
"""
TIMED = """
read()
times = []
for _ in range(5):
    start = time.process_time()
    total = read()
    times.append(time.process_time() - start)
print(min(times), total)
"""
KEPT = """
with open("kept.f32", "wb") as out:
    read(out)
"""


def code(text: str) -> str:
    """The program with the numbers of this benchmark."""
    numbers = {"{n_bins}": SPAN // BIN, "{bin}": BIN, "{span}": SPAN}
    for name, number in numbers.items():
        text = text.replace(name, str(number))
    return text


def inputs(folder: Path) -> tuple[Path, list[Path]]:
    """Windows (chrom, start) and bigWigs, real or made."""
    windows = folder / "windows.tsv"
    if (REAL / "bigwig_dev").is_dir():
        rows = [line.split() for line in (REAL / "hg38_windows_dev.bed").read_text().splitlines()]
        windows.write_text("".join(f"{row[0]}\t{row[4]}\n" for row in rows))
        return windows, sorted((REAL / "bigwig_dev").glob("*.bw"))[:TRACKS]
    import pyBigWig

    random, n = np.random.default_rng(0), 55 * SPAN // BIN
    windows.write_text("".join(f"chr1\t{i * SPAN}\n" for i in range(55)))
    files = [folder / f"{i}.bw" for i in range(TRACKS)]
    for path in files:
        with pyBigWig.open(str(path), "w") as file:
            file.addHeader([("chr1", n * BIN)])
            values = random.gamma(0.5, 2, n).astype(np.float32)
            file.addEntries("chr1", (np.arange(n) * BIN).tolist(), values=values.tolist(), span=BIN)
    return windows, files


def bench_time(folder: Path, repeats: int) -> Row:
    """CPU time of pyBigWig over ours; both must have read the same."""
    windows, files = inputs(folder)
    took: dict[str, list[float]] = {OURS: [], THEIRS: []}
    totals = set()
    for _ in range(repeats):
        for text, found in took.items():
            command = [sys.executable, "-c", code(text + TIMED), str(windows), *map(str, files)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
            seconds, total = done.stdout.split()
            found.append(float(seconds))
            totals.add(float(total))
    if max(totals) - min(totals) > 1e-4 * max(totals):
        raise SystemExit(f"the two read other values: {sorted(totals)}")
    ours, theirs = (statistics.median(found) for found in took.values())
    return limited(
        f"pyBigWig / ours, {len(files)} bigWigs x 55 windows of {SPAN:,} bp in bins of {BIN}",
        f"{theirs:.3f} / {ours:.3f} CPU-s",
        theirs / ours,
        ">= 1.5",
    )


def bench_memory(folder: Path) -> Row:
    """Peak memory of reading many tracks over few."""
    windows, files = inputs(folder)
    peaks = []
    for n in (MANY, FEW):
        some = [str(files[i % len(files)]) for i in range(n)]
        prefix = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        peaks.append(run([sys.executable, "-c", prefix + code(OURS + KEPT), str(windows), *some], folder).peak_mb)
    return limited(
        f"peak memory of reading {MANY} / {FEW} tracks",
        f"{peaks[0]:.0f} / {peaks[1]:.0f} MB",
        peaks[0] / peaks[1],
        "<= 1.2",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the table as JSON too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as temporary:
        rows = []
        for row in (bench_time(Path(temporary), arguments.repeats), bench_memory(Path(temporary))):
            rows.append(row)
            print(row.line(72, 26), flush=True)
    if arguments.json:
        save(rows, arguments.json)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
