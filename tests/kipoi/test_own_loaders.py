"""Kipoi folders with dataloaders and classes of their own, run through kipoi once trusted."""

from __future__ import annotations

import csv
import json
import os

import h5py
import numpy as np
import pytest
import torch
from kipoi_toys import REGIONS, SEQUENCE, g_count, loader_yaml, model_yaml, write_data, write_folder
from toys import complement, one_hot

import zoo
from zoo.cli import run
from zoo.entries.check import check_example
from zoo.errors import InputError, MismatchError, ModelError, SystemStateError, TrustError, UsageError
from zoo.files import hold_lock

pytest.importorskip("kipoi")

KINDS = [
    ("loaders.Rows", "Dataset"),
    ("loaders.py::Rows", "Dataset"),
    ("loaders.py::Rows", None),
    ("loaders.Iterated", "SampleIterator"),
    ("loaders.Batches", "BatchIterator"),
    ("loaders.everything", "PreloadedDataset"),
    ("loaders.py::generated", "SampleGenerator"),
    ("loaders.ThreeAtATime", "BatchDataset"),
    ("loaders.py::ThreeAtATime", None),
    ("loaders.generated_batches", "BatchGenerator"),
]
G = np.array([g_count(*region) for region in REGIONS], dtype=np.float32)


def test_no_type_of_kipois_dataloaders_is_forgotten():
    from kipoi.data import AVAILABLE_DATALOADERS

    assert {kind for _, kind in KINDS if kind} == set(AVAILABLE_DATALOADERS)


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path)


def rows_of(path):
    with open(path) as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


@pytest.mark.parametrize(("defined_as", "kind"), KINDS)
def test_every_type_of_dataloader(tmp_path, data, defined_as, kind):
    fasta, bed = data
    loader = loader_yaml(defined_as, kind)
    if kind is None:
        del loader["type"]
    folder = write_folder(tmp_path / "toy", model_yaml(), loader)
    result = zoo.predict(folder, bed, fasta, tmp_path / "out.h5", trust=True, batch_size=2)
    assert result.windows == len(REGIONS)
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.array_equal(file["preds/0"][:, 0], G)
        assert np.array_equal(file["preds/1/tracks"][:], np.outer(G, np.arange(12)))
        assert file["preds/1/length"][:, 0].tolist() == [end - start for start, end in REGIONS]
        assert file["metadata/ranges/chr"][:].tolist() == [b"chrA"] * len(REGIONS)
        assert file["metadata/ranges/start"][:].tolist() == [start for start, _ in REGIONS]


def test_columns_of_a_table_are_in_numeric_order(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True)
    rows = rows_of(tmp_path / "out.tsv")
    tracks = [f"1/tracks/tracks_{i}" for i in range(12)]
    assert list(rows[0])[8:] == ["0/g", *tracks, "1/length/length"]
    assert [float(row[tracks[11]]) for row in rows] == (G * 11).tolist()
    assert [(row["chrom"], int(row["start"]), int(row["end"])) for row in rows] == [("chrA", *one) for one in REGIONS]
    assert [row["name"] for row in rows] == [f"gene{i}" for i in range(len(REGIONS))]
    assert [row["strand"] for row in rows] == ["+-"[i % 2] for i in range(len(REGIONS))]


