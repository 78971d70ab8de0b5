"""A good entry passes every level; one defect each is caught at its level, in words that name it."""

# ruff: noqa: E501 - a case is a line
from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from toy_entries import copy_of, edit_card, edit_module, edit_yaml, good_entry, module_of, record

from zoo.cards.card import card_of
from zoo.check.behaviour import fingerprint
from zoo.check.check import check
from zoo.check.confine import Guards, Limits, Outcome
from zoo.check.figures import check_figures
from zoo.check.findings import Finding
from zoo.check.runs import ended
from zoo.check.twins import check_twins
from zoo.check.worker import Teller, run_stages
from zoo.models.entry import open_entry
from zoo.models.load import load_entry
from zoo.store.registry import info

SMALL = Limits(seconds=120, memory=2_500_000_000, processes=64, file_bytes=20_000_000)
IMPORTS = "import torch\nfrom torch import nn\n"
FORWARD = "        counts = torch.stack("


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    return good_entry(tmp_path_factory.mktemp("good") / "counts")


@pytest.fixture(scope="session")
def binned(tmp_path_factory):
    return good_entry(tmp_path_factory.mktemp("binned") / "binned", "profile")


def load(folder):
    return load_entry(open_entry(folder, trust=True))


def errors(report):
    return [one for one in report.findings if one.severity == "error"]


def at_load(code):
    """Put code before the module's own."""
    return lambda folder: edit_module(folder, IMPORTS, f"{IMPORTS}{code}\n")


def at_predict(code):
    return lambda folder: edit_module(folder, FORWARD, f"        {code}\n{FORWARD}")


def set_card(*place, to):
    """Set a key of the card; None removes it."""

    def change(card):
        for key in place[:-1]:
            card = card[key]
        card.pop(place[-1]) if to is None else card.__setitem__(place[-1], to)

    return lambda folder: edit_card(folder, change)


def append_prose(text):
    def edit(folder):
        path = folder / "README.md"
        path.write_text(path.read_text() + text)

    return edit


def pickled(folder):
    torch.save(torch.nn.Linear(2, 2), folder / "weights.pth")


def changed_weights(folder):
    torch.save({"scale": torch.ones(1) * 2}, folder / "weights.pth")


def twin_module(folder):
    other = good_entry(folder.parent / "other", "gc")
    shutil.copy(module_of(folder), other / module_of(folder).name)


def same_weights(folder):
    torch.save({"scale": torch.ones(1) * 3}, folder / "weights.pth")
    other = good_entry(folder.parent / "other", "gc")
    shutil.copy(folder / "weights.pth", other / "weights.pth")


def wrong_schema(folder):
    edit_yaml(folder / "model.yaml", lambda data: data["schema"]["inputs"].update(shape="(4, 30)"))


def latin_1(folder):
    path = folder / "README.md"
    path.write_bytes(path.read_bytes() + "\nUniversit\xe4t\n".encode("latin-1"))


def broken_yaml(folder):
    path = folder / "README.md"
    path.write_text(path.read_text().replace("summary: ", "summary: [", 1))


def a_link_out(folder):
    (folder / "more.txt").symlink_to("/etc/hostname")


def large_file(folder):
    (folder / "reads.bin.txt").write_bytes(b"A" * 2_000_001)


