"""A FASTA of any layout gives the letters that pysam and plain Python give, and an index as samtools makes it."""

from __future__ import annotations

import os
import random

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import window

from zoo.errors import InputError, SystemStateError
from zoo.genome.fasta import open_genome


@st.composite
def layouts(draw):
    """(file content, contigs): every contig has a line width of its own; blank lines and empty contigs in between."""
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    contigs, content = {}, b""
    for number in range(draw(st.integers(1, 4))):
        letters = draw(st.text(st.sampled_from("ACGTacgtNnRY"), min_size=1, max_size=90))
        width = draw(st.integers(1, 40))
        name = f"c{number}.v1|x"
        header = f">{name}{draw(st.sampled_from(['', ' a description', chr(9) + 'tab > arrow']))}".encode()
        if draw(st.booleans()):  # samtools takes a sequence without bases, but not as the last
            content += f">empty{number}".encode() + end
        lines = [letters[i : i + width].encode() for i in range(0, len(letters), width)]
        content += end.join([header, *lines]) + end + draw(st.sampled_from([b"", end]))
        contigs[name] = letters
    return content, contigs


def gathered(genome, name, starts, length):
    numbers = genome.numbers(np.array([name] * len(starts), dtype=object))
    return [bytes(row).decode() for row in genome.gather(numbers, np.array(starts, dtype=np.int64), length)]


def fresh(tmp_path_factory, content, compressed):
    path = tmp_path_factory.mktemp("fasta") / ("x.fa.gz" if compressed else "x.fa")
    if compressed:
        with pysam.BGZFile(str(path), "wb") as handle:
            handle.write(content)
    else:
        path.write_bytes(content)
    return path


@settings(max_examples=25)
@given(layout=layouts(), compressed=st.booleans(), length=st.integers(1, 60))
def test_windows_of_a_random_layout(tmp_path_factory, layout, compressed, length):
    content, contigs = layout
    genome = open_genome(fresh(tmp_path_factory, content, compressed))
    assert {name: genome.sizes[name] for name in contigs} == {name: len(letters) for name, letters in contigs.items()}
    for name, letters in contigs.items():
        starts = list(range(-length, len(letters) + 2, 3))
        assert gathered(genome, name, starts, length) == [window(letters, start, length) for start in starts]
    genome.close()


@settings(max_examples=25)
@given(layout=layouts())
def test_the_letters_are_those_of_pysam(tmp_path_factory, layout):
    content, contigs = layout
    path = fresh(tmp_path_factory, content, False)
    genome = open_genome(path)
    with pysam.FastaFile(str(path)) as theirs:
        assert {name: genome.sizes[name] for name in contigs} == {
            name: theirs.get_reference_length(name) for name in contigs
        }
        for name, letters in contigs.items():
            assert gathered(genome, name, [0], len(letters)) == [theirs.fetch(name)]


@settings(max_examples=12)
@given(layout=layouts())
def test_the_index_is_that_of_samtools(tmp_path_factory, layout):
    content, _ = layout
    ours, theirs = fresh(tmp_path_factory, content, False), fresh(tmp_path_factory, content, False)
    open_genome(ours)
    pysam.faidx(str(theirs))
    assert (ours.parent / "x.fa.fai").read_text() == (theirs.parent / "x.fa.fai").read_text()


def test_an_index_of_samtools_is_taken_as_it_is(tmp_path):
    (tmp_path / "x.fa").write_text(">a one\nACGTAC\nGT\n>b\nGGG\n")
    pysam.faidx(str(tmp_path / "x.fa"))
    inode = (tmp_path / "x.fa.fai").stat().st_ino
    genome = open_genome(tmp_path / "x.fa")
    assert [(c.name, c.length, c.line_bases, c.line_width) for c in genome.contigs] == [("a", 8, 6, 7), ("b", 3, 3, 4)]
    assert (tmp_path / "x.fa.fai").stat().st_ino == inode