def test_a_pytorch_model_takes_its_inputs_by_name(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    zoo.predict(folder, bed, fasta, tmp_path / "out.h5", trust=True)
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.allclose(file["preds/ratio"][:, 0], G / 10)
        assert np.array_equal(file["preds/g"][:, 0], G)


def test_the_same_numbers_as_kipois_own_pipeline(tmp_path, data, monkeypatch):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    zoo.predict(folder, bed, fasta, tmp_path / "out.h5", trust=True)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    import kipoi

    theirs = kipoi.get_model(str(folder), source="dir")
    expected = theirs.pipeline.predict({"intervals_file": str(bed), "fasta_file": str(fasta)}, batch_size=3)
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.array_equal(file["preds/0"][:, 0], expected[0])
        assert np.array_equal(file["preds/1/tracks"][:], expected[1]["tracks"])


def test_settings_reach_the_dataloader_and_override(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    other = tmp_path / "other.bed"
    other.write_text("chrA\t0\t10\n")
    settings = {"shift": 3, "intervals_file": str(other)}
    zoo.predict(folder, bed, fasta, tmp_path / "out.h5", trust=True, settings=settings)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["preds/0"][:, 0].tolist() == [G[0] + 3]


@pytest.mark.parametrize(("limit", "size"), [(1, 32), (3, 2), (4, 2), (100, 2)])
def test_limit(tmp_path, data, limit, size):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True, limit=limit, batch_size=size)
    assert len(rows_of(tmp_path / "out.tsv")) == min(limit, len(REGIONS))


def test_tracks_can_be_chosen(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True, tracks=["ratio"])
    assert list(rows_of(tmp_path / "out.tsv")[0])[8:] == ["ratio"]


def test_a_dry_run_writes_nothing(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    result = zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True, dry_run=True)
    assert result.counts["outputs"] == {"ratio": 1, "g": 1}
    assert result.regions == len(REGIONS)
    assert not (tmp_path / "out.tsv").exists()


# What is refused


def refused(kind, folder, bed, fasta, out="-", **options):
    with pytest.raises(kind) as caught:
        zoo.predict(folder, bed, fasta, out, **({"trust": True} | options))
    return caught.value


def test_nothing_of_the_folder_runs_before_it_is_trusted(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    marker = tmp_path / "marker"
    for name in ("loaders.py", "models.py"):
        path = folder / name
        path.write_text(f"open({str(marker)!r}, 'w')\n" + path.read_text())
    error = refused(TrustError, folder, bed, fasta, trust=False)
    assert "--trust" in error.fix and "loaders.py" in error.what
    assert not marker.exists()


def test_a_pickle_behind_a_dataloader_of_its_own_is_named_first(tmp_path, data):
    fasta, bed = data
    model = model_yaml(defined_as="kipoi.model.SklearnModel", args={"pkl_file": "weights.pth"})
    error = refused(TrustError, write_folder(tmp_path / "toy", model, loader_yaml()), bed, fasta, trust=False)
    assert "weights.pth: is a pickle" in error.what and error.extent.startswith("sha256 ")


def test_an_unknown_setting_names_near_ones(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    error = refused(UsageError, folder, bed, fasta, settings={"shfit": 1})
    assert error.what.startswith("--set shfit") and "near names: shift" in error.extent


def test_a_missing_argument_is_named(tmp_path, data):
    _, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    error = refused(UsageError, folder, bed, None)
    assert "needs fasta_file" in error.what and error.fix == "Fix: add --set fasta_file=VALUE"


@pytest.mark.parametrize(
    "option", [{"window": "tile"}, {"edges": "skip"}, {"rc_average": True}, {"strand": "use"}, {"resume": True}]
)
def test_options_that_the_dataloader_decides(tmp_path, data, option):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    error = refused(UsageError, folder, bed, fasta, tmp_path / "out.tsv", **option)
    assert error.what.startswith(f"--{next(iter(option)).replace('_', '-')}")
    assert ("begins at the first sample" in error.fix) == ("resume" in option)


def test_no_result_over_an_input_or_over_what_another_run_writes(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    before = bed.rename(tmp_path / "regions.tsv")
    assert "is an input" in refused(UsageError, folder, before, fasta, before).what
    with hold_lock(tmp_path / "out.tsv.partial.lock", pytest.fail):
        assert "another run" in refused(UsageError, folder, before, fasta, tmp_path / "out.tsv").what
    zoo.predict(folder, before, fasta, tmp_path / "out.tsv", trust=True)
    assert {path.name for path in tmp_path.glob("out*")} == {"out.tsv", "out.tsv.run.json"}


@pytest.mark.parametrize("name", ["out.zarr", "out.parquet", "out.tsv.gz", "out.bed"])
def test_other_formats(tmp_path, data, name):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    zoo.predict(folder, bed, fasta, tmp_path / name, trust=True)
    if name == "out.zarr":
        zarr = pytest.importorskip("zarr")
        assert np.array_equal(zarr.open_group(tmp_path / name)["preds/1/tracks"][:], np.outer(G, np.arange(12)))
    elif name == "out.parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(tmp_path / name)
        assert table["1/tracks/tracks_11"].to_pylist() == (G * 11).tolist()
        assert [one for one in table.column_names if "tracks" in one] == [f"1/tracks/tracks_{i}" for i in range(12)]
    else:
        assert (tmp_path / name).stat().st_size > 100


@pytest.mark.parametrize("name", ["out.bw", "out.bedgraph"])
def test_no_genome_tracks_of_outputs_without_a_place(tmp_path, data, name):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    refused(UsageError, folder, bed, fasta, tmp_path / name)


@pytest.mark.parametrize(
    ("old", "new", "kind", "says"),
    [
        ("import numpy as np\n", "import no_such_package\n", SystemStateError, "no_such_package"),
        ("class Rows(Dataset)", "class Rows(dict)", ModelError, "no dataloader of kipoi"),
        ("class Rows(Dataset)", "class Other(Dataset)", ModelError, "has no 'Rows'"),
        ("return self.rows[i]", "return self.rows[i]['nothing']", ModelError, "KeyError: 'nothing'"),
        ("return self.rows[i]", "return {'targets': 1}", ModelError, "without `inputs`"),
    ],
)
def test_what_goes_wrong_in_a_dataloader_is_explained(tmp_path, data, old, new, kind, says):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    source = folder / "loaders.py"
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))
    error = refused(kind, folder, bed, fasta, tmp_path / "out.h5")
    assert says in f"{error}" and error.fix.startswith("Fix: ")
    assert not list(tmp_path.glob("out.h5*"))


def test_what_goes_wrong_in_a_model_names_its_line(tmp_path, data):
    fasta, bed = data
    args = {"factor_file": "factor.txt", "add": "three"}
    folder = write_folder(tmp_path / "toy", model_yaml(args=args), loader_yaml())
    error = refused(ModelError, folder, bed, fasta)
    lines = (folder / "models.py").read_text().splitlines()
    line = lines.index('        g = x["g"][:, 0] * self.factor + self.add') + 1
    assert f"{folder / 'models.py'}:{line}" in error.extent


def test_neighbours_of_one_folder_are_not_those_of_the_next(tmp_path, data):
    fasta, bed = data
    first = write_folder(tmp_path / "first", model_yaml("Sum"), loader_yaml())
    second = write_folder(tmp_path / "second", model_yaml("Sum"), loader_yaml())
    (second / "helper.py").write_text((second / "helper.py").read_text().replace("line.strip()", '"G" * 70'))
    here = os.getcwd()
    for folder, expected in ((first, G), (second, np.full(len(REGIONS), 10))):
        zoo.predict(folder, bed, fasta, tmp_path / "out.h5", trust=True)
        with h5py.File(tmp_path / "out.h5") as file:
            assert np.array_equal(file["preds/g"][:, 0], expected)
    assert os.getcwd() == here


# zoo test


def folder_with_example(folder, factor=1.0):
    """A folder with an example and its expected predictions, times ``factor``."""
    model = model_yaml(test={"expect": "expected.h5"})
    path = write_folder(folder, model, loader_yaml())
    write_data(path)
    with h5py.File(path / "expected.h5", "w") as file:
        file["preds/0"] = G * factor
        file["preds/1/tracks"] = np.outer(G, np.arange(12))
        file["preds/1/length"] = np.full((len(REGIONS), 1), 10)
    return path


def test_the_example_of_a_dataloader_of_its_own(tmp_path):
    report = check_example(folder_with_example(tmp_path / "toy"), trust=True)
    assert [item.output for item in report.comparisons] == ["0", "1/tracks", "1/length"]
    assert report.ok and report.windows == len(REGIONS)


def test_an_example_that_differs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MismatchError, match="toy: predictions differ"):
        check_example(folder_with_example(tmp_path / "toy", factor=1.01), trust=True)


def test_the_command_line(tmp_path, data, capsys):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    arguments = ["predict", str(folder), str(bed), "-g", str(fasta), "--trust", "--set", "shift=2", "--tracks", "g"]
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[8] for line in lines] == ["g", *(str(int(value) + 2) for value in G)]
    assert run([*arguments, "--set", "shift"]) == 2
    assert "--set shift: is not NAME=VALUE" in capsys.readouterr().err


