"""A reader's folder: the files that the pages speak of, small, and stand-ins for what lies on other machines.

Yeast's chromosomes have their true names and lengths and random bases with known sites; human ones are the
mitochondrion alone. ``https://github.com/kipoi/models`` is a repository on this machine, Hugging Face a server on it.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blocks import ROOT
from toys import make_toy_entry

YEAST = ("chrI", "chrVI", "chrVIII", "chrIX")
SITES = ("TTACCCG", "CGTGATAATAGACGATAAACTGAA", "ACTATCACGTGACTTG")
NAMES = ["-c", "user.name=reader", "-c", "user.email=reader@example.org", "-c", "init.defaultBranch=main"]


#: As in yeast: variants that the pages name.
NAMED = {"chrI": (99_999, "A"), "chrIX": (360_573, "C")}


@functools.cache
def lengths(assembly: str) -> dict[str, int]:
    """Chromosomes of an assembly by UCSC's names, and their lengths."""
    known = json.loads((ROOT / "zoo/data/assemblies.json").read_text())["assemblies"][assembly]["chromosomes"]
    return {row[0]: row[4] for row in known}


def write_genome(path: Path, assembly: str, chroms: tuple[str, ...], seed: int = 0) -> dict[str, str]:
    """Random chromosomes with a known site every 700 bp or so."""
    rng = random.Random(seed)
    made: dict[str, str] = {}
    for chrom in chroms:
        letters = rng.choices("ACGT", [31, 19, 19, 31], k=lengths(assembly)[chrom])
        for start in range(300, len(letters) - 100, 700):
            site = SITES[start % len(SITES)]
            letters[start : start + len(site)] = site
        if chrom in NAMED:
            letters[NAMED[chrom][0]] = NAMED[chrom][1]
        made[chrom] = "".join(letters)
    with path.open("w") as fasta:
        for chrom, sequence in made.items():
            fasta.write(f">{chrom}\n")
            fasta.writelines(sequence[start : start + 60] + "\n" for start in range(0, len(sequence), 60))
    return made


def write_tables(folder: Path) -> None:
    """peaks.bed, promoters.bed, genes.bed of chromosome I; human_peaks.bed of the mitochondrion."""
    spots = range(2_000, 200_000, 8_400)  # 24: explaining one takes most of a CPU-second
    rows = [f"chrI\t{at}\t{at + 500}\tpeak_{i}\t0\t{'+-'[i % 2]}\n" for i, at in enumerate(spots)]
    (folder / "peaks.bed").write_text("".join(rows))
    (folder / "promoters.bed").write_text("".join(rows[:8]))
    genes = [f"chrI\t{at + 600}\t{at + 1900}\tGENE{i}\t0\t{'+-'[i % 2]}\n" for i, at in enumerate(spots)]
    (folder / "genes.bed").write_text("".join(genes))
    (folder / "human_peaks.bed").write_text("".join(f"chrM\t{at}\t{at + 200}\n" for at in (4_000, 8_000, 12_000)))
    (folder / "mask.bed").write_text("chrI\t0\t1000\n")


def write_variants(folder: Path, genome: dict[str, str]) -> None:
    """calls.vcf: substitutions, two ALTs, an insertion, a deletion, and an ALT without a sequence."""
    lines = ["##fileformat=VCFv4.2"]
    lines += [f"##contig=<ID={chrom},length={len(sequence)}>" for chrom, sequence in genome.items()]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    for chrom, sequence in genome.items():
        for i, at in enumerate(range(20_000, 60_000, 4_000)):
            there = sequence[at : at + 3]
            others = [base for base in "ACGT" if base != there[0]]
            ref, alt = [
                (there[0], others[0]),
                (there[0], f"{others[0]},{others[1]}"),
                (there[0], f"{there[0]}ACG"),
                (there, there[0]),
                (there[0], "*"),
            ][i % 5]
            lines.append(f"{chrom}\t{at + 1}\tcall_{i}\t{ref}\t{alt}\t.\tPASS\t.")
    (folder / "calls.vcf").write_text("\n".join(lines) + "\n")


