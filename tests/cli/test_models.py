"""Models that are misspelt, incomplete, damaged, hostile, or raise: told in three lines, and nothing foreign runs."""

from __future__ import annotations

import hashlib
import os
import pickle

import h5py
import pytest
import torch
import yaml
from toys import Toy, make_toy_entry


def edit(toy: Toy, file: str, old: str, new: str) -> None:
    path = toy.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def sign(toy: Toy) -> None:
    """Put the checksums of the files as they are now on the card."""
    path = toy.folder / "README.md"
    _, front, prose = path.read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    for item in card["files"]:
        item["sha256"] = hashlib.sha256((toy.folder / item["path"]).read_bytes()).hexdigest()
    path.write_text("---\n" + yaml.safe_dump(card, sort_keys=False) + "---\n" + prose)


def refused(shell, toy: Toy, code: int, *more: str) -> str:
    before = shell.files()
    arguments = [toy.regions, "-g", toy.genome, "-o", "out.tsv", *(more or ["--trust"])]
    message = shell.zoo("predict", toy.folder, *arguments).error(code)
    assert shell.files() == before
    return message


@pytest.mark.parametrize("name", ["yeast-atak", "Yeast-ATAC", "yeast"])
def test_near_names_of_an_unknown_model(shell, name):
    toy = shell.toys["gc"]
    assert "near names: yeast-atac" in shell.zoo("predict", name, toy.regions, "-g", toy.genome).error(4)


@pytest.mark.parametrize("name", ["zzzzzz", "yeast-atac@9.9.9", "./nofolder", "nofolder/x", "x.ckpt", ".", "~/x"])
def test_no_such_model(shell, name):
    toy = shell.toys["gc"]
    shell.zoo("predict", name, toy.regions, "-g", toy.genome).error(4)


YAML_FAULTS = {
    "does not parse": ("model.yaml", "args:", "args: [1, 2\nb: }", "model.yaml:3: YAML does not parse"),
    "no schema": ("model.yaml", "schema:", "schemas:", "model.yaml:1: lacks the field `schema`"),
    "no weights": ("model.yaml", "  weights: weights.pth\n", "", "model.yaml:2: "),
    "wrong shape": ("model.yaml", "(1,)", "(1,", "model.yaml:28: shape '(1,'"),
    "shape that is code": ("model.yaml", "(1,)", "__import__('os').mkdir('pwned')", "not a tuple of whole numbers"),
    "no class": ("model.yaml", "GcContent", "Nope", "has no 'Nope'"),
    "class arguments": ("model.yaml", "{}", "{bogus: 1}", "making GcContent failed: TypeError"),
    "other type": ("model.yaml", "PyTorchModel", "FooModel", "model.yaml:1: "),
    "card lacks a field": ("README.md", "summary: Counts bases.\n", "", "README.md:2: the card lacks the field"),
    "card has an unknown field": ("README.md", "units:", "unitz:", "README.md:13: the card has an unknown field"),
    "card has a wrong value": ("README.md", "length: 16", "length: many", "README.md:7: `input.length`"),
    "card does not end": ("README.md", "---\n\n##", "\n##", "README.md:1: the front matter does not end"),
    "card of other length": ("README.md", "length: 16", "length: 20", "16 bp, the card says 20"),
    "card has more tracks": ("README.md", "  - gc\n", "  - gc\n  - gc2\n", "has shape (1,) a window"),
}


@pytest.mark.parametrize(("file", "old", "new", "told"), YAML_FAULTS.values(), ids=list(YAML_FAULTS))
def test_yaml_and_cards(shell, file, old, new, told):
    toy = shell.fresh_toy()
    edit(toy, file, old, new)
    assert told in refused(shell, toy, 4)


def test_missing_parts_of_a_folder(shell):
    toy = shell.fresh_toy()
    for name in ("weights.pth", "dataloader.yaml", "model.yaml"):
        (toy.folder / name).unlink()
        assert name in refused(shell, toy, 4)


def test_weights_that_are_not_the_cards(shell):
    toy = shell.fresh_toy()
    weights = toy.folder / "weights.pth"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:800])
    assert "the checksum is not the one on the card" in refused(shell, toy, 5)
    torch.save({"scale": torch.zeros(1)}, weights)
    assert "the checksum is not the one on the card" in refused(shell, toy, 5)


WEIGHTS = {
    "empty": (b"", "is not a weights file"),
    "web page": (b"<html>404</html>", "is not a weights file"),
    "truncated": (None, "cannot be read as weights"),
    "another architecture": ({"scale": torch.zeros(3), "x": torch.zeros(1)}, "1 surplus, 1 of another shape"),
    "no state_dict": (torch.zeros(3), "is not a state_dict"),
}


