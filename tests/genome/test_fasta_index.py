"""An index belongs to a FASTA by content, never by date: plain and bgzip, whatever replaced the file."""

from __future__ import annotations

import os
import random
import shutil
import struct
import time

import numpy as np
import pysam
import pytest
from toys import random_sequence, write_fasta

from zoo.errors import InputError
from zoo.genome import fasta_index
from zoo.genome.bgzf import BgzfBlocks, UnfitIndex
from zoo.genome.fasta import open_genome

PAST, FUTURE = time.time() - 10_000, time.time() + 10_000


def bgzip(path, content, level=""):
    with pysam.BGZFile(str(path), f"wb{level}") as handle:
        handle.write(content)
    return path


def letters_of(path, contigs):
    """All letters, read in windows that fill each contig."""
    genome = open_genome(path)
    try:
        assert genome.sizes == {name: len(letters) for name, letters in contigs.items()}
        found = {}
        for name, letters in contigs.items():
            number = genome.numbers(np.array([name], dtype=object))
            found[name] = bytes(genome.gather(number, np.array([0]), len(letters))[0]).decode()
        return found
    finally:
        genome.close()


def written(tmp_path, contigs, width=60):
    return write_fasta(tmp_path / "made.fa", contigs, width).read_bytes()


BASE = {"a": "ACGT" * 100, "b": "GGATC" * 40}
#: What the file was when it was indexed -> what it is now.
REPLACED = {
    "other lengths": (BASE, 60, {"a": "ACGT" * 100, "b": "GGATC" * 39}, 60),
    "other order": (BASE, 60, {"b": BASE["b"], "a": BASE["a"]}, 60),
    "another name": (BASE, 60, {"a": BASE["a"], "c": BASE["b"]}, 60),
    "a contig more": (BASE, 60, BASE | {"c": "TTTT"}, 60),
    "a contig less": (BASE, 60, {"a": BASE["a"]}, 60),
    "wider lines": (BASE, 60, BASE, 80),
    "narrower lines": (BASE, 60, BASE, 50),
    "one line a contig": (BASE, 60, BASE, 10_000),
    "lines in place of one": (BASE, 10_000, BASE, 60),
    # One line end less or more is all that differs: the file is as long as the index has it.
    "two lines were one": ({"a": "ACGTTGCA"}, 4, {"a": "ACGTTGCA"}, 8),
    "one line was two": ({"a": "ACGTTGCA"}, 8, {"a": "ACGTTGCA"}, 4),
}


@pytest.mark.parametrize("now_dated", [PAST, FUTURE], ids=["older", "newer"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "bgzip"])
@pytest.mark.parametrize("case", REPLACED)
def test_an_index_of_the_file_that_was_there_is_not_used(tmp_path, case, compressed, now_dated):
    """`cp -p` and `rsync -a` bring an older date along; a clone gives all files one date."""
    before, width, after, new_width = REPLACED[case]
    path = tmp_path / ("x.fa.gz" if compressed else "x.fa")
    for contigs, lines in ((before, width), (after, new_width)):
        content = written(tmp_path, contigs, lines)
        bgzip(path, content) if compressed else path.write_bytes(content)
        os.utime(path, (now_dated, now_dated))
        assert letters_of(path, contigs) == contigs
    assert letters_of(path, after) == after


def test_a_current_index_of_an_old_date_is_used(tmp_path):
    path = bgzip(tmp_path / "x.fa.gz", written(tmp_path, BASE))
    open_genome(path).close()
    for suffix in (".fai", ".gzi"):
        os.utime(f"{path}{suffix}", (PAST, PAST))
    assert letters_of(path, BASE) == BASE
    assert os.stat(f"{path}.gzi").st_mtime == os.stat(f"{path}.fai").st_mtime == PAST
    assert not (tmp_path / "cache").exists()


def test_an_index_of_blocks_of_another_compression_is_not_used(tmp_path):
    """The same FASTA, so that .fai and headers fit; every block but the first lies elsewhere."""
    rng = random.Random(2)
    contigs = {name: random_sequence(rng, 200_000) for name in "ab"}
    content = written(tmp_path, contigs)
    path, other = bgzip(tmp_path / "x.fa.gz", content, "1"), bgzip(tmp_path / "y.fa.gz", content, "9")
    for one in (path, other):
        open_genome(one).close()
    assert (tmp_path / "x.fa.gz.fai").read_bytes() == (tmp_path / "y.fa.gz.fai").read_bytes()
    shutil.copy(tmp_path / "y.fa.gz.gzi", tmp_path / "x.fa.gz.gzi")
    os.utime(tmp_path / "x.fa.gz.gzi", (FUTURE, FUTURE))
    assert letters_of(path, contigs) == contigs


@pytest.mark.parametrize("now_dated", [PAST, FUTURE], ids=["older", "newer"])
def test_other_bases_under_the_same_headers(tmp_path, now_dated):
    """A genome with the alleles of somebody: .fai and headers fit, the blocks lie elsewhere."""
    rng = random.Random(3)
    path = tmp_path / "x.fa.gz"
    for bases in ("ACGT", "ACGTAAAAAAAA"):
        contigs = {name: random_sequence(rng, 200_000, bases) for name in "ab"}
        bgzip(path, written(tmp_path, contigs))
        os.utime(path, (now_dated, now_dated))
        assert letters_of(path, contigs) == contigs


