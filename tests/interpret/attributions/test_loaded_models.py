"""Methods asked of a loaded model: they give what `zoo attribute` writes for the same windows and choices."""

from __future__ import annotations

import inspect
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from toys import make_toy_entry

import interpret
import zoo
from interpret.references import References
from zoo.errors import InputError, UsageError

EXAMPLE = ("model_cards/yeast-atac/example/regions.bed", "model_cards/yeast-atac/example/genome.fa")
METHODS = ["deepliftshap", "integrated_gradients", "ism", "ablation", "saliency", "inputxgradient"]


@pytest.fixture(scope="module")
def yeast():
    return zoo.load_model("yeast-atac")


@pytest.fixture
def stranded(tmp_path):
    """Two tracks of four bins that count A and T, and their total."""
    return zoo.load_model(make_toy_entry(tmp_path / "toy", "stranded").folder, trust=True)


SEQUENCE = "ACGTTTTTACGTAAAACCGGTTAA"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_gives_what_the_command_writes(tmp_path, yeast, name):
    """With a reference or two in place of the default's 20: integrated gradients take 5 CPU-seconds a pair."""
    out, few, some = tmp_path / "contribs.h5", {}, {}
    if n := {"deepliftshap": 2, "integrated_gradients": 1, "ablation": 1}.get(name):
        few, some = {"references": str(n)}, {"references": References(n=n, n_value=yeast.loader.n_value)}
    interpret.attribute("yeast-atac", *EXAMPLE, out, method=name, bins="12:20", limit=1, any_genome=True, **few)
    with h5py.File(out) as file:
        observed, expected = file["one_hot"][:].astype(np.float32), file["hypothetical"][:]
    found = getattr(interpret, name)(yeast, observed, bins="12:20", **some)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["frame", "tuples", "iterator"])
def test_contributions_of_a_table_are_those_of_its_bed(tmp_path, kind):
    rows = [line.split("\t")[:3] for line in Path(EXAMPLE[0]).read_text().splitlines()[:3]]
    rows = [(chrom, int(start), int(end)) for chrom, start, end in rows]
    table = {"frame": pd.DataFrame(rows, columns=["chrom", "start", "end"]), "tuples": rows, "iterator": iter(rows)}
    options = {"method": "saliency", "any_genome": True}
    interpret.attribute("yeast-atac", EXAMPLE[0], EXAMPLE[1], tmp_path / "bed.h5", limit=3, **options)
    interpret.attribute("yeast-atac", table[kind], EXAMPLE[1], tmp_path / "table.h5", **options)
    with h5py.File(tmp_path / "bed.h5") as bed, h5py.File(tmp_path / "table.h5") as found:
        np.testing.assert_array_equal(found["hypothetical"][:], bed["hypothetical"][:])


def test_letters_and_one_hot_are_the_same_question(yeast):
    letters = "".join(np.random.default_rng(4).choice(list("ACGT"), yeast.length))
    one_hot = np.stack([[base == letter for letter in letters] for base in "ACGT"]).astype(np.float32)[None]
    np.testing.assert_array_equal(interpret.saliency(yeast, [letters]), interpret.saliency(yeast, one_hot))
    np.testing.assert_array_equal(interpret.saliency(yeast, one_hot), interpret.saliency(yeast, torch.tensor(one_hot)))


@pytest.mark.parametrize("name", METHODS[1:])  # the toy's forward asks for len(x), which its graph cannot hold
def test_what_a_count_of_a_says_of_each_base(stranded, name):
    """The gradient of a count of A is 1 at A and 0 at the others, in the 16 bp that have bins; known by hand."""
    method = getattr(interpret, name)
    compares = "references" in inspect.signature(method).parameters
    options = {"references": np.zeros((1, 1, 4, 24), np.float32)} if compares else {}
    found = method(stranded, [SEQUENCE], output="counts", tracks="plus", **options)[0]
    expected = np.zeros((4, 24))
    expected[0, 4:20] = 1
    if name == "ablation":  # the loss at the observed base, nothing elsewhere
        expected *= [base == "A" for base in SEQUENCE]
    elif not compares:  # less the mean over the four bases
        expected[:, 4:20] -= 0.25
    if name == "saliency":
        found, expected = np.abs(found), np.abs(expected)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_bins_and_tracks_choose_the_number(stranded):
    motif = interpret.marginalize(stranded, ["C" * 24], "AAAATT", start=6, output="counts", tracks="plus")
    assert motif.tolist() == [4.0]
    assert interpret.marginalize(
        stranded, ["C" * 24], "AAAATT", start=6, output="counts", tracks="plus", bins="0:1"
    ).tolist() == [2.0]
    assert interpret.marginalize(stranded, ["C" * 24], "AAAATT", start=6, output="total").tolist() == [6.0]
    both = interpret.marginalize(stranded, ["C" * 24], "AAAATT", start=6, output="counts", tracks=["plus", "minus"])
    assert both.tolist() == [6.0]