@pytest.mark.parametrize(("content", "told"), WEIGHTS.values(), ids=list(WEIGHTS))
def test_weights_that_do_not_load(shell, content, told):
    toy = shell.fresh_toy()
    path = toy.folder / "weights.pth"
    if content is None:
        path.write_bytes(path.read_bytes()[:800])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    sign(toy)
    assert told in refused(shell, toy, 4)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_a_malicious_pickle_does_not_run(shell, form):
    toy = shell.fresh_toy()
    path = toy.folder / "weights.pth"
    if form == "pickle":
        path.write_bytes(pickle.dumps({"scale": Evil()}))
    else:
        torch.save({"scale": Evil()}, path, _use_new_zipfile_serialization=form == "zip")
    sign(toy)
    assert "nothing of it was run" in refused(shell, toy, 4)
    path.rename(shell.folder / "x.ckpt")
    shell.zoo("predict", "x.ckpt", toy.regions, "-g", toy.genome).error(4)
    assert not (shell.folder / "pwned").exists()


def test_python_that_is_not_trusted_does_not_run(shell):
    toy = shell.fresh_toy(module_prefix="import os; os.mkdir('pwned')\n")
    assert "--trust" in refused(shell, toy, 4, "--quiet")
    assert "--trust" in shell.zoo("test", toy.folder).error(4)
    assert not (shell.folder / "pwned").exists()


IMPORTS = {
    "raises": ("raise RuntimeError('boom\\nsecond line')\n", "RuntimeError: boom second line", 4),
    "misses a package": ("import nonexistent_pkg\n", "it needs the package nonexistent_pkg", 7),
    "is no Python": ("def (\n", "SyntaxError", 4),
    "exits": ("import sys; sys.exit(0)\n", "SystemExit", 4),
}


@pytest.mark.parametrize(("prefix", "told", "code"), IMPORTS.values(), ids=list(IMPORTS))
def test_python_that_fails_on_import(shell, prefix, told, code):
    toy = shell.fresh_toy(module_prefix=prefix)
    message = refused(shell, toy, code)
    assert told in message and "toy_own_gc.py" in message


ALWAYS = "raise ValueError('bad\\nthing')"
FORWARD = {
    "raises": (ALWAYS, "ValueError: bad"),
    "raises for batches": (f"if len(x) > 1: {ALWAYS}", "toy_own_gc.py:"),
    "returns text": ("return 'a'", "the module returns str"),
    "returns another shape": ("return x", "has shape (4, 16) a window"),
}


@pytest.mark.parametrize("card", [True, False])
@pytest.mark.parametrize(("line", "told"), FORWARD.values(), ids=list(FORWARD))
def test_a_model_that_fails(shell, line, told, card):
    toy = shell.fresh_toy(card=card)
    edit(toy, "toy_own_gc.py", "        return x[:, 1:3]", f"        {line}\n        return x[:, 1:3]")
    if card:
        sign(toy)
    assert told in refused(shell, toy, 4, "--trust", "-q")
    message = shell.zoo("test", toy.folder, "--trust").error(4)
    assert told in message


def test_what_a_model_prints_is_no_prediction(shell):
    toy = shell.fresh_toy(module_prefix="print('hello'); import warnings; warnings.warn('old')\n")
    answer = shell.process("predict", toy.folder, toy.regions, "-g", toy.genome, "--trust", "-q")
    assert answer.code == 0 and answer.err == "hello\n"
    assert len(answer.out.splitlines()) == 6 and answer.out.startswith("chrom\t")


def test_devices_that_are_not_there(shell):
    toy = shell.toys["gc"]
    absent = "mps" if torch.cuda.is_available() else "cuda"
    assert "finds no such device" in shell.refused(toy.regions, 7, "--device", absent)
    assert "no such device" in shell.refused(toy.regions, 2, "--device", "gpu")


def test_near_names_of_an_unknown_track(shell):
    regions = shell.toys["stranded"].regions
    assert "near: plus" in shell.refused(regions, 2, "--tracks", "pluss", kind="stranded")
    assert "no such track" in shell.refused(regions, 2, "--tracks", "17", kind="stranded")
    assert "names no track" in shell.refused(regions, 2, "--tracks", "", kind="stranded")


# zoo test


def expected(toy: Toy, change) -> Toy:
    with h5py.File(toy.folder / "example" / "expected.h5", "a") as handle:
        change(handle)
    return toy


def test_zoo_test_names_the_worst_element_and_saves_what_it_got(shell):
    def change(handle):
        handle["preds"][1, 0] += 1e-3

    toy = expected(shell.fresh_toy(), change)
    message = shell.zoo("test", toy.folder, "--trust").error(6)
    assert "region_1 (chrB:40-73), gc: got 0.5, expected 0.501" in message and "1 of 5 elements" in message
    with h5py.File(shell.folder / "own-gc.got.h5") as handle:
        assert handle["preds"].shape == (5, 1) and handle["preds"][1, 0] == 0.5