# id, edit, rule, words, whether checksums are made again afterwards
VALID = [
    ("wrong checksum", changed_weights, "checksum", "is not the recorded file: sha256", False),
    ("wrong size", set_card("files", 0, "bytes", to=5), "checksum", "instead of 5", False),
    ("weights not recorded", set_card("files", to=[]), "checksum", "has no checksum on the card", False),
    ("file gone", lambda folder: (folder / "weights.pth").unlink(), "checksum", "is not there", False),
    ("absolute path in YAML", lambda f: edit_yaml(f / "model.yaml", lambda d: d["args"].update(weights="/home/me/w.pth")), "absolute", "`args.weights` is an absolute path", True),
    ("absolute path in Python", at_load("PLACE = '/home/me/weights.pth'"), "absolute", "names the absolute path '/home/me/weights.pth'", True),
    ("missing track name", set_card("outputs", 0, "tracks", to=["plus"]), "tracks", "1 track(s)", True),
    ("strand pair unknown", set_card("outputs", 0, "strand", to=[["plus", "minsu"]]), "strand", "strand pairs an unknown track: 'minsu'", True),
    ("strand pair twice", set_card("outputs", 0, "strand", to=[["plus", "plus"]]), "strand", "names a track twice", True),
    ("licence missing", lambda f: edit_yaml(f / "model.yaml", lambda d: d["info"].pop("license")), "licence", "states no licence of the weights", True),
    ("licence not SPDX", lambda f: edit_yaml(f / "model.yaml", lambda d: d["info"].update(license="free for all")), "licence", "is not SPDX", True),
    ("licence of data not SPDX", set_card("training", "data", 0, "licence", to="public"), "licence", "the licence of the data 'none' is not SPDX", True),
    ("pickle weights", pickled, "pickle", "refused: the file holds more than tensors", True),
    ("pickle beside", lambda f: (f / "scaler.pkl").write_bytes(b"x"), "pickle", "is a pickle", True),
    ("unsafe torch.load", at_load("STATE = lambda path: torch.load(path)"), "pickle", "torch.load without weights_only=True", True),
    ("network import", at_load("import requests"), "network", "imports requests: a model uses no network", True),
    ("subprocess import", at_load("import subprocess"), "confined", "imports subprocess", True),
    ("eval", at_load("X = eval('1')"), "confined", "calls eval()", True),
    ("environment", at_load("import os\nTOKEN = os.environ.get('GITHUB_TOKEN')"), "confined", "reads the environment", True),
    ("Python syntax", at_load("def"), "python", "Python does not parse", True),
    ("train and test overlap", set_card("training", "splits", "test", to=["chrII"]), "split", "train and test overlap: chrII", True),
    ("no training data", set_card("training", "data", to=[]), "licence", "no training data are named", True),
    ("split not stated", set_card("training", "splits", to=None), "split", "the split is not stated", True),
    ("genome not stated", set_card("genome", to=None), "genome", "the genome is not stated", True),
    ("no metric", set_card("evaluation", to=[]), "metric", "no metric is stated", True),
    ("metric without baseline", set_card("evaluation", 0, "baseline", to=None), "baseline", "r stands beside no baseline", True),
    ("metric without command", set_card("evaluation", 0, "command", to=None), "metric", "names neither the `command`", True),
    ("metric outside its interval", set_card("evaluation", 0, "value", to=0.7), "metric", "outside its interval 0.4 to 0.6", True),
    ("metric of no output", set_card("evaluation", 0, "output", to="nought"), "metric", "is of output 'nought'", True),
    ("base model missing", set_card("training", "base_model", to="yeast-atak@1.0.0"), "base", "the base model 'yeast-atak@1.0.0' is not known", True),
    ("same Python file as another", twin_module, "unique", "is also the name of a file of other", True),
    ("same weights as another", same_weights, "duplicate", "are those of other", True),
    ("name is not the folder's", set_card("name", to="counts-2"), "name", "the card is called 'counts-2', its folder 'counts'", True),
    ("name of a bundled entry", set_card("name", to="yeast-atac"), "unique", "the name 'yeast-atac' is that of yeast-atac too", True),
    ("broken link", append_prose("\nSee [the paper](paper.pdf).\n"), "link", "the link 'paper.pdf' leads to no file", True),
    ("broken anchor", append_prose("\nSee [above](#what-it-costs).\n"), "link", "leads to no heading of README.md", True),
    ("malformed address", append_prose("\nSee [it](https://nohost).\n"), "link", "has no host", True),
    ("TODO left", append_prose("\nTODO: say how it was trained\n"), "unfinished", "TODO is left", True),
    ("wrong input length", set_card("input", "length", to=30), "length", "input.length is 30, and the dataloader makes 24 bp", True),
    ("wrong length in schema", wrong_schema, "length", "schema.inputs of model.yaml has shape (4, 30)", True),
    ("unknown key", set_card("lisense", to="MIT"), "schema", "unknown field `lisense`", True),
    ("YAML syntax", broken_yaml, "schema", "YAML does not parse", False),
    ("large file", large_file, "size", "has 2,000,001 bytes", True),
    ("link out of the folder", a_link_out, "confined", "is a link that leads out of the folder", True),
    ("not UTF-8", latin_1, "schema", "cannot be read: 'utf-8' codec can't decode byte 0xe4", False),
    ("version twice and different", lambda f: edit_yaml(f / "model.yaml", lambda d: d["info"].update(version="2.0")), "twice", "they differ: 2.0 and 1.0.0", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "rule", "words", "again"), [case[1:] for case in VALID], ids=[case[0] for case in VALID]
)
def test_a_defect_of_the_files_is_caught(good, tmp_path, edit, rule, words, again):
    folder = copy_of(good, tmp_path / "entries")
    edit(folder)
    if again:
        record(folder)
    report = check(folder)
    found = [one for one in errors(report) if one.rule == rule and words in one.what]
    assert found, [(one.rule, one.what) for one in report.findings]
    # 5: other bytes than recorded, in an entry that is right otherwise.
    assert report.code == (5 if words in ("is not the recorded file: sha256", "instead of 5") else 4)