# Another dataloader of kipoiseq


def test_genes_of_a_gtf_by_kipoiseqs_own_dataloader(tmp_path, data):
    pytest.importorskip("pyranges")
    fasta, _ = data
    gtf = tmp_path / "genes.gtf"
    genes = [(51, 90, "+", "g1"), (101, 150, "-", "g2")]  # 1-based, closed
    gtf.write_text(
        "".join(
            f'chrA\ttoy\tgene\t{start}\t{end}\t.\t{strand}\t.\tgene_id "{name}"; gene_type "protein_coding";\n'
            for start, end, strand, name in genes
        )
    )
    loader = {
        "defined_as": "kipoiseq.dataloaders.AnchoredGTFDl",
        "default_args": {"num_upstream": 10, "num_downstream": 5},
    }
    schema = {"inputs": {"shape": "(15, 4)", "doc": "x"}, "targets": {"name": "sums", "shape": "(4,)", "doc": "x"}}
    folder = write_folder(
        tmp_path / "toy",
        model_yaml(defined_as="models.Sums", args={}, default_dataloader=loader, schema=schema),
    )
    zoo.predict(folder, gtf, fasta, tmp_path / "out.tsv", trust=True)
    rows = rows_of(tmp_path / "out.tsv")
    # The start of transcription is base 50 on '+' and base 150 on '-'; 10 bp upstream, 5 bp downstream of it.
    windows = {"g1": SEQUENCE[40:55], "g2": complement(SEQUENCE[145:160])}
    assert [row["name"] for row in rows] == ["g1", "g2"]
    for row in rows:
        expected = [sum(column) for column in one_hot(windows[row["name"]])]
        assert [float(row[f"sums_{i}"]) for i in range(4)] == expected
    assert [(row["start"], row["end"]) for row in rows] == [("40", "55"), ("145", "160")]


