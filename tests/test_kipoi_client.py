"""The entries of ``model_cards`` whose weights are here, under unmodified Kipoi 0.8.6 as the client.

What Kipoi itself cannot do: ``test.expect`` is looked for in the working folder, so from another folder
``kipoi test`` needs ``-s``, which leaves out that comparison; ``get-example`` fetches remote example files only and
of local ones just says the paths, relative to the entry; with NumPy 2 its HDF5 writer fails (``np.string_``).
"""

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from forked import forked_program

from zoo.store.registry import entries

ROOT = Path(__file__).parents[1]
CARDS = ROOT / "model_cards"
BED_COLUMNS = ("chrom", "start", "end", "name", "score", "strand", "window_start", "window_end")
pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("kipoi", "kipoiseq", "pybedtools"))),
    reason="kipoi, kipoiseq or pybedtools is not installed",
)


def has_local_weights(folder):
    weights = yaml.safe_load((folder / "model.yaml").read_text())["args"].get("weights")
    return isinstance(weights, str) and (folder / weights).is_file()


FOLDERS = sorted(path.parent for path in CARDS.glob("*/model.yaml"))
LOCAL = [folder.name for folder in FOLDERS if has_local_weights(folder)]


def copied(name, tmp_path_factory):
    """A copy of the entry, so that a test may change it and Kipoi may write beside it."""
    return Path(shutil.copytree(CARDS / name, tmp_path_factory.mktemp("entry") / name))