@pytest.mark.slow
def test_a_good_entry_passes_every_level(good, tmp_path):
    """The answers of the toy are known by hand, its metric is 0.5 in the data; Kipoi itself loads it."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "metric.txt").write_text("0.52")
    folder = copy_of(good, tmp_path / "entries")
    report = check(folder, level="reproduces", data=data, limits=SMALL, keep=tmp_path)
    notes = " ".join(one.what for one in report.findings)
    assert report.code == 0 and not [one for one in report.findings if one.severity != "note"], report.findings
    assert "output 'counts' on the other strand: the declared pairs hold exactly" in notes
    assert "kipoi loads it and predicts its example" in notes
    assert "r reproduces: 0.52, the card says 0.5" in notes
    assert "the example agrees: largest difference 0" in notes
    assert "no errors, 0 warnings; foreign code ran confined: no network" in report.summary()
    assert not list(tmp_path.glob("*.h5"))


#: What Python tells of itself, tried one after the other in one entry; each is told.
ATTEMPTS = """
import os, socket

def attempt(f, *words):
    try:
        f(*words)
    except OSError:
        pass

attempt(socket.create_connection, ("198.51.100.1", 80), 2)
attempt(open, "/tmp/zoo-check-was-here", "w")
attempt(open, os.path.join(os.path.dirname(__file__), "made.txt"), "w")
attempt(open, "HOME/.netrc")
attempt(os.system, "true")
"""
TOLD = [
    ("network", "uses the network (socket.getaddrinfo 198.51.100.1) when it is loaded"),
    ("confined", "writes outside its folder (/tmp/zoo-check-was-here) when it is loaded"),
    ("confined", "writes into its folder (made.txt) when it is loaded"),
    ("confined", "reads a file that is not its own"),
    ("confined", "starts a process (os.system) when it is loaded"),
    ("network", "uses the network (socket.getaddrinfo example.org) when it predicts"),
]


def test_every_attempt_is_told_and_none_succeeds(good, tmp_path):
    folder = copy_of(good, tmp_path / "entries")
    at_load(ATTEMPTS.replace("HOME", str(Path.home())))(folder)
    at_predict("attempt(socket.getaddrinfo, 'example.org', 80)")(folder)
    record(folder)
    before = sorted(path.name for path in folder.rglob("*"))
    report = check(folder, level="runs", limits=SMALL)
    found = [(one.rule, one.what) for one in errors(report) if one.level == "runs"]
    for rule, words in TOLD:
        assert any(rule == one and words in what for one, what in found), (words, found)
    assert report.code == 4
    assert sorted(path.name for path in folder.rglob("*")) == before and not os.path.exists("/tmp/zoo-check-was-here")


def test_what_an_entry_writes_into_the_scratch_folder_deceives_nobody(good, tmp_path):
    """It may lie of itself; it makes the check neither copy nor show a file of the user, and writes no markup."""
    secret = tmp_path / "secret"
    secret.write_text("the user's secret")
    finding = {"entry": "counts", "level": "runs", "rule": "<img>", "severity": "note", "what": "x"}
    lies = [
        {"finding": finding},
        {"finding": finding | {"rule": "run", "entry": "other"}},
        {"finding": finding | {"rule": "run", "severity": "<b>"}},
        {"fact": {"got": str(secret)}},
    ]
    code = (
        "import json, os\nfrom pathlib import Path\nscratch = Path(os.environ['TMPDIR'])\n"
        "with (scratch / 'told.jsonl').open('a') as handle:\n"
        f"    handle.writelines(json.dumps(one) + chr(10) for one in {lies!r})\n"
        "for name in ('.printed', 'got.h5'):\n"
        "    (scratch / name).unlink(missing_ok=True)\n"
        f"    (scratch / name).symlink_to({str(secret)!r})\n"
        "(scratch / 'fingerprint.npz').write_bytes(b'PK')\n"
        "os._exit(3)"
    )
    folder = copy_of(good, tmp_path / "entries")
    at_load(code)(folder)
    record(folder)
    report = check(folder, level="runs", limits=SMALL, keep=tmp_path / "kept")
    told = [one for one in report.findings if one.level == "runs"]
    assert {one.rule for one in told} == {"crash", "confined"} and {one.entry for one in told} == {"counts"}, told
    assert any("the process ended with status 3 while it was loaded" in one.what for one in told)
    assert "the user's" not in " ".join(one.what for one in told)
    assert not (tmp_path / "kept").exists()


BEHAVIOUR = [
    ("random output", at_predict("x = x + torch.rand_like(x)"), "deterministic", "not deterministic: output 'counts' differs by"),
    ("dropout left on", at_predict("x = nn.functional.dropout(x, 0.5, training=True)"), "deterministic", "not deterministic"),
    ("training mode", at_predict("self.train()"), "eval", "in training mode after a prediction"),
    ("depends on the batch", at_predict("x = x - x.mean(0, keepdim=True)"), "batch", "depends on the batch: a window alone differs by"),
    ("depends on the batch size", at_predict("x = x * (1 + (len(x) == 2))"), "batch", "output 'counts' depends on the batch size: 2 and 5 differ by"),
    ("NaN", at_predict("x = x / 0 * 0"), "finite", "not finite (NaN)"),
    ("wrong strand pairs", set_card("outputs", 0, "strand", to="unstranded"), "strand", "'plus' becomes 'minus' exactly, and the card pairs it with itself"),
    ("softmax that is none", set_card("outputs", 0, "softmax", to="tracks"), "softmax", "the card says that output 'counts' is a softmax over tracks"),
    ("output of another shape", at_predict("return {'counts': x.sum((1, 2)), 'total': x.sum((1, 2))}"), "load", "counts"),
    ("input ignored", at_predict("x = torch.ones_like(x)"), "constant", "is the same for 5 random sequences"),
    ("remembers what it saw", at_predict("self.seen = getattr(self, 'seen', 0) + 1; x = x * self.seen"), "deterministic", "not deterministic"),
    ("an output missing", at_predict("return {'counts': x.sum(2)[:, :2]}"), "load", "the module returns 1 output; the card names 2"),
    ("no scale but infinity", at_predict("x = x * float('inf')"), "finite", "not finite"),
    ("a batch fails", at_predict("assert len(x) < 3, 'too many'"), "predict", "too many"),
]  # fmt: skip
LIMITS = [
    ("3 GB", "WASTE = bytearray(3 << 30)", SMALL, "memory", "not enough memory"),
    ("huge file", "import tempfile\nhandle = tempfile.TemporaryFile()\nfor _ in range(40):\n    handle.write(b'x' * 1_000_000)", SMALL, "size", "File too large"),
    ("ends the process", "import os\nos._exit(3)", SMALL, "crash", "the process ended with status 3 while it was loaded"),
    ("infinite loop", "import time\nwhile True:\n    time.sleep(1)", Limits(seconds=15), "time", "did not end within 15 s while it was loaded"),
    ("fork bomb", "import os, time\nfor _ in range(9):\n    os.fork()\ntime.sleep(60)", Limits(seconds=60, memory=60_000_000_000, processes=40), "processes", "started more than 40 processes"),
]  # fmt: skip


SHORTER = ("fork bomb", "ends the process")  # test_confine.py, and the entry above that deceives


def run_here(folder, tmp_path, level="runs"):
    """What a confined run tells, in this process: for code that only computes."""
    name = folder.name
    spec = {"name": name, "entry": str(folder), "level": level, "rtol": 1e-3, "atol": 1e-5}
    run_stages(spec, Teller(tmp_path / "told.jsonl", name, level), tmp_path)
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    return [Finding(**one["finding"]) for one in told if "finding" in one]


@pytest.mark.parametrize(
    ("edit", "rule", "words"), [case[1:] for case in BEHAVIOUR], ids=[case[0] for case in BEHAVIOUR]
)
def test_a_defect_of_behaviour_is_caught(good, tmp_path, edit, rule, words):
    folder = copy_of(good, tmp_path / "entries")
    edit(folder)
    record(folder)
    found = [(one.rule, one.what) for one in run_here(folder, tmp_path) if one.severity != "note"]
    assert any(rule == one and words in what for one, what in found), found


@pytest.mark.long
@pytest.mark.parametrize(
    ("edit", "rule", "words"), [case[1:] for case in BEHAVIOUR], ids=[case[0] for case in BEHAVIOUR]
)
def test_a_defect_of_behaviour_is_caught_confined(good, tmp_path, edit, rule, words):
    folder = copy_of(good, tmp_path / "entries")
    edit(folder)
    record(folder)
    report = check(folder, level="runs", limits=SMALL)
    found = [one for one in report.findings if one.level == "runs" and one.severity != "note"]
    assert any(one.rule == rule and words in one.what for one in found), report.findings
    assert report.code == (0 if rule == "constant" else 4)


@pytest.mark.parametrize(
    ("code", "limits", "rule", "words"),
    [pytest.param(*one[1:], id=one[0], marks=pytest.mark.long if one[0] in SHORTER else ()) for one in LIMITS],
)
def test_a_limit_ends_what_goes_beyond(good, tmp_path, code, limits, rule, words):
    folder = copy_of(good, tmp_path / "entries")
    at_load(code)(folder)
    record(folder)
    report = check(folder, level="runs", limits=limits)
    assert any(one.rule == rule and words in one.what for one in errors(report)), report.findings
    assert report.code == 4


def test_a_limit_that_ended_a_run_has_its_words():
    """Forks themselves are tried in test_confine.py."""
    limits = Limits(seconds=9, memory=2_000, processes=40, file_bytes=1_000)
    for ended_for, rule, words in [
        ("processes", "processes", "started more than 40 processes while it was loaded: they were ended"),
        ("memory", "memory", "took more than 2,000 bytes of memory while it was loaded: it was ended"),
        ("disk", "size", "wrote more than 1,000 bytes while it was loaded: it was ended"),
        ("time", "time", "did not end within 9 s while it was loaded: it was ended"),
    ]:
        found = ended("toy", "runs", Outcome(-9, ended_for, "", 1.0, Guards({})), "load", limits)
        assert (found.rule, found.what, found.severity, found.code) == (rule, words, "error", 4)


@pytest.mark.parametrize(("offset", "size"), [(4, 4), (10, 4), (8, 3)])
def test_a_wrong_bin_offset_is_caught(binned, tmp_path, offset, size):
    """The toy's bins of 4 bp begin at 8 of 40 bp: its gradient lies on these bases and no others."""
    folder = copy_of(binned, tmp_path / "entries")
    edit_card(folder, lambda card: card["outputs"][0].update(offset=offset, bin_size=size))
    (found,) = [one for one in run_here(folder, tmp_path) if one.severity == "error"]
    assert (found.rule, found.code) == ("bins", 4) and "wrong bin offset of output 'g_per_bin'" in found.what
    if size == 4:
        assert f"offset is about {8}," in found.fix, found


