"""A genome in plain gzip, as UCSC gives them, is used as it is: a bgzip copy is made in the cache, once."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import random
import shutil

import numpy as np
import pysam
import pytest
from toys import random_sequence, write_fasta

from zoo.errors import InputError, SystemStateError
from zoo.genome import recompress
from zoo.genome.fasta import open_genome
from zoo.progress import Silent, listening


class Heard(Silent):
    def __init__(self):
        self.notes, self.states = [], []

    def note(self, text):
        self.notes.append(text)

    def progress(self, state):
        self.states.append(state)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


CONTIGS = {name: random_sequence(random.Random(name), 90_000) for name in ("chr1", "chr2")}


def plain_gzip(tmp_path, contigs=CONTIGS, name="hg.fa.gz"):
    folder = tmp_path / "genomes"
    folder.mkdir(exist_ok=True)
    content = write_fasta(tmp_path / "made.fa", contigs, 50).read_bytes()
    (folder / name).write_bytes(gzip.compress(content))
    return folder / name


def letters_of(path):
    heard = Heard()
    with listening(heard):
        genome = open_genome(path)
    assert genome.path == path
    found = {}
    for name, size in genome.sizes.items():
        number = genome.numbers(np.array([name], dtype=object))
        found[name] = bytes(genome.gather(number, np.array([0]), size)[0]).decode()
    genome.close()
    return found, heard


def test_plain_gzip_is_recompressed_once(tmp_path, cache):
    path = plain_gzip(tmp_path)
    found, heard = letters_of(path)
    assert found == CONTIGS
    (note,) = heard.notes
    assert note.startswith(f"{path} is compressed with plain gzip, which allows no random access: a bgzip copy is made")
    assert str(cache / "genomes") in note and note.endswith(" kB)")
    assert heard.states[-1].done == heard.states[-1].total == path.stat().st_size
    copy = next((cache / "genomes").glob("*/hg.fa.gz"))
    assert gzip.decompress(copy.read_bytes()) == gzip.decompress(path.read_bytes())
    assert copy.stat().st_size < recompress.GROWTH * path.stat().st_size
    assert sorted(one.name for one in copy.parent.iterdir()) == ["hg.fa.gz", "hg.fa.gz.fai", "hg.fa.gz.gzi"]
    assert sorted(one.name for one in path.parent.iterdir()) == ["hg.fa.gz"], "the user's folder is left as it was"
    inode = copy.stat().st_ino
    found, heard = letters_of(path)
    assert (found, heard.notes, copy.stat().st_ino) == (CONTIGS, [], inode)


@pytest.mark.parametrize("dated", [-1000, 0, 1000])
def test_another_file_under_the_name_is_another_genome(tmp_path, cache, dated):
    """Also of the same size and date: the files' bytes are compared, all over."""
    path = plain_gzip(tmp_path)
    letters_of(path)
    stat = path.stat()
    other = {"chr1": CONTIGS["chr1"], "chr2": CONTIGS["chr2"][::-1]}
    plain_gzip(tmp_path, other)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + dated * 10**9))
    assert letters_of(path)[0] == other


def test_parts_that_were_joined(tmp_path, cache):
    """`cat chr1.fa.gz chr2.fa.gz` is gzip too."""
    parts = [plain_gzip(tmp_path, {name: letters}, f"{name}.fa.gz") for name, letters in CONTIGS.items()]
    path = tmp_path / "all.fa.gz"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert letters_of(path)[0] == CONTIGS


@pytest.mark.parametrize("cut", [1, 8, 5000])
def test_a_download_that_broke_off_is_refused(tmp_path, cache, cut):
    path = plain_gzip(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with listening(Silent()), pytest.raises(InputError) as caught:
        open_genome(path)
    assert caught.value.what == f"{path}: the compressed file is cut off or damaged"
    assert not [one for one in cache.rglob("*") if one.is_file()]


@pytest.mark.parametrize("content", [b"", b"chr1\t1\t2\n", b"chr1.fa".ljust(257, b"\0") + b"ustar  \0"])
def test_what_is_no_fasta_is_refused_before_it_is_recompressed(tmp_path, cache, content):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match="FASTA"):
        open_genome(path)
    assert not cache.exists()


def test_no_room_for_the_copy(tmp_path, cache, monkeypatch):
    path = plain_gzip(tmp_path)
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=1000))
    with listening(Silent()), pytest.raises(SystemStateError) as caught:
        open_genome(path)
    assert "no bgzip copy of it can be made in" in caught.value.what and "the disk is full" in caught.value.what
    assert caught.value.fix.endswith(f"or gunzip -k {path} and give the FASTA it makes")


def test_a_copy_that_lacks_its_end_is_not_kept(tmp_path, cache, monkeypatch):
    """A full disk: htslib may say nothing of it."""
    path = plain_gzip(tmp_path)
    real = pysam.BGZFile

    class Short:
        def __init__(self, where, mode):
            self.where, self.file = where, real(str(where), mode)

        def __enter__(self):
            return self

        def write(self, data):
            self.file.write(data)

        def __exit__(self, *_):
            self.file.close()
            os.truncate(self.where, self.where.stat().st_size - 100)

    monkeypatch.setattr(pysam, "BGZFile", Short)
    with listening(Silent()), pytest.raises(SystemStateError, match="the disk is full"):
        open_genome(path)
    monkeypatch.setattr(pysam, "BGZFile", real)
    assert letters_of(path)[0] == CONTIGS


def test_an_interrupt_leaves_nothing(tmp_path, cache):
    class Stops(Silent):
        def progress(self, state):
            raise KeyboardInterrupt

    path = plain_gzip(tmp_path)
    with listening(Stops()), pytest.raises(KeyboardInterrupt):
        open_genome(path)
    assert not [one for one in cache.rglob("*") if one.is_file()]


def _open(path, barrier, queue):
    barrier.wait()
    found, heard = letters_of(path)
    queue.put((found == CONTIGS, len([note for note in heard.notes if "a bgzip copy is made" in note])))


def test_two_processes_make_one_copy(tmp_path, cache):
    path = plain_gzip(tmp_path)
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [context.Process(target=_open, args=(path, barrier, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [queue.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    assert [equal for equal, _ in found] == [True, True] and sum(made for _, made in found) == 1
