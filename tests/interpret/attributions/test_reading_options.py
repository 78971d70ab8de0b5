"""The options of ``attribute`` that say how windows are read and run: those of ``zoo predict``, honoured or refused."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import torch
from toys import make_toy_entry

import zoo
from interpret.attribute.attribute import attribute
from interpret.attribute.explainer import Explainer
from interpret.attribute.options import AttributeOptions
from interpret.methods.registry import METHODS
from zoo.errors import ModelError, UsageError
from zoo.model import OwnLoaderModel
from zoo.models.entry import open_entry
from zoo.models.loaded import LoadedModel


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return make_toy_entry(tmp_path_factory.mktemp("reading") / "toy", "gc")


def run(toy, out, **options):
    return attribute(toy.folder, toy.regions, toy.genome, out, **({"trust": True, "references": "3"} | options))


def of_method(method):
    compares = METHODS.get(method, True)
    return {"method": method} | ({} if compares else {"references": "20"})  # the default, which they do not take


def arrays(path):
    with h5py.File(path) as file:
        return {name: file[name][:] for name in ("hypothetical", "prediction", "projected")}


class Largest(torch.nn.Module):
    """Passes the model on, and keeps the largest batch that it was given."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.largest = inner, 0

    def forward(self, x):
        self.largest = max(self.largest, len(x))
        return self.inner(x)


# How many sequences a pass takes


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_size_of_a_pass_changes_no_contribution(toy, tmp_path, method):
    for size in ("auto", 1, "5"):
        run(toy, tmp_path / f"{size}.h5", batch_size=size, **of_method(method))
    expected = arrays(tmp_path / "auto.h5")
    for size in ("1", "5"):
        for name, values in arrays(tmp_path / f"{size}.h5").items():
            assert values == pytest.approx(expected[name], abs=1e-5), (size, name)


@pytest.mark.parametrize("method", ["ablation", "integrated_gradients", "saliency", "inputxgradient"])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_no_pass_is_larger_than_asked_for(toy, tmp_path, method, size):
    model = zoo.load_model(toy.folder, trust=True)
    model.module = counted = Largest(model.module)
    options = {"batch_size": size, "explain": "predictions", "device": "cpu"} | of_method(method)
    attribute(model, toy.regions, toy.genome, tmp_path / "c.h5", **({"references": "3"} | options))
    assert counted.largest == size


def test_no_pass_of_marginalize_is_larger_than_asked_for(toy, tmp_path):
    model = zoo.load_model(toy.folder, trust=True)
    model.module = counted = Largest(model.module)
    options = {"method": "marginalize", "motif": "GNA", "references": "4", "explain": "predictions", "device": "cpu"}
    for size, largest in ((3, 3), (1, 1), ("auto", 4 * len(toy.regions.read_text().splitlines()))):
        counted.largest = 0
        attribute(model, toy.regions, toy.genome, tmp_path / "e.tsv", batch_size=size, **options)
        assert counted.largest == largest


@pytest.mark.parametrize(
    ("method", "size", "step"),
    [("deepliftshap", None, 16), ("deepliftshap", 64, 64), ("saliency", 2, 16), ("ism", 64, 4), ("ism", None, 4)],
)
def test_a_step_holds_the_windows_of_a_pass_where_passes_hold_several(toy, method, size, step):
    model = zoo.load_model(toy.folder, trust=True)
    assert Explainer(model, AttributeOptions(method=method), torch.device("cpu"), size).step == step


def test_another_size_of_passes_is_another_run(toy):
    model = zoo.load_model(toy.folder, trust=True)
    signatures = [
        Explainer(model, AttributeOptions(), torch.device("cpu"), size).signature()["batch_size"] for size in (None, 8)
    ]
    assert signatures == [None, 8]


@pytest.mark.parametrize("size", [0, -1, "many", "1.5", ""])
def test_sizes_that_are_none(toy, tmp_path, size):
    with pytest.raises(UsageError, match="--batch-size"):
        run(toy, tmp_path / "c.h5", batch_size=size)
    assert not any(tmp_path.iterdir())


# Precision


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("out", ["c.h5", "e.tsv"])
def test_other_precisions_are_refused_with_a_reason(toy, tmp_path, precision, out):
    more = {"method": "marginalize", "motif": "GGA"} if out == "e.tsv" else {}
    with pytest.raises(UsageError) as caught:
        run(toy, tmp_path / out, precision=precision, **more)
    assert caught.value.what == f"--precision {precision}: contributions are computed in float32"
    assert caught.value.fix == "Fix: leave out --precision"
    assert not any(tmp_path.iterdir())


def test_float32_can_be_said(toy, tmp_path):
    assert run(toy, tmp_path / "c.h5", precision="float32").windows == len(arrays(tmp_path / "c.h5")["prediction"])


# What the user is told


def test_the_sentence_at_the_end(toy, tmp_path):
    result = run(toy, tmp_path / "c.h5")
    windows = len(toy.regions.read_text().splitlines())
    assert result.summary().startswith(f"{windows} windows explained in ")
    assert result.summary("written").endswith(f" s -> {tmp_path / 'c.h5'}") and "windows written in" in result.summary(
        "written"
    )


# A dry run