def other_expected(folder):
    with h5py.File(folder / "example/expected.h5", "r+") as handle:
        handle["preds/total"][2] += 1
    record(folder)


def test_an_expected_file_that_is_not_the_models_names_the_worst_element(good, tmp_path):
    folder = copy_of(good, tmp_path / "entries")
    other_expected(folder)
    report = check(folder, level="reproduces", limits=SMALL, keep=tmp_path, kipoi=False)
    (found,) = errors(report)
    assert (found.rule, found.code, report.code) == ("expected", 6, 6)
    assert "worst: total, region_2 (chrA:301-302), at" in found.what and str(tmp_path / "counts.got.h5") in found.what
    with h5py.File(tmp_path / "counts.got.h5") as got, h5py.File(good / "example/expected.h5") as expected:
        assert np.array_equal(got["preds/total"][()].reshape(-1), expected["preds/total"][()].reshape(-1))


@pytest.mark.parametrize(
    ("printed", "severity", "code", "words"),
    [
        ("0.3", "error", 6, "r does not reproduce: 0.3, and the card says 0.5 (0.4 to 0.6)"),
        ("0.52", "note", 4, "r reproduces: 0.52, the card says 0.5"),
        ("nan", "error", 6, "r does not reproduce: nan"),
        ("nothing", "error", 6, "did not work: ValueError: could not convert string to float"),
    ],
)
def test_a_metric_is_made_again(good, tmp_path, printed, severity, code, words):
    (tmp_path / "metric.txt").write_text(printed)
    (found,) = check_figures("counts", good, card_of(good), tmp_path, SMALL)
    assert (found.rule, found.severity, found.code) == ("metric", severity, code) and words in found.what, found