def test_zoo_test_where_nothing_can_be_saved(shell, read_only, monkeypatch):
    def change(handle):
        handle["preds"][1, 0] += 1e-3

    toy = expected(shell.fresh_toy(), change)
    folder = read_only()
    monkeypatch.chdir(folder)
    assert "what was got is in /" in shell.zoo("test", toy.folder, "--trust").error(6)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    assert "could be saved nowhere" in shell.zoo("test", toy.folder, "--trust").error(6)
    shell.zoo("test", toy.folder, "--trust", "--save", "x.h5").error(2)


def test_zoo_test_with_an_example_that_is_damaged(shell):
    toy = shell.fresh_toy()
    path = toy.folder / "example" / "expected.h5"
    for content in (path.read_bytes()[:-300], b"zz"):
        path.write_bytes(content)
        assert "cannot be read as expected predictions" in shell.zoo("test", toy.folder, "--trust").error(4)
    for values, code in (([b"a"] * 5, 4), ([1.0, 2.0], 6), (1.0, 6)):
        with h5py.File(path, "w") as handle:
            handle["preds"] = values
        shell.zoo("test", toy.folder, "--trust").error(code)
    path.unlink()
    said = shell.zoo("test", toy.folder, "--trust").error(4)
    assert "no such file" in said and "CONTRIBUTING.md" in said


def test_zoo_test_agrees(shell):
    answer = shell.zoo("test", shell.toys["stranded"].folder, "--trust")
    assert answer.code == 0 and answer.err == "" and "40 elements agree" in answer.out


HUGGING_FACE = "---\nlicense: mit\ntags: [biology]\nlibrary_name: pytorch\n---\n# A model, no schema_version\n"


def test_a_readme_of_hugging_face_is_no_card_for_any_command(shell):
    toy = shell.fresh_toy(card=False)
    (toy.folder / "README.md").write_text(HUGGING_FACE)
    assert shell.zoo("predict", toy.folder, toy.regions, "-g", toy.genome, "-o", "out.tsv", "--trust").code == 0
    assert shell.zoo("info", toy.folder).out.startswith("own-gc 1.0.0: counts bases\n")
    assert "nothing to fetch" in shell.zoo("pull", toy.folder).notes()
    assert shell.zoo("test", toy.folder, "--trust").code == 0
    shell.zoo("export", toy.folder, "copy", "--to", "kipoi").notes()
    assert (shell.folder / "copy/README.md").read_text() == HUGGING_FACE
    assert "has no card" in shell.zoo("export", toy.folder, "other", "--to", "hf").error(4)


def test_a_source_with_a_readme_of_hugging_face(shell, monkeypatch):
    monkeypatch.setenv("ZOO_CONFIG", str(shell.folder / "config"))
    monkeypatch.setenv("ZOO_CACHE", str(shell.folder / "cache"))
    for name, card in (("theirs", False), ("ours", True)):
        folder = make_toy_entry(shell.folder / "models" / name, card=card).folder
        if not card:
            (folder / "README.md").write_text(HUGGING_FACE)
    assert "2 models" in shell.zoo("source", "add", "toys", "models").err
    lines = shell.zoo("list", "--source", "toys").out.splitlines()
    assert [line.split("\t")[0] for line in lines[1:]] == ["toys/ours", "toys/theirs"]
    assert shell.zoo("info", "toys/theirs").out.startswith("toys/theirs 1.0.0: counts bases\n")


def test_two_folders_that_each_have_their_own_helper(shell):
    """Predicted in one process, in both orders; the answer is 10 or 20 times the share of G and C."""
    folders = {}
    for name, value in (("ten", 10), ("twenty", 20)):
        toy = make_toy_entry(shell.folder / name, card=False, module_prefix="from utils import FACTOR\n")
        edit(toy, f"toy_{name}.py", "* self.scale\n\n\nclass GPerBin", "* FACTOR\n\n\nclass GPerBin")
        (toy.folder / "utils.py").write_text(f"FACTOR = {value}\n")
        folders[value] = toy
    for order in ((10, 20), (20, 10)):
        for value in order:
            toy = folders[value]
            shell.zoo("predict", toy.folder, toy.regions, "-g", toy.genome, "-o", "out.tsv", "--trust", "-q").notes()
            rows = [line.split("\t") for line in (shell.folder / "out.tsv").read_text().splitlines()[1:]]
            lines = [line.split("\t") for line in toy.regions.read_text().splitlines()]
            expected = [toy.centred(row[0], int(row[1]), int(row[2]))["gc"][0] * value for row in lines]
            assert [float(row[-1]) for row in rows] == pytest.approx(expected)
