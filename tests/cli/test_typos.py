"""Names that are nearly right: files, chromosomes, tracks, formats, devices; what was meant stands in the error."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.genome.checks import _is_a_typo
from zoo.paths import near_file

ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI")
YEAST = [f"chr{name}" for name in (*ROMAN, "M")]
HUMAN = [f"chr{name}" for name in [*range(1, 23), "X", "Y", "M"]]


def test_a_near_file_of_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("peaks.bed", "genes.bed", "sacCer3.fa"):
        Path(name).touch()
    Path("data").mkdir()
    Path("data/peaks.bed").touch()
    assert near_file("peaks.bde") == "did you mean peaks.bed?"
    assert near_file("Peaks.BED") == "did you mean peaks.bed?"
    assert near_file("saccer.fa") == "did you mean sacCer3.fa?"
    assert near_file("data/peak.bed") == "did you mean data/peaks.bed?"
    assert near_file("dta/peaks.bed") == "did you mean data?", "the folder is what is wrong"
    assert near_file(tmp_path / "data/peak.bed") == f"did you mean {tmp_path}/data/peaks.bed?"
    assert near_file("zzzzzzz") == near_file("/no/such/place/at/all.xyz") == ""


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("peaks.bde", ["predict", "yeast-atac", "peaks.bde", "-g", "toy.fa"]),
        ("toi.fa", ["predict", "yeast-atac", "peaks.bed", "-g", "toi.fa"]),
        ("motif.h5", ["report", "motif.h5", "-o", "page.html"]),
        ("contrib.h5", ["motifs", "contrib.h5", "-o", "m.h5"]),
        ("rum.yaml", ["finetune", "rum.yaml"]),
        ("./modle.ckpt", ["info", "./modle.ckpt"]),
    ],
)
def test_files_of_commands(shell, typed, command):
    names = ("peaks.bed", "toy.fa", "motifs.h5", "contribs.h5", "run.yaml", "model.ckpt")
    for name in names:
        shell.write(name, "chrA\t1\t9\n")
    said = shell.zoo(*command)
    assert said.code in (2, 3, 4) and "did you mean " in said.err.splitlines()[1], said
    assert any(name in said.err.splitlines()[1] for name in names)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        *((one, "model") for one in ("info", "pull", "benchmark", "test", "check", "upgrade")),
        ("predict @ peaks.bed", "model"),
        ("variants @ calls.vcf", "model"),
        ("predict yeast-atac", "file"),
        ("attribute @ -o x.h5", "file"),
        ("attribute yeast-atac @ -o x.h5", "file"),
        ("motifs @ -o m.h5", "file"),
        ("report @ -o page.html", "file"),
        ("convert @ -o x.safetensors", "file"),
        ("cache add", "file"),
        ("finetune", "file"),
        ("tune", "file"),
        ("source add mine", "folder"),
        ("export yeast-atac --to hf", "folder"),
        ("pull yeast-atac --to", "file"),
    ],
)
def test_a_variable_that_is_not_set_names_nothing(shell, line, kind):
    """And not the folder that one stands in, which holds a model here."""
    shell.fresh_toy("gc").folder.rename(shell.folder / "model")
    shell.write("model.yaml", (shell.folder / "model" / "model.yaml").read_bytes())
    before = shell.files()
    words = line.split() if "@" in line else [*line.split(), "@"]
    said = shell.zoo(*("" if word == "@" else word for word in words))
    assert said.code in (2, 3, 4) and f"'': is the name of no {kind}" in said.error(said.code)
    assert shell.files() == before


@pytest.mark.parametrize(
    ("name", "known", "typo"),
    [
        ("chrlV", YEAST, True),
        ("CHRIV", YEAST, True),
        ("chr_X", YEAST, True),
        ("chrXVII", YEAST, False),
        ("chr23", HUMAN, False),
        ("chr1_", HUMAN, True),
        ("Chr12", HUMAN, True),
        ("hcr7", HUMAN, True),
        ("chrZ", HUMAN, False),
    ],
)
def test_another_chromosome_is_no_typo(name, known, typo):
    assert _is_a_typo(name, known) == typo


def test_a_chromosome(shell):
    assert "did you mean chrA?" in shell.predict(shell.write("x.bed", "hcrA\t10\t20\n")).error(3)


@pytest.mark.parametrize(("out", "meant"), [("x.tvs", ".tsv"), ("x.prquet", ".parquet"), ("x.bedgrph", ".bedgraph")])
def test_the_suffix_of_a_result(shell, out, meant):
    toy = shell.toys["gc"]
    assert f"x{meant}" in shell.predict(toy.regions, out=out).error(2).splitlines()[2]


def test_other_values(shell):
    toy = shell.toys["gc"]
    assert "did you mean cpu?" in shell.predict(toy.regions, "--device", "cpuu").error(2)
    assert "near: gc" in shell.predict(toy.regions, "--tracks", "gcc").error(2)
    said = shell.zoo("attribute", "m", "r.bed", "-o", "c.h5", "--method", "deepliftshp").error(2)
    assert "--method deepliftshap" in said