def duplicate(folder):
    """Other names, other files, other bytes of the weights, the same numbers."""
    save_file({"scale": torch.ones(1)}, folder / "weights.safetensors")
    (folder / "weights.pth").unlink()
    edit_yaml(folder / "model.yaml", lambda data: data["args"].update(weights="weights.safetensors"))
    record(folder)


def test_another_entry_with_the_same_outputs_is_named(good, tmp_path):
    """A copy is named; a model of the same shapes with other numbers is not."""
    other, third = good_entry(tmp_path / "copied"), good_entry(tmp_path / "third")
    duplicate(other)
    torch.save({"scale": torch.ones(1) * 2}, third / "weights.pth")
    record(third)
    mine = fingerprint(load(good))
    records = [info(other) | {"name": str(other)}, info(third) | {"name": str(third)}]
    length, sizes = records[0]["input_length"], sorted(one["n_tracks"] for one in records[0]["outputs"])
    found = check_twins("counts", mine, length, sizes, records, lambda name: fingerprint(load(name)))
    assert [(one.severity, one.rule, one.code) for one in found] == [
        ("error", "duplicate", 4),
        ("note", "duplicate", 4),
    ]
    assert f"predicts the same as {other}: a duplicate" in found[0].what
    assert found[1].what == "compared with 2 of 2 entries of the same input and outputs"


