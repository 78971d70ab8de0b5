"""Custom model classes and pickles behind our own reading of regions: what kipoiseq's classes would give them."""

from __future__ import annotations

import pickle
import random
import sys
import types

import h5py
import numpy as np
import pytest
import torch
import yaml
from kipoi_toys import SEQUENCE, model_yaml, write_data, write_folder
from toys import complement, random_sequence, write_fasta

import zoo
from zoo.cli import run
from zoo.errors import ModelError, TrustError, UsageError

pytest.importorskip("kipoi")
dataloaders = pytest.importorskip("kipoiseq.dataloaders.sequence")

ONE = {"shape": "(None, 4)", "doc": "sequence"}
LENGTH = 21


def entry(folder, class_name, loader="SeqIntervalDl", n=4, **loader_args):
    schema = {"inputs": {"name": "seq", **ONE}, "targets": {"name": "out", "shape": f"({n},)", "doc": "sums"}}
    dataloader = {
        "defined_as": f"kipoiseq.dataloaders.{loader}",
        "default_args": {"auto_resize_len": LENGTH} | loader_args,
    }
    model = model_yaml(defined_as=f"models.{class_name}", args={}, default_dataloader=dataloader, schema=schema)
    return write_folder(folder, model)


def random_data(folder, seed, n=1500, letters="ACGTacgtN"):
    """Regions of all lengths on both strands, windows inside their contigs."""
    rng = random.Random(seed)
    sequences = {"chr1": random_sequence(rng, 4000, letters), "chr2": random_sequence(rng, 300, letters)}
    fasta, bed = write_fasta(folder / "x.fa", sequences), folder / "x.bed"
    rows = []
    for i in range(n):
        chrom = rng.choice(["chr1", "chr2"])
        middle = rng.randint(60, len(sequences[chrom]) - 60)
        rows.append((chrom, middle - rng.randint(1, 39), middle + rng.randint(0, 39), f"r{i}", i, rng.choice("+-.")))
    bed.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return fasta, bed


def predicted(folder, bed, fasta, out, **options):
    zoo.predict(folder, bed, fasta, out, trust=True, **options)
    with h5py.File(out) as file:
        return file["preds"][:]


@pytest.mark.parametrize("use_strand", [False, True])
@pytest.mark.parametrize("length", [1, 20, 21])
def test_texts_as_kipoiseqs_string_dataloader_gives_them(tmp_path, use_strand, length):
    fasta, bed = random_data(tmp_path, length)
    folder = entry(tmp_path / "toy", "Letters", "StringSeqIntervalDl", 6, auto_resize_len=length, use_strand=use_strand)
    theirs = dataloaders.StringSeqIntervalDl(
        str(bed), str(fasta), auto_resize_len=length, use_strand=use_strand, ignore_targets=True, label_dtype=str
    )
    texts = [str(theirs[i]["inputs"]) for i in range(len(theirs))]
    assert len(set(texts)) > 3 and all(len(text) == length for text in texts)
    expected = np.array([[text.count(base) for base in "ACGTNg"] for text in texts])
    assert np.array_equal(predicted(folder, bed, fasta, tmp_path / "out.h5"), expected)
    assert expected[:, 4].any() and not expected[:, 5].any()


def test_soft_masked_letters_are_kept_when_the_folder_asks_for_it(tmp_path):
    fasta, bed = random_data(tmp_path, 3, n=40)
    folder = entry(tmp_path / "toy", "Letters", "StringSeqIntervalDl", 6, force_upper=False)
    theirs = dataloaders.StringSeqIntervalDl(
        str(bed), str(fasta), auto_resize_len=LENGTH, force_upper=False, ignore_targets=True, label_dtype=str
    )
    expected = np.array([[str(theirs[i]["inputs"]).count(base) for base in "ACGTNg"] for i in range(40)])
    # kipoiseq's own class runs: of our options it knows none, so its arguments are given.
    settings = {"ignore_targets": True, "label_dtype": "str"}
    got = predicted(folder, bed, fasta, tmp_path / "out.h5", settings=settings)
    assert np.array_equal(got, expected) and expected[:, 5].any()


def test_arrays_are_float64_where_no_dtype_is_asked_for(tmp_path):
    fasta, bed = random_data(tmp_path, 4, n=60)
    folder = entry(tmp_path / "toy", "OneHot")  # asserts the dtype
    theirs = dataloaders.SeqIntervalDl(
        str(bed), str(fasta), auto_resize_len=LENGTH, ignore_targets=True, label_dtype=str
    )
    assert theirs[0]["inputs"].dtype == np.float64
    expected = np.stack([theirs[i]["inputs"].sum(0) for i in range(len(theirs))])
    assert np.array_equal(predicted(folder, bed, fasta, tmp_path / "out.h5"), expected)


