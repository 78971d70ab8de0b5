# ruff: noqa: E501  (tables of cases)
"""What a stranger gets wrong: three lines, the exit code, no traceback, and nothing half-written."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from finetune_world import CHROMS, LENGTH

import zoo.cli

ROOT = Path(__file__).resolve().parents[2]
SIZES = dict.fromkeys(CHROMS, LENGTH)
TARGET = {"name": "t", "bin": 32}
#: Of runs that train.
FEW = {"regions": {"chromosomes": ["chrA", "chrE", "chrF"]}}


@dataclass(frozen=True)
class Files:
    """Paths of broken and of good files, by what is in them."""

    folder: Path
    target: dict[str, Any]

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)

    def track(self, file: str, **more: Any) -> dict[str, Any]:
        """A target of a file."""
        return TARGET | {"files": self[file]} | more

    def cells(self, n: int, **more: Any) -> list[dict[str, Any]]:
        """Targets of n cells."""
        return [self.track(f"cell{i}.bw", name=f"t{i}", cell=f"c{i}", **more) for i in range(n)]

    def atac(self, n: int) -> dict[str, str]:
        """Tracks of n cells."""
        return {f"c{i}": self[f"atac{i}.bw"] for i in range(n)}


@pytest.fixture(scope="session")
def files(world, tmp_path_factory) -> Files:
    """bigWigs, BEDs, FASTAs and tables, each with one fault."""
    folder = tmp_path_factory.mktemp("bad")
    rng = np.random.default_rng(0)

    def counts(chrom: str) -> np.ndarray:
        return rng.poisson(3.0, LENGTH // 32).astype(float)

    def but(*chroms: str, value: float = np.nan):
        return lambda chrom: np.full(LENGTH // 32, value) if chrom in chroms else counts(chrom)

    _big_wig(folder / "good.bw", SIZES, counts)
    for i in range(4):
        _big_wig(folder / f"cell{i}.bw", SIZES, counts)
        _big_wig(folder / f"atac{i}.bw", SIZES, counts)
    shutil.copy(folder / "cell0.bw", folder / "copy.bw")
    _big_wig(folder / "other.bw", dict.fromkeys(CHROMS, LENGTH + 10), counts)
    _big_wig(folder / "plain.bw", {name.removeprefix("chr"): LENGTH for name in CHROMS}, counts)
    _big_wig(folder / "strange.bw", {"one": LENGTH, "two": LENGTH}, counts)
    _big_wig(folder / "without.bw", dict.fromkeys(CHROMS[:-1], LENGTH), counts)
    _big_wig(folder / "zero.bw", SIZES, but(*CHROMS, value=0.0))
    _big_wig(folder / "constant.bw", SIZES, but(*CHROMS, value=2.0))
    _big_wig(folder / "nan.bw", SIZES, but(*CHROMS))
    _big_wig(folder / "nan-train.bw", SIZES, but(*CHROMS[:4]))
    _big_wig(folder / "zero-train.bw", SIZES, but(*CHROMS[:4], value=0.0))
    _big_wig(folder / "nan-validation.bw", SIZES, but("chrE"))
    _big_wig(folder / "nan-test.bw", SIZES, but("chrF"))
    _big_wig(folder / "negative.bw", SIZES, lambda chrom: rng.normal(size=LENGTH // 32))
    (folder / "cut.bw").write_bytes((folder / "good.bw").read_bytes()[:1500])
    texts = {
        "off.bed": "chrA\t5000\t5200\nchrB\t24000\t40000\n",
        "unknown.bed": "chrA\t5000\t5200\nchr9\t1200\t2000\n",
        "empty.bed": "# nothing\n",
        "edge.bed": "chrA\t0\t200\n",
        "three.bed": "chrA\t3000\t3200\nchrE\t3000\t3200\nchrF\t3000\t3200\n",
        "junk.bed": "chrA here\n",
        "table.tsv": "chrom\tstart\tend\tsignal\nchrA\t0\t32\tx\n",
        "labels-test.bed": "chrF\t3000\t3200\n",
        "labels-train.bed": "chrA\t3000\t3200\nchrE\t3000\t3200\n",
        "broken.ckpt": "abc",
        "notes.txt": "no FASTA\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    letters = world.genome.read_text()
    (folder / "names.fa").write_text(letters.replace(">chr", ">"))
    roman = dict(zip(CHROMS, ("chrI", "chrII", "chrIII", "chrIV", "chrV", "chrVI"), strict=True))
    for name, new in roman.items():
        letters = letters.replace(f">{name}\n", f">{new}\n")
    (folder / "roman.fa").write_text(letters)
    with gzip.open(world.fragments, "rt") as old, gzip.open(folder / "roman.bed.gz", "wt") as new:
        new.writelines(roman[line[:4]] + line[4:] for line in old)
    (folder / "other").mkdir()
    (folder / "other/x").write_text("kept")
    return Files(folder, world.config()["targets"][0])


def _big_wig(path: Path, sizes: dict[str, int], values) -> None:
    import pyBigWig

    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(sizes.items()))
        for chrom in sizes:
            file.addEntries(chrom, 0, values=values(chrom).tolist(), span=32, step=32)


@dataclass(frozen=True)
class Told:
    """How the command ended: its code, the three lines of the error without their marks, and what it printed."""

    code: int
    what: str
    extent: str
    fix: str
    stdout: str


@pytest.fixture
def refused(capsys):
    """Run a command that must be refused, and check the form of what it says."""

    def run(*arguments: Any) -> Told:
        code = zoo.cli.run([*map(str, arguments), "--quiet"])
        out, err = capsys.readouterr()
        lines = err.splitlines()
        assert code not in (0, 1), (code, out, err)
        assert len(lines) == 3, err
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("  ")
        assert lines[2].startswith("  Fix: ")
        return Told(code, lines[0][7:], lines[1].strip(), lines[2][7:], out)

    return run


def _cells(n: int, **cell: Any):
    return lambda f: {"targets": f.cells(n), "cell": {"input": "atac", "average": "offset", "tracks": f.atac(n)} | cell}


def _target(**more: Any):
    return lambda f: {"targets": [f.target | more]}


def _both(*parts: Any):
    return lambda f: {key: value for part in parts for key, value in (part(f) if callable(part) else part).items()}


#: What is changed of a good configuration, the exit code, and what is said and advised.
CASES: dict[str, tuple[Any, int, str, str]] = {
    # tracks
    "bigWig of another assembly": (
        lambda f: {"targets": [f.track("other.bw")]}, 3, "other.bw is of another assembly than the FASTA: chrA has 24,842 bp", "`genome`"),
    "bigWig without a chromosome": (
        lambda f: {"targets": [f.track("without.bw")]}, 3, "without.bw has nothing on chrF", "`missing: zero`"),
    "bigWig with names of another style": (
        lambda f: {"targets": [f.track("plain.bw")]}, 3, "writes 'A' where the FASTA writes 'chrA'", "sed 's/^>chr/>/' genome.fa"),
    "bigWig of other chromosomes": (
        lambda f: {"targets": [f.track("strange.bw")]}, 3, "no chromosome of", "`genome`"),
    "all-zero track": (lambda f: {"targets": [f.track("zero.bw")]}, 3, "track t: every bin is 0", "`files`"),
    "constant track": (lambda f: {"targets": [f.track("constant.bw")]}, 3, "track t: every bin is 2", "`files`"),
    "NaN track": (lambda f: {"targets": [f.track("nan.bw")]}, 3, "no bin of any window was measured", "`missing: zero`"),
    "NaN in training": (
        lambda f: {"targets": [f.track("nan-train.bw")]}, 3, "no bin of a train window was measured", "`split.train`"),
    "constant in training": (
        lambda f: {"targets": [f.track("zero-train.bw")]}, 3, "every bin of training is 0", "`split.train`"),
    "NaN in validation": (
        lambda f: {"targets": [f.track("nan-validation.bw")]}, 3, "no bin of a validation window", "`split.validation`"),
    "NaN in test": (lambda f: {"targets": [f.track("nan-test.bw")]}, 3, "no bin of a test window", "`split.test`"),
    "negative under Poisson": (
        lambda f: {"targets": [f.track("negative.bw")]}, 3, "track t: negative targets", "train.loss: mse, or transform: clip:0:inf"),
    "transformed under Poisson": (
        _target(transform="log1p"), 3, "the loss poisson is of counts, and the target is transformed by log1p", "transform: none"),
    "log of negative": (
        lambda f: {"targets": [f.track("negative.bw", transform="log1p")], "train": {"loss": "mse"}}, 3, "log1p of negative values", "arcsinh"),
    "damaged bigWig": (lambda f: {"targets": [f.track("cut.bw")]}, 3, "cut.bw cannot be read", "make the file again"),
    "counts under bce": ({"train": {"loss": "bce"}}, 3, "targets that are no labels", "train.loss: mse"),
    "labels without positives in training": (
        lambda f: {"targets": [f.track("labels-test.bed", read="labels", reduce="max", missing="zero")], "train": {"loss": "bce"}},
        3, "every bin of training is 0", "`split.train`"),
    "a table with a word": (
        lambda f: {"targets": [f.track("table.tsv", read="table", column="signal")]}, 3, "table.tsv:2: 'x' is no finite number", "leave it empty"),
    "a table without the column": (
        lambda f: {"targets": [f.track("table.tsv", read="table", column="signl")]}, 3, "table.tsv:1: no column 'signl'", "column: signal"),
    "no such file": (_target(files="absent.bed"), 2, "`targets.0.files`", "`targets.0.files`"),
    "fragments without read": (_target(read=None), 2, "`read` must say", "`read: cuts`"),
    "bin that does not divide": (_target(bin=48), 2, "target 'centres': bin 48 does not divide what yeast-atac predicts", "bin: one of 32, 64, 128"),
    "no fragment of that length": (_target(length="1000-2000"), 3, "no fragment of 1000 to 2000 bp", "`length`"),
    "more reads than there are": (_target(depth={"reads": 10**9}), 3, "depth.reads asks for 1,000,000,000", "at most"),
    "unknown transform": (_target(transform="log1"), 2, "'log1' is no transform", "write `log1p`"),
    # regions and genome
    "peaks off the genome": (
        lambda f: {"regions": {"choose": "peaks", "files": f["off.bed"]}}, 3, "off.bed:2: end 40000 is past the end of chrB", "remove the row"),
    "peaks on an unknown chromosome": (
        lambda f: {"regions": {"choose": "peaks", "files": f["unknown.bed"]}}, 3, "unknown.bed:2: chromosome 'chr9'", "remove these rows"),
    "no peaks": (lambda f: {"regions": {"choose": "peaks", "files": f["empty.bed"]}}, 3, "empty.bed: no regions", "at least three"),
    "peaks at the edge only": (lambda f: {"regions": {"choose": "peaks", "files": f["edge.bed"]}}, 3, "no window is left", "loosen"),
    "peaks without files": ({"regions": {"choose": "peaks"}}, 2, "without `regions.files`", "files: peaks.bed"),
    "no blacklist": ({"regions": {"blacklist": "absent.bed"}}, 2, "`regions.blacklist`: ", "`regions.blacklist`"),
    "no genome": ({"genome": "absent.fa"}, 2, "`genome`: ", "correct `genome`"),
    "genome that is no FASTA": (lambda f: {"genome": f["notes.txt"]}, 3, "notes.txt: is not a FASTA", "as `genome`"),
    "genome of other names": (lambda f: {"genome": f["names.fa"]}, 3, "names of another style", "sed 's/^chr//'"),
    "genome of another assembly": (
        lambda f: {"genome": f["roman.fa"], "targets": [f.target | {"files": f["roman.bed.gz"]}],
                   "split": {"validation": ["chrI"], "test": ["chrIV"]}},
        3, "chrI has 24,832 bp; in sacCer3", "heads: [{name: main, genome: FASTA}]"),
    "test windows that the base has seen": (
        lambda f: {"heads": [{"name": "main", "genome": f["roman.fa"]}], "targets": [f.target | {"files": f["roman.bed.gz"]}],
                   "split": {"validation": ["chrI"], "test": ["chrIV"]}},
        2, "test windows lie on chromosomes that yeast-atac was trained on: chrIV", "`split.base_overlap: note`"),
    "loci that are none": (lambda f: {"verdict": {"loci": f["junk.bed"]}}, 3, "junk.bed:1", "tabs"),
    "loci elsewhere": (lambda f: {"verdict": {"loci": f["edge.bed"]}}, 3, "none of its regions lies in a judged window", "`split.test`"),
    # splits
    "no validation": ({"split": {"validation": []}}, 2, "the validation side is empty", "`split.validation`"),
    "no test": ({"split": {"test": []}}, 2, "the test side is empty", "`split.test`"),
    "nothing to train on": (
        {"split": {"validation": ["chrA", "chrB", "chrC", "chrE"], "test": ["chrD", "chrF"]}}, 2, "the train side is empty", "fewer"),
    "unknown chromosome": ({"split": {"test": ["chrG"]}}, 2, "no window lies on a chromosome 'chrG'", "write chr"),
    "a chromosome in two sides": ({"split": {"test": ["chrE"]}}, 2, "chromosome 'chrE' is of two sides", "one of them"),
    "k too small": (lambda f: {"regions": {"choose": "file", "files": f["three.bed"]}}, 2, "1 window trains", "`split.train`"),
    # cells
    "a cell in two splits": (
        _both(_cells(3), {"split": {"cells": {"validation": ["c2"], "test": ["c2"]}}}), 2, "cell 'c2' is of two sides", "one of them"),
    "an unknown cell": (_both(_cells(3), {"split": {"cells": {"test": ["c9"]}}}), 2, "no target has the cell 'c9'", "write c"),
    "one training cell": (
        _both(_cells(3), {"split": {"cells": {"validation": ["c1"], "test": ["c2"]}}}), 2, "1 cell trains", "`split.cells`"),
    "average without atac": (
        lambda f: {"targets": f.cells(3), "cell": {"average": "offset", "dna": False}}, 2, "`dna: false` leaves nothing", "`cell.input: atac`"),
    "atac without cells": ({"cell": {"input": "atac"}}, 2, "needs cells, and no target names one", "`cell:`"),
    "split.cells without cells": ({"split": {"cells": {"test": ["c1"]}}}, 2, "no target names its cell", "`cell:`"),
    "a cell without ATAC": (
        lambda f: {"targets": f.cells(3), "cell": {"input": "atac", "tracks": f.atac(2)}}, 2, "the cell 'c2' has targets and no track", "{c2: FILE}"),
    "a track from itself": (
        lambda f: _cells(3)(f) | {"cell": {"input": "atac", "tracks": f.atac(3) | {"c0": f["cell0.bw"]}}}, 2, "read from the same file", "cell.tracks.c0"),
    "a track from its copy": (
        lambda f: _cells(3)(f) | {"cell": {"input": "atac", "tracks": f.atac(3) | {"c0": f["copy.bw"]}}}, 3, "correlate at 1.0000", "cell.tracks.c0"),
    "an ATAC of another assembly": (
        lambda f: _cells(3)(f) | {"cell": {"input": "atac", "tracks": f.atac(3) | {"c0": f["other.bw"]}}}, 3, "of another assembly", "`genome`"),
    "a target of no cell": (
        lambda f: _cells(3)(f) | {"targets": [*f.cells(3), f.track("good.bw", name="u")]}, 2, "the target 'u' names no cell", "add `cell:`"),
    "two targets of a cell and assay": (
        lambda f: _cells(3)(f) | {"targets": [*f.cells(3), f.track("good.bw", name="u", cell="c0")]},
        2, "'u' is of the same cell and assay as 't0'", "`assay:`"),
    # verdict and losses
    "coarse bins that do not divide": ({"verdict": {"coarse": 48}}, 2, "verdict.coarse: 48", "one of 64, 128"),
    "one class": (
        lambda f: {"targets": [f.track("labels-train.bed", read="labels", reduce="max", missing="zero")], "train": {"loss": "ce"}},
        2, "there is one target", "train.loss: bce"),
    "a weight below 0": (
        {"sampling": {"positive_weight": -1}}, 2, "`sampling.positive_weight`: a weight must be above 0, not -1", "balanced"),
    "a weight that is a word": (
        {"sampling": {"positive_weight": "balance"}}, 2, "`sampling.positive_weight`: 'balance'", "balanced"),
    # model
    "unknown base": ({"base": "yeast-atak"}, 4, "no model named 'yeast-atak'", "zoo list"),
    "no base": ({"base": "./absent"}, 4, "no such model folder", "zoo list"),
    "broken base": (lambda f: {"base": f["broken.ckpt"]}, 4, "is not a weights file", "fetch"),
    "LoRA name that matches nothing": ({"mode": "lora", "lora": {"names": ["convv"]}}, 2, "'convv' matches no layer", "'conv'"),
    "more blocks than there are": ({"mode": "last-99"}, 2, "the trunk has 6 blocks", "last-6"),
    "a head that there is not": (_target(head="mian"), 2, "the head 'mian', which `heads` lacks", "`head:`"),
    "shift of cached embeddings": ({"augment": {"shift": 5}}, 2, "is no whole bin of 32 bp", "`mode: lora`"),
    "SMOTE of sequences": ({"mode": "lora", "sampling": {"resample": "smote"}, "train": {"loss": "bce"}}, 2, "smote", "`mode: head`"),
    "more processes than batches": ({"train": {"devices": 99}}, 2, "99 processes, and an epoch has 6 batches", "train.devices: 1"),
    "no scheduler": ({"train": {"nodes": 2}}, 2, "nothing says where the first node is", "train.nodes: 1"),
    "no such metric": ({"train": {"monitor": "vall_loss"}}, 2, "train.monitor: vall_loss", "val_loss"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_in_three_lines_and_nothing_is_written(name, world, files, refused, tmp_path):
    changes, code, what, fix = CASES[name]
    path = world.write("bad.yaml", **(changes(files) if callable(changes) else changes))
    told = refused("finetune", path, "-o", tmp_path / "run")
    assert told.code == code
    assert what in told.what
    assert fix in told.fix
    _nothing_half_written(tmp_path)


def _nothing_half_written(folder: Path) -> None:
    """A folder that begins anew at most; no file under a final name that was not finished."""
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert left <= {"run", "run/config.yaml", "run/identity.json"}


#: A text of the file that is exchanged, the key and the line of the mistake, and what may be written.
TYPOS = {
    "top": ("mode: head", "mod: head", "`mod` is no key of a run", "write `mode`"),
    "in train": ("  lr:", "  rl:", "`train.rl` is no key of a run", "write `lr`"),
    "in a list": ("  bin: 32", "  bins: 32", "`targets.0.bins` is no key of a run", "write `bin`"),
    "below a list": (
        "  bin: 32", "  depth: {backgrund: true}", "`targets.0.depth.backgrund` is no key of a run", "write `background`"),
    "a word": ("  read: centres", "  read: centers", "`targets.0.read`: 'centers'", "targets.0.read: centres"),
    "a number": ("  epochs: 2", "  epochs: many", "`train.epochs`: 'many'", "train.epochs: a whole number"),
    "too low": ("  epochs: 2", "  epochs: 0", "`train.epochs`: 0", "train.epochs: a number at least 1"),
    "mode": ("mode: head", "mode: hed", "`mode`: 'hed' is no mode", "mode: head"),
    "loss": ("  epochs: 2", "  loss: poison", "`train.loss`: 'poison'", "train.loss: poisson"),
    "empty list": ("  test:\n  - chrF", "  test: 1", "`split.test.0`: 1", "in quotes"),
    "head name": ("mode: head", "heads: [{name: a.b}]", "`heads.0.name`: 'a.b'", "letters"),
    "entry name": ("mode: head", "name: a/b", "`name`: 'a/b'", "name: "),
    "track name": ("name: centres", 'name: ""', "`targets.0.name`: ''", "name: mono"),
    "twice": ("mode: head", "mode: head\nmode: full", "`mode` is given a second time", "remove one"),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPOS)
def test_a_mistake_in_the_file_is_named_with_its_line(name, world, refused, tmp_path):
    old, new, what, fix = TYPOS[name]
    text = yaml.safe_dump(world.config(), sort_keys=False)
    assert old in text
    path = tmp_path / "run.yaml"
    path.write_text(text.replace(old, new))
    told = refused("finetune", path, "-o", tmp_path / "run")
    word = new.rsplit("\n", 1)[-1].strip()
    line = 1 + max(i for i, one in enumerate(path.read_text().splitlines()) if word in one)
    assert told.code == 2
    assert told.what.startswith(f"{path}:{line}: ")
    assert what in told.what
    assert fix in told.fix
    assert told.extent == "nothing was written" or name == "twice"


@pytest.mark.parametrize("key", ["base", "split", "targets"])
def test_a_misspelt_key_that_must_be_there_is_one_mistake(key, world, refused, tmp_path):
    """Not "`base` is missing; add it" for a file that has `bsae`."""
    text = yaml.safe_dump(world.config(), sort_keys=False)
    wrong = f"{key[:-2]}{key[-1]}{key[-2]}"
    path = tmp_path / "run.yaml"
    path.write_text("\n" + text.replace(f"{key}:", f"{wrong}:", 1))
    told = refused("finetune", path, "-o", tmp_path / "run")
    assert f"`{wrong}` is no key of a run" in told.what
    assert f"write `{key}`" in told.fix


def test_an_assembly_that_is_nearly_one_is_hinted(world, refused, tmp_path):
    path = world.write("bad.yaml", genome="sacCer4")
    told = refused("finetune", path, "-o", tmp_path / "run")
    assert "no assembly of this name; did you mean sacCer3?" in told.what


@pytest.mark.parametrize(
    ("given", "what", "fix"),
    [
        ("train.rl=1", "--set train.rl=1: `train.rl` is no key of a run", "write `train.lr`"),
        ("targets.0.bins=1", "--set targets.0.bins=1: `targets.0.bins` is no key", "write `targets.0.bin`"),
        ("targets.7.bin=1", "'7' is no place of a list of 1", "count from 0"),
        ("train.lr", "is not KEY=VALUE", "--set train.lr=1e-4"),
        ("train.lr=fast", "--set train.lr=fast: `train.lr`: 'fast'", "train.lr: a number"),
        ("train.lr=-1", "`train.lr`: -1", "above 0"),
        ("train=3", "--set train=3: `train`: 3", "`train:` with its own keys"),
        ("base.x=1", "'x' is below a value", "name a key"),
        ("targets.0.bin=48", "bin 48 does not divide", "bin: one of 32"),
    ],
)
def test_a_mistake_in_set_is_named(given, what, fix, world, refused, tmp_path):
    told = refused("finetune", world.write("set.yaml"), "-o", tmp_path / "run", "--set", given)
    assert (told.code, what in told.what, fix in told.fix) == (2, True, True), told
    assert not (tmp_path / "run").exists()


def test_two_of_one_name_are_named_where_the_second_stands(world, files, refused, tmp_path):
    path = world.write("twice.yaml", targets=[files.target | {"name": "copy"} for _ in range(2)])
    told = refused("finetune", path, "-o", tmp_path / "run")
    second = [i for i, line in enumerate(path.read_text().splitlines(), 1) if "name: copy" in line][1]
    assert told.what.startswith(f"{path}:{second}: `targets.1.name`: another of `targets` is named 'copy' too")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"- a\n", "is no mapping of keys"),
        (bytes(range(256)), "cannot be read"),
        (b"base: [\n", ":2: YAML does not parse"),
        (None, "is a folder"),
    ],
)
def test_what_is_no_configuration_is_refused(content, what, refused, tmp_path):
    path = tmp_path / "run.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    told = refused("finetune", path)
    assert (told.code, what in told.what) == (2, True), told
    assert refused("finetune", tmp_path / "absent.yaml").code == 2


def test_the_advice_is_true(world, files, tmp_path):
    """What the errors say to type is typed, and the data can be prepared."""
    sed = "".join(
        line.replace(">chr", ">") if line.startswith(">chr") else line
        for line in world.genome.read_text().splitlines(True)
    )
    (tmp_path / "renamed.fa").write_text(sed)
    advised = {
        "clip": {"targets": [files.track("negative.bw", transform="clip:0:inf")]},
        "arcsinh": {"targets": [files.track("negative.bw", transform="arcsinh")], "train": {"loss": "mse"}},
        "missing": {"targets": [files.track("without.bw", missing="zero")], "regions": {"chromosomes": list(CHROMS)}}
        | {"split": {"test": ["chrE"], "validation": ["chrD"]}},
        "renamed": {
            "targets": [files.track("plain.bw")],
            "genome": str(tmp_path / "renamed.fa"),
            "split": {"validation": ["E"], "test": ["F"]},
        },
        "bin": {"targets": [files.target | {"bin": 64}]},
        "base": {
            "heads": [{"name": "main", "genome": files["roman.fa"]}],
            "targets": [files.target | {"files": files["roman.bed.gz"]}],
            "split": {"validation": ["chrI"], "test": ["chrIV"], "base_overlap": "note"},
        },
    }
    for name, changes in advised.items():
        path = world.write(f"{name}.yaml", **changes)
        assert zoo.cli.run(["finetune", str(path), "--prepare-only", "--quiet"]) == 0, name


# ---------------------------------------------------------------- the folder of the run


def test_a_folder_that_cannot_be_the_runs_is_refused_before_data_are_read(world, files, refused, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.run.prepare", lambda *_, **__: pytest.fail("data were read"))
    path = world.write("folder.yaml")
    told = refused("finetune", path, "-o", files["other"])
    assert (told.code, told.what.endswith("is a folder with other files")) == (2, True)
    assert Path(files["other"], "x").read_text() == "kept"
    told = refused("finetune", path, "-o", world.fragments / "run")
    assert (told.code, "is a file, not a folder" in told.what) == (2, True)
    told = refused("finetune", path, "-o", world.genome)
    assert (told.code, "is a file, where a folder is needed" in told.what) == (2, True)
    base = tmp_path / "base"
    shutil.copytree(ROOT / "model_cards/yeast-atac", base)
    told = refused("finetune", world.write("base.yaml", base=str(base)), "-o", base / "run")
    assert (told.code, "is a part of" in told.what) == (2, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_folder_that_is_read_only_is_refused(world, refused, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        told = refused("finetune", world.write("ro.yaml"), "-o", place / "run")
        assert (told.code, str(place) in told.what) == (7, True) or told.code == 2
        assert "-o" in told.fix or "choose another place" in told.fix
    finally:
        subprocess.run(["umount", place], check=True)


# ---------------------------------------------------------------- what ends a training


@pytest.fixture
def run_in(world, tmp_path):
    """A short run of low-rank updates, whose steps can be made to fail."""

    def go(*arguments: Any, name: str = "run", **changes: Any) -> int:
        made = FEW | {"mode": "lora", "train": {"epochs": 3, "lr": 0.003}} | changes
        path = world.write("part.yaml", **made)
        return zoo.cli.run(["finetune", str(path), "-o", str(tmp_path / name), "--quiet", *map(str, arguments)])

    return go


def _three(capsys) -> tuple[str, str, str]:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3, lines
    return lines[0], lines[1], lines[2]


def _failing(monkeypatch, error: BaseException, step: int) -> None:
    """Raise in a step of training."""
    from finetune.training.module import Tuning

    real = Tuning.training_step

    def training_step(self, batch, batch_idx):
        if self.step >= step:
            raise error
        return real(self, batch, batch_idx)

    monkeypatch.setattr(Tuning, "training_step", training_step)


def test_out_of_memory_says_what_to_lower(run_in, capsys, monkeypatch, tmp_path):
    _failing(monkeypatch, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), step=1)
    assert run_in() == 7
    what, extent, fix = _three(capsys)
    assert "out of memory in training" in what
    assert "train.batch is 32" in extent or "train.batch is 16" in extent
    assert "train.batch: " in fix
    assert "train.accumulate: 2" in fix
    assert "mode: head" in fix
    _nothing_half_written(tmp_path)
    monkeypatch.undo()
    assert run_in("--set", "train.batch=8", "--set", "train.epochs=1") == 0  # nothing was finished: no --force needed


def test_a_loss_that_is_no_number_keeps_the_last_good_epoch(run_in, capsys, tmp_path):
    assert run_in("--set", "train.lr=1e9", "--set", "train.clip=0", "--set", "train.warmup=0") == 3
    what, _, fix = _three(capsys)
    assert "is not finite any more in epoch 1" in what
    assert "train.lr: 1e+08" in fix
    _nothing_half_written(tmp_path)


def test_a_later_loss_that_is_no_number_leaves_the_epoch_before(run_in, capsys, monkeypatch, tmp_path):
    from finetune.training import checkpoints
    from finetune.training.module import Tuning

    real = Tuning.training_step
    monkeypatch.setattr(
        Tuning, "training_step", lambda self, *given: real(self, *given) * (1 if self.epoch < 1 else float("nan"))
    )
    assert run_in("--set", "train.clip=0") == 3
    what, extent, fix = _three(capsys)
    assert "is not finite any more in epoch 2" in what
    assert "last.ckpt holds the last good epoch" in extent
    assert "--force" in fix
    kept = checkpoints.read(tmp_path / "run/last.ckpt")
    assert kept["epoch"] == 1
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept["weights"].values())
    assert checkpoints.read(tmp_path / "run/best.ckpt")["epoch"] == 1
    monkeypatch.undo()
    assert run_in("--set", "train.clip=0", "--set", "train.lr=0.0003", "--set", "train.epochs=1", "--force") == 0


def test_a_full_disk_at_a_checkpoint_loses_nothing_that_was_finished(run_in, capsys, monkeypatch, tmp_path):
    from finetune.training import checkpoints

    whole = run_in(name="whole")
    real, written = checkpoints.write, []

    def write(path, content, kept):
        written.append(path.name)
        if written.count("last.ckpt") == 2:
            monkeypatch.setattr(checkpoints._Sink, "write", _full)
        return real(path, content, kept)

    monkeypatch.setattr(checkpoints, "write", write)
    capsys.readouterr()
    assert run_in() == 7
    what, extent, fix = _three(capsys)
    assert "the disk is full" in what
    assert "holds the last good epoch" in extent
    typed = fix.rpartition("then zoo ")[2].split()
    assert not list(tmp_path.rglob("*.partial"))
    assert not (tmp_path / "run/verdict.json").exists()
    monkeypatch.undo()
    assert zoo.cli.run([*typed, "-q"]) == whole == 0
    assert _weights(tmp_path / "run") == _weights(tmp_path / "whole")


def _full(self, data):
    self.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return memoryview(data).nbytes


def _weights(folder: Path) -> str:
    return json.loads((folder / "run.run.json").read_text())["weights"]


@pytest.mark.slow
def test_ctrl_c_loses_no_finished_epoch_and_resumes_to_the_same_weights(world, run_in, tmp_path):
    path = world.write("stopped.yaml", **FEW, mode="lora", train={"epochs": 4, "lr": 0.003})
    command = [sys.executable, "-m", "zoo", "finetune", str(path), "-q", "-o"]
    # As many threads in each of the three runs: the order of sums is that of the threads.
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, str(tmp_path / "part")], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    last = tmp_path / "part/last.ckpt"
    deadline = time.monotonic() + 120
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    lines = err.splitlines()
    assert len(lines) == 3, err
    assert "--resume" in lines[2]
    left = {item.name for item in (tmp_path / "part").iterdir()}
    assert left <= {"best.ckpt", "last.ckpt", "history.csv", "config.yaml", "identity.json"}
    assert zoo.cli.run([*command[3:], str(tmp_path / "part"), "--resume"]) == 0
    assert zoo.cli.run([*command[3:], str(tmp_path / "whole")]) == 0
    assert _weights(tmp_path / "part") == _weights(tmp_path / "whole")


def test_a_run_does_not_resume_on_other_data_nor_begin_over_another(world, files, refused, run_in, tmp_path):
    copy = tmp_path / "fragments.bed.gz"
    shutil.copy(world.fragments, copy)
    changes = {"targets": [files.target | {"files": str(copy)}], "mode": "lora"}
    assert run_in("--set", "train.epochs=1", **changes) == 0
    path = world.write("again.yaml", **FEW, **changes, train={"epochs": 1, "lr": 0.003})
    told = refused("finetune", path, "-o", tmp_path / "run")
    assert (told.code, "holds a run already" in told.what, "--resume" in told.fix) == (2, True, True)
    with gzip.open(copy, "at") as more:
        more.write("chrA\t3000\t3160\n")
    told = refused("finetune", path, "-o", tmp_path / "run", "--resume")
    assert (told.code, "the data changed since the run began" in told.what) == (2, True), told
    assert (tmp_path / "run/verdict.json").is_file()


# ---------------------------------------------------------------- names, pipes, evaluate


def test_names_of_any_script_and_with_a_slash_are_names(world, files, tmp_path, capsys):
    path = world.write("σήμα.yaml", targets=[files.target | {"name": "σήμα/ñ 1"}], **FEW, train={"epochs": 1})
    assert zoo.cli.run(["finetune", str(path), "-o", str(tmp_path / "ünï"), "-q", "--json"]) == 0
    said, verdict = json.loads(capsys.readouterr().out), json.loads((tmp_path / "ünï/verdict.json").read_text())
    assert (said["sentence"], said["gained"]) == (verdict["sentence"], verdict["gained"])
    assert said["entry"] == str(next((tmp_path / "ünï/entry").iterdir()))
    assert {one["output"] for one in said["evaluation"]} == {"σήμα/ñ 1"} and "tuning" not in said
    entry = next((tmp_path / "ünï/entry").iterdir())
    assert zoo.cli.run(["test", str(entry), "--trust"]) == 0
    assert "σήμα/ñ 1" in (tmp_path / "ünï/verdict.html").read_text()


def test_a_reader_that_leaves_and_quiet_are_no_errors(world, tmp_path):
    path = world.write("piped.yaml", **FEW, train={"epochs": 1})
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m zoo finetune {path} -q --prepare-only | true"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_base_without_embeddings_and_models_of_other_bins_are_refused(world, files, refused, tmp_path):
    from toys import make_toy_entry

    toys = {kind: make_toy_entry(tmp_path / kind, kind).folder for kind in ("gc", "profile", "stranded")}
    told = refused("finetune", world.write("toy.yaml", base=str(toys["gc"])), "-o", tmp_path / "run", "--trust")
    assert (told.code, "base without embeddings" in told.what, "Linear or Conv1d" in told.fix) == (4, True, True)
    told = refused("evaluate", toys["profile"], world.write("bins.yaml"), "--trust")
    assert (told.code, "bin 32 does not divide what" in told.what) == (2, True), told
    several = world.write("several.yaml", targets=[{k: v for k, v in files.target.items() if k != "bin"}])
    told = refused("evaluate", toys["stranded"], several, "--trust")
    assert told.code == 2, told
    assert "which of its" in told.what
    assert "--tracks NAME" in told.fix
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("space", "what", "fix"),
    [
        ("train.rl=1e-4:1e-2", "--space train.rl=", "write `train.lr`"),
        ("train.lr=a,b", "--space train.lr=", "train.lr: a number"),
        ("train.lr", "--space train.lr: is no range and no choice", "--space train.lr=1e-4:1e-2"),
    ],
)
def test_tune_finds_mistakes_before_a_trial(space, what, fix, world, refused, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.run.prepare", lambda *_, **__: pytest.fail("data were read"))
    path = world.write("tuned.yaml")
    told = refused("tune", path, "-o", tmp_path / "run", "--space", space)
    assert (told.code, told.what.startswith(what), fix in told.fix) == (2, True, True), told
    (tmp_path / "run").mkdir()
    (tmp_path / "run/identity.json").write_text("{}")
    told = refused("tune", path, "-o", tmp_path / "run")
    assert (told.code, "holds a run already" in told.what, "--resume" in told.fix) == (2, True, False)


def test_evaluate_refuses_what_is_no_run_and_what_it_cannot_place(world, files, refused, tmp_path):
    path = world.write("evaluated.yaml")
    told = refused("evaluate", files["other"], path)
    assert told.code == 4, told
    assert files["other"] in told.what
    told = refused("evaluate", "yeast-atak", path)
    assert (told.code, "near names: yeast-atac" in told.extent) == (4, True)
    told = refused("evaluate", "yeast-atac", path, "--tracks", "nosuch")
    assert (told.code, "nosuch" in told.what) == (2, True)
    told = refused("evaluate", "yeast-atac", path, "-o", tmp_path / "page.txt")
    assert (told.code, ".html" in told.what + told.extent + told.fix) == (2, True)
    told = refused("evaluate", "yeast-atac", world.write("bins.yaml", targets=[files.target | {"bin": 48}]))
    assert (told.code, "bin 48" in told.what) == (2, True)
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "identity.json").write_text("{}")
    shutil.copy(path, begun / "config.yaml")
    told = refused("evaluate", begun, path)
    assert (told.code, "the run has no finished epoch" in told.what) == (3, True)
    assert not list(tmp_path.glob("*.html"))
