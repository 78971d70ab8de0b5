"""Genomes that are missing, damaged, compressed the wrong way, or another assembly than the card's."""

from __future__ import annotations

import gzip
import os
import random

import pytest
from toys import random_sequence, write_fasta

NO_GENOME = {
    "BED": (b"chrA\t1\t2\n", "is not a FASTA"),
    "empty": (b"", "is empty"),
    "web page": (b"<!DOCTYPE html><html>404</html>", "is a web page"),
    "binary": (b"\x43\x27\x41\x1a" + bytes(100), "is not a FASTA"),
    "header only": (b">chrA\n", "its sequences have no bases"),
    "ragged": (b">chrA\nACGTACGT\nACG\nACGTACGT\n", "line 4"),
    "repeated name": (b">chrA\nACGT\n>chrA\nACGT\n", "two sequences are named 'chrA'"),
    "a table in gzip": (gzip.compress(b"chrA\t1\t2\n"), "is not a FASTA"),
}


@pytest.mark.parametrize(("content", "told"), NO_GENOME.values(), ids=list(NO_GENOME))
def test_a_file_that_is_no_genome(shell, content, told):
    genome = shell.write("x.fa", content)
    assert told in shell.refused(shell.toys["gc"].regions, 3, genome=genome)


def test_a_missing_genome_a_folder_and_none(shell):
    toy = shell.toys["gc"]
    assert "no such genome file" in shell.refused(toy.regions, 3, genome="nope.fa")
    assert "is a folder" in shell.refused(toy.regions, 3, genome=shell.folder)
    assert "add -g" in shell.zoo("predict", toy.folder, toy.regions, "-o", "out.tsv", "--trust").error(2)


def test_a_pipe_is_no_genome(shell):
    os.mkfifo(shell.folder / "pipe")
    assert "is a pipe or device" in shell.refused(shell.toys["gc"].regions, 3, genome="pipe")


@pytest.fixture
def fake_yeast(shell):
    genome = write_fasta(shell.folder / "fake.fa", {"chrI": random_sequence(random.Random(1), 3000)})
    return genome, shell.write("x.bed", "chrI\t100\t200\n")


def test_another_assembly_than_the_cards(shell, fake_yeast):
    genome, bed = fake_yeast
    toy = shell.fresh_toy(card={"genome": {"assembly": "sacCer3"}})
    arguments = ["predict", toy.folder, bed, "-g", genome, "-o", "out.tsv", "--trust"]
    before = shell.files()
    message = shell.zoo(*arguments).error(3)
    assert "chrI has 3,000 bp; in sacCer3" in message and "230,218" in message and "--any-genome" in message
    assert shell.files() == before
    shell.zoo(*arguments, "--any-genome").notes()
    assert (shell.folder / "out.tsv").exists()


def test_the_genome_that_is_asked_for_is_the_cards(shell, fake_yeast):
    toy = shell.fresh_toy(card={"genome": {"assembly": "sacCer3"}})
    message = shell.zoo("predict", toy.folder, fake_yeast[1], "--trust").error(2)
    assert "was trained on sacCer3" in message and "-g sacCer3.fa" in message


def test_a_genome_in_a_read_only_folder(shell, small_disk, read_only, monkeypatch):
    write_fasta(small_disk / "g.fa", shell.toys["gc"].sequences)
    folder = read_only()
    monkeypatch.setenv("ZOO_CACHE", str(folder / "cache"))
    message = shell.refused(shell.toys["gc"].regions, 7, genome=folder / "g.fa")
    assert "its index (.fai) can be written neither" in message and "ZOO_CACHE=" in message
    monkeypatch.setenv("ZOO_CACHE", str(shell.folder / "cache"))
    shell.predict(shell.toys["gc"].regions, genome=folder / "g.fa").notes()


def test_a_genome_of_ucsc_is_used_as_it_is(shell, monkeypatch):
    """Plain gzip: a note says where its copy is, once, and the result is that of the FASTA."""
    toy = shell.toys["gc"]
    genome, cache = shell.folder / "hg.fa.gz", shell.folder / "cache"
    genome.write_bytes(gzip.compress(toy.genome.read_bytes()))
    *usual, _ = shell.predict(toy.regions).notes().splitlines()  # the last line tells the time
    result = (shell.folder / "out.tsv").read_bytes()
    monkeypatch.setenv("ZOO_CACHE", str(cache))
    first, *others, _ = shell.predict(toy.regions, genome=genome).notes().splitlines()
    assert first.startswith(f"zoo: {genome} is compressed with plain gzip") and f"{cache}/genomes/" in first
    assert others == usual and (shell.folder / "out.tsv").read_bytes() == result
    *others, _ = shell.predict(toy.regions, genome=genome).notes().splitlines()
    assert others == usual


@pytest.mark.parametrize(
    ("species", "assemblies"),
    [
        ("yeast", "sacCer3"),
        ("Saccharomyces_cerevisiae", "sacCer3"),
        ("human", "hg38, hg19, hs1"),
        ("Homo sapiens", "hg38, hg19, hs1"),
        ("Mouse", "mm10, mm39"),
        ("zebrafish", "danRer11"),
        ("drosophila", "dm6"),
        ("worm", "ce11"),
    ],
)
def test_a_species_is_no_assembly_and_those_of_it_are_named(shell, species, assemblies):
    """Nothing is guessed: of one that is known alone, too, its name is asked for."""
    for verb in ("add", "path", "remove"):
        said = shell.zoo("genome", verb, species).error(2).splitlines()
        assert said[0] == f"error: {species!r} is a species, and a genome is of one assembly"
        assert said[1].endswith(f"known: {assemblies}")


def test_every_known_assembly_is_of_a_species():
    from zoo.genome.assembly import known_assemblies
    from zoo.genome.library import SPECIES

    assert sorted(name for names in SPECIES.values() for name in names) == sorted(known_assemblies())


@pytest.mark.parametrize(("width", "shown"), [(200, "assembly size used from path"), (80, "assembly size used from")])
def test_the_list_of_genomes_fits_the_terminal(shell, monkeypatch, width, shown):
    from pathlib import Path

    import zoo.cli.tables as tables
    from zoo.genome import library

    kept = library.KeptGenome(
        "sacCer3", Path("/home/ada/.cache/seqzoo/assemblies/sacCer3/sacCer3.fa.gz"), 4_300_000, 0.0,
        "https://hgdownload.soe.ucsc.edu/goldenPath/sacCer3/bigZips/sacCer3.fa.gz", {},
    )  # fmt: skip
    monkeypatch.setattr(library, "genomes", lambda: [kept])
    monkeypatch.setattr(tables, "on_a_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    head, row = shell.zoo("genome", "ls").out.splitlines()
    assert head.split() == shown.split() and max(len(head), len(row)) <= width
    assert row.startswith("sacCer3   4.3 MB  1970-01-01  https://hgdownload.soe.ucsc.edu/gol")