@pytest.mark.parametrize("dtype", ["np.float32", "np.float16", "float", "int", "np.int32", "np.uint8"])
def test_dtypes(tmp_path, dtype):
    fasta, bed = random_data(tmp_path, 5, n=60)
    folder = entry(tmp_path / "toy", "OneHot", dtype=dtype)
    source = folder / "models.py"
    source.write_text(source.read_text().replace("x.dtype == np.float64", f"x.dtype == np.dtype({dtype})"))
    theirs = dataloaders.SeqIntervalDl(
        str(bed), str(fasta), auto_resize_len=LENGTH, ignore_targets=True, label_dtype=str, dtype=dtype
    )
    expected = np.stack([theirs[i]["inputs"].sum(0) for i in range(len(theirs))])
    assert np.array_equal(predicted(folder, bed, fasta, tmp_path / "out.h5"), expected.astype(np.float32))


def test_columns_of_labels_are_ignored(tmp_path):
    fasta, _ = write_data(tmp_path)
    rows = [(50, 60), (90, 121), (150, 151)]
    plain, labelled = tmp_path / "plain.bed", tmp_path / "labelled.tsv"
    plain.write_text("".join(f"chrA\t{start}\t{end}\n" for start, end in rows))
    labelled.write_text("".join(f"chrA\t{start}\t{end}\t0\t1\t-1\t0.5\n" for start, end in rows))
    folder = entry(tmp_path / "toy", "OneHot")
    expected = predicted(folder, plain, fasta, tmp_path / "plain.h5")
    theirs = dataloaders.SeqIntervalDl(str(labelled), str(fasta), auto_resize_len=LENGTH, label_dtype=float)
    assert np.array_equal(expected, np.stack([theirs[i]["inputs"].sum(0) for i in range(3)]))
    assert np.array_equal(predicted(folder, labelled, fasta, tmp_path / "labelled.h5"), expected)


def test_num_chr_fasta_joins_chr1_to_1(tmp_path):
    sequence = random_sequence(random.Random(8), 300, "ACGT")
    with_chr = write_fasta(tmp_path / "a.fa", {"chr1": sequence})
    without = write_fasta(tmp_path / "b.fa", {"1": sequence})
    bed = tmp_path / "x.bed"
    bed.write_text("chr1\t100\t110\nchr1\t200\t210\n")
    expected = predicted(entry(tmp_path / "toy", "OneHot"), bed, with_chr, tmp_path / "a.h5")
    folder = entry(tmp_path / "numbered", "OneHot", num_chr_fasta=True)
    assert np.array_equal(predicted(folder, bed, without, tmp_path / "b.h5"), expected)


def test_settings_of_the_replaced_dataloader(tmp_path):
    fasta, bed = write_data(tmp_path)
    bed.write_text("chrA\t100\t110\tr\t0\t-\n")
    folder = entry(tmp_path / "toy", "Letters", "StringSeqIntervalDl", 6)
    settings = {"auto_resize_len": 8, "use_strand": True}
    text = complement(SEQUENCE[101:109])
    expected = [[text.count(base) for base in "ACGTNg"]]
    assert predicted(folder, bed, fasta, tmp_path / "out.h5", settings=settings).tolist() == expected


@pytest.mark.parametrize("name", ["auto_resize_length", "alphabet_axs", "nothing_like_it"])
def test_an_unknown_setting_of_the_replaced_dataloader(tmp_path, name):
    fasta, bed = write_data(tmp_path)
    with pytest.raises(UsageError) as caught:
        zoo.predict(entry(tmp_path / "toy", "OneHot"), bed, fasta, trust=True, settings={name: 1})
    assert caught.value.what == f"--set {name}: the dataloader has no such argument"
    assert ("auto_resize_len" if name == "auto_resize_length" else "alphabet_axis") in f"{caught.value}"


def test_the_length_is_that_of_the_regions_where_the_folder_gives_none(tmp_path):
    fasta, bed = write_data(tmp_path)  # regions of 10 bp
    folder = entry(tmp_path / "toy", "Letters", "StringSeqIntervalDl", 6, auto_resize_len=None)
    assert predicted(folder, bed, fasta, tmp_path / "out.h5").sum(1).tolist() == [10.0] * 7
    bed.write_text("chrA\t0\t10\nchrA\t0\t11\n")
    with pytest.raises((ModelError, UsageError), match="auto_resize_len"):
        zoo.predict(folder, bed, fasta, trust=True)