@pytest.mark.parametrize(
    ("out", "more"), [("c.h5", {}), ("c.bw", {}), ("e.tsv", {"method": "marginalize", "motif": "GGA"})], ids=str
)
def test_a_dry_run_checks_everything_and_writes_nothing(toy, tmp_path, out, more):
    told = []
    result = run(toy, tmp_path / out, dry_run=True, report=told.append, device="cpu", **more)
    regions = len(toy.regions.read_text().splitlines())
    assert (result.windows, result.paths, result.seconds) == (regions, [], 0.0)
    assert result.counts == {
        "regions": regions,
        "skipped_lines": 0,
        "window_bp": toy.length,
        "device": "cpu",
        "batch_size": "auto",
        "outputs": {"gc": 1},
        "method": more.get("method", "deepliftshap"),
    }
    assert result.notes == told
    assert not any(tmp_path.iterdir())


def test_a_dry_run_counts_tiles(toy, tmp_path):
    bed = tmp_path / "long.bed"
    bed.write_text("chrA\t10\t90\n")  # five windows of 16 bp cover 80 bp
    given = {"trust": True, "dry_run": True, "window": "tile"}
    assert attribute(toy.folder, bed, toy.genome, tmp_path / "c.h5", **given).windows == 5
    assert attribute(toy.folder, bed, toy.genome, tmp_path / "c.h5", stride=8, **given).windows == 9
    assert [path.name for path in tmp_path.iterdir()] == ["long.bed"]


@pytest.mark.parametrize(
    "wrong",
    [{"tracks": "no such"}, {"bins": "0:1"}, {"device": "abacus"}, {"references": "many"}, {"settings": {"no": 1}}],
    ids=str,
)
def test_a_dry_run_finds_what_a_run_would(toy, tmp_path, wrong):
    for dry_run in (True, False):
        with pytest.raises(UsageError):
            run(toy, tmp_path / "c.h5", dry_run=dry_run, **wrong)
    assert not any(tmp_path.iterdir())


# Settings of the dataloader


def test_settings_reach_the_dataloader(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc", card=False)
    run(toy, tmp_path / "c.h5", settings={"auto_resize_len": 24})
    with h5py.File(tmp_path / "c.h5") as file:
        assert file["one_hot"].shape[2] == 24
        reading = json.loads(file.attrs["run"])["options"]["reading"]
        assert reading["settings"] == {"auto_resize_len": 24}
        # The share of G and C is a sum over bases: each base's own, whatever the length.
        lengths = file["windows/end"][:] - file["windows/start"][:]
        assert set(lengths.tolist()) == {24}


def test_files_of_the_dataloader_stand_in_for_the_arguments(toy, tmp_path):
    files = {"intervals_file": str(toy.regions), "fasta_file": str(toy.genome)}
    given = {"trust": True, "references": "3", "settings": files}
    attribute(toy.folder, "none.bed", "none.fa", tmp_path / "a.h5", **given)
    run(toy, tmp_path / "b.h5")
    for name, values in arrays(tmp_path / "b.h5").items():
        assert np.array_equal(arrays(tmp_path / "a.h5")[name], values)


def test_a_setting_that_the_dataloader_lacks_is_named(toy, tmp_path):
    with pytest.raises(UsageError, match="--set auto_resize: the dataloader has no such argument"):
        run(toy, tmp_path / "c.h5", settings={"auto_resize": 24})


# What a model may be given as


def test_a_name_an_entry_and_a_loaded_model_are_explained_alike(toy, tmp_path):
    loaded = zoo.load_model(toy.folder, trust=True)
    models = {"path": toy.folder, "entry": open_entry(toy.folder), "loaded": loaded}
    found = {}
    for name, model in models.items():
        out = tmp_path / f"{name}.h5"
        attribute(model, toy.regions, toy.genome, out, trust=True, references="2", method="ablation")
        found[name] = arrays(out)["hypothetical"]
    assert isinstance(loaded, LoadedModel)
    assert np.array_equal(found["path"], found["entry"]) and np.array_equal(found["path"], found["loaded"])


def test_a_loaded_model_with_a_dataloader_of_its_own_is_refused_in_a_sentence(tmp_path, monkeypatch):
    """It was a traceback: such a model has no windows of sequence."""
    pytest.importorskip("kipoi")
    from pathlib import Path

    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "kipoi"))
    from kipoi_toys import loader_yaml, model_yaml, write_data, write_folder

    fasta, bed = write_data(tmp_path)
    model = zoo.load_model(write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml()), trust=True)
    assert isinstance(model, OwnLoaderModel)
    with pytest.raises(ModelError, match=r"loaders\.Rows is not one that is replaced here"):
        attribute(model, bed, fasta, tmp_path / "c.h5", trust=True)
    assert not (tmp_path / "c.h5").exists()


# Layers that are no methods


class Named(torch.nn.Module):
    """A net whose layers are called ``logits`` and ``weights``, as many are."""

    def __init__(self):
        super().__init__()
        self.logits = torch.nn.Linear(64, 1)
        self.weights = torch.nn.Linear(64, 1)

    def forward(self, x):
        return torch.sigmoid(self.logits(x.flatten(1)) + self.weights(x.flatten(1)))


def test_a_layer_called_logits_or_weights_is_not_taken_for_a_method(toy, tmp_path):
    from zoo.model import Model
    from zoo.models.sequence_loader import SequenceLoader
    from zoo.outputs import OutputSpec

    torch.manual_seed(0)
    net = Named()
    model = Model("net", net, SequenceLoader(16), (OutputSpec("y", "scalar", ("y",)),))
    attribute(model, toy.regions, toy.genome, tmp_path / "c.h5", references="zeros")
    slopes = (net.logits.weight + net.weights.weight).detach().reshape(4, 16).numpy()
    with h5py.File(tmp_path / "c.h5") as file:
        # Before the sigmoid the net is linear: each base contributes its own weight.
        for found in file["hypothetical"][:]:
            assert found == pytest.approx(slopes, abs=1e-5)