def test_a_contig_that_was_not_looked_at_when_opening_is_before_its_first_base(tmp_path, monkeypatch):
    """Of many contigs some are looked at. Two that changed places in between are seen when their bases are due."""
    monkeypatch.setattr(fasta_index, "LOOKS", 2)
    contigs = {name: letters * 30 for name, letters in zip("abcd", ("ACGT", "CCGT", "GGTA", "TTTA"), strict=True)}
    path = bgzip(tmp_path / "x.fa.gz", written(tmp_path, contigs))
    open_genome(path).close()
    bgzip(path, written(tmp_path, {name: contigs[name] for name in "acbd"}))
    genome = open_genome(path)
    assert list(genome.sizes) == ["a", "b", "c", "d"], "the index as it was fits at the first and the last contig"
    for number, fits in ((0, True), (1, False), (2, False), (3, True)):
        if fits:
            assert bytes(genome.gather(np.array([number]), np.array([0]), 4)[0]).decode() == contigs["abcd"[number]][:4]
        else:
            with pytest.raises(InputError, match="its index is of another file"):
                genome.gather(np.array([number]), np.array([0]), 4)


@pytest.mark.parametrize("cut", [1, 28, 29, 500])
def test_a_file_that_was_cut_off_after_it_was_indexed(tmp_path, cut):
    """Without the mark of its end (28 bytes) it is whole; without more of it, it is not."""
    contigs = {"a": random_sequence(random.Random(4), 300_000)}
    path = bgzip(tmp_path / "x.fa.gz", written(tmp_path, contigs))
    open_genome(path).close()
    path.write_bytes(path.read_bytes()[:-cut])
    if cut == 28:
        assert letters_of(path, contigs) == contigs
    else:
        with pytest.raises(InputError):
            letters_of(path, contigs)


def test_a_damaged_block_gives_no_letters(tmp_path):
    """Its size is as it was, so that the index fits; its checksum is not."""
    contigs = {"a": random_sequence(random.Random(5), 300_000)}
    path = bgzip(tmp_path / "x.fa.gz", written(tmp_path, contigs))
    open_genome(path).close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="truncated or damaged"):
        letters_of(path, contigs)


@pytest.mark.parametrize(
    "gzi", [b"", b"1234567", struct.pack("<Q", 3), struct.pack("<5Q", 2, 50, 10, 40, 20), b"x" * 24]
)
def test_a_damaged_index_of_blocks_is_not_used(tmp_path, gzi):
    path = bgzip(tmp_path / "x.fa.gz", written(tmp_path, BASE))
    open_genome(path).close()
    (tmp_path / "x.fa.gz.gzi").write_bytes(gzi)
    assert letters_of(path, BASE) == BASE
    with pytest.raises(UnfitIndex):
        BgzfBlocks(path, tmp_path / "x.fa.gz.gzi")


def test_files_of_several_bgzip_parts_are_read(tmp_path):
    """`cat a.fa.gz b.fa.gz`: an empty block stands in the middle."""
    for name, letters in BASE.items():
        bgzip(tmp_path / f"{name}.gz", written(tmp_path, {name: letters}))
    path = tmp_path / "x.fa.gz"
    path.write_bytes(b"".join((tmp_path / f"{name}.gz").read_bytes() for name in BASE))
    assert letters_of(path, BASE) == BASE
    inode = (tmp_path / "x.fa.gz.gzi").stat().st_ino
    assert letters_of(path, BASE) == BASE and (tmp_path / "x.fa.gz.gzi").stat().st_ino == inode


def test_bytes_at_any_offset_are_those_of_the_file(tmp_path):
    content = written(tmp_path, {"a": random_sequence(random.Random(6), 200_000)})
    path = bgzip(tmp_path / "x.fa.gz", content)
    open_genome(path).close()
    blocks = BgzfBlocks(path, tmp_path / "x.fa.gz.gzi")
    assert blocks.size == len(content) and len(blocks) == 4
    rng = random.Random(7)
    for _ in range(200):
        low, high = rng.randint(-10, len(content) + 10), rng.randint(-10, len(content) + 100_000)
        assert blocks.read(low, high) == content[max(low, 0) : max(high, 0)]


def test_a_genome_of_many_contigs_opens_in_bounded_time(tmp_path, monkeypatch):
    """Of 3,000 contigs in as many places a few hundred are looked at."""
    text = "".join(f">scaffold_{i}\n{'ACGT' * 25}\n" for i in range(3000))
    path = bgzip(tmp_path / "x.fa.gz", text.encode())
    open_genome(path).close()
    looked = []
    stands = fasta_index.stands_where
    monkeypatch.setattr(fasta_index, "stands_where", lambda *args: looked.append(args) or stands(*args))
    open_genome(path).close()
    assert len(looked) == fasta_index.LOOKS == 256
