"""Scores that are kept: each belongs to its alleles and conditions; damage is told, and a dying run leaves a store."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from zoo.errors import ModelError, SystemStateError, UsageError
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.options import VariantOptions
from zoo.variants.run.conditions import check_model, conditions
from zoo.variants.run.scorer import Row
from zoo.variants.run.store import Store
from zoo.variants.scores.genes import Gene
from zoo.variants.scores.scores import Column

GENOME = SimpleNamespace(sizes={"chr1": 1000, "chr2": 500})
GENE = Gene("A", "ENSG1", 0, 10, 400, "-", ((10, 50), (300, 400)))


def allele(start, ref, alt, contig=0, written=None, line=1):
    record = Record(0, line, "chr1", start, ".", ref, (alt,), None, ())
    return Allele(record, 0, contig, Edit(start, ref, alt), "", written)


def row(of, values, gene=None, start=-20, unknown=3):
    return Row(of, gene, "", start, unknown, np.array(values, np.float32))


def key(**changes):
    return {"model": "toy", "files": {"w": "1"}, "machine": {"torch": "2.6", "threads": 2}, "options": {}} | changes


def shelf_of(store, n=2, **changes):
    return store.shelf(key(**changes), n).on(GENOME)


def put(shelf, *rows):
    for one in rows:
        shelf.keep(one)
    shelf.flush()


def test_a_row_comes_back_whole_in_another_run_for_another_spelling(tmp_path):
    first = allele(100, "C", "T")
    put(shelf_of(Store(tmp_path / "s")), row(first, [0.1, float("nan")]))
    spelled = Allele(Record(7, 9, "chr1", 98, "rs1", "GCC", ("GCT", "G"), None, ()), 0, 0, Edit(100, "C", "T"))
    found = shelf_of(Store(tmp_path / "s")).known(spelled, None)
    assert found.allele is spelled and (found.start, found.unknown, found.status) == (-20, 3, "")
    assert found.values.tobytes() == np.array([0.1, float("nan")], np.float32).tobytes()


@pytest.mark.parametrize(
    ("other", "gene"),
    [
        (allele(101, "C", "T"), None),
        (allele(100, "C", "G"), None),
        (allele(100, "G", "T"), None),
        (allele(100, "CA", "T"), None),
        (allele(100, "C", "T", contig=1), None),
        (allele(100, "C", "T", written=Edit(100, "C", "T")), None),
        (allele(100, "C", "T"), GENE),
    ],
)
def test_another_change_chromosome_ref_or_gene_is_not_known(tmp_path, other, gene):
    shelf = shelf_of(Store(tmp_path / "s"))
    put(shelf, row(allele(100, "C", "T"), [1, 2]))
    assert shelf.known(other, gene) is None
    assert shelf.known(allele(100, "C", "T"), None) is not None


def test_two_genes_of_a_variant_are_two_entries(tmp_path):
    shelf, one = shelf_of(Store(tmp_path / "s")), allele(100, "C", "T")
    other = Gene("B", "ENSG2", 0, 10, 400, "+", ((10, 50),))
    put(shelf, row(one, [1, 2], GENE), row(one, [3, 4], other))
    assert shelf.known(one, GENE).values.tolist() == [1, 2]
    assert shelf.known(one, other).values.tolist() == [3, 4]
    assert shelf.known(one, None) is None


def test_contigs_are_known_by_name_not_by_number(tmp_path):
    shelf = shelf_of(Store(tmp_path / "s"))
    put(shelf, row(allele(100, "C", "T", contig=1), [1, 2]))
    turned = Store(tmp_path / "s").shelf(key(), 2).on(SimpleNamespace(sizes={"chr2": 500, "chr1": 1000}))
    assert turned.known(allele(100, "C", "T", contig=0), None).values.tolist() == [1, 2]
    assert turned.known(allele(100, "C", "T", contig=1), None) is None


def test_rows_without_scores_are_not_kept(tmp_path):
    shelf, one = shelf_of(Store(tmp_path / "s")), allele(100, "C", "T")
    put(shelf, row(one, [1, 2]), Row(allele(5, "A", "G"), None, "beyond_window", None, 0, None))
    assert (len(shelf), shelf.kept) == (1, 1)


def test_what_is_not_written_yet_is_known(tmp_path):
    shelf, one = shelf_of(Store(tmp_path / "s")), allele(100, "C", "T")
    shelf.keep(row(one, [1, 2]))
    assert shelf.kept == len(shelf) == 0 and shelf.known(one, None).values.tolist() == [1, 2]
    shelf.close()
    assert shelf.kept == 1


# ---------------- conditions


LOADER = SequenceLoader(40)
GC = OutputSpec("gc", "scalar", ("gc",), units="score")


def model(name="toy", hashes=None, outputs=(GC,), loader=LOADER, card=None):
    hashes = {"weights": "abc", "code": "def"} if hashes is None else hashes
    return SimpleNamespace(name=name, hashes=hashes, outputs=outputs, loader=loader, card=card)


MODEL = model()
COLUMN = Column("diff_gc", "diff", "gc", "gc", "", "")
MACHINE = {"torch": "2.6", "threads": 2}


def made(model=MODEL, columns=(COLUMN,), genome="g", batch_size=16, machine=MACHINE, **options):
    found = VariantOptions(**options)
    return conditions(model, found, columns, genome, batch_size=batch_size, machine=machine)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": model(hashes={"weights": "abd", "code": "def"})},
        {"model": model(outputs=(OutputSpec("gc", "scalar", ("gc",), units="log2(score)"),))},
        {"model": model(loader=SequenceLoader(40, n_value=0.25))},
        {"columns": (Column("diff_gc", "log2fc", "gc", "gc", "", ""),)},
        {"columns": (COLUMN, Column("diff_at", "diff", "at", "at", "", ""))},
        {"genome": "h"},
        {"batch_size": 8},
        {"machine": MACHINE | {"threads": 1}},
        {"span": 501},
        {"anchor": "left"},
        {"refill": "both"},
        {"edges": "skip"},
        {"rc_average": True},
        {"shifts": (-1, 0, 1)},
        {"precision": "bfloat16"},
        {"splicing": True, "distance": 40},
        {"settings": {"a": 1}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_changes_a_number_is_another_shelf(tmp_path, changed):
    store = Store(tmp_path / "s")
    assert store.shelf(made(**changed), 1).path != store.shelf(made(), 1).path


@pytest.mark.parametrize(
    "same",
    [{"resume": True}, {"limit": 5}, {"regions": "chr1:1-5"}, {"normalise": True}, {"tracks": ("gc",)}, {"seed": 3}],
    ids=lambda same: next(iter(same)),
)
def test_what_changes_no_number_is_the_same_shelf(same):
    assert made(**same) == made()


def test_every_option_is_either_a_condition_or_known_to_have_no_effect():
    told = set(made()["options"])
    assert told == {
        *("span", "splicing", "distance", "mask", "anchor", "refill", "edges"),
        *("rc_average", "shifts", "precision", "settings", "share_window", "saturate"),
    }


def test_genes_count_by_their_bytes(tmp_path):
    for name, text in (("a.bed", "x"), ("b.bed", "x"), ("c.bed", "y")):
        (tmp_path / name).write_text(text)
    one, same, other = (made(genes=str(tmp_path / name)) for name in ("a.bed", "b.bed", "c.bed"))
    assert one == same != other


def test_a_model_of_no_file_is_refused():
    with pytest.raises(UsageError, match="was not loaded from a file"):
        check_model(model("mine", {}))


# ---------------- the folder


def test_what_is_in_it_is_listed(tmp_path):
    store = Store(tmp_path / "s")
    put(shelf_of(store), row(allele(100, "C", "T"), [1, 2]), row(allele(101, "C", "T"), [1, 2]))
    shelf_of(store, model="org/other model")
    store.update_list()
    found = json.loads((tmp_path / "s/store.json").read_text())
    assert {(item["model"], item["entries"]) for item in found["shelves"]} == {("toy", 2), ("org/other model", 0)}
    for item in found["shelves"]:
        assert (tmp_path / "s" / item["file"]).stat().st_size == item["bytes"]
        assert item["machine"] == {"torch": "2.6", "threads": 2}


def test_scores_of_other_conditions_are_said(tmp_path):
    store = Store(tmp_path / "s")
    put(shelf_of(store), row(allele(100, "C", "T"), [1, 2]))
    mine = shelf_of(store, machine={"torch": "2.7", "threads": 2})
    (note,) = store.notes_on(mine)
    assert "1 score of toy" in note and "torch 2.6, now 2.7" in note
    assert store.notes_on(shelf_of(store)) == []
    assert store.notes_on(shelf_of(store, model="b", files={"w": "2"})) == []


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/peaks.bed").write_text("chr1\t1\t2\n")
    with pytest.raises(UsageError, match="is a folder that is not a store"):
        Store(tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["peaks.bed"]
    with pytest.raises(UsageError, match="is a file"):
        Store(tmp_path / "data/peaks.bed")


def test_a_later_format_is_refused(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s/store.json").write_text('{"format": 2}')
    with pytest.raises(SystemStateError, match="is a store of format 2"):
        Store(tmp_path / "s")


def test_a_shelf_under_the_name_of_another_is_refused(tmp_path):
    store = Store(tmp_path / "s")
    one, other = shelf_of(store), shelf_of(store, files={"w": "2"})
    one.close(), other.close()
    one.path.replace(other.path)
    with pytest.raises(ModelError, match="holds scores of toy under other conditions") as error:
        shelf_of(store, files={"w": "2"})
    assert "other files" in error.value.extent


# ---------------- damage


def test_a_flipped_bit_of_a_score_is_told(tmp_path):
    store, one = Store(tmp_path / "s"), allele(100, "C", "T")
    shelf = shelf_of(store)
    put(shelf, row(one, [1, 2]))
    with sqlite3.connect(shelf.path) as connection:
        (data,) = connection.execute("SELECT value FROM scores").fetchone()
        connection.execute("UPDATE scores SET value = ?", (data[:14] + bytes([data[14] ^ 1]) + data[15:],))
    connection.close()
    with pytest.raises(SystemStateError, match="is damaged") as error:
        shelf_of(store).known(one, None)
    assert error.value.fix == f"Fix: rm {shelf.path}; its scores are computed again"


@pytest.mark.parametrize("how", ["begin", "cut", "text"])
def test_a_damaged_file_is_told(tmp_path, how):
    store, rows = Store(tmp_path / "s"), [row(allele(100 + i, "C", "T"), [i, 2]) for i in range(2000)]
    shelf = shelf_of(store)
    put(shelf, *rows)
    shelf.close()
    data = bytearray(shelf.path.read_bytes())
    broken = {"begin": b"\0" * 100 + data[100:], "cut": data[: len(data) // 2], "text": b"not a database\n" * 900}[how]
    shelf.path.write_bytes(broken)
    with pytest.raises(SystemStateError, match="is damaged"):
        again = shelf_of(store)
        for one in rows:
            again.known(one.allele, None)


def test_no_room_is_no_damage(tmp_path):
    """Nobody is told to remove scores that are whole because a file may not become larger."""
    shelf = shelf_of(Store(tmp_path / "s"))
    put(shelf, row(allele(100, "C", "T"), [1, 2]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(SystemStateError, match="could not be read or written") as error:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, hard))
            put(shelf, *(row(allele(200 + i, "C", "T"), [1, 2]) for i in range(5000)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "rm " not in error.value.fix
    again = shelf_of(Store(tmp_path / "s")).known(allele(100, "C", "T"), None)
    assert again.values.tolist() == [1, 2]


def test_another_shelf_that_is_damaged_is_listed_and_stops_nobody(tmp_path):
    store = Store(tmp_path / "s")
    put(shelf_of(store), row(allele(100, "C", "T"), [1, 2]))
    (tmp_path / "s/old.sqlite").write_bytes(b"garbage" * 1000)
    shelf = shelf_of(Store(tmp_path / "s"), model="b", files={"w": "2"})
    assert store.notes_on(shelf) == []
    store.update_list()
    listed = json.loads((tmp_path / "s/store.json").read_text())["shelves"]
    assert {"file": "old.sqlite", "damaged": True} in listed and len(listed) == 3


def test_a_store_without_its_list_is_a_store(tmp_path):
    store = Store(tmp_path / "s")
    put(shelf_of(store), row(allele(100, "C", "T"), [1, 2]))
    store.update_list()
    (tmp_path / "s/store.json").unlink()
    (tmp_path / "s/genomes.json").write_text("{}")
    assert shelf_of(Store(tmp_path / "s")).known(allele(100, "C", "T"), None) is not None


def test_a_store_that_cannot_be_written_is_told(tmp_path):
    if os.geteuid() == 0:
        # root writes everywhere: a file in the place of the folder's file is what it cannot open
        store = Store(tmp_path / "s")
        shelf = shelf_of(store)
        shelf.close()
        shelf.path.unlink()
        shelf.path.mkdir()
        with pytest.raises(SystemStateError, match="cannot be written"):
            shelf_of(store)
    else:
        (tmp_path / "s").mkdir(mode=0o500)
        with pytest.raises(UsageError, match="cannot be written"):
            Store(tmp_path / "s")


def test_a_full_disk_is_told_and_the_scores_before_it_stay(tmp_path):
    store = Store(tmp_path / "s")
    shelf = shelf_of(store)
    put(shelf, row(allele(100, "C", "T"), [1, 2]))
    shelf._connection.execute("PRAGMA max_page_count = 8")  # what SQLite says of a disk with no room
    with pytest.raises(SystemStateError, match="the disk is full"):
        put(shelf, *[row(allele(i, "C", "G"), [1, 2]) for i in range(3000)])
    again = shelf_of(Store(tmp_path / "s"))
    assert again.known(allele(100, "C", "T"), None) is not None and len(again) == 1


def test_a_damaged_list_is_told(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s/store.json").write_text('{"format": ')
    with pytest.raises(SystemStateError, match=r"store.json: is damaged"):
        Store(tmp_path / "s")


# ---------------- several runs, and runs that die


PROGRAM = textwrap.dedent("""
    import sys, os, signal
    sys.path.insert(0, {tests!r})
    from test_store import Store, allele, row, shelf_of
    first, n, die = map(int, sys.argv[2:5])
    shelf = shelf_of(Store(sys.argv[1]))
    def rows():
        for i in range(first, first + n):
            if i == die:
                os.kill(os.getpid(), signal.SIGKILL)
            yield row(allele(i, "C", "T"), [i, -i])
    for one in rows():
        shelf.keep(one)
        if one.allele.edit.start % 100 == 0:
            shelf.flush()
    shelf.close()