# From Python


def test_a_loaded_model_predicts_from_its_own_inputs(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    (folder / "loaders.py").write_text("raise SystemExit('arrays need no dataloader')")
    model = zoo.load_model(folder, trust=True)
    assert isinstance(model.module, torch.nn.Module) and model.name == str(folder)
    found = model.predict({"g": np.array([[3.0], [5.0]]), "length": np.array([[6.0], [10.0]])})
    assert {name: value.tolist() for name, value in found.items()} == {"ratio": [[0.5], [0.5]], "g": [[3.0], [5.0]]}
    with pytest.raises(ModelError, match="predicting a batch failed"):
        model.predict(np.zeros((2, 4, 10)))
    with pytest.raises(ModelError, match="arrays need no dataloader"):
        model.predict_regions(bed, fasta)


def test_a_loaded_custom_class_gives_its_structure_by_place(tmp_path):
    folder = write_folder(tmp_path / "toy", model_yaml(args={"factor_file": "factor.txt", "add": 1}), loader_yaml())
    found = zoo.load_model(folder, trust=True).predict({"g": np.array([[2.0]]), "length": np.array([[9.0]])})
    assert list(found) == ["0", "1/tracks", "1/length"]
    assert found["1/tracks"].tolist() == [[3.0 * i for i in range(12)]] and found["0"].tolist() == [3.0]


def test_a_loaded_model_reads_regions_by_its_own_dataloader(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    model = zoo.load_model(folder, trust=True)
    batch = model.predict_regions(bed, fasta, settings={"shift": 2}, batch_size=2)
    assert np.array_equal(batch.values["g"][:, 0], G + 2)
    assert list(zip(batch.start, batch.end, strict=True)) == REGIONS
    assert len(model.predict_regions(bed, fasta, limit=3, batch_size=2)) == 3
    assert list(model.predict_regions(bed, fasta, tracks="ratio").values) == ["ratio"]
    result = zoo.predict(model, bed, fasta, tmp_path / "out.h5")  # loaded once, used again
    with h5py.File(result.paths[0]) as file:
        assert np.array_equal(file["preds/g"][:, 0], G)
    with pytest.raises(UsageError, match="--edges"):
        model.predict_regions(bed, fasta, edges="skip")
    with pytest.raises(UsageError, match="needs fasta_file"):
        model.predict_regions(bed)


def test_without_out_its_predictions_are_returned(tmp_path, data):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True)
    header, *lines = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    told = []
    found = zoo.predict(folder, bed, fasta, trust=True, report=told.append)
    frame = found.to_pandas()
    assert [*frame.columns] == header and len(frame) == len(lines) == len(REGIONS)
    assert frame["start"].tolist() == [start for start, _ in REGIONS]
    assert found.values["g"][:, 0].tolist() == G.tolist() and found.counts["samples"] == len(G)
    assert "bin_start" not in found.to_xarray().coords and told == found.notes
    with pytest.raises(UsageError, match="--track-hub"):
        zoo.predict(folder, bed, fasta, trust=True, track_hub=tmp_path / "hub")
    with pytest.raises(UsageError, match="--track-hub"):
        zoo.load_model(folder, trust=True).predict_regions(bed, fasta, track_hub=tmp_path / "hub")


def test_a_model_is_not_loaded_before_it_is_trusted(tmp_path):
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    with pytest.raises(TrustError, match=r"torch_model\.py"):
        zoo.load_model(folder)


def test_attributions_say_why_they_cannot(tmp_path, data, capsys):
    """They explain one-hot sequence, which such a model does not take."""
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    arguments = ["attribute", str(folder), str(bed), "-g", str(fasta), "-o", str(tmp_path / "c.h5"), "--trust"]
    assert run(arguments) == 4
    assert "loaders.Rows is not one that is replaced here" in capsys.readouterr().err


def test_a_table_of_regions_is_refused_since_the_loader_reads_a_file(tmp_path, data):
    fasta, _ = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml("loaders.Rows", "Dataset"))
    for call in (
        lambda: zoo.predict(folder, [("chrA", 0, 8)], fasta, tmp_path / "out.h5", trust=True),
        lambda: zoo.load_model(folder, trust=True).predict_regions([("chrA", 0, 8)], fasta),
    ):
        with pytest.raises(UsageError, match="its own dataloader, which takes a file") as caught:
            call()
        assert "write the regions to a BED" in caught.value.fix


