"""`zoo new`: a draft that runs, from the user's own module; what is not known is asked or marked, never guessed."""

from __future__ import annotations

import importlib
import json
import random
import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from zoo.cards.card import card_of
from zoo.cli import run
from zoo.entries.check import check_example
from zoo.entries.draft import open_marks
from zoo.entries.new import Draft, new
from zoo.errors import InputError, ModelError, UsageError
from zoo.genome.assembly import load_assembly

ROOT = Path(__file__).resolve().parents[2]

# Answers are known by hand: shares of G and of C, and the count of A in bins of 10 bp, 20 bp cropped at both ends.
NET = '''\
import math
import torch
from torch import nn


class Shares(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.scale = scale

    def forward(self, x):
        return torch.stack([x[:, 2].mean(1), x[:, 1].mean(1)], 1) * self.weight * self.scale


class Bins(nn.Module):
    """Takes (N, L, 4)."""

    def forward(self, x):
        if x.shape[2] != 4:
            raise ValueError("four channels, last")
        return x[:, 20:-20, 0].reshape(len(x), 1, -1, 10).sum(3)


class Both(nn.Module):
    def forward(self, x):
        return {"mean": x.mean((1, 2)).unsqueeze(1), "a": x[:, :1]}


class Pair(nn.Module):
    def forward(self, x):
        return x[:, 0].sum(1, keepdim=True), x[:, 1].sum(1, keepdim=True)


class OfTheBatch(nn.Module):
    def forward(self, x):
        return x[:, 0].sum(1, keepdim=True) - x[:, 0].sum()


class Noisy(nn.Module):
    def forward(self, x):
        return torch.rand(len(x), 1)


class Flat(nn.Module):
    def forward(self, x):
        return x[:, 0].sum(1)


class Text(nn.Module):
    def forward(self, x):
        return "a prediction"


def make():
    return Bins()
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a module, its weights, a genome of one chromosome and regions."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    torch.save({"weight": torch.tensor([1.0, 2.0])}, "net.pth")
    torch.save({"weight": torch.tensor([1.0, 2.0, 3.0]), "bias": torch.ones(1), "c": torch.ones(1)}, "other.pth")
    torch.save({"model": {"weight": torch.ones(2)}, "epoch": 3}, "nested.pth")
    letters = "".join(random.Random(3).choices("ACGT", k=1000))
    Path("g.fa").write_text(f">chr1\n{letters}\n>chr2\n{letters[::-1]}\n")
    Path("r.bed").write_text("chr1\t300\t340\ta\t0\t+\nchr2\t500\t540\tb\t0\t-\n")
    return letters


SHARES = {"source": "net.py:Shares", "weights": "net.pth", "settings": {"scale": 2}, "length": 100, "axes": "4xL"}
BINS = {"source": "net.py:Bins", "length": 100, "axes": "Lx4", "bin_size": 10, "offset": 20}


def drafted(name="toy", **options) -> Draft:
    return new(name, **options)


# ---------------------------------------------------------------- a draft that runs


def test_a_module_becomes_an_entry_that_reproduces(here):
    draft = drafted(**SHARES, genome="g.fa", regions="r.bed", tracks=["G", "C"])
    assert draft.folder == Path("toy")
    report = check_example("toy", trust=True)
    windows = [here[270:370], here[::-1][470:570]]
    expected = [[one.count("G") / 100 * 2, one.count("C") / 100 * 4] for one in windows]
    np.testing.assert_allclose(report.predictions["prediction"], expected, rtol=1e-6)
    card = card_of(Path("toy"))
    assert card.outputs[0].tracks == ["G", "C"] and card.input.length == 100
    assert {item.path for item in card.files} >= {"weights.pth", "toy_model.py", "example/expected.h5"}
    assert Path("toy/toy_model.py").read_text() == NET
    assert "windows of g.fa on the first regions of r.bed" in Path("toy/README.md").read_text()
    assert Path("toy/example/genome.fa").read_text().startswith(">chr1_270_370\n")
    model = yaml.safe_load(Path("toy/model.yaml").read_text())
    assert model["args"]["module_kwargs"] == {"scale": 2} and model["schema"]["inputs"]["shape"] == "(4, 100)"


def test_a_profile_of_windows_with_the_bases_last(here):
    drafted(**BINS, genome="g.fa", regions="r.bed", output="a_count", units="bases")
    with h5py.File("toy/example/expected.h5") as handle:
        found = handle["preds"][:]
    window = here[270:370]
    assert found[0, 0].tolist() == [window[20 + 10 * i : 30 + 10 * i].count("A") for i in range(6)]
    output = card_of(Path("toy")).outputs[0]
    assert (output.name, output.bin_size, output.offset, output.units) == ("a_count", 10, 20, "bases")
    assert yaml.safe_load(Path("toy/dataloader.yaml").read_text())["args"]["alphabet_axis"]["default"] is True


def test_two_commands_from_a_module_to_a_green_test(here):
    command = "new my.net-2 --from net.py:Shares --weights net.pth --set scale=2 --length 100 --axes 4xL -g g.fa"
    assert run([*command.split(), "--regions", "r.bed"]) == 0
    assert run(["test", "./my.net-2", "--trust"]) == 0
    assert Path("my.net-2/my_net_2_model.py").is_file()


def test_several_outputs_keep_the_names_of_the_module(here):
    drafted(source="net.py:Both", length=50, axes="4xL", bin_size=1, offset=0)
    assert [(out.name, out.kind) for out in card_of(Path("toy")).outputs] == [("mean", "scalar"), ("a", "profile")]
    drafted("pair", source="net.py:Pair", length=50, axes="4xL")
    assert [out.name for out in card_of(Path("pair")).outputs] == ["output_0", "output_1"]
    assert check_example("pair", trust=True).ok and check_example("toy", trust=True).ok


def test_in_a_folder_with_model_cards_the_draft_lies_there(here):
    Path("model_cards").mkdir()
    assert drafted(**SHARES).folder == Path("model_cards/toy")
    assert drafted(**SHARES, out="elsewhere").folder == Path("elsewhere/toy")


def test_the_assembly_is_that_of_the_lengths(here, monkeypatch):
    sizes = {one.ucsc: one.length for one in load_assembly("sacCer3").chromosomes}
    monkeypatch.setattr(
        importlib.import_module("zoo.entries.asked"),
        "guess_assembly",
        lambda found: "sacCer3" if "chr1" in found else None,
    )
    drafted(**SHARES, genome="g.fa", regions="r.bed")
    assert card_of(Path("toy")).genome.assembly == "sacCer3" and len(sizes) == 17
    with pytest.raises(UsageError, match="have the lengths of sacCer3"):
        drafted("b", **SHARES, genome="g.fa", regions="r.bed", assembly="hg38")
    drafted("c", **SHARES, assembly="hg38")
    assert card_of(Path("c")).genome.assembly == "hg38"


# ---------------------------------------------------------------- what is marked


def test_what_is_not_known_is_marked_with_its_line(here):
    draft = drafted(**SHARES)
    marks = {str(mark).split(": ", 1)[0] for mark in draft.marks}
    for mark in draft.marks:
        assert "TODO" in mark.path.read_text().splitlines()[mark.line - 1]
    texts = "".join(path.read_text() for path in Path("toy").rglob("*") if path.suffix in (".md", ".yaml"))
    assert len(marks) == len(draft.marks) == len([line for line in texts.splitlines() if "TODO" in line])
    said = " ".join(mark.text for mark in draft.marks)
    for about in ("genome", "summary", "track_0", "track_1", "units", "data set", "SPDX", "Ada Lovelace", "metric"):
        assert about in said
    assert card_of(Path("toy")).genome is None


def test_what_is_given_is_not_marked(here):
    splits = {"train": ["chr1"], "validation": ["chr2"], "test": ["chr3"]}
    known = {"summary": "Shares of G.", "authors": ["Ada"], "licence": "MIT", "assembly": "hg38", "units": "share"}
    before = {mark.text for mark in drafted("a", **SHARES).marks}
    after = {mark.text for mark in drafted("b", **SHARES, **splits, **known, tracks=["x", "y"]).marks}
    assert after < before
    assert not any(word in " ".join(after) for word in ("SPDX", "Lovelace", "summary", "track_", "trained, validated"))
    card = card_of(Path("b"))
    assert card.training.splits.validation == ["chr2"] and card.summary == "Shares of G."
    info = yaml.safe_load(Path("b/model.yaml").read_text())["info"]
    assert info["authors"] == [{"name": "Ada"}] and info["license"] == "MIT"


def test_every_key_of_the_card_has_a_comment(here):
    from zoo.cards.schema import Card

    drafted(**SHARES)
    lines = Path("toy/README.md").read_text().splitlines()
    for key in Card.model_fields:
        place = next(i for i, line in enumerate(lines) if re.match(rf"#?{key}:", line))
        assert lines[place - 1].startswith("#"), key


def test_marks_that_are_written_are_gone(here):
    drafted(**SHARES)
    for path in Path("toy").rglob("*.*"):
        if path.suffix in (".md", ".yaml"):
            path.write_text(path.read_text().replace("TODO", "done"))
    assert open_marks(Path("toy")) == []


# ---------------------------------------------------------------- asked on a terminal


def test_what_is_lacking_is_asked(here):
    asked = []
    answers = {
        "Made from": "net.py:Bins",
        "Its weights": "",
        "Length of": "100",
        "Axes": "Lx4",
        "Names of": "A",
        "prediction has 6 bins": "10",
        "Where does": "20",
        "Units": "bases",
        "Its authors": "Ada Lovelace, Bob",
        "Licence": "MIT",
        "What does": "Counts A.",
    }

    def ask(question, choices):
        asked.append(question)
        return next(answer for start, answer in answers.items() if question.startswith(start))

    new("toy", ask=ask)
    assert len(asked) == len(answers)
    card = card_of(Path("toy"))
    assert (card.summary, card.outputs[0].tracks, card.outputs[0].bin_size) == ("Counts A.", ["A"], 10)


def test_a_wrong_answer_is_told_and_asked_again(here):
    """No file, no number, too many names, bins that end past the window: nothing typed before is lost."""
    answers = iter([
        "none.py:Bins", "net.py:Bins", "no.pth", "", "a lot", "", "100", "Lx4", "A,B", "A", "10", "50", "10", "-1",
        "20", "bases", "", "", "",
    ])  # fmt: skip
    told = []
    new("toy", ask=lambda question, choices: next(answers), report=told.append)
    assert list(answers) == []
    for words in ("none.py: is no file", "no.pth: is no file", "--length a lot: is no number", "--length (nothing)",
                  "--tracks names 2", "50 + 6 x 10 = 110", "--offset -1: is no number"):  # fmt: skip
        assert sum(words in line for line in told) == 1, (words, told)
    assert (card_of(Path("toy")).outputs[0].offset, card_of(Path("toy")).outputs[0].bin_size) == (20, 10)


def test_an_offset_that_fits_no_answer_is_not_asked_for_ever(here):
    with pytest.raises(UsageError, match="end past the window"):
        new("toy", "net.py:Bins", ask=lambda question, choices: "1", length=100, axes="Lx4", bin_size=50)


def test_nothing_is_asked_in_a_pipe(here, zoo_program):
    done = subprocess.run(
        [zoo_program, "new", "toy", "--from", "net.py:Bins"],
        capture_output=True, text=True, stdin=subprocess.PIPE, timeout=120, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2 and "Fix: add --length BP --axes 4xL|Lx4" in done.stderr
    assert not Path("toy").exists()


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        (SHARES | {"axes": None}, UsageError, "--axes 4xL|Lx4 is missing"),
        (SHARES | {"length": None}, UsageError, "--length BP is missing"),
        (SHARES | {"axes": "4x"}, UsageError, "--axes 4x: is not known"),
        (SHARES | {"settings": {}}, UsageError, "Fix: add --set scale=VALUE"),
        (SHARES | {"settings": {"scale": 1, "x": 2}}, UsageError, "--set x: Shares takes no such argument"),
        (SHARES | {"weights": None}, UsageError, "Fix: add --weights FILE"),
        (SHARES | {"weights": "other.pth"}, ModelError, "0 missing, 2 surplus, 1 of another shape: surplus bias, c"),
        (SHARES | {"weights": "none.pth"}, ModelError, "no such weights file"),
        (SHARES | {"weights": "nested.pth"}, ModelError, "holds a state dict below 'model'"),
        (SHARES | {"source": "net.py"}, UsageError, "no class is named"),
        (SHARES | {"source": "net.py:Share"}, ModelError, "near names: Shares"),
        (SHARES | {"source": "none.py:Shares"}, ModelError, "none.py: cannot be read"),
        (SHARES | {"source": "net.py:make", "settings": {}}, ModelError, "make is no class of torch.nn.Module"),
        (SHARES | {"source": None}, UsageError, "--from is missing"),
        (SHARES | {"tracks": ["a"]}, UsageError, "--tracks names 1, and the model gives 2"),
        (SHARES | {"tracks": ["a", "a"]}, UsageError, "names a track twice"),
        (SHARES | {"train": ["chr1"]}, UsageError, "Fix: add --validation-chroms --test-chroms"),
        (SHARES | {"train": ["1"], "validation": ["2"], "test": ["1"]}, UsageError, "1: in two parts of the split"),
        (SHARES | {"genome": "g.fa"}, UsageError, "both a genome and regions"),
        (BINS | {"axes": "4xL"}, ModelError, "Fix: give the length that it was trained on, or --axes Lx4"),
        (BINS | {"bin_size": None}, UsageError, "Fix: add --bin-size BP"),
        (BINS | {"offset": None}, UsageError, "Fix: add --offset BP"),
        (BINS | {"offset": 60}, UsageError, "end past the window of 100 bp"),
        (BINS | {"tracks": list("abcdef")}, UsageError, "(windows, tracks, bins), not (windows, bins, tracks)"),
        ({"source": "net.py:Both", "length": 9, "axes": "4xL", "units": "x"}, UsageError, "the model has 2"),
        ({"source": "net.py:OfTheBatch", "length": 9, "axes": "4xL"}, ModelError, "depends on the others of its batch"),
        ({"source": "net.py:Noisy", "length": 9, "axes": "4xL"}, ModelError, "or on chance"),
        ({"source": "net.py:Flat", "length": 9, "axes": "4xL"}, ModelError, "such as (windows, 1)"),
        ({"source": "net.py:Text", "length": 9, "axes": "4xL"}, ModelError, "gives str where a tensor is expected"),
        ({"source": "none.ckpt"}, ModelError, "none.ckpt: no such checkpoint or folder"),
        ({"source": "none.ckpt", "weights": "net.pth"}, UsageError, "--weights is for MODULE.py:Class"),
    ],
)  # fmt: skip
def test_what_cannot_become_an_entry_is_refused_and_leaves_nothing(here, options, kind, says):
    before = sorted(Path(".").iterdir())
    with pytest.raises(kind) as error:
        new("toy", **options)
    assert says in str(error.value)
    assert sorted(Path(".").iterdir()) == before


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", ".hidden", "a/b", "é"])
def test_names_that_cannot_be_one(here, name):
    with pytest.raises(UsageError, match="cannot name an entry"):
        new(name, **SHARES)


def test_an_entry_that_is_there_stays_without_force(here):
    Path("toy").mkdir()
    Path("toy/mine").touch()
    with pytest.raises(UsageError, match="toy exists"):
        new("toy", **SHARES)
    assert Path("toy/mine").exists()
    new("toy", **SHARES, force=True)
    assert not Path("toy/mine").exists() and check_example("toy", trust=True).ok


def test_regions_that_leave_the_chromosome(here):
    Path("r.bed").write_text("chr1\t980\t1040\n")
    with pytest.raises(InputError, match=r"r\.bed:1"):
        new("toy", **SHARES, genome="g.fa", regions="r.bed")
    Path("r.bed").write_text("chr1\t0\t20\nchr2\t990\t1000\n")
    with pytest.raises(InputError, match="no region leaves room"):
        new("toy", **SHARES, genome="g.fa", regions="r.bed")
    assert not Path("toy").exists()


def test_weights_that_carry_code_are_not_run(here):
    Path("evil.py").write_text("raise SystemExit('ran')")
    torch.save(torch.nn.Linear(1, 1), "whole.pth")
    with pytest.raises(ModelError, match="holds more than tensors") as error:
        new("toy", **SHARES | {"weights": "whole.pth"})
    assert "zoo convert whole.pth" in error.value.fix


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import notinstalledhere", "Fix: pip install notinstalledhere"),
        ("from notinstalledhere.x import y", "Fix: pip install notinstalledhere"),
        ("from helper import y", "put the classes that are needed into one file"),
        ("from .helper import y", "put the classes that are needed into one file"),
        ("def f(:", "is no Python"),
    ],
)
def test_what_the_file_imports_is_seen_before_it_runs(here, line, says):
    Path("helper.py").write_text("y = 1\n")
    Path("net.py").write_text("open('ran', 'w')\n" + line + "\n" + NET)
    with pytest.raises(ModelError) as error:
        new("toy", **SHARES)
    assert says in str(error.value) and not Path("ran").exists()


def test_an_error_of_the_file_names_it(here):
    Path("net.py").write_text(NET + "\nraise KeyError('at import')\n")
    with pytest.raises(ModelError, match=r"net\.py"):
        new("toy", **SHARES)


# ---------------------------------------------------------------- other sources


def test_a_folder_is_a_source_too_and_add_is_the_same(here, capsys):
    drafted(**SHARES)
    assert run(["new", "copy", "--from", "toy"]) == 0
    assert run(["add", "toy", "--name", "copy2"]) == 0
    assert [card_of(Path(name)).name for name in ("copy", "copy2")] == ["copy", "copy2"]
    assert "copy2/README.md:" in capsys.readouterr().err
    assert check_example("copy2", trust=True).ok
    with pytest.raises(UsageError, match="--length: toy says it itself"):
        new("copy3", "toy", length=5)


def test_the_draft_is_valid_for_the_json_schema(here):
    import jsonschema

    drafted(**SHARES)
    front = yaml.safe_load(Path("toy/README.md").read_text().split("---\n")[1])
    jsonschema.validate(front, json.loads((ROOT / "docs/card.schema.json").read_text()))


def test_a_draft_in_a_checkout_names_the_schema_for_editors(here):
    Path("docs").mkdir()
    Path("model_cards").mkdir()
    Path("docs/card.schema.json").write_text("{}")
    drafted(**SHARES)
    line = Path("model_cards/toy/README.md").read_text().splitlines()[1]
    assert line == "# yaml-language-server: $schema=../../docs/card.schema.json"
    assert (Path("model_cards/toy") / line.partition("=")[2]).is_file()
    drafted("away", **SHARES, out="/".join(("..", here[:8])))
    assert "yaml-language-server" not in Path("..", here[:8], "away/README.md").read_text()