def test_several_outputs_keep_their_structure(tmp_path):
    fasta, bed = random_data(tmp_path, 6, n=50)
    folder = entry(tmp_path / "toy", "Several")
    text = (folder / "model.yaml").read_text()
    model = yaml.safe_load(text)
    model["schema"]["targets"] = [
        {"name": "sums", "shape": "(4,)", "doc": "x"},
        {"first": {"shape": "(4, 3)", "doc": "x", "column_labels": ["A", "C", "G", "T"]}},
    ]
    (folder / "model.yaml").write_text(yaml.safe_dump(model))
    theirs = dataloaders.SeqIntervalDl(
        str(bed), str(fasta), auto_resize_len=LENGTH, ignore_targets=True, label_dtype=str
    )
    windows = np.stack([theirs[i]["inputs"] for i in range(50)])
    zoo.predict(folder, bed, fasta, tmp_path / "out.h5", trust=True)
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.array_equal(file["preds/0"][:], windows.sum(1))
        assert np.array_equal(file["preds/1/first"][:], windows[:, :3].transpose(0, 2, 1))
    zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True)
    header = (tmp_path / "out.tsv").read_text().splitlines()[0].split("\t")
    profile = [f"1/first/{track}/{i}" for track in "ACGT" for i in range(3)]
    assert header[8:] == [*(f"0/sums_{i}" for i in range(4)), *profile]


def test_a_custom_class_works_like_any_model(tmp_path):
    model = zoo.load_model(entry(tmp_path / "toy", "OneHot"), trust=True)
    one_hot = np.eye(4, dtype=np.float32)[np.arange(LENGTH) % 4].T[None]
    assert model.predict(one_hot).tolist() == [[6, 5, 5, 5]]


# Pickles


class Marker:
    """A pickle of this writes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def sklearn_entry(folder, pickled, method="predict"):
    schema = {"inputs": {"name": "seq", **ONE}, "targets": {"name": "out", "shape": "(1,)", "doc": "sums"}}
    loader = {"defined_as": "kipoiseq.dataloaders.SeqIntervalDl", "default_args": {"auto_resize_len": LENGTH}}
    args = {"pkl_file": "model.pkl", "predict_method": method}
    path = write_folder(
        folder, model_yaml(defined_as=None, type="sklearn", args=args, default_dataloader=loader, schema=schema)
    )
    (path / "model.pkl").write_bytes(pickle.dumps(pickled))
    return path


def test_a_pickle_is_not_read_before_it_is_trusted(tmp_path):
    fasta, bed = write_data(tmp_path)
    marker = tmp_path / "marker"
    folder = sklearn_entry(tmp_path / "toy", Marker(str(marker)))
    with pytest.raises(TrustError) as caught:
        zoo.predict(folder, bed, fasta)
    import hashlib

    assert hashlib.sha256((folder / "model.pkl").read_bytes()).hexdigest() in caught.value.extent
    assert "model.pkl" in caught.value.what and "--trust" in caught.value.fix
    assert f"`zoo convert {folder / 'model.pkl'} -o weights.pth`" in caught.value.fix
    assert not marker.exists()


def test_scikit_learn_runs_once_trusted(tmp_path):
    dummy = pytest.importorskip("sklearn.dummy")
    fasta, bed = write_data(tmp_path)
    fitted = dummy.DummyRegressor(strategy="constant", constant=4.5).fit(np.zeros((2, 1)), [1, 2])
    folder = sklearn_entry(tmp_path / "toy", fitted)
    assert predicted(folder, bed, fasta, tmp_path / "out.h5").ravel().tolist() == [4.5] * 7


def test_a_whole_torch_module_is_a_pickle_too(tmp_path):
    fasta, bed = write_data(tmp_path)
    schema = {"inputs": {"name": "seq", **ONE}, "targets": {"name": "out", "shape": f"({LENGTH * 4},)", "doc": "x"}}
    loader = {
        "defined_as": "kipoiseq.dataloaders.SeqIntervalDl",
        "default_args": {"auto_resize_len": LENGTH, "dtype": "np.float32"},
    }
    args = {"weights": "model.pt"}
    folder = write_folder(
        tmp_path / "toy",
        model_yaml(defined_as=None, type="pytorch", args=args, default_dataloader=loader, schema=schema),
    )
    torch.save(torch.nn.Flatten(), folder / "model.pt")
    with pytest.raises(TrustError, match="is a pickle"):
        zoo.predict(folder, bed, fasta)
    assert predicted(folder, bed, fasta, tmp_path / "out.h5").sum(1).tolist() == [float(LENGTH)] * 7


@pytest.mark.parametrize("order", [(2, 3), (3, 2)], ids=str)
def test_a_whole_module_whose_class_is_a_file_of_its_folder(tmp_path, monkeypatch, order):
    """The pickle names it `net.Net`, as its authors' Python did; two folders, each with another `net.py`."""
    fasta, bed = write_data(tmp_path)
    schema = {"inputs": {"name": "seq", **ONE}, "targets": {"name": "out", "shape": f"({LENGTH * 4},)", "doc": "x"}}
    args = {"auto_resize_len": LENGTH, "dtype": "np.float32"}
    loader = {"defined_as": "kipoiseq.dataloaders.SeqIntervalDl", "default_args": args}
    weights = {"weights": "model.pt"}
    for value in order:
        model = model_yaml(defined_as=None, type="pytorch", args=weights, default_dataloader=loader, schema=schema)
        folder = write_folder(tmp_path / str(value), model)
        (folder / "net.py").write_text(
            "import torch\n\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
            f"        return x.flatten(1) * {value}\n"
        )
        with monkeypatch.context() as elsewhere:
            elsewhere.setitem(sys.modules, "net", types.ModuleType("net"))
            exec((folder / "net.py").read_text(), vars(sys.modules["net"]))
            torch.save(sys.modules["net"].Net(), folder / "model.pt")
        found = predicted(folder, bed, fasta, tmp_path / "out.h5")
        assert found.sum(1).tolist() == [float(LENGTH * value)] * 7
    assert "net" not in sys.modules