ONE_HOT = """

def encoded(intervals_file, fasta_file):
    genome = read_fasta(fasta_file)
    for line in open(intervals_file):
        chrom, start, end = line.split()[:3]
        text = genome[chrom][int(start) : int(end)]
        hot = np.array([[float(letter == base) for base in "ACGT"] for letter in text], dtype=np.float32)
        yield {"inputs": hot, "metadata": {"ranges": GenomicRanges(chrom, int(start), int(end), "x", "+")}}
"""


def test_unknown_bases_of_its_arrays_are_counted(tmp_path):
    fasta, bed = write_data(tmp_path)
    fasta.write_text(">chrA\n" + "ACGT" * 5 + "N" * 30 + "ACGTN" * 4 + "\n")
    bed.write_text("chrA\t0\t10\nchrA\t25\t35\nchrA\t50\t60\nchrA\t30\t40\n")
    loader = loader_yaml("loaders.py::encoded", "SampleGenerator")
    del loader["args"]["shift"]
    seen = {"shape": "(10, 4)", "doc": "x"}
    loader["output_schema"]["inputs"] = seen
    schema = {"inputs": seen, "targets": {"name": "sums", "shape": "(4,)", "doc": "x"}}
    folder = write_folder(tmp_path / "toy", model_yaml(defined_as="models.Sums", args={}, schema=schema), loader)
    with (folder / "loaders.py").open("a") as file:
        file.write(ONE_HOT)
    notes = []
    result = zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True, report=notes.append, batch_size=3)
    assert result.counts["unknown_bases"] == 22 and result.counts["first_unknown"] == ["chrA:25-35", "chrA:30-40"]
    assert json.loads((tmp_path / "out.tsv.run.json").read_text())["counts"]["unknown_windows"] == 2
    said = [
        "2 of 4 samples hold no known base, first: chrA:25-35; what a model gives for them is of no sequence",
        "55% of the bases of the samples are unknown (22 letters other than A, C, G, T)",
    ]
    assert notes[-2:] == said
    model, told = zoo.load_model(folder, trust=True), []
    model.predict_regions(bed, fasta, report=told.append)
    assert told == said


