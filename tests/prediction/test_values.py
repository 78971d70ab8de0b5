"""From a BED to values, on toys whose answers plain Python gives: order, strand, tiles, edges."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
from prediction_cases import CONTIGS, flat, make_case, read_tsv, values_of
from toys import window

import zoo
from zoo.errors import InputError
from zoo.run import predict as compute


@pytest.fixture(params=["gc", "profile", "stranded"])
def case(tmp_path, request):
    return make_case(tmp_path, request.param)


def test_tsv_equals_plain_python_in_input_order(case, tmp_path):
    result = case.predict(tmp_path / "out.tsv")
    records = read_tsv(tmp_path / "out.tsv")
    got = [(r["chrom"], int(r["start"]), int(r["end"]), r["name"], r["score"], r["strand"]) for r in records]
    assert got == case.rows
    assert [values_of(record) for record in records] == [flat(case.expected(row)) for row in case.rows]
    assert (result.regions, result.windows, result.paths) == (150, 150, [tmp_path / "out.tsv"])


def test_hdf5_equals_plain_python_in_input_order(case, tmp_path):
    case.predict(tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as handle:
        for output in case.toy.outputs:
            preds = handle["preds"] if len(case.toy.outputs) == 1 else handle["preds"][output["name"]]
            assert preds[:].tolist() == [case.expected(row)[output["name"]] for row in case.rows]
            assert list(preds.attrs["tracks"]) == output["tracks"]
        ranges = handle["metadata/ranges"]
        assert [name.decode() for name in ranges["id"][:]] == [row[3] for row in case.rows]
        assert ranges["start"][:].tolist() == [row[1] for row in case.rows]


def test_regions_in_memory_equal_plain_python(case):
    model = zoo.load_model(case.toy.folder, trust=True)
    batch = model.predict_regions(case.bed, case.genome)
    assert batch.name.tolist() == [row[3] for row in case.rows]
    assert batch.region.tolist() == list(range(150))
    for name, values in batch.values.items():
        assert values.tolist() == [case.expected(row)[name] for row in case.rows]


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 7}, {"device": "cpu"}])
def test_how_it_runs_changes_no_value(case, tmp_path, monkeypatch, options):
    case.predict(tmp_path / "a.tsv")
    monkeypatch.setattr(compute, "STEP_BASES", 500)
    case.predict(tmp_path / "b.tsv", **options)
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_a_loaded_model_serves_as_well_as_its_name(case, tmp_path):
    case.predict(tmp_path / "a.tsv")
    zoo.predict(zoo.load_model(case.toy.folder, trust=True), case.bed, case.genome, tmp_path / "b.tsv")
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_a_bed_without_names_and_a_gzip_one(tmp_path):
    import gzip

    case = make_case(tmp_path, "gc")
    bare = tmp_path / "bare.bed.gz"
    bare.write_bytes(gzip.compress("".join(f"{c}\t{s}\t{e}\n" for c, s, e, *_ in case.rows).encode()))
    case.predict(tmp_path / "a.tsv")
    zoo.predict(case.toy.folder, bare, case.genome, tmp_path / "b.tsv", trust=True)
    named, nameless = read_tsv(tmp_path / "a.tsv"), read_tsv(tmp_path / "b.tsv")
    assert [r["gc"] for r in named] == [r["gc"] for r in nameless]
    assert {(r["name"], r["score"], r["strand"]) for r in nameless} == {(".", ".", ".")}


# Strand


@pytest.mark.parametrize("kind", ["profile", "stranded"])
@pytest.mark.parametrize(
    ("loader_says", "strand", "used"),
    [(False, "auto", False), (True, "auto", True), (False, "use", True), (True, "ignore", False)],
)
def test_minus_regions_are_reversed_when_the_loader_or_the_user_says(tmp_path, kind, loader_says, strand, used):
    case = make_case(tmp_path, kind, loader_args={"use_strand": loader_says})
    notes = []
    result = case.predict(tmp_path / "out.tsv", strand=strand, report=notes.append)
    got = [values_of(record) for record in read_tsv(tmp_path / "out.tsv")]
    assert got == [flat(case.expected(row, use_strand=used)) for row in case.rows]
    minus = sum(row[5] == "-" for row in case.rows)
    assert result.counts["reversed_windows"] == (minus if used else 0)
    (note,) = [note for note in notes if "regions on '-'" in note]
    assert note.startswith(f"{minus} ") and ("reverse complement" in note) == used


def test_rc_average_from_end_to_end(tmp_path):
    case = make_case(tmp_path, "profile")
    case.predict(tmp_path / "out.tsv", rc_average=True)
    for row, record in zip(case.rows, read_tsv(tmp_path / "out.tsv"), strict=True):
        (plus,), (minus,) = (case.expected((*row[:5], s), True)["g_per_bin"] for s in "+-")
        assert values_of(record) == [(a + b) / 2 for a, b in zip(plus, minus[::-1], strict=True)]


def test_values_of_tsv_read_back_to_the_same_float32(tmp_path):
    case = make_case(tmp_path, "gc")
    model = zoo.load_model(case.toy.folder, trust=True)
    inner = model.module

    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.exp(inner(x) * 7.3) / 3

    model.module = Odd()
    zoo.predict(model, case.bed, case.genome, tmp_path / "out.tsv")
    zoo.predict(model, case.bed, case.genome, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as handle:
        exact = handle["preds"][:, 0]
    assert len(np.unique(exact)) > 10
    assert np.array_equal(np.array([r["gc"] for r in read_tsv(tmp_path / "out.tsv")], dtype=np.float32), exact)


# Tiles and edges


@pytest.mark.parametrize("stride", [None, 5])
def test_tiles_equal_plain_python(tmp_path, stride):
    case = make_case(tmp_path, "profile", n=30)
    result = case.predict(tmp_path / "out.tsv", window="tile", stride=stride)
    records = iter(read_tsv(tmp_path / "out.tsv"))
    n = 0
    for chrom, start, end, name, *_ in case.rows:
        tiles = 1 + max(0, -(-(end - start - 24) // (stride or 24)))  # the model predicts 24 of its 40 bp
        first = start - 8 if tiles > 1 else (start + end) // 2 - 20
        for tile in range(tiles):
            record, low = next(records), first + tile * (stride or 24)
            assert (record["name"], int(record["window_start"]), int(record["window_end"])) == (name, low, low + 40)
            assert values_of(record) == flat(case.toy.answer(window(case.sequences[chrom], low, 40)))
            n += 1
    assert next(records, None) is None
    assert (result.windows, result.regions) == (n, 30)


def leaves(case, row):
    low = (row[1] + row[2]) // 2 - case.toy.length // 2
    return low < 0 or low + case.toy.length > CONTIGS[row[0]]


def test_edges_are_padded_and_counted(tmp_path):
    case = make_case(tmp_path, "gc")
    outside = sum(leaves(case, row) for row in case.rows)
    assert 0 < outside < 150
    notes = []
    result = case.predict(tmp_path / "out.tsv", report=notes.append)
    assert (result.counts["padded"], result.counts["skipped"]) == (outside, 0)
    assert any(note.startswith(f"{outside} windows") and "padded" in note for note in notes)


@pytest.mark.parametrize("suffix", ["tsv", "h5"])
def test_edges_are_skipped_and_counted(tmp_path, suffix):
    case = make_case(tmp_path, "gc")
    kept = [row for row in case.rows if not leaves(case, row)]
    out = tmp_path / f"out.{suffix}"
    result = case.predict(out, edges="skip", batch_size=4)
    if suffix == "tsv":
        assert [(r["name"], float(r["gc"])) for r in read_tsv(out)] == [
            (row[3], flat(case.expected(row))[0]) for row in kept
        ]
    else:
        with h5py.File(out) as handle:
            assert handle["preds"].shape == (len(kept), 1)
    assert (result.windows, result.counts["skipped"]) == (len(kept), 150 - len(kept))


def test_an_edge_is_an_error_when_asked_and_leaves_no_file(tmp_path):
    case = make_case(tmp_path, "gc")
    first = next(i for i, row in enumerate(case.rows, 1) if leaves(case, row))
    with pytest.raises(InputError, match=rf"region {first} "):
        case.predict(tmp_path / "out.tsv", edges="error")
    assert list(tmp_path.glob("out*")) == []
