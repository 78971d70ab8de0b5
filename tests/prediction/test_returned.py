"""Predictions that are returned: as tables and arrays they say what the files say, and where it lies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from prediction_cases import flat, make_case
from toys import complement, make_toy_entry, window, write_fasta

import zoo
from zoo.errors import InputError, SystemStateError, UsageError
from zoo.progress import Progress
from zoo.run.predictions import Predictions

QUIET = {"trust": True, "report": lambda _: None}


def returned(case, **options):
    found = case.predict(None, **(QUIET | options))
    assert isinstance(found, Predictions)
    return found


@pytest.mark.parametrize("kind", ["gc", "profile", "stranded"])
@pytest.mark.parametrize("options", [{}, {"strand": "use"}, {"edges": "skip"}, {"window": "tile", "stride": 16}])
def test_a_frame_is_the_file_read_back(tmp_path, kind, options):
    case = make_case(tmp_path, kind)
    case.predict(tmp_path / "out.tsv", **options)
    read = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    frame = returned(case, **options).to_pandas()
    assert [*frame.columns] == [*read.columns] and len(frame) == len(read) > 20
    for column in frame.columns:
        both = [one.astype(np.float32) if one.dtype.kind == "f" else one for one in (frame[column], read[column])]
        assert both[0].tolist() == both[1].tolist(), column


def test_values_are_those_that_plain_python_gives(tmp_path):
    case = make_case(tmp_path, "stranded")
    frame = returned(case, strand="use").to_pandas()
    for row, record in zip(case.rows, frame.itertuples(index=False), strict=True):
        assert [*record][8:] == flat(case.expected(row, use_strand=True))


def test_one_output_has_the_columns_of_its_own_file(tmp_path):
    case = make_case(tmp_path, "stranded", n=20)
    found = returned(case)
    case.predict(tmp_path / "total.tsv", tracks=["total/*"])
    assert [*found.to_pandas("total").columns] == [*pd.read_csv(tmp_path / "total.tsv", sep="\t").columns]
    whole, part = found.to_pandas(), found.to_pandas("counts")
    assert [*whole.columns][8:] == [f"counts/{name}" for name in [*part.columns][8:]] + ["total/at"]
    for to in (found.to_pandas, found.to_anndata, found.to_xarray):
        with pytest.raises(UsageError, match="no output 'totla'") as caught:
            to("totla")
        assert "total" in caught.value.fix


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (["1", "20"], [1, 20]),
        (["1.5", "2"], [1.5, 2.0]),
        ([".", "2"], [".", "2"]),
        (["1e400", "-1"], [float("inf"), -1.0]),
    ],
)
def test_scores_are_numbers_where_all_are(tmp_path, scores, expected):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 50})
    rows = [("chr1", 50, 60, "a", scores[0], "+"), ("chr1", 90, 99, "b", scores[1], "-")]
    bed = tmp_path / "r.bed"
    bed.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    assert zoo.predict(toy.folder, bed, fasta, **QUIET).to_pandas()["score"].tolist() == expected


# One window of 24 bp on [100, 124): 4 bp cropped, then 4 bins of 4 bp. By hand.
def one_region(tmp_path, strand):
    toy = make_toy_entry(tmp_path / "toy", "stranded")
    sequence = "C" * 104 + "AAAA" + "AAAC" + "TTCC" + "TCCC" + "C" * 80
    fasta = write_fasta(tmp_path / "g.fa", {"chrX": sequence})
    found = zoo.predict(toy.folder, [("chrX", 110, 114, "here", "7", strand)], fasta, strand="use", **QUIET)
    return sequence, found


def test_coordinates_of_a_forward_window_by_hand(tmp_path):
    _, found = one_region(tmp_path, "+")
    data = found.to_xarray()
    assert data["counts"].dims == ("window", "track_counts", "bin_counts")
    assert data["total"].dims == ("window", "track_total")
    assert data["window_start"].item() == 100 and data["window_end"].item() == 124 and not data["reverse"].item()
    assert data["bin_counts"].values.tolist() == [4, 8, 12, 16]
    assert data["bin_start_counts"].values.tolist() == [[104, 108, 112, 116]]
    assert data["counts"].sel(track_counts="plus").values.tolist() == [[4, 3, 0, 0]]
    assert data["counts"].sel(track_counts="minus").values.tolist() == [[0, 0, 2, 1]]
    assert (data["chrom"].item(), data["start"].item(), data["end"].item()) == ("chrX", 110, 114)
    assert data["counts"].attrs["bin_size"] == 4 and data["counts"].attrs["offset"] == 4
    assert data.attrs["model"] == found.model and data["start"].attrs["units"] == "bp"


def test_coordinates_of_a_reversed_window_by_hand(tmp_path):
    """The model read [100, 124) backwards: its first bin is [116, 120), and there it saw A where the genome has T."""
    sequence, found = one_region(tmp_path, "-")
    data = found.to_xarray("counts")
    assert data["reverse"].item() and data["bin_start"].values.tolist() == [[116, 112, 108, 104]]
    assert data["counts"].sel(track="plus").values.tolist() == [[1, 2, 0, 0]]
    for i, start in enumerate(data["bin_start"].values[0]):
        seen = complement(sequence[start : start + 4])
        assert data["counts"].sel(track="plus").values[0, i] == seen.count("A")
        assert data["counts"].sel(track="minus").values[0, i] == seen.count("T")
    obs = found.to_anndata().obs
    assert obs.index.tolist() == ["chrX:110-114"] and obs["reverse"].tolist() == [True]


def test_anndata_has_regions_in_obs_and_tracks_in_var(tmp_path):
    case = make_case(tmp_path, "stranded", n=30)
    data = returned(case).to_anndata()
    assert data.shape == (30, 2 * 4 + 1) and data.X.dtype == np.float32
    assert data.obs[["chrom", "start", "end"]].values.tolist() == [[*row[:3]] for row in case.rows]
    assert data.var["output"].tolist() == ["counts"] * 8 + ["total"]
    assert data.var["track"].tolist() == ["plus"] * 4 + ["minus"] * 4 + ["at"]
    assert data.var["bin"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, -1]
    assert data.var["bin_offset"].tolist() == [4, 8, 12, 16, 4, 8, 12, 16, -1]
    assert data.obs_names.is_unique and data.var_names.is_unique
    for i, row in enumerate(case.rows):
        assert data.X[i].tolist() == flat(case.expected(row))
    data.write_h5ad(tmp_path / "out.h5ad")
    import anndata

    again = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert np.array_equal(again.X, data.X) and again.obs["start"].tolist() == data.obs["start"].tolist()
    assert again.uns["seqzoo"]["model"] == data.uns["seqzoo"]["model"]


def test_skipped_windows_have_no_row_anywhere(tmp_path):
    case = make_case(tmp_path, "profile")
    sizes = {name: len(sequence) for name, sequence in case.sequences.items()}

    def inside(row):
        start = (row[1] + row[2]) // 2 - case.toy.length // 2
        return start >= 0 and start + case.toy.length <= sizes[row[0]]

    kept = [row for row in case.rows if inside(row)]
    assert 0 < len(kept) < len(case.rows)
    found = returned(case, edges="skip")
    assert found.to_pandas()["name"].tolist() == [row[3] for row in kept]
    assert found.to_anndata().obs["name"].tolist() == [row[3] for row in kept]
    data = found.to_xarray()
    assert data["name"].values.tolist() == [row[3] for row in kept]
    assert data["region"].values.tolist() == [case.rows.index(row) for row in kept]
    for i, row in enumerate(kept):
        for at, value in zip(
            data["bin_start"].values[i].tolist(), data[found.outputs[0].name].values[i, 0], strict=True
        ):
            assert value == window(case.sequences[row[0]], at, 4).upper().count("G") + 0.25 * sum(
                letter not in "ACGT" for letter in window(case.sequences[row[0]], at, 4).upper()
            )
    assert found.counts["skipped"] == len(case.rows) - len(kept)
    with pytest.raises(InputError, match="no window was predicted"):
        zoo.predict(case.toy.folder, [("tiny", 0, 5)], case.genome, edges="skip", **QUIET)


def test_bins_that_nothing_places_have_numbers_and_no_coordinates(tmp_path):
    case = make_case(tmp_path, "profile", n=5, card=False)
    found = returned(case)
    data = found.to_xarray()
    assert data["bin"].values.tolist() == [0, 1, 2, 3, 4, 5] and "bin_start" not in data.coords
    assert set(found.to_anndata().var["bin_offset"]) == {-1}


def test_an_output_with_the_name_of_a_coordinate_keeps_its_values(tmp_path):
    """`score`, `strand` or `track` are names that a card may give to an output."""
    from zoo.outputs import OutputSpec, PredictionBatch

    texts, numbers = np.array(["."], dtype=object), np.array([5])
    batch = PredictionBatch(
        numbers, texts, numbers, numbers, texts, texts, np.array(["."]), numbers, numbers, np.array([False]), {}
    )
    specs = tuple(OutputSpec(name, "scalar", ("a", "b")) for name in ("score", "track", "plain"))
    values = {spec.name: np.full((1, 2), i, np.float32) for i, spec in enumerate(specs)}
    batch.values.update(values)
    found = Predictions.of(batch, specs, "m", None)
    data = found.to_xarray()
    assert {*data.data_vars} == {"score_values", "track_values", "plain"}
    assert data["track_values"].values.tolist() == [[1, 1]] and data["score"].values.tolist() == ["."]
    assert [*found.to_pandas().columns][8:] == [f"{s}/{t}" for s in ("score", "track", "plain") for t in "ab"]


def test_regions_that_repeat_have_names_of_their_own(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 50})
    obs = zoo.predict(toy.folder, [("chr1", 50, 60)] * 3, fasta, **QUIET).to_anndata().obs
    assert obs.index.tolist() == ["chr1:50-60", "chr1:50-60.2", "chr1:50-60.3"]


@pytest.mark.parametrize(
    "options", [{"format": "bed"}, {"aggregate": "sum"}, {"overlap": "max"}, {"resume": True}], ids=str
)
def test_what_a_file_would_need_is_refused_without_one(tmp_path, options):
    case = make_case(tmp_path, "gc", n=3)
    with pytest.raises(UsageError, match="no OUT was given"):
        case.predict(None, **options)


@pytest.mark.parametrize("options", [{"format": "bed"}, {"track_hub": "hub"}], ids=str)
def test_a_loaded_model_returns_and_writes_nothing(tmp_path, options):
    case = make_case(tmp_path, "gc", n=3)
    model = zoo.load_model(case.toy.folder, trust=True)
    with pytest.raises(UsageError, match="no OUT was given"):
        model.predict_regions(case.bed, case.genome, **options)
    found = model.predict_regions(case.bed, case.genome, report=lambda _: None)
    assert isinstance(found, Predictions) and len(found.to_pandas()) == 3


def test_a_dry_run_predicts_nothing(tmp_path):
    case = make_case(tmp_path, "gc", n=3)
    assert case.predict(None, dry_run=True).windows == 3


def test_notes_are_kept_and_told(tmp_path):
    case = make_case(tmp_path, "gc", n=20)
    told = []
    found = returned(case, report=told.append)
    assert told == found.notes and any("strand ignored" in note for note in told)
    with pytest.warns(UserWarning, match="strand ignored"):
        case.predict(None)


def test_progress_counts_every_window_once(tmp_path):
    bars = []

    class Bar(Progress):
        def __init__(self, total, done=0):
            super().__init__(total, done)
            bars.append(self)

    returned(make_case(tmp_path, "gc", n=33), progress=Bar, batch_size=4)
    assert [(bar.total, bar.done) for bar in bars] == [(33, 33)]


@pytest.mark.parametrize(("package", "method"), [("xarray", "to_xarray"), ("anndata", "to_anndata")])
def test_a_package_that_is_missing_is_named_with_what_brings_it(tmp_path, monkeypatch, package, method):
    import sys

    found = returned(make_case(tmp_path, "gc", n=3))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemStateError, match=f"needs the package {package}") as caught:
        getattr(found, method)()
    assert caught.value.fix == "Fix: pip install 'seqzoo[notebook]'"
    assert len(found.to_pandas()) == 3


# ---------------------------------------------------------------- one sequence


def test_one_string_is_a_list_of_one(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "stranded")
    model = zoo.load_model(toy.folder, trust=True)
    for sequence in ("ACGT" * 6, "acgt" * 6, "N" * 12 + "AAATTTCCCGGG", "RYSWKMBDHVN" + "A" * 13):
        one, listed = model.predict(sequence), model.predict([sequence])
        answer = toy.answer(sequence)
        assert one.keys() == listed.keys() == answer.keys()
        for name, values in one.items():
            assert values.shape == listed[name].shape and values.shape[0] == 1
            assert values[0].tolist() == listed[name][0].tolist() == answer[name]
    assert model.predict(["ACGT" * 6] * 3)["total"].shape == (3, 1)


@pytest.mark.parametrize("length", [0, 1, 23, 25, 2400])
def test_one_string_of_another_length_is_refused_with_both_numbers(tmp_path, length):
    model = zoo.load_model(make_toy_entry(tmp_path / "toy", "stranded").folder, trust=True)
    with pytest.raises(UsageError) as caught:
        model.predict("A" * length)
    assert f"{length:,} letters" in str(caught.value) and "24 bp" in str(caught.value)


def test_one_string_with_a_letter_that_is_no_base_is_refused(tmp_path):
    model = zoo.load_model(make_toy_entry(tmp_path / "toy", "gc").folder, trust=True)
    with pytest.raises(InputError, match="is 'U', no base"):
        model.predict("U" * model.length)


# ---------------------------------------------------------------- cards


def test_cards_say_what_they_are_of_and_escape_it(tmp_path):
    case = make_case(tmp_path, "stranded", n=4)
    found = returned(case)
    text, page = repr(found), found._repr_html_()
    assert text.startswith("<Predictions: 4 windows of 4 regions by ") and "values['counts'] (4, 2, 4)" in text
    assert "to_xarray()" in page and "(4, 2, 4)" in page and "color:inherit" in page
    assert "background:#" not in page and "color:#" not in page  # a notebook is light or dark
    import dataclasses

    odd = dataclasses.replace(found, model="<script>alert(1)</script>", notes=["a < b & c"])
    assert "<script>" not in odd._repr_html_() and "a &lt; b &amp; c" in odd._repr_html_()
    model = zoo.load_model(case.toy.folder, trust=True)
    model.name = "<b>x</b>"
    assert "&lt;b&gt;x&lt;/b&gt;" in model._repr_html_() and "<b>x</b>" not in model._repr_html_()


def test_facts_of_an_entry_are_a_dict_and_a_card(tmp_path):
    import json

    facts = zoo.info("yeast-atac")
    assert isinstance(facts, dict) and json.loads(json.dumps(facts))["assembly"] == "sacCer3"
    assert repr(facts).startswith("<yeast-atac ") and "1,280 bp" in repr(facts) and "Tn5 cuts per bin" in repr(facts)
    assert "sacCer3" in facts._repr_html_()
    facts["summary"] = "<img src=x onerror=alert(1)>"
    assert "<img" not in facts._repr_html_()