def test_contigs_keep_the_order_of_the_file_and_are_numbered_by_it(tmp_path):
    names = ["chr2", "chr10", "chr1", "M"]
    (tmp_path / "x.fa").write_text("".join(f">{name}\n{'A' * (i + 1)}\n" for i, name in enumerate(names)))
    genome = open_genome(tmp_path / "x.fa")
    assert list(genome.sizes) == names
    numbers = genome.numbers(np.array(["M", "chr2", "chr1"], dtype=object))
    assert numbers.tolist() == [3, 0, 2] and numbers.dtype == np.int64
    assert genome.lengths(numbers).tolist() == [4, 1, 3]
    assert genome.numbers(np.empty(0, dtype=object)).tolist() == []


def test_a_contigs_own_name_wins_over_an_alias(tmp_path):
    """Where a FASTA has both `1` and `chr1`, the regions' own name is meant."""
    (tmp_path / "x.fa").write_text(">1\nAAAA\n>chr1\nCCCC\n")
    genome = open_genome(tmp_path / "x.fa")
    assert genome.numbers(np.array(["chr1", "one"], dtype=object), {"chr1": "1", "one": "1"}).tolist() == [1, 0]


def test_a_batch_may_have_windows_of_all_contigs_in_any_order(tmp_path):
    rng = random.Random(5)
    contigs = {f"c{i}": "".join(rng.choices("ACGT", k=rng.randint(5, 200))) for i in range(7)}
    text = "".join(f">{name}\n{letters}\n" for name, letters in contigs.items()).encode()
    (tmp_path / "x.fa").write_bytes(text)
    with pysam.BGZFile(str(tmp_path / "y.fa.gz"), "wb") as handle:
        handle.write(text)
    names = [rng.choice(list(contigs)) for _ in range(80)]
    starts = np.array([rng.randint(-20, len(contigs[name]) + 5) for name in names])
    expected = [window(contigs[name], start, 17) for name, start in zip(names, starts.tolist(), strict=True)]
    for path in (tmp_path / "x.fa", tmp_path / "y.fa.gz"):
        genome = open_genome(path)
        letters = genome.gather(genome.numbers(np.array(names, dtype=object)), starts, 17)
        assert [bytes(row).decode() for row in letters] == expected


def test_a_window_longer_than_its_contig_is_letters_between_unknown_ones(tmp_path):
    (tmp_path / "x.fa").write_text(">a\nACGT\n")
    assert gathered(open_genome(tmp_path / "x.fa"), "a", [-3], 10) == ["NNNACGTNNN"]


# What cannot be used


def test_a_pipe_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError) as caught:  # opening it would wait for a writer for ever
        open_genome(tmp_path / "pipe")
    assert caught.value.what == f"{tmp_path / 'pipe'}: is a pipe or device, which allows no random access"
    assert caught.value.fix == "Fix: save the genome as a file, plain or bgzip"


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
def test_a_device_is_refused(path):
    with pytest.raises(InputError, match="is a pipe or device"):
        open_genome(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_an_index_that_can_be_written_nowhere(tmp_path, monkeypatch, compressed):
    """The folder is read-only and the cache is no folder: exit code of the machine, and where it was tried."""
    path = tmp_path / ("x.fa.gz" if compressed else "x.fa")
    opener = pysam.BGZFile(str(path), "wb") if compressed else path.open("wb")
    with opener as handle:
        handle.write(b">a\nACGT\n")
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SystemStateError) as caught:
        open_genome(path)
    assert caught.value.what.startswith(f"{path}: its index (.fai) can be written neither beside it nor in the cache")
    assert caught.value.extent == f"tried {tmp_path / 'cache' / 'fai'}"
    assert "ZOO_CACHE=" in caught.value.fix and caught.value.exit_code == 7


def test_a_header_of_the_right_name_before_other_bases_makes_an_index_stale(tmp_path):
    """Same names, same lengths, other line widths: the offsets point into the middle of lines."""
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGTACGT\n>b\nGGGG\n")
    open_genome(path)
    path.write_text(">a\nACGT\nACGT\n>b\nGG\nGG\n")
    assert gathered(open_genome(path), "a", [2], 4) == ["GTAC"]


def test_a_name_that_is_the_start_of_another_is_not_it(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">chr1\nACGT\n")
    open_genome(path)
    path.write_text(">chr11\nACGT\n")
    assert open_genome(path).sizes == {"chr11": 4}