# ---------------------------------------------------------------- the BED that such a dataloader reads

STRANDED = """

class Stranded(Rows):
    def __init__(self, intervals_file, fasta_file, shift=0, use_strand=True):
        super().__init__(intervals_file, fasta_file, shift)
"""


@pytest.fixture
def stranded(tmp_path):
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml("loaders.Stranded"))
    with (folder / "loaders.py").open("a") as source:
        source.write(STRANDED)
    return folder


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_table_that_counts_from_1_does_not_come_to_the_dataloader(tmp_path, data, in_memory):
    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml(), loader_yaml())
    bed.write_text("chrA\t1\t10\t10\t+\nchrA\t21\t35\t15\t+\n")
    with pytest.raises(InputError, match="column 4 is end - start \\+ 1"):
        if in_memory:
            zoo.load_model(folder, trust=True).predict_regions(bed, fasta)
        else:
            zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True)
    assert not (tmp_path / "out.tsv").exists()


def test_strands_that_a_dataloader_is_told_to_use_are_strands(tmp_path, data, stranded):
    fasta, bed = data
    bed.write_text("chrA\t0\t10\ta\t0\t-\nchrA\t20\t30\tb\t0\tminus\n")
    settings = {"use_strand": True}
    with pytest.raises(InputError, match=r":2: the strand \(column 6\) is 'minus'") as caught:
        zoo.predict(stranded, bed, fasta, tmp_path / "out.tsv", trust=True, settings=settings)
    assert "--set use_strand=false" in caught.value.fix
    settings = {"use_strand": False}
    result = zoo.predict(stranded, bed, fasta, tmp_path / "out.tsv", trust=True, settings=settings)
    assert result.windows == 2
    bed.write_text("chrom\tstart\tend\nchrA\t0\t10\n")
    with pytest.raises(ModelError):  # the dataloader's own: it takes no header
        zoo.predict(stranded, bed, fasta, tmp_path / "out.tsv", trust=True)


def test_values_that_are_no_numbers_and_bins_without_a_place(tmp_path, data, monkeypatch):
    from zoo.errors import UsageError
    from zoo.run import own_loader

    fasta, bed = data
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    inner = own_loader.ForeignRun.predict

    def odd(run, inputs):
        named = inner(run, inputs)
        named["g"] = np.asarray(named["g"], np.float32).copy()
        named["g"][:1] = np.nan
        return named

    monkeypatch.setattr(own_loader.ForeignRun, "predict", odd)
    said = []
    result = zoo.predict(folder, bed, fasta, tmp_path / "o.tsv", trust=True, report=said.append)
    assert result.counts["not_finite"]["g"] == {"nan": 1, "infinite": 0, "windows": 1, "first": result_place()}
    assert any("1 value of 1 window is not finite" in note for note in said) and said == result.notes
    with pytest.raises(UsageError, match="--aggregate"):
        zoo.predict(folder, bed, fasta, tmp_path / "o.bed", trust=True, aggregate="sum")


def result_place() -> str:
    chrom, (start, end) = "chrA", REGIONS[0]
    return f"{chrom}:{start}-{end}"
