"""Windows of a FASTA equal slices of Python strings, whatever the file's layout."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time

import numpy as np
import pysam
import pytest
from toys import random_sequence, window, write_fasta

from zoo.errors import InputError
from zoo.genome import fasta, fasta_index
from zoo.genome.fasta import BgzipGenome, PlainGenome, open_genome

IUPAC = "ACGTACGTacgtNnRYk"


def contigs_for(seed):
    rng = random.Random(seed)
    lengths = {"long": rng.randint(200, 900), "short": rng.randint(1, 9), "one": 1, "last": rng.randint(30, 400)}
    return {name: random_sequence(rng, length, IUPAC) for name, length in lengths.items()}


def bgzip(path):
    target = path.with_name(path.name + ".gz")
    with pysam.BGZFile(str(target), "wb") as handle:
        handle.write(path.read_bytes())
    return target


def random_windows(rng, sequences, length, n):
    """Windows anywhere: before the start, across it, inside, across the end, beyond, longer than the contig."""
    names = [rng.choice(list(sequences)) for _ in range(n)]
    starts = [rng.randint(-2 * length, len(sequences[name]) + length) for name in names]
    return names, starts


def gathered(genome, names, starts, length):
    numbers = genome.numbers(np.array(names, dtype=object))
    letters = genome.gather(numbers, np.array(starts, dtype=np.int64), length)
    assert letters.shape == (len(names), length) and letters.dtype == np.uint8
    return [bytes(row).decode() for row in letters]


def check(genome, sequences, seed=0, lengths=(1, 2, 7, 60, 61, 300)):
    rng = random.Random(seed)
    assert genome.sizes == {name: len(sequence) for name, sequence in sequences.items()}
    for length in lengths:
        names, starts = random_windows(rng, sequences, length, 60)
        expected = [window(sequences[name], start, length) for name, start in zip(names, starts, strict=True)]
        assert gathered(genome, names, starts, length) == expected


@pytest.mark.parametrize("width", [1, 5, 60, 100_000], ids=lambda w: f"width {w}")
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("final_newline", [True, False], ids=["newline", "no final newline"])
def test_plain_windows_equal_slices(tmp_path, width, end, final_newline):
    sequences = contigs_for(width)
    path = write_fasta(tmp_path / "x.fa", sequences, width, end)
    if not final_newline:
        path.write_bytes(path.read_bytes()[: -len(end)])
    genome = open_genome(path)
    assert isinstance(genome, PlainGenome)
    check(genome, sequences, seed=width)


@pytest.mark.parametrize("width", [1, 60, 100_000])
def test_bgzip_windows_equal_slices(tmp_path, width):
    sequences = contigs_for(width)
    genome = open_genome(bgzip(write_fasta(tmp_path / "x.fa", sequences, width)))
    assert isinstance(genome, BgzipGenome)
    check(genome, sequences, seed=width)


def test_contigs_of_differing_line_widths_in_one_batch(tmp_path):
    rng = random.Random(1)
    sequences = {f"c{width}": random_sequence(rng, 500) for width in (3, 7, 50, 500, 700)}
    text = b""
    for name, sequence in sequences.items():
        text += write_fasta(tmp_path / "part.fa", {name: sequence}, int(name[1:])).read_bytes()
    (tmp_path / "x.fa").write_bytes(text)
    check(open_genome(tmp_path / "x.fa"), sequences)


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_every_window_of_a_small_contig(tmp_path, end):
    """Every start and length: each possible number of line ends within a window, at the end of the file too."""
    sequences = {"a": "ACGTACGTACGTAAC", "b": "GGGTTTAACCAGTCATGACC"}
    genome = open_genome(write_fasta(tmp_path / "x.fa", sequences, 4, end))
    for name, sequence in sequences.items():
        for length in range(1, 24):
            starts = list(range(-length, len(sequence) + 2))
            expected = [window(sequence, start, length) for start in starts]
            assert gathered(genome, [name] * len(starts), starts, length) == expected


def test_bgzip_windows_far_apart_and_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(fasta, "SPAN_MAX", 50_000)
    rng = random.Random(3)
    sequences = {"a": random_sequence(rng, 300_000), "b": random_sequence(rng, 70_000)}
    genome = open_genome(bgzip(write_fasta(tmp_path / "x.fa", sequences)))
    names = [rng.choice("ab") for _ in range(200)]
    starts = [rng.randint(0, len(sequences[name]) - 1000) for name in names]
    assert gathered(genome, names, starts, 1000) == [
        sequences[name][start : start + 1000] for name, start in zip(names, starts, strict=True)
    ]


def test_no_windows_give_an_empty_array(tmp_path):
    genome = open_genome(write_fasta(tmp_path / "x.fa", {"a": "ACGT"}))
    assert genome.gather(np.empty(0, np.int64), np.empty(0, np.int64), 7).shape == (0, 7)


def test_memory_is_released_without_changing_the_letters(tmp_path, monkeypatch):
    monkeypatch.setattr(fasta, "RELEASE_BYTES", 100)
    sequences = contigs_for(4)
    check(open_genome(write_fasta(tmp_path / "x.fa", sequences)), sequences)


def test_aliases_stand_for_contigs(tmp_path):
    genome = open_genome(write_fasta(tmp_path / "x.fa", {"a": "ACGT", "b": "GGGG"}))
    assert genome.numbers(np.array(["B", "a", "b"], dtype=object), {"B": "b"}).tolist() == [1, 0, 1]
    with pytest.raises(KeyError):
        genome.numbers(np.array(["c"], dtype=object))


# The index


def test_the_index_is_made_beside_the_file_as_samtools_writes_it(tmp_path):
    path = write_fasta(tmp_path / "x.fa", {"a": "ACGTACGTAC", "b": "GG"}, 4)
    open_genome(path)
    # offsets: ">a a description\n" is 17 bytes; the three lines of a are 13; the header of b is 17 again.
    assert (tmp_path / "x.fa.fai").read_text() == "a\t10\t17\t4\t5\nb\t2\t47\t2\t3\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.fa", "x.fa.fai"]


@pytest.mark.parametrize("compressed", [False, True])
def test_the_index_is_made_in_the_cache_when_the_folder_is_read_only(tmp_path, monkeypatch, compressed):
    cache = tmp_path / "cache"
    monkeypatch.setenv("ZOO_CACHE", str(cache))
    folder = tmp_path / "data"
    folder.mkdir()
    sequences = contigs_for(5)
    path = write_fasta(folder / "x.fa", sequences)
    if compressed:
        path = bgzip(path)
    before = sorted(folder.iterdir())
    monkeypatch.setattr(os, "access", lambda p, mode: str(p) != str(folder))
    check(open_genome(path), sequences)
    assert sorted(folder.iterdir()) == before
    made = sorted((cache / "fai").iterdir())
    assert [p.suffix for p in made] == [".fai", ".gzi"][: 1 + compressed]
    check(open_genome(path), sequences)
    assert sorted((cache / "fai").iterdir()) == made


def test_an_index_that_is_there_is_used_and_not_rewritten(tmp_path):
    path = write_fasta(tmp_path / "x.fa", contigs_for(6))
    open_genome(path)
    os.utime(tmp_path / "x.fa.fai", (1, 1))  # dates are not trusted: a clone sets them anyhow
    check(open_genome(path), contigs_for(6))
    assert (tmp_path / "x.fa.fai").stat().st_mtime == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"a": "ACGT" * 10, "b": "GG" * 40},
        {"b": "GG" * 10, "a": "ACGT" * 10},
        {"a": "ACGT" * 11, "b": "GG" * 10},
        {"a": "ACGT" * 10},
        {"a": "ACGT" * 10, "b": "GG" * 10, "c": "T" * 200},
        {"A": "ACGT" * 10, "b": "GG" * 10},
    ],
    ids=["last contig longer", "other order", "first contig longer", "contig gone", "contig added", "renamed"],
)
def test_a_stale_index_is_not_used(tmp_path, changed):
    path = write_fasta(tmp_path / "x.fa", {"a": "ACGT" * 10, "b": "GG" * 10}, 8)
    open_genome(path)
    stale = (tmp_path / "x.fa.fai").read_text()
    write_fasta(path, changed, 8)
    check(open_genome(path), changed)
    assert (tmp_path / "x.fa.fai").read_text() == stale, "a file of the user is not overwritten"


def test_a_stale_bgzip_index_is_not_used(tmp_path):
    path = bgzip(write_fasta(tmp_path / "x.fa", {"a": "ACGT" * 10}))
    open_genome(path)
    past = time.time() - 100
    for suffix in (".fai", ".gzi"):
        os.utime(f"{path}{suffix}", (past, past))
    changed = {"a": "TTTT" * 30}
    bgzip(write_fasta(tmp_path / "x.fa", changed))
    check(open_genome(path), changed)


@pytest.mark.parametrize("content", ["", "a\t4\n", "garbage", "a b c\n", "a\tx\t3\t4\t5\n", "\xff\xfe"])
def test_a_damaged_index_is_not_used(tmp_path, content):
    sequences = contigs_for(7)
    path = write_fasta(tmp_path / "x.fa", sequences)
    (tmp_path / "x.fa.fai").write_bytes(content.encode("latin-1"))
    check(open_genome(path), sequences)


def test_headers_with_an_arrow_in_their_description_keep_their_index(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a gene>b 3->5\nACGT\n>b\nGG\n")
    open_genome(path)
    (tmp_path / "cache").mkdir()
    os.utime(tmp_path / "x.fa.fai", (1, 1))
    assert fasta_index._index_fits(path, tmp_path / "x.fa.fai", tmp_path / "none", False)


def _open_and_read(path, barrier, queue):
    barrier.wait()
    genome = open_genome(path)
    queue.put(gathered(genome, ["long"], [3], 20))


def test_two_processes_make_the_index_at_once(tmp_path):
    sequences = contigs_for(8)
    path = write_fasta(tmp_path / "x.fa", sequences)
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [context.Process(target=_open_and_read, args=(path, barrier, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [queue.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    assert found == [[sequences["long"][3:23]]] * 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.fa", "x.fa.fai"]


# Files that cannot be used


def refusal(path):
    with pytest.raises(InputError) as caught:
        open_genome(path)
    assert caught.value.what.startswith(str(path))
    assert caught.value.fix.startswith("Fix: ")
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"ACGT\n", b"chr1\t1\t2\n", b"LOCUS x\n", bytes.fromhex("1a412743000000")],
    ids=["empty", "blank", "no header", "BED", "GenBank", "2bit"],
)
def test_not_a_fasta(tmp_path, content):
    path = tmp_path / "x.fa"
    path.write_bytes(content)
    assert "not a FASTA" in refusal(path)


def test_ragged_lines_are_refused_with_their_line(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGTA\nAC\nACGTA\n")
    assert "line 4" in refusal(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_two_sequences_of_one_name_are_refused(tmp_path, compressed):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGT\n>a\nGGGG\n>b\nTT\n")
    assert "'a'" in refusal(bgzip(path) if compressed else path)


def test_an_index_that_hides_a_repeated_name_is_not_used(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGT\n>a\nGGGG\n>b\nTT\n")
    pysam.faidx(str(path))  # samtools warns and leaves the second `a` out
    assert "'a'" in refusal(path)


def test_headers_without_bases_are_refused(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\n>b\n")
    refusal(path)


def test_a_refused_file_leaves_nothing_behind(tmp_path, capfd):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGTA\nAC\nACGTA\n")
    refusal(path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.fa"]
    assert capfd.readouterr() == ("", ""), "the three lines of the error are all that is printed"


def test_truncated_bgzip_is_refused(tmp_path):
    rng = random.Random(9)
    path = bgzip(write_fasta(tmp_path / "x.fa", {"a": random_sequence(rng, 300_000)}))
    path.write_bytes(path.read_bytes()[:60_000])
    refusal(path)


def test_bgzip_truncated_after_it_was_indexed_gives_no_wrong_letters(tmp_path):
    rng = random.Random(9)
    path = bgzip(write_fasta(tmp_path / "x.fa", {"a": random_sequence(rng, 300_000)}))
    open_genome(path).close()
    path.write_bytes(path.read_bytes()[:60_000])
    past = time.time() - 100
    os.utime(path, (past, past))
    with pytest.raises(InputError):
        gathered(open_genome(path), ["a"], [250_000], 100)


def test_missing_file_and_folder(tmp_path):
    assert "no such genome file" in refusal(tmp_path / "none.fa")
    assert "is a folder" in refusal(tmp_path)


def test_a_genome_can_be_closed(tmp_path):
    path = write_fasta(tmp_path / "x.fa", {"a": "ACGT"})
    for genome in (open_genome(path), open_genome(bgzip(path))):
        gathered(genome, ["a"], [0], 2)
        genome.close()
    shutil.rmtree(tmp_path)
