"""`load_model`: what is found, what is refused, and that nothing foreign runs before it is allowed."""

from __future__ import annotations

import hashlib
import json
import pickle
import random

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from toys import KINDS, make_toy_entry, one_hot, random_sequence

import zoo
from zoo.errors import FetchError, ModelError, SystemStateError, TrustError
from zoo.models.entry import open_entry
from zoo.store import registry


def refused(folder, kind=ModelError, **options):
    with pytest.raises(kind) as caught:
        zoo.load_model(folder, **({"trust": True} | options))
    assert caught.value.fix.startswith("Fix: ")
    return caught.value


def set_checksum(toy, name):
    """Put the present checksum of a file on the card, as its author would."""
    card = toy.folder / "README.md"
    front = yaml.safe_load(card.read_text().split("---\n")[1])
    for item in front["files"]:
        if item["path"] == name:
            item["sha256"] = hashlib.sha256((toy.folder / name).read_bytes()).hexdigest()
    card.write_text(f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("card", [True, False])
def test_toys_answer_as_known_by_hand(tmp_path, kind, card):
    toy = make_toy_entry(tmp_path / "toy", kind, card=card)
    model = zoo.load_model(toy.folder, trust=True)
    rng = random.Random(0)
    sequences = [random_sequence(rng, toy.length) for _ in range(7)]
    got = model.predict(np.array([one_hot(sequence) for sequence in sequences], dtype=np.float32))
    if not isinstance(got, dict):
        got = {model.outputs[0].name: got}
    assert list(got) == [out["name"] for out in toy.outputs]
    for name, values in got.items():
        assert values.dtype == np.float32
        assert values.tolist() == [toy.answer(sequence)[name] for sequence in sequences]


def test_what_a_loaded_model_tells(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "stranded")
    model = zoo.load_model(toy.folder, trust=True)
    counts, total = model.outputs
    assert (counts.name, counts.tracks) == ("counts", ("plus", "minus"))
    assert (counts.n_bins, counts.bin_size, counts.offset) == (4, 4, 4)
    assert (total.kind, total.tracks, total.n_bins) == ("scalar", ("at",), 1)
    assert (model.length, model.loader.n_value, model.card.name, model.folder) == (24, 0.25, "toy", toy.folder)
    assert model.strand_pairs["counts"].tolist() == [1, 0] and "total" not in model.strand_pairs
    assert isinstance(model.module, torch.nn.Module) and not model.module.training
    assert model.hashes["weights.pth"] == hashlib.sha256((toy.folder / "weights.pth").read_bytes()).hexdigest()


# Names and paths


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """A registry that holds one toy, version 1.0.0."""
    toy = make_toy_entry(tmp_path / "cards/toy-gc")
    record = {"name": "toy-gc", "version": "1.0.0", "path": "toy-gc"}
    (tmp_path / "index.json").write_text(json.dumps({"index_version": 1, "entries": [record]}))
    monkeypatch.setattr(registry, "INDEX", tmp_path / "index.json")
    monkeypatch.setattr(registry, "entries_folder", lambda: tmp_path / "cards")
    monkeypatch.setattr("zoo.models.entry.entries_folder", lambda: tmp_path / "cards")
    return toy


@pytest.mark.parametrize("name", ["toy-gc", "toy-gc@1.0.0"])
def test_a_registered_model_loads_by_name_without_trust(registered, name):
    model = zoo.load_model(name)
    assert model.name == name and model.folder == registered.folder


def test_a_bundled_model_loads_by_path_without_trust(registered):
    assert zoo.load_model(registered.folder).card.name == "toy-gc"
    assert zoo.load_model(registered.folder / "model.yaml").card.name == "toy-gc"


def test_another_version_is_refused(registered):
    assert "no version 2.0.0" in refused("toy-gc@2.0.0").what


def test_an_unknown_name_gives_near_names(registered):
    assert refused("toy-cg").extent == "near names: toy-gc"


@pytest.mark.parametrize("name", ["./nothing", "/nowhere/at/all", "missing.ckpt"])
def test_a_path_that_is_not_there(name):
    assert refused(name).what.startswith(f"{name}: no such model folder")


@pytest.mark.parametrize("name", ["weights.torch", "model.h5", "notes.txt"])
def test_a_file_that_is_no_model(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"x")
    for path in (name, tmp_path / name):
        error = refused(path)
        assert error.what == f"{path}: is a file, and no gReLU checkpoint (.ckpt)"
        assert ("zoo convert" in error.fix) == name.endswith(".torch")
    (tmp_path / "yeast-atac").write_bytes(b"")  # a file of that name hides no model
    assert open_entry("yeast-atac").card.name == "yeast-atac"


def test_a_folder_without_model_yaml(tmp_path):
    assert "no model.yaml" in refused(tmp_path).what


def test_reading_an_entry_runs_nothing(tmp_path):
    marker = tmp_path / "marker"
    toy = make_toy_entry(tmp_path / "toy", module_prefix=f"open({str(marker)!r}, 'w')\n")
    assert open_entry(toy.folder).card.name == "toy"
    assert not marker.exists()


# Trust


def test_foreign_python_is_refused_before_it_runs(tmp_path):
    marker = tmp_path / "marker"
    toy = make_toy_entry(tmp_path / "toy", module_prefix=f"open({str(marker)!r}, 'w')\n")
    error = refused(toy.folder, TrustError, trust=False)
    assert str(toy.folder / "toy_toy.py") in error.what and "--trust" in error.fix
    assert not marker.exists()
    zoo.load_model(toy.folder, trust=True)
    assert marker.exists(), "the marker does show when the file runs"


class Payload:
    """A pickle that opens a file when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_malicious_pickle_is_refused_and_did_not_run(tmp_path, how):
    marker = tmp_path / "marker"
    toy = make_toy_entry(tmp_path / "toy")
    weights = toy.folder / "weights.pth"
    if how == "torch":
        torch.save({"scale": Payload(marker)}, weights)
    else:
        weights.write_bytes(pickle.dumps({"scale": Payload(marker)}, protocol=2))
    set_checksum(toy, "weights.pth")
    error = refused(toy.folder)
    assert error.what.startswith(f"{weights}: refused: the file holds more than tensors")
    assert "open" in error.what
    assert error.fix.startswith(f"Fix: `zoo convert {weights} ")
    assert not marker.exists()
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists(), "the payload does show when it runs"


def test_a_whole_module_as_weights_is_refused(tmp_path):
    toy = make_toy_entry(tmp_path / "toy")
    torch.save(torch.nn.Linear(1, 1), toy.folder / "weights.pth")
    set_checksum(toy, "weights.pth")
    assert "torch.nn.modules.linear.Linear" in refused(toy.folder).what


# Weights


@pytest.mark.parametrize("name", ["weights.pth", "toy_toy.py"])
def test_a_swapped_file_is_known_by_its_checksum(tmp_path, name):
    marker = tmp_path / "marker"
    toy = make_toy_entry(tmp_path / "toy")
    (toy.folder / name).write_text(f"open({str(marker)!r}, 'w')\n")
    error = refused(toy.folder, FetchError)
    assert error.what.startswith(f"{toy.folder / name}: the checksum is not the one on the card")
    assert not marker.exists()


@pytest.mark.parametrize("keep", [0, 10, 700, 1500])
def test_truncated_weights(tmp_path, keep):
    toy = make_toy_entry(tmp_path / "toy")
    weights = toy.folder / "weights.pth"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert "checksum" in refused(toy.folder, FetchError).what
    set_checksum(toy, "weights.pth")
    assert refused(toy.folder).what.startswith(f"{weights}: ")


@pytest.mark.parametrize(
    ("state", "says", "extent"),
    [
        (
            {"conv.weight": torch.ones(2)},
            "first at 'scale'",
            "1 missing, 1 surplus, 0 of another shape: missing scale; surplus conv.weight",
        ),
        ({"scale": torch.ones(3)}, "first at 'scale'", "0 missing, 0 surplus, 1 of another shape"),
        ({"scale": torch.ones(1), "b": torch.ones(1)}, "first at 'b'", "0 missing, 1 surplus, 0 of another shape"),
    ],
)
def test_weights_of_another_architecture(tmp_path, state, says, extent):
    toy = make_toy_entry(tmp_path / "toy")
    torch.save(state, toy.folder / "weights.pth")
    set_checksum(toy, "weights.pth")
    error = refused(toy.folder)
    assert says in error.what and error.extent == extent


@pytest.mark.parametrize("content", [torch.ones(1), [1, 2], {"scale": 1.0}])
def test_weights_that_are_no_state_dict(tmp_path, content):
    toy = make_toy_entry(tmp_path / "toy")
    torch.save(content, toy.folder / "weights.pth")
    set_checksum(toy, "weights.pth")
    assert "is not a state_dict" in refused(toy.folder).what


def test_missing_weights_name_the_line_of_model_yaml(tmp_path):
    toy = make_toy_entry(tmp_path / "toy")
    (toy.folder / "weights.pth").unlink()
    lines = (toy.folder / "model.yaml").read_text().splitlines()
    at = lines.index("  weights: weights.pth") + 1
    assert refused(toy.folder).what.startswith(f"{toy.folder}/model.yaml:{at}: ")


def test_safetensors_give_the_same_predictions(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", card=False)
    save_file({"scale": torch.full((1,), 2.0)}, toy.folder / "weights.safetensors")
    path = toy.folder / "model.yaml"
    path.write_text(path.read_text().replace("weights.pth", "weights.safetensors"))
    model = zoo.load_model(toy.folder, trust=True)
    assert model.predict(torch.tensor([one_hot("G" * 16)])).tolist() == [[2.0]]


@pytest.mark.parametrize("content", [b"", b"\x10\x00\x00\x00\x00\x00\x00\x00{}", b"garbage" * 20])
def test_damaged_safetensors(tmp_path, content):
    toy = make_toy_entry(tmp_path / "toy", card=False)
    (toy.folder / "w.safetensors").write_bytes(content)
    path = toy.folder / "model.yaml"
    path.write_text(path.read_text().replace("weights.pth", "w.safetensors"))
    assert "cannot be read as weights" in refused(toy.folder).what


# Python files and model.yaml


def edit(toy, *replacements, file="model.yaml"):
    path = toy.folder / file
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("module_class: GcContent", "module_class: Nothing", "has no 'Nothing'"),
        ("module_class: GcContent", "module_class: dict", "has no 'dict'"),
        ("module_kwargs: {}", "module_kwargs: {depth: 3}", "making GcContent failed: TypeError"),
        ("module_kwargs: {}", "module_kwargs: [3]", "making GcContent failed: TypeError"),
        ("module_file: toy_toy.py", "module_file: none.py", "none.py does not exist"),
        ("  weights: weights.pth\n", "", "`args.weights`"),
        ("  module_class: GcContent\n", "", "lacks `args.module_class`"),
        ("kipoi.model.PyTorchModel", "kipoi.model.TensorFlowModel", "models of TensorFlow"),
    ],
)
def test_model_yaml_that_does_not_fit_the_folder(tmp_path, old, new, says):
    toy = make_toy_entry(tmp_path / "toy")
    edit(toy, (old, new))
    error = refused(toy.folder)
    assert error.what.startswith(f"{toy.folder}/model.yaml:") and says in error.what


def test_python_that_fails_to_import_is_explained(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", module_prefix="import no_such_package_anywhere\n")
    error = refused(toy.folder, SystemStateError)
    assert error.what.endswith("it needs the package no_such_package_anywhere, which is not installed")
    assert error.extent == f"raised at {toy.folder / 'toy_toy.py'}:1"
    assert error.fix.startswith("Fix: pip install no_such_package_anywhere ")


def test_an_error_inside_the_module_is_explained(tmp_path):
    toy = make_toy_entry(tmp_path / "toy")
    first_line = "        return x[:, 1:3]"
    edit(toy, (first_line, f"        raise ValueError('no')\n{first_line}"), file="toy_toy.py")
    set_checksum(toy, "toy_toy.py")
    error = refused(toy.folder)
    assert error.what == f"{toy.folder}: running the module on a window of 16 bp failed: ValueError: no"
    line = (toy.folder / "toy_toy.py").read_text().splitlines().index("        raise ValueError('no')") + 1
    assert error.extent == f"raised at {toy.folder / 'toy_toy.py'}:{line}, on an input of shape (1, 4, 16)"
    assert "alphabet_axis" in error.fix


def test_entries_with_files_of_one_name_do_not_meet(tmp_path):
    first = make_toy_entry(tmp_path / "a/toy", "gc")
    second = make_toy_entry(tmp_path / "b/toy", "profile")
    models = [zoo.load_model(toy.folder, trust=True) for toy in (first, second)]
    assert [type(model.module).__name__ for model in models] == ["GcContent", "GPerBin"]
    assert type(models[0].module).__module__ != type(models[1].module).__module__


def test_a_module_object_is_each_models_own(tmp_path):
    """The file runs once, the model is loaded twice: changing one must not change the other."""
    toy = make_toy_entry(tmp_path / "toy", "gc", card=False)
    path = toy.folder / "toy_toy.py"
    path.write_text(path.read_text() + "\n\nnet = GcContent()\n")
    edit(toy, ("module_class: GcContent", "module_obj: net"))
    first, second = (zoo.load_model(toy.folder, trust=True) for _ in range(2))
    with torch.no_grad():
        first.module.scale.fill_(5)
    sequence = "ACGTTTAAGGCATTAA"
    assert second.predict(torch.tensor([one_hot(sequence)])).tolist() == [toy.answer(sequence)["gc"]]


# Outputs against the card


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ([{"name": "a", "kind": "scalar", "tracks": ["x", "y"]}], "has shape (1,) a window"),
        ([{"name": "a", "kind": "scalar", "tracks": ["x"]}] * 2, "returns 1 output"),
    ],
)
def test_outputs_that_contradict_the_card(tmp_path, outputs, says):
    toy = make_toy_entry(tmp_path / "toy", "gc", card={"outputs": outputs})
    assert says in refused(toy.folder).what


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tracks": ["a", "b"]}, "has shape (1, 6) a window"),
        ({"kind": "scalar"}, "has shape (1, 6) a window"),
        ({"bin_size": 8}, "would end past the model's window"),
        ({"offset": 20}, "would end past the model's window"),
        ({"strand": [["G", "C"]]}, "strand pairs an unknown track"),
    ],
)
def test_a_profile_that_contradicts_the_card(tmp_path, changes, says):
    output = KINDS["profile"].outputs[0] | changes
    toy = make_toy_entry(tmp_path / "toy", "profile", card={"outputs": [output]})
    assert says in refused(toy.folder).what


def test_a_length_that_contradicts_the_dataloader(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", card={"input": {"length": 20}})
    assert "the dataloader makes 16 bp, the card says 20" in refused(toy.folder).what


def test_outputs_of_a_dict_are_matched_by_name_and_of_a_list_by_order(tmp_path):
    dictionary = make_toy_entry(tmp_path / "toy", "stranded")
    edit(
        dictionary,
        (
            '{"counts": counts * self.scale, "total": total * self.scale}',
            '{"total": total * self.scale, "counts": counts * self.scale}',
        ),
        file="toy_toy.py",
    )
    set_checksum(dictionary, "toy_toy.py")
    listed = make_toy_entry(tmp_path / "list", "stranded")
    edit(
        listed,
        ('{"counts": counts * self.scale, "total": total * self.scale}', "[counts * self.scale, total * self.scale]"),
        file="toy_list.py",
    )
    set_checksum(listed, "toy_list.py")
    sequence = "ACGTTTAAGGCATTAACCGATAAT"
    for toy in (dictionary, listed):
        got = zoo.load_model(toy.folder, trust=True).predict(torch.tensor([one_hot(sequence)]))
        assert {name: values[0].tolist() for name, values in got.items()} == toy.answer(sequence)
