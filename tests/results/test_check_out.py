"""Whether OUT may be written, asked of every command."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from toys import make_toy_entry

from zoo.cli import run
from zoo.errors import SystemStateError, UsageError
from zoo.files import hold_lock
from zoo.results.check_out import check_folder, check_out, follow_link

# ---------------------------------------------------------------- every command


@dataclass(frozen=True)
class Command:
    """A command that writes a file.

    Attributes:
        line: what is typed, the result left out.
        read: an input that has a name which the result could have, below the working folder.
        good: a name for the result. bad: one with a wrong suffix, and the ``-o`` that is proposed instead.
        beside: an input that lies where the command would write another file beside ``good``, and how it is given.
        option: how the result is named.
    """

    line: str
    read: str
    good: str
    bad: tuple[str, str]
    beside: tuple[str, str] | None = None
    option: str = "-o"

    def run(self, out: object, *more: str) -> int:
        return run([*self.line.split(), self.option, str(out), *more])


COMMANDS = {
    "predict": Command("predict toy in.bed -g g.fa --trust", "in.bed", "x.bed", ("x.bde", "x.bed"), None),
    "attribute": Command(
        "attribute toy in.bed -g g.fa --references in.npz --trust",
        "in.npz",
        "x.npz",
        ("x.nzp", "contribs.h5"),
        ("x.one_hot.npz", "--references"),
    ),
    "marginalize": Command(
        "attribute toy in.tsv -g g.fa --method marginalize --motif TATA --trust",
        "in.tsv",
        "x.tsv",
        ("x.h5", "x.tsv"),
    ),
    "attribute CONTRIBS": Command("attribute in.h5 --format chrombpnet-h5", "in.h5", "x.h5", ("x.bw", "x.h5")),
    "motifs": Command("motifs in.h5", "in.h5", "x.h5", ("x.meme", "x.h5"), ("x.hits.bed", "--database")),
    "report": Command("report in.h5 --genes in.html", "in.html", "x.html", ("x.pdf", "x.html")),
    "report of h5": Command("report in.h5", "in.h5", "x.html", ("in.h5", "in.html")),
    "report MODEL": Command(
        "report toy in.bed -g g.fa --genes in.html --trust",
        "in.html",
        "x.html",
        ("x", "x.html"),
        ("x.motifs.seqlets.bed", "--genes"),
    ),
    "convert": Command("convert in.pth", "in.pth", "x.pth", ("x.bin", "x.pth")),
    "test": Command("test toy --trust", "toy/example/expected.h5", "x.h5", ("x.hdf", "x.hdf5"), option="--save"),
}
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))


@pytest.fixture(scope="module")
def _toy(tmp_path_factory):
    return make_toy_entry(tmp_path_factory.mktemp("toy") / "toy").folder


@pytest.fixture
def place(tmp_path, _toy, monkeypatch):
    """A working folder with inputs: all that is asked here is found before one of them is read."""
    shutil.copytree(_toy, tmp_path / "toy")
    shutil.copy(_toy / "example/genome.fa", tmp_path / "g.fa")
    for name in ("in.bed", "in.tsv"):
        (tmp_path / name).write_text("chrA\t100\t120\n")
    for name in ("in.h5", "in.npz", "in.html", "in.pth"):
        (tmp_path / name).write_bytes(b"precious")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file with its content; of what a FASTA's index is made, once it was looked at, nothing is asked."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if path.suffix != ".fai"
    }


def refused(capsys, place: Path, call: Callable[[], int], code: int = 2) -> list[str]:
    """The three lines of an error after which everything is as it was."""
    before = contents(place)
    assert call() == code, capsys.readouterr().err
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and lines[0].startswith("error: ") and lines[2].startswith("  Fix: "), lines
    assert contents(place) == before
    return lines


SPELLINGS = {
    "itself": lambda read: read,
    "dot": lambda read: f"./{read}",
    "over a folder": lambda read: f"sub/../{read}",
    "whole path": lambda read: Path(read).absolute(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=list(SPELLINGS))
@every_command
def test_an_input_is_not_replaced(place, capsys, command, spelling):
    lines = refused(capsys, place, lambda: command.run(spelling(command.read)))
    if Path(command.read).suffix == Path(command.good).suffix:
        assert "is an input of this command" in lines[0] and command.option in lines[2]


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["link", "hard link"])
@every_command
def test_an_input_is_not_replaced_by_way_of_a_link(place, capsys, command, link):
    link(Path(command.read).absolute(), f"linked{Path(command.read).suffix}")
    lines = refused(capsys, place, lambda: command.run(f"linked{Path(command.read).suffix}"))
    if Path(command.read).suffix == Path(command.good).suffix:
        assert "is an input of this command" in lines[0]


@every_command
def test_another_suffix_is_answered_with_the_right_one(place, capsys, command):
    lines = refused(capsys, place, lambda: command.run(command.bad[0]))
    assert lines[2].endswith((f" {command.option} {command.bad[1]}", "is written for --method marginalize"))


@every_command
def test_places_where_no_file_can_be(place, capsys, command):
    Path(f"folder-{command.good}").mkdir()
    assert "is a folder" in refused(capsys, place, lambda: command.run(f"folder-{command.good}"))[0]
    assert "mkdir -p no/such" in refused(capsys, place, lambda: command.run(f"no/such/{command.good}"))[2]
    assert "is not a folder" in refused(capsys, place, lambda: command.run(f"in.bed/{command.good}"))[0]
    assert "cannot be written" in refused(capsys, place, lambda: command.run(f"/proc/{command.good}"))[0]
    long = f"{'n' * 240}{command.good}"
    assert "cannot be written: File name too long" in refused(capsys, place, lambda: command.run(long))[0]


@every_command
def test_pipes_and_loops_of_links(place, capsys, command):
    os.mkfifo(f"pipe-{command.good}")
    before = set(os.listdir())
    assert command.run(f"pipe-{command.good}") == 2
    assert "is a pipe or device" in capsys.readouterr().err
    for a, b in (("a", "b"), ("b", "a")):
        os.symlink(f"{b}-{command.good}", f"{a}-{command.good}")
    assert command.run(f"a-{command.good}") == 2
    assert "leads back to itself" in capsys.readouterr().err
    assert set(os.listdir()) == before | {f"a-{command.good}", f"b-{command.good}"}


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS.values() if c.beside], ids=[n for n, c in COMMANDS.items() if c.beside]
)
def test_what_is_written_beside_out_is_no_input_either(place, capsys, command):
    name, option = command.beside
    Path(name).write_bytes(b"precious")
    lines = refused(capsys, place, lambda: command.run(command.good, option, name))
    assert f"{name}: is written beside {command.good}, and is an input" in lines[0]


@pytest.mark.parametrize("name", ["x.bed.run.json", "x.bed.partial", "x.bed.partial.json", "x.bed.partial.lock"])
def test_the_companions_of_out_are_no_inputs(place, capsys, name):
    shutil.copy("in.bed", name)
    lines = refused(capsys, place, lambda: run(["predict", "toy", name, "-g", "g.fa", "-o", "x.bed", "--trust"]))
    assert "is written beside x.bed" in lines[0]


@pytest.mark.parametrize("name", ["g.fa", "g.fa.fai", "g.fa.gzi", "in.bed"])
@pytest.mark.parametrize("command", ["predict toy in.bed -g g.fa --format tsv --trust"])
def test_a_format_by_name_does_not_open_a_way_round(place, capsys, command, name):
    if not Path(name).exists():
        Path(name).write_text("an index\n")
    assert "is an input" in refused(capsys, place, lambda: run([*command.split(), "-o", name]))[0]


@pytest.mark.parametrize(
    "name", ["model.yaml", "dataloader.yaml", "README.md", "weights.pth", "example/genome.fa", "example/expected.h5"]
)
def test_a_file_of_the_model_is_an_input(place, capsys, name):
    command = ["predict", "toy", "in.bed", "-g", "g.fa", "--format", "tsv", "--trust", "-o", f"toy/{name}"]
    assert "is an input" in refused(capsys, place, lambda: run(command))[0]


def test_a_result_may_lie_in_the_folder_of_the_model_and_be_replaced(place):
    for _ in range(2):
        assert run(["predict", "toy", "in.bed", "-g", "g.fa", "--trust", "-q", "-o", "toy/out.tsv"]) == 0
    assert len(Path("toy/out.tsv").read_text().splitlines()) == 2


def test_the_tracks_of_a_bigwig_are_not_inputs(place, capsys, tmp_path_factory):
    """``-o x.bw`` with several tracks writes x.TRACK.bw: names that are known once the model is."""
    make_toy_entry(place / "two", "stranded")
    Path("x.counts.plus.bedgraph").write_text("chrA\t100\t120\n")
    command = "predict two x.counts.plus.bedgraph -g g.fa -o x.bedgraph --trust -q"
    lines = refused(capsys, place, lambda: run(command.split()))
    assert "x.counts.plus.bedgraph: is written beside x.bedgraph, and is an input" in lines[0]


def test_the_genome_that_was_not_named_is_an_input_too(place, capsys, monkeypatch):
    """$ZOO_GENOMES/<assembly>.fa is known once the card is read."""
    card = (
        Path("toy/README.md").read_text().replace("schema_version: 1\n", "schema_version: 1\ngenome: {assembly: g}\n")
    )
    Path("toy/README.md").write_text(card)
    monkeypatch.setenv("ZOO_GENOMES", str(place))
    command = "predict toy in.bed -o g.fa --format tsv --any-genome --trust -q"
    assert "is an input" in refused(capsys, place, lambda: run(command.split()))[0]


def test_standard_output_is_no_file(place, capsys):
    assert run(["predict", "toy", "in.bed", "-g", "g.fa", "--trust", "-q"]) == 0
    assert capsys.readouterr().out.startswith("chrom\tstart")
    for name in ("motifs", "convert", "attribute CONTRIBS"):
        lines = refused(capsys, place, lambda name=name: COMMANDS[name].run("-"))
        assert "Fix: -o " in lines[2]
    assert not Path("-").exists()


# ---------------------------------------------------------------- links


def test_a_link_stays_and_its_target_is_written(place):
    Path("sub/data.tsv").write_text("old")
    os.symlink("sub/data.tsv", "out.tsv")
    assert run(["predict", "toy", "in.bed", "-g", "g.fa", "--trust", "-q", "-o", "out.tsv"]) == 0
    assert os.readlink("out.tsv") == "sub/data.tsv"
    assert Path("sub/data.tsv").read_text().startswith("chrom\tstart")
    assert sorted(os.listdir("sub")) == ["data.tsv", "data.tsv.run.json"]
    assert not Path("out.tsv.run.json").exists()


def test_a_link_to_a_file_that_is_not_there_yet(place):
    import torch

    torch.save({"w": torch.ones(1)}, "in.pth")
    os.symlink("sub/new.pth", "out.pth")
    assert run(["convert", "in.pth", "-o", "out.pth"]) == 0
    assert os.readlink("out.pth") == "sub/new.pth"
    assert torch.load("sub/new.pth", weights_only=True)["w"].tolist() == [1]
    assert os.listdir("sub") == ["new.pth"]


@every_command
def test_a_link_to_another_kind_of_file(place, capsys, command):
    os.symlink("sub/data.other", command.good)
    lines = refused(capsys, place, lambda: command.run(command.good))
    assert "data.other" in lines[0]
    Path(command.good).unlink()
    os.symlink("no/such/folder/x", command.good)
    refused(capsys, place, lambda: command.run(command.good))


def test_both_suffixes_are_known_and_differ(tmp_path):
    (tmp_path / "a.tsv").symlink_to(tmp_path / "b.bed")
    with pytest.raises(UsageError, match="ends otherwise") as caught:
        check_out(tmp_path / "a.tsv", suffixes=(".tsv", ".bed"))
    assert caught.value.fix == f"Fix: -o {tmp_path / 'b.bed'}"
    assert check_out(tmp_path / "a.tsv") == tmp_path / "b.bed"  # a format that is named needs no suffix


def test_links_are_followed_to_the_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to(tmp_path / "sub" / "c")
    assert follow_link(tmp_path / "a") == tmp_path / "sub" / "c"
    assert follow_link(Path("x/y")) == Path("x/y")  # as it was written


# ---------------------------------------------------------------- folders


def test_add_and_export_do_not_replace_what_they_read(place, capsys):
    def again(line: str) -> str:
        return refused(capsys, place, lambda: run(line.split()))[0]

    assert "is an input" in again("add toy --name toy --force")
    assert "is an input" in again("add toy/weights.pth --name toy --force")
    assert "is an input" in again("export toy --to kipoi toy --force --trust")
    assert "is an input" in again("export toy --to kipoi . --force --trust")
    assert "is a part of toy" in again("export toy --to kipoi toy/example --force --trust")
    os.symlink("toy", "linked")
    assert "is an input" in again("export toy --to kipoi linked --force --trust")


def test_the_inputs_of_an_example_do_not_lie_in_what_is_replaced(place, capsys):
    (place / "sub/g.fa").write_text(">c\nACGT\n")
    line = "add toy --name sub -g sub/g.fa --regions in.bed --force"
    assert "is an input" in refused(capsys, place, lambda: run(line.split()))[0]


def test_an_export_into_the_folder_of_the_model(place):
    """The new folder is no part of what is copied into it."""
    assert run(["export", "toy", "--to", "kipoi", "toy/out", "--trust"]) == 0
    assert sorted(os.listdir("toy/out")) == sorted(name for name in os.listdir("toy") if name != "out")


def test_an_export_behind_a_link(place):
    (place / "sub/old").mkdir()
    (place / "sub/old/file").write_text("old")
    os.symlink("sub/old", "given")
    assert run(["export", "toy", "--to", "kipoi", "given", "--trust", "--force"]) == 0
    assert os.readlink("given") == "sub/old" and Path("sub/old/model.yaml").is_file()
    assert os.listdir("sub") == ["old"] and not Path("sub/old/file").exists()


@pytest.mark.parametrize("line", ["report in.h5 -o x.html", "report toy in.bed -g g.fa -o x.html --trust"])
def test_the_folder_of_figures_is_looked_at_before_the_work(place, capsys, line):
    for folder, told in (("in.bed", "is a file"), ("in.bed/x", "is a file"), ("/proc/x", "cannot be written")):
        lines = refused(capsys, place, lambda folder=folder: run([*line.split(), "--figures", folder]))
        assert told in lines[0] and "--figures" in lines[2]


def test_folders_are_made_where_they_can_be(tmp_path):
    assert check_folder(tmp_path / "a/b/c") == tmp_path / "a/b/c"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for wrong in ("file", "file/x/y"):
        with pytest.raises(UsageError, match="is a file"):
            check_folder(tmp_path / wrong)


# ---------------------------------------------------------------- what the check itself promises


def test_what_the_check_leaves(tmp_path):
    assert check_out(tmp_path / "x.h5", suffixes=(".h5",)) == tmp_path / "x.h5"
    assert check_out(tmp_path / "X.H5", suffixes=(".h5",)) == tmp_path / "X.H5"
    assert check_out("-", suffixes=(".h5",), stdout=True) == Path("-")
    assert check_out(tmp_path / "x.tsv.gz", suffixes=(".tsv", ".tsv.gz")).name == "x.tsv.gz"
    assert check_out(tmp_path / "x.h5", inputs=[None, "no-such-file", "a registry name", "x" * 5000]).name == "x.h5"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "fix"),
    [("x", "x.tsv"), ("x.tvs", "x.tsv"), ("x.parq", "x.parquet"), (".h5", "result.tsv"), ("x.zip", "x.tsv")],
)
def test_the_proposed_name_is_near(tmp_path, name, fix):
    with pytest.raises(UsageError) as caught:
        check_out(tmp_path / name, suffixes=(".tsv", ".parquet", ".h5"), what="predictions")
    assert caught.value.fix == f"Fix: -o {tmp_path / fix}"
    assert "predictions are written as .tsv, .parquet or .h5" in caught.value.what


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("x.vcf.bgz", "x.vcf.gz"),
        ("x.vcf.gz.tbi", "x.vcf.gz"),
        ("a.b.tsv.bz2", "a.b.tsv.gz"),
        ("x.parquet.gz", "x.parquet"),
        ("x.vcf.zip", "x.vcf.gz"),
    ],
)
def test_a_suffix_behind_a_right_one_does_not_double_it(tmp_path, name, fix):
    with pytest.raises(UsageError) as caught:
        check_out(tmp_path / name, suffixes=(".vcf", ".vcf.gz", ".tsv", ".tsv.gz", ".parquet"))
    assert caught.value.fix == f"Fix: -o {tmp_path / fix}"


@pytest.mark.parametrize("given", ["", " "])
def test_an_empty_name_is_none(given):
    with pytest.raises(UsageError, match=r"-o '.?': is the name of no file"):
        check_out(given, suffixes=(".tsv",))
    with pytest.raises(UsageError, match=r"--store '.?': is the name of no file"):
        check_folder(given, option="--store")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("args: {weights: w.h5}", True),
        ("args: {weights: ./w.h5}", True),
        ('args: {weights: "w.h5"}', True),
        ("args: {weights: old-w.h5}", False),
        ("args: {weights: sub/w.h5}", False),
        ("args: {weights: w.h5x}", False),
        ("args: {weights: w.h5-old}", False),
    ],
)
def test_what_the_yaml_of_a_folder_names_is_part_of_it(tmp_path, text, part):
    (tmp_path / "model.yaml").write_text(text)
    (tmp_path / "w.h5").write_text("")
    if part:
        with pytest.raises(UsageError, match="is an input"):
            check_out(tmp_path / "w.h5", inputs=[tmp_path])
    else:
        assert check_out(tmp_path / "w.h5", inputs=[tmp_path])


def test_the_prose_of_a_card_names_no_parts(tmp_path):
    (tmp_path / "README.md").write_text("---\nfiles: [{path: w.h5}]\n---\nzoo predict . -o out.h5\n")
    for name in ("w.h5", "out.h5"):
        (tmp_path / name).write_text("")
    assert check_out(tmp_path / "out.h5", inputs=[tmp_path])
    with pytest.raises(UsageError, match="is an input"):
        check_out(tmp_path / "w.h5", inputs=[tmp_path])


def test_a_store_with_an_input_in_it_is_not_replaced(tmp_path):
    store = tmp_path / "x.zarr"
    store.mkdir()
    (store / "zarr.json").write_text("{}")
    (store / "regions.bed").write_text("")
    kind = ("zarr.json", "Zarr 3 store")
    assert check_out(store, store=kind) == store
    with pytest.raises(UsageError, match="is an input"):
        check_out(store, store=kind, inputs=[store / "regions.bed"])
    (store / "zarr.json").unlink()
    with pytest.raises(UsageError, match="is a folder that is not a Zarr 3 store"):
        check_out(store, store=kind)
    (tmp_path / "y.zarr").write_text("")
    with pytest.raises(UsageError, match="is a file that is not a Zarr 3 store"):
        check_out(tmp_path / "y.zarr", store=kind)


@pytest.mark.parametrize("below", ["", "preds"])
def test_the_folder_in_which_one_stands_is_not_replaced(tmp_path, monkeypatch, below):
    """The shell would be left in a folder that is gone; beside it, and in one that is not replaced, all is well."""
    store = tmp_path / "x.zarr"
    (store / "preds").mkdir(parents=True)
    (store / "zarr.json").write_text("{}")
    (tmp_path / "link").symlink_to(store)
    kind = ("zarr.json", "Zarr 3 store")
    monkeypatch.chdir(store / below)
    for given in (store, tmp_path / "link", Path("../" * (1 + bool(below)) + "x.zarr")):
        with pytest.raises(UsageError, match="would be replaced, and this command was started in it") as caught:
            check_out(given, store=kind)
        assert "cd out of it" in caught.value.fix
        with pytest.raises(UsageError, match="this command was started in it"):
            check_folder(given, replaced=True)
    assert check_folder(store) == store
    monkeypatch.chdir(tmp_path)
    assert check_out(store, store=kind) == store and check_folder(store, replaced=True) == store


def test_a_folder_where_a_second_file_would_be(tmp_path):
    (tmp_path / "x.meme").mkdir()
    with pytest.raises(UsageError, match=r"x\.meme: is a folder"):
        check_out(tmp_path / "x.h5", beside=lambda out: [out.with_suffix(".meme")])


def test_another_users_file_in_a_folder_like_tmp(tmp_path, monkeypatch):
    """Renaming over it would fail when all is done."""
    (tmp_path / "x.h5").write_text("theirs")
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1000)
    with pytest.raises(UsageError, match="belongs to another user"):
        check_out(tmp_path / "x.h5")
    assert check_out(tmp_path / "mine.h5")
    tmp_path.chmod(0o777)
    assert check_out(tmp_path / "x.h5")


@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, SystemStateError), (errno.EROFS, UsageError)])
def test_a_folder_that_takes_no_file(tmp_path, monkeypatch, number, error):
    def fail(**options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    with pytest.raises(error, match=os.strerror(number)):
        check_out(tmp_path / "x.h5")


@pytest.mark.parametrize("out", ["x.h5", "x.parquet", "x.bw"])
def test_no_room_is_said_before_the_first_window(place, capsys, monkeypatch, out):
    """What 1 window of `gc` takes at least: a float, and in a bigWig where it lies, 4 numbers of 8 bytes."""
    least = 4 if out != "x.bw" else 36
    calls = []
    monkeypatch.setattr("zoo.models.loaded.Runner.forward", lambda *args: calls.append(1), raising=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=least - 1))
    lines = refused(capsys, place, lambda: COMMANDS["predict"].run(out), code=7)
    assert "the disk is full" in lines[0] and not calls


# ---------------------------------------------------------------- one writer


@pytest.mark.parametrize("name", ["predict", "attribute", "marginalize", "report", "report MODEL", "convert"])
def test_a_second_run_of_the_same_result_is_refused(place, capsys, name):
    """Of `motifs` and of contributions in another format: tests/interpret/motifs/test_bad_input.py."""
    import torch

    torch.save({"w": torch.ones(1)}, "in.pth")
    Path("in.html").write_text("chrA\t1\t9\tgene\t0\t+\n")
    command = COMMANDS[name]
    more = ["--resume"] if name == "report MODEL" else []  # finished steps are behind the lock of the page too
    with hold_lock(Path(f"{command.good}.partial.lock"), pytest.fail):
        lines = refused(capsys, place, lambda: command.run(command.good, *more))
    assert f"{command.good}: is being written by another run" in lines[0] and "holds its lock" in lines[1]