@pytest.mark.long
def test_another_entry_with_the_same_outputs_is_named_by_a_check(good, tmp_path):
    folder = copy_of(good, tmp_path / "entries")
    duplicate(good_entry(tmp_path / "entries/copied"))
    report = check(folder, level="reproduces", limits=SMALL, kipoi=False)
    assert [(one.rule, one.code) for one in errors(report)] == [("duplicate", 4)], report.findings
    assert "predicts the same as" in errors(report)[0].what and "copied" in errors(report)[0].what


def test_every_problem_is_told_at_once_with_file_and_line(good, tmp_path):
    folder = copy_of(good, tmp_path / "entries")
    edit_card(folder, lambda card: card.update(version="1", summary=3, extra=True))
    report = check(folder)
    lines = (folder / "README.md").read_text().splitlines()
    found = {(one.what.split("`")[1], one.line) for one in errors(report) if one.rule == "schema"}
    expected = {
        (key, 1 + lines.index(f"{key}: {value}"))
        for key, value in [("version", "'1'"), ("summary", 3), ("extra", "true")]
    }
    assert found == expected
    assert all(one.path == str(folder / "README.md") for one in errors(report))


def test_cards_of_the_zoo_are_valid():
    report = check()
    assert len(report.results) >= 24 and report.ok, [(one.entry, one.what) for one in errors(report)]


def test_yaml_of_the_toy_is_what_the_cases_edit(good):
    """The cases edit keys; one that is not there would prove nothing."""
    assert yaml.safe_load((good / "model.yaml").read_text())["info"].keys() == {"authors", "doc", "license"}
    assert check(good).code == 0