def write_tracks(folder: Path, genome: dict[str, str]) -> None:
    """my_atac.bw and fragments.bed.gz: more where G and C are."""
    import pyBigWig

    rng = random.Random(1)
    with pyBigWig.open(str(folder / "my_atac.bw"), "w") as track:
        track.addHeader([(chrom, len(sequence)) for chrom, sequence in genome.items()])
        for chrom, sequence in genome.items():
            starts = list(range(0, len(sequence) - 32, 32))
            values = [float(sum(base in "GC" for base in sequence[at : at + 32])) for at in starts]
            track.addEntries([chrom] * len(starts), starts, ends=[at + 32 for at in starts], values=values)
    with gzip.open(folder / "fragments.bed.gz", "wt") as table:
        for chrom, sequence in genome.items():
            for at in sorted(rng.choices(range(200, len(sequence) - 200), k=len(sequence) // 40)):
                table.write(f"{chrom}\t{at - 80}\t{at + 80}\n")


def write_models(folder: Path) -> None:
    """model.ckpt (gReLU's), model.h5 (Keras's), model.torch (a pickled linear module)."""
    script = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}, {str(ROOT / "tests/keras")!r}]
import numpy as np, pytorch_lightning, torch
from grelu.lightning import LightningModel
from keras_files import sequential, write_h5
torch.manual_seed(0)
params = {{"model_type": "ConvModel", "n_tasks": 1, "stem_channels": 4, "stem_kernel_size": 5, "n_conv": 1,
          "channel_init": 4, "kernel_size": 3, "pool_func": None, "final_pool_func": "avg", "norm": False}}
model = LightningModel(params, {{"task": "regression", "loss": "poisson"}})
model.data_params = {{"tasks": {{"name": ["track"]}}, "train": {{"seq_len": 64, "bin_size": 64, "genome": "hg38"}}}}
trainer = pytorch_lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=1)
trainer.strategy.connect(model)
trainer.save_checkpoint("model.ckpt")
layers = [("Conv1D", {{"name": "conv", "batch_input_shape": [None, 100, 4], "filters": 2, "kernel_size": [5],
                      "padding": "valid", "activation": "relu"}}),
          ("GlobalAveragePooling1D", {{"name": "pool"}})]
rng = np.random.default_rng(0)
arrays = {{"conv": [("kernel:0", rng.normal(size=(5, 4, 2))), ("bias:0", np.zeros(2))]}}
write_h5("model.h5", sequential(*layers), arrays)
torch.save(torch.nn.Linear(4, 2), "model.torch")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=folder, check=True, capture_output=True)


def kipoi_stand_in(folder: Path) -> Path:
    """A repository with the models that the pages name."""
    for name in ("Basset", "DeepSEA/predict"):
        make_toy_entry(folder / name, "gc", card=False)
    for words in (["init"], ["add", "."], ["commit", "-m", "models"]):
        subprocess.run(["git", *NAMES, *words], cwd=folder, check=True, capture_output=True)
    return folder


def environment(home: Path, programs: Path | None = None, kipoi: Path | None = None, hub: str = "") -> dict[str, str]:
    """Of a shell in which ``zoo`` is this checkout's, with a home, a cache and a configuration of its own.

    Args:
        programs: a folder that the shell looks into first.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZOO_", "HF_", "GIT_", "PYTEST"))}
    made = kept | {
        "HOME": str(home),
        "PATH": ":".join([*([str(programs)] if programs else []), str(Path(sys.executable).parent), kept["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "ZOO_CACHE": str(home / "cache"),
        "ZOO_CONFIG": str(home / "config"),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONWARNINGS": "ignore",
    }
    if kipoi:
        made |= {
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": f"url.file://{kipoi}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/kipoi/models",
            "GIT_CONFIG_KEY_1": "safe.directory",
            "GIT_CONFIG_VALUE_1": "*",
        }
    return made | ({"HF_ENDPOINT": hub} if hub else {})


@contextmanager
def hub_stand_in(folder: Path) -> Iterator[str]:
    """Hugging Face with ``org/repo``, which holds gReLU's model.ckpt of the folder; its address."""
    sys.path.append(str(ROOT / "tests/store"))
    from hub_server import HubServer

    server = HubServer({"org/repo": {"model.ckpt": (folder / "model.ckpt").read_bytes(), "README.md": b"# A model\n"}})
    try:
        yield server.url
    finally:
        server.close()