def test_the_way_out_of_a_whole_torch_module_is_to_convert_it(tmp_path):
    """The command that the refusal names gives weights which Kipoi's usual PyTorchModel loads."""
    fasta, bed = write_data(tmp_path)
    schema = {"inputs": {"name": "seq", **ONE}, "targets": {"name": "out", "shape": "(2,)", "doc": "x"}}
    loader = {
        "defined_as": "kipoiseq.dataloaders.SeqIntervalDl",
        "default_args": {"auto_resize_len": LENGTH, "dtype": "np.float32"},
    }
    folder = write_folder(
        tmp_path / "toy",
        model_yaml(
            defined_as=None, type="pytorch", args={"weights": "model.pt"}, default_dataloader=loader, schema=schema
        ),
    )
    torch.save(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(LENGTH * 4, 2)), folder / "model.pt")
    with pytest.raises(TrustError) as caught:
        zoo.predict(folder, bed, fasta)
    command = caught.value.fix.partition("`zoo ")[2].partition("`")[0].split()
    assert command[:2] == ["convert", str(folder / "model.pt")] and "--trust" in caught.value.fix
    expected = predicted(folder, bed, fasta, tmp_path / "whole.h5")
    assert run([*command[:3], str(folder / command[3])]) == 0
    (folder / "net.py").write_text(
        f"from torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear({LENGTH * 4}, 2))\n"
    )
    args = {"weights": "weights.pth", "module_file": "net.py", "module_class": "net"}
    model = model_yaml(defined_as="kipoi.model.PyTorchModel", args=args, default_dataloader=loader, schema=schema)
    (folder / "model.yaml").write_text(yaml.safe_dump(model, sort_keys=False))
    assert np.array_equal(predicted(folder, bed, fasta, tmp_path / "out.h5"), expected)


def test_the_oldest_way_to_define_a_pytorch_model(tmp_path):
    """OldPyTorchModel: ``file`` and ``build_fn`` in place of module_file and module_class."""
    fasta, bed = write_data(tmp_path)
    schema = {"inputs": {"name": "seq", **ONE}, "targets": {"name": "out", "shape": f"({LENGTH * 4},)", "doc": "x"}}
    loader = {"defined_as": "kipoiseq.dataloaders.SeqIntervalDl", "default_args": {"auto_resize_len": LENGTH}}
    args = {"file": "build.py", "build_fn": "build", "weights": "empty.pth"}
    folder = write_folder(
        tmp_path / "toy",
        model_yaml(defined_as=None, type="pytorch", args=args, default_dataloader=loader, schema=schema),
    )
    (folder / "build.py").write_text("import torch\n\n\ndef build():\n    return torch.nn.Flatten()\n")
    torch.save({}, folder / "empty.pth")
    assert predicted(folder, bed, fasta, tmp_path / "out.h5").sum(1).tolist() == [float(LENGTH)] * 7