@pytest.fixture(scope="module", params=[LOCAL[0], *(pytest.param(name, marks=pytest.mark.long) for name in LOCAL[1:])])
def entry(request, tmp_path_factory):
    """Everything is asked of one entry; of the others ``kipoi test``, and the rest by ``-m long``."""
    return copied(request.param, tmp_path_factory)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Environment with a home of its own: Kipoi writes ~/.kipoi."""
    return os.environ | {"HOME": str(tmp_path_factory.mktemp("home"))}


@pytest.fixture(scope="module")
def session(entry, home, tmp_path_factory):
    """Folder with what ``kipoi_session.py`` found."""
    out = tmp_path_factory.mktemp("session")
    command = [sys.executable, "-W", "ignore", ROOT / "tests" / "kipoi_session.py", entry, CARDS, out]
    done = subprocess.run(command, cwd=out, env=home, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING" not in done.stderr
    return out


@pytest.fixture(scope="module")
def arrays(session):
    with np.load(session / "arrays.npz") as found:
        return dict(found)


@pytest.fixture(scope="module")
def facts(session):
    return json.loads((session / "facts.json").read_text())


@pytest.fixture(scope="module")
def kipoi_test(home, tmp_path_factory):
    """``kipoi test``; returns the finished process with all output in stdout."""

    def run(*words, cwd):
        return subprocess.run(
            [kipoi, "test", *map(str, words), "--source", "dir"],
            cwd=cwd, env=home, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        )  # fmt: skip

    with forked_program(tmp_path_factory.mktemp("kipoi"), "kipoi", ("torch", "kipoi.__main__"), home) as kipoi:
        yield run


def expected_predictions(entry):
    with h5py.File(entry / "example" / "expected.h5") as expected:
        return expected["preds"][:]


def read_tsv(path):
    with path.open(newline="") as handle:
        header, *rows = csv.reader(handle, delimiter="\t")
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def columns_in_order(table, prefix):
    """The columns below ``prefix``, indices compared as numbers; (rows, columns). Kipoi sorts them as text."""
    names = [name for name in table if name.startswith(prefix)]
    names.sort(key=lambda name: [int(part) for part in name.removeprefix(prefix).split("/")])
    return np.array([table[name] for name in names], float).T


def test_there_is_an_entry_to_test():
    assert "yeast-atac" in LOCAL


@pytest.mark.parametrize("name", LOCAL)
def test_kipoi_test_passes_without_a_warning(name, kipoi_test, tmp_path_factory):
    done = kipoi_test(".", cwd=copied(name, tmp_path_factory))
    assert done.returncode == 0, done.stdout
    assert "All predictions match" in done.stdout
    assert "WARNING" not in done.stdout


def test_kipoi_test_from_another_folder(entry, kipoi_test, tmp_path):
    done = kipoi_test(entry.resolve(), "-s", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Successfully ran test_predict" in done.stdout
    assert "WARNING" not in done.stdout


def test_kipoi_test_fails_when_one_prediction_is_off_by_a_thousandth(entry, kipoi_test, tmp_path):
    changed = tmp_path / entry.name
    shutil.copytree(entry, changed)
    with h5py.File(changed / "example" / "expected.h5", "r+") as expected:
        expected["preds"][(3,) + (0,) * (expected["preds"].ndim - 1)] += 1e-3
    done = kipoi_test(".", cwd=changed)
    assert done.returncode != 0
    assert "don't match" in done.stdout


def test_schema_of_model_and_dataloader_agree(facts):
    assert facts["compatible"] is True


@pytest.mark.parametrize("way", ["example", "predicted", "workers"])
def test_python_predictions_are_the_expected_ones(entry, arrays, way):
    np.testing.assert_allclose(arrays[way], expected_predictions(entry), rtol=1e-5, atol=1e-6)


def test_gradient_has_the_shape_of_the_input_and_is_torchs(arrays):
    assert arrays["gradient"].shape == arrays["inputs"][:3].shape
    scale = np.abs(arrays["gradient_by_torch"]).max()
    assert scale > 0
    np.testing.assert_allclose(arrays["gradient"], arrays["gradient_by_torch"], atol=1e-5 * scale)


def test_tsv_equals_that_of_zoo_predict(entry, session, zoo_program, tmp_path):
    example, out = entry / "example", tmp_path / "zoo.tsv"
    command = [zoo_program, "predict", entry, example / "regions.bed", "-g", example / "genome.fa", "-o", out, "-q"]
    subprocess.run([*command, "--trust", "--any-genome"], check=True)
    ours, kipois = read_tsv(out), read_tsv(session / "predicted.tsv")
    predicted = columns_in_order(kipois, "preds/")
    values = np.array([column for name, column in ours.items() if name not in BED_COLUMNS], float).T
    assert predicted.shape == (len(ours["chrom"]), expected_predictions(entry)[0].size)
    np.testing.assert_allclose(values, predicted, rtol=1e-6, atol=1e-6)


def test_tsv_holds_the_windows_as_metadata(entry, session):
    table = read_tsv(session / "predicted.tsv")
    with h5py.File(entry / "example" / "expected.h5") as expected:
        assert table["metadata/ranges/chr"] == [chrom.decode() for chrom in expected["metadata/ranges/chr"][:]]
        for name in ("start", "end"):
            kept = expected[f"metadata/ranges/{name}"][:]
            np.testing.assert_array_equal(np.array(table[f"metadata/ranges/{name}"], int), kept)


def test_activations_of_a_layer_read_by_two_workers(session, arrays):
    found = columns_in_order(read_tsv(session / "layer.tsv"), "preds/")
    expected = arrays["layer_by_torch"].reshape(len(found), -1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_info_says_what_model_yaml_says(entry, facts):
    info = yaml.safe_load((entry / "model.yaml").read_text())["info"]
    assert f"license: {info['license']}" in facts["info"]
    assert info["authors"][0]["name"] in facts["info"]
    for argument in yaml.safe_load((entry / "dataloader.yaml").read_text())["args"]:
        assert f"\n{argument}:" in facts["info"]


def test_example_arguments_name_files_of_the_entry(entry, facts):
    arguments = json.loads(facts["example"].splitlines()[-1])
    assert set(arguments) == {"intervals_file", "fasta_file"}
    assert all((entry / path).is_file() for path in arguments.values())


def test_environment_lists_what_runs_it(session):
    environment = yaml.safe_load((session / "environment.yaml").read_text())
    conda = [item for item in environment["dependencies"] if isinstance(item, str)]
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert "pytorch" in conda
    assert {"kipoi", "kipoiseq", "pybedtools"} <= set(pip)


def test_local_source_lists_every_entry(facts):
    """The models of our groups too."""
    assert sorted(facts["listed"]) == sorted(one["path"] for one in entries())