@pytest.mark.parametrize(
    ("choice", "what"),
    [
        ({}, "the model has several outputs; attributions explain one"),
        ({"output": "counts"}, "the output 'counts' has 2 tracks; attributions explain one number"),
        ({"output": "count"}, "--output count: no such output"),
        ({"output": "counts", "tracks": "plus", "bins": "3:9"}, "--bins 3:9: no range of the 4 bins of 'counts'"),
        ({"output": "total", "reduce": "mean"}, "--reduce mean: not known"),
        ({"output": "total", "explain": "both"}, "explain 'both': not known"),
    ],
)
def test_too_little_or_too_much_was_chosen(stranded, choice, what):
    with pytest.raises(UsageError) as caught:
        interpret.saliency(stranded, [SEQUENCE], **choice)
    assert caught.value.what == what


class Sum(torch.nn.Module):
    def forward(self, x):
        return x[:, 0].sum(1)


@pytest.mark.parametrize(
    ("model", "options", "what", "fix"),
    [
        ("yeast-atac", {}, "'yeast-atac' is a name, no model", "saliency(zoo.load_model('yeast-atac'), sequences)"),
        (lambda x: x.sum((1, 2)), {}, "<lambda> is a function, no torch.nn.Module", "class Wrapped(torch.nn.Module)"),
        (3, {}, "int where a model is expected", "give what zoo.load_model returns"),
        (Sum(), {"tracks": "a"}, "tracks='a': is a choice among the outputs of a loaded model", "zoo.load_model"),
        (Sum(), {"reduce": "max"}, "reduce='max': is a choice among the outputs", "zoo.load_model"),
    ],
)
def test_what_cannot_be_explained(model, options, what, fix):
    with pytest.raises(UsageError) as caught:
        interpret.saliency(model, ["ACGT"], **options)
    assert caught.value.what.startswith(what) and fix in caught.value.fix


def test_a_bare_module_takes_letters_of_known_bases():
    found = interpret.saliency(Sum(), ["ACGT"], corrected=False)
    np.testing.assert_array_equal(found[0], [[1] * 4, [0] * 4, [0] * 4, [0] * 4])
    with pytest.raises(InputError) as caught:
        interpret.saliency(Sum(), ["ACGT", "ACNN"])
    assert caught.value.what.startswith("sequences[1][2] is an unknown base, and a bare module does not say")
    assert caught.value.extent == "2 unknown bases in 1 of 2 sequences"


def test_a_bare_module_of_several_numbers_is_told_so():
    class Two(torch.nn.Module):
        def forward(self, x):
            return x[:, :2].sum(2)

    with pytest.raises(UsageError, match=r"the module returns \(2, 2\) for 2 sequences"):
        interpret.saliency(Two(), ["ACGT"])


def test_a_model_with_a_dataloader_of_its_own_is_refused(stranded):
    from zoo.models.array_model import ArrayModel

    model = ArrayModel.__new__(ArrayModel)
    model.entry = type("Entry", (), {"name": "own"})()
    with pytest.raises(UsageError, match="own takes the arrays of its own dataloader"):
        interpret.ism(model, [SEQUENCE])


def test_unknown_bases_are_shuffled_in_the_model_s_own_encoding(yeast):
    """0.25 in all channels for this entry; with 0 the references' prediction would be another."""
    letters = "N" * 64 + "".join(np.random.default_rng(1).choice(list("ACGT"), yeast.length - 64))
    from interpret.references import References

    given = interpret.deepliftshap(yeast, [letters], References(n_value=0.25))
    np.testing.assert_array_equal(interpret.deepliftshap(yeast, [letters]), given)


@pytest.mark.parametrize("name", [*METHODS, "marginalize"])
def test_the_choices_stand_in_the_signature_and_in_the_text(name):
    method = getattr(interpret, name)
    parameters = inspect.signature(method).parameters
    for choice in ("output", "tracks", "bins", "reduce", "explain"):
        assert parameters[choice].kind is inspect.Parameter.KEYWORD_ONLY
    assert "output, tracks, bins, reduce, explain: of a loaded model" in method.__doc__
    with pytest.raises(TypeError):
        method(Sum(), ["ACGT"], no_such=1)


@pytest.mark.parametrize(
    ("python", "command"),
    [
        ({"tracks": 1}, {"tracks": ["1"]}),
        ({"tracks": np.int64(1)}, {"tracks": "minus"}),
        ({"tracks": [0, "minus"]}, {"tracks": ["plus", "minus"]}),
        ({"tracks": 0, "bins": (1, 3)}, {"tracks": "plus", "bins": "1:3"}),
    ],
    ids=str,
)
def test_choices_may_be_python_s_own_numbers(stranded, python, command):
    found = interpret.saliency(stranded, [SEQUENCE], output="counts", **python)
    assert np.abs(found).max() > 0
    np.testing.assert_array_equal(found, interpret.saliency(stranded, [SEQUENCE], output="counts", **command))


@pytest.mark.parametrize("bins", [(3, 1), (0, 9), (-1, 2), (1, 2, 3), 5, (None, None)])
def test_bins_that_are_no_range_are_refused(stranded, bins):
    with pytest.raises(UsageError, match="no range of the 4 bins of 'counts'"):
        interpret.saliency(stranded, [SEQUENCE], output="counts", tracks=0, bins=bins)


def test_a_track_by_number_where_regions_are_predicted(stranded):
    folder = stranded.folder / "example"
    found = stranded.predict_regions(folder / "regions.bed", folder / "genome.fa", tracks=0).values
    whole = stranded.predict_regions(folder / "regions.bed", folder / "genome.fa").values
    np.testing.assert_array_equal(found["counts"], whole["counts"][:, :1])