""")


def start(folder, *numbers):
    program = PROGRAM.format(tests=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-c", program, str(folder), *map(str, numbers)])


def test_two_runs_at_once_and_one_that_is_killed(tmp_path):
    runs = [start(tmp_path / "s", 0, 3000, -1), start(tmp_path / "s", 2000, 3000, 4050)]
    assert runs[0].wait(120) == 0 and runs[1].wait(120) == -9
    shelf = shelf_of(Store(tmp_path / "s"))
    known = [i for i in range(5000) if (found := shelf.known(allele(i, "C", "T"), None)) is not None]
    assert known == list(range(4001))  # the last flush before the kill was at 4000
    assert found is None
    assert shelf.known(allele(2500, "C", "T"), None).values.tolist() == [2500, -2500]


def test_a_genome_is_hashed_once_and_again_when_it_has_changed(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">chr1\nACGT\n")
    store, genome = Store(tmp_path / "s"), SimpleNamespace(path=path)
    # Known from `printf '>chr1\nACGT\n' | sha256sum`.
    first = store.genome_sha256(genome)
    assert first == "f8150f1ddacb6623f83c304530699161ded29f02b133389fdd990dbfd7139b1a"
    before = path.stat()
    path.write_text(">chr1\nACGA\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.genome_sha256(genome) == first  # told by path, size and date alone
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert store.genome_sha256(genome) != first
