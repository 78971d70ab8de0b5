"""``zoo attribute`` from a BED to contribs.h5, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from toys import make_toy_entry

import zoo
from interpret.attribute.attribute import attribute
from interpret.contribs.file import open_contribs
from interpret.references import References
from interpret.target import choose_target, explained_module
from zoo.cli import run
from zoo.errors import InputError, ModelError, UsageError
from zoo.outputs import OutputSpec

EXAMPLE = Path(zoo.__file__).parents[1] / "model_cards" / "yeast-atac" / "example"
YEAST = [str(EXAMPLE / "regions.bed"), "-g", str(EXAMPLE / "genome.fa"), "--any-genome"]


@pytest.fixture(scope="module")
def yeast(tmp_path_factory):
    """contribs.h5 of the bundled example by the default method."""
    out = tmp_path_factory.mktemp("yeast") / "contribs.h5"
    assert run(["attribute", "yeast-atac", *YEAST, "-o", str(out), "--references", "3", "-q"]) == 0
    return out


def test_the_file_holds_what_it_says(yeast):
    regions = [line.split("\t") for line in (EXAMPLE / "regions.bed").read_text().splitlines()]
    with open_contribs(yeast) as found:
        assert len(found) == len(regions)
        assert found.hypothetical.shape == (len(regions), 4, 1280)
        columns = found.regions()
        assert [*columns["chrom"]] == [row[0] for row in regions]
        assert [*columns["start"]] == [int(row[1]) for row in regions]
        one_hot, hypothetical = found.one_hot[:], found.hypothetical[:]
        assert found.projected[:] == pytest.approx((one_hot * hypothetical).sum(1), abs=1e-6)
        difference = found.prediction[:] - found.reference_prediction[:]
        assert found.projected[:].sum(1) == pytest.approx(difference, rel=1e-3)
        assert found.completeness_error[:].max() < 1e-3
        assert found.run["explained"] == "logits"
        assert found.run["method"] == "deepliftshap"
        assert found.run["references"] == {"kind": "dinucleotide", "n": 3, "seed": 0}
        assert found.run["tracks"] == ["atac_cuts"]
        assert set(found.run["model"]["sha256"]) >= {"weights.pth"}
        assert (found.run["counts"]["windows"], found.run["counts"]["cut_regions"]) == (len(regions), 0)
        assert not any("regions" in note for note in found.run["notes"])


def test_the_prediction_explained_is_the_sum_of_logits(yeast):
    predicted = (
        zoo.load_model("yeast-atac")
        .predict_regions(EXAMPLE / "regions.bed", EXAMPLE / "genome.fa", any_genome=True)
        .values["atac"]
    )
    with open_contribs(yeast) as found:
        assert found.prediction[:] == pytest.approx(np.log(predicted).sum((1, 2)), rel=1e-4)


def test_a_genome_found_by_its_name_is_recorded_by_it(yeast, tmp_path, monkeypatch):
    """A page made of the file repeats the name; a file that was given has none."""
    genomes = tmp_path / "genomes"
    genomes.mkdir()
    for end in ("", ".fai"):
        (genomes / f"sacCer3.fa{end}").write_bytes((EXAMPLE / f"genome.fa{end}").read_bytes())
    monkeypatch.setenv("ZOO_GENOMES", str(genomes))
    out = tmp_path / "contribs.h5"
    attribute("yeast-atac", EXAMPLE / "regions.bed", None, out, references="2", limit=1, any_genome=True)
    with open_contribs(out) as found, open_contribs(yeast) as given:
        assert found.run["genome"]["name"] == "sacCer3" and "name" not in given.run["genome"]


def test_the_same_seed_gives_the_same_file_and_another_does_not(yeast, tmp_path):
    same, other = tmp_path / "same.h5", tmp_path / "other.h5"
    options = {"references": "3", "any_genome": True, "limit": 1}
    attribute("yeast-atac", EXAMPLE / "regions.bed", EXAMPLE / "genome.fa", same, **options)
    attribute("yeast-atac", EXAMPLE / "regions.bed", EXAMPLE / "genome.fa", other, seed=1, **options)
    with open_contribs(yeast) as a, open_contribs(same) as b, open_contribs(other) as c:
        assert b.hypothetical[:] == pytest.approx(a.hypothetical[:1], abs=1e-6)
        assert np.abs(c.hypothetical[:] - a.hypothetical[:1]).max() > 1e-3


def test_average_of_strands_is_the_same_for_both_strands(tmp_path):
    model = zoo.load_model("yeast-atac")
    target = choose_target(model.outputs, bins="0:4")
    other = target.mirrored(None)
    assert other.bins == (28, 32)
    x = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (1, 1280))].transpose(0, 2, 1).copy()
    module, _ = explained_module(model, target)
    mirror, _ = explained_module(model, other)
    turned = torch.from_numpy(np.ascontiguousarray(x[:, ::-1, ::-1]))
    with torch.no_grad():
        tail = model.module.logits(turned)[:, 0, 28:].sum()
        assert float(mirror(turned)) == pytest.approx(float(tail), rel=1e-5)
        assert float(module(torch.from_numpy(x))) != pytest.approx(float(mirror(torch.from_numpy(x))), rel=1e-3)


@pytest.mark.parametrize("method", ["saliency", "inputxgradient", "integrated_gradients", "ablation"])
def test_every_method_explains_counting(method, tmp_path):
    """gc is linear in C and G: 1/L at each, so that hypothetical contributions are known."""
    toy = make_toy_entry(tmp_path / "toy", "gc")
    out = tmp_path / "contribs.h5"
    more = {} if method in ("saliency", "inputxgradient") else {"references": "uniform"}
    attribute(toy.folder, toy.regions, toy.genome, out, method=method, trust=True, **more)
    with open_contribs(out) as found:
        one_hot = found.one_hot[:]
        known = one_hot.sum(1) == 1
        length = one_hot.shape[2]
        scale = 1 / length
        signs = np.array([-0.5, 0.5, 0.5, -0.5]).reshape(4, 1) * scale
        wanted = {"saliency": np.abs(signs), "ablation": signs * one_hot}.get(method, signs)
        assert known.any()
        difference = (found.hypothetical[:] - wanted) * known[:, None]
        assert np.abs(difference).max() < 1e-6


def test_a_model_with_several_outputs_lists_its_choices(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "stranded")
    out = tmp_path / "c.h5"
    with pytest.raises(UsageError, match="several outputs") as caught:
        attribute(toy.folder, toy.regions, toy.genome, out, trust=True)
    assert "counts (plus, minus); total" in str(caught.value)
    with pytest.raises(UsageError, match="2 tracks"):
        attribute(toy.folder, toy.regions, toy.genome, out, trust=True, output="counts")
    with pytest.raises(UsageError, match="--output nothing"):
        attribute(toy.folder, toy.regions, toy.genome, out, trust=True, output="nothing")
    assert [p.name for p in tmp_path.iterdir()] == ["toy"]


SPECS = (OutputSpec("profile", "profile", ("plus", "minus"), 10), OutputSpec("counts", "scalar", ("log",)))


def test_targets():
    assert choose_target(SPECS, "counts").channels == (0,)
    assert choose_target(SPECS, "profile", ["*"]).channels == (0, 1)
    found = choose_target(SPECS, tracks=["minus"], bins="2:5", reduction="max")
    assert (found.output.name, found.channels, found.bins, found.reduction) == ("profile", (1,), (2, 5), "max")
    assert found.mirrored([1, 0]).channels == (0,)
    assert found.mirrored([1, 0]).bins == (5, 8)
    for wrong in ({"bins": "5:2"}, {"bins": "0:11"}, {"bins": "x"}, {"reduction": "median"}):
        with pytest.raises(UsageError):
            choose_target(SPECS, "profile", ["plus"], **wrong)
    for wrong in ({"bins": "0:1"}, {"reduction": "profile"}):
        with pytest.raises(UsageError, match="has no bins"):
            choose_target(SPECS, "counts", **wrong)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--method", "saliency", "--references", "5"], 2, "has no references"),
        (["--references", "no.npz"], 3, "cannot be read"),
        (["--references", "many"], 2, "not known"),
        (["--bins", "0:99"], 2, "no range of the 32 bins"),
    ],
)
def test_wrong_options_are_three_lines(arguments, code, words, tmp_path, capsys):
    out = tmp_path / "c.h5"
    assert run(["attribute", "yeast-atac", *YEAST, "-o", str(out), "-q", *arguments]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert words in lines[0]
    assert lines[2].startswith("  Fix: ")
    assert not any(tmp_path.iterdir())


def test_no_regions_and_another_suffix(tmp_path, capsys):
    (tmp_path / "none.bed").write_text("")
    genome = ["-g", str(EXAMPLE / "genome.fa"), "--any-genome", "-q"]
    assert run(["attribute", "yeast-atac", str(tmp_path / "none.bed"), *genome, "-o", str(tmp_path / "c.h5")]) == 3
    assert run(["attribute", "yeast-atac", *YEAST, "-o", str(tmp_path / "c.tsv")]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["none.bed"]


def test_a_file_of_another_kind_is_refused(yeast, tmp_path):
    def changed(change):
        path = tmp_path / "changed.h5"
        path.write_bytes(yeast.read_bytes())
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    def mixed_up(file):
        file["hypothetical"].attrs["kind"] = "projected"

    def transposed(file):
        file["hypothetical"].attrs["layout"] = "N,L,4"

    def foreign(file):
        del file.attrs["format"]

    def shortened(file):
        file["projected"].resize(2, axis=0)

    cases = ((mixed_up, "'projected'"), (transposed, "'N,L,4'"), (foreign, "format None"), (shortened, "(2, 1280)"))
    for change, words in cases:
        with pytest.raises(InputError) as caught:
            open_contribs(changed(change))
        assert words in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        open_contribs(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(InputError, match="no HDF5 file"):
        open_contribs(tmp_path / "text.h5")


def test_the_record_is_plain_json(yeast):
    with h5py.File(yeast) as file:
        assert json.loads(file.attrs["run"])["completeness_threshold"] == 1e-3
        assert (file.attrs["format"], file.attrs["version"]) == ("seqzoo-contribs", 1)


def test_references_are_those_of_the_window_whatever_the_batch(sequences):
    x = sequences(4, 30)
    assert np.array_equal(References(n=2).of(x)[2:], References(n=2).of(x[2:], first=2))


@pytest.fixture(scope="module")
def logits(yeast):
    """(N, 32) logits of the bins of the example's windows, and the windows."""
    with open_contribs(yeast) as found:
        x = found.one_hot[:].astype(np.float32)
        x += np.float32(0.25) * (x.sum(1, keepdims=True) == 0)
    with torch.no_grad():
        return zoo.load_model("yeast-atac").module.logits(torch.from_numpy(x)).numpy()[:, 0]


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({"bins": "3:9"}, lambda y: y[:, 3:9].sum(1)),
        ({"bins": ":2", "reduce": "max"}, lambda y: y[:, :2].max(1)),
        ({"reduce": "max"}, lambda y: y.max(1)),
        ({"reduce": "profile"}, lambda y: ((y.T - y.mean(1)) * np.exp(y.T) / np.exp(y.T).sum(0)).sum(0)),
        ({"explain": "predictions"}, lambda y: np.exp(y).sum(1)),
    ],
    ids=["bins", "bins-max", "max", "profile", "predictions"],
)
def test_the_number_that_is_explained(logits, tmp_path, options, number):
    out = tmp_path / "c.h5"
    result = attribute(
        "yeast-atac",
        EXAMPLE / "regions.bed",
        EXAMPLE / "genome.fa",
        out,
        any_genome=True,
        limit=2,
        references="2",
        **options,
    )
    with open_contribs(out) as found:
        assert found.prediction[:] == pytest.approx(number(logits[:2]), rel=1e-4)
        assert found.completeness_error[:].max() < 1e-3
        difference = found.prediction[:] - found.reference_prediction[:]
        assert found.projected[:].sum(1) == pytest.approx(difference, rel=2e-3)
        assert found.run["explained"] == options.get("explain", "logits")
    assert result.windows == 2


def test_contributions_averaged_over_strands_do_not_depend_on_the_strand(tmp_path):
    bed, rows = tmp_path / "both.bed", (EXAMPLE / "regions.bed").read_text().splitlines()[:1]
    bed.write_text("".join("\t".join([*row.split("\t")[:5], strand]) + "\n" for row in rows for strand in "+-"))
    options = {"any_genome": True, "strand": "use", "references": "uniform"}
    for average in (True, False):
        out = tmp_path / f"{average}.h5"
        attribute("yeast-atac", bed, EXAMPLE / "genome.fa", out, rc_average=average, **options)
        with open_contribs(out) as found:
            hypothetical, scale = found.hypothetical[:], np.abs(found.hypothetical[:]).max()
            apart = np.abs(hypothetical[::2] - hypothetical[1::2, ::-1, ::-1]).max() / scale
            assert np.array_equal(found.one_hot[0], found.one_hot[1][::-1, ::-1])
            assert bool(apart < 1e-5) is average
            difference = found.prediction[:] - found.reference_prediction[:]
            assert found.projected[:].sum(1) == pytest.approx(difference, rel=1e-3)


def broken_toy(folder, forward):
    """The gc toy with another forward."""
    body = f"\n\nclass GcContent(Toy):\n    def forward(self, x):\n        {forward}\n"
    toy = make_toy_entry(folder / "toy", "gc", card=False)
    source = next(toy.folder.glob("toy_*.py"))
    source.write_text(source.read_text() + body)
    return toy


@pytest.mark.parametrize("method", ["deepliftshap", "saliency", "ism"])
def test_outputs_that_are_not_finite_are_named_and_nothing_is_left(method, tmp_path, capsys):
    toy = broken_toy(tmp_path, "return x[:, 1:3].mean((1, 2)).sub(9).log().unsqueeze(1) * self.scale")
    out, more = tmp_path / "c.h5", ["--explain", "predictions", "--method", method]
    given = [toy.folder, toy.regions, "-g", toy.genome, "--trust", "-q", "-o", out, *more]
    assert run(["attribute", *map(str, given)]) == 3
    lines = capsys.readouterr().err.splitlines()
    chrom, start, end = toy.regions.read_text().split("\t")[:3]
    assert len(lines) == 3
    assert f"{chrom}:{start}-{end} are not finite" in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_module_that_cannot_be_captured_names_the_way_out(tmp_path, capsys):
    toy = broken_toy(tmp_path, "return (x[:, 1:3] if x.sum() > 0 else x[:, :2]).mean((1, 2)).unsqueeze(1) * self.scale")
    out = tmp_path / "c.h5"
    given = ["attribute", *map(str, [toy.folder, toy.regions, "-g", toy.genome, "--trust", "-o", out])]
    assert run([*given, "-q"]) == 4
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "cannot be captured" in lines[0]
    assert "--fallback integrated_gradients" in lines[2]
    assert run([*given, "--fallback", "integrated_gradients", "--references", "2"]) == 0
    assert "cannot be captured" in capsys.readouterr().err
    with open_contribs(out) as found:
        assert found.run["method"] == "integrated_gradients"
        assert found.completeness_error[:].max() < 1e-3


def test_incomplete_contributions_leave_nothing_unless_they_are_asked_for(tmp_path, capsys):
    """A step has no gradient, and its change no contributions."""
    toy = broken_toy(tmp_path, "return (x[:, 1].sum(1, keepdim=True) > 2).float() + 0 * x.sum((1, 2))[:, None]")
    out = tmp_path / "c.h5"
    given = [
        "attribute",
        *map(str, [toy.folder, toy.regions, "-g", toy.genome, "--trust", "-q", "-o", out]),
        "--method",
        "integrated_gradients",
        "--references",
        "zeros",
    ]
    assert run(given) == 6
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "not complete" in lines[0] and "--allow-incomplete" in lines[2]
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]
    assert run([*given, "--allow-incomplete"]) == 0
    with open_contribs(out) as found:
        assert found.completeness_error[:].max() == pytest.approx(1)


def test_methods_and_options_that_do_not_fit(tmp_path, capsys):
    for arguments, words in (
        (["--method", "salency"], "Fix: --method saliency"),
        (["--method", "ism", "--fallback", "ism"], "needs none"),
        (["--method", "ism", "--references", "5"], "ism has no references"),
        (["--motif", "ACGT"], "--method marginalize"),
        (["--format", "bw"], "--format bw writes .bw"),
    ):
        assert run(["attribute", "yeast-atac", *YEAST, "-o", str(tmp_path / "c.h5"), *arguments]) == 2
        assert words in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_both_strands_are_not_averaged_where_the_card_forbids_it():
    from dataclasses import replace

    from interpret.attribute.explainer import Explainer
    from interpret.attribute.options import AttributeOptions

    model = zoo.load_model("yeast-atac")
    outputs = [output.model_copy(update={"strand": "sense"}) for output in model.card.outputs]
    model = replace(model, card=model.card.model_copy(update={"outputs": outputs}))
    options = AttributeOptions(method="saliency")
    Explainer(model, options, torch.device("cpu"))
    with pytest.raises(UsageError, match="--rc-average: output 'atac' belongs to the strand that is read"):
        Explainer(model, replace(options, rc_average=True), torch.device("cpu"))


def test_unknown_bases_contribute_and_the_file_says_what_no_base_bears(tmp_path):
    """The share of G and C of 16 bp, against nothing: 4 known of them and 4 unknown bases, which count half each."""
    toy = make_toy_entry(tmp_path / "toy", "gc")
    (tmp_path / "g.fa").write_text(">chr1\nACGTNNNNACGTAAAATTTTACGTACGTAAAA\n")
    (tmp_path / "r.bed").write_text("chr1\t0\t16\nchr1\t16\t32\n")
    attribute(
        toy.folder, tmp_path / "r.bed", tmp_path / "g.fa", out := tmp_path / "c.h5", trust=True, references="zeros"
    )
    with open_contribs(out) as found:
        assert found.prediction[:].tolist() == [6 / 16, 4 / 16]
        assert found.projected[:].sum(1) == pytest.approx([4 / 16, 4 / 16], abs=1e-6)
        assert found.file["projection_error"][:] == pytest.approx([2 / 6, 0], abs=1e-5)
        assert found.completeness_error[:].max() < 1e-5
        (note,) = [note for note in found.run["notes"] if note.startswith("unknown bases contribute too")]
    assert "1 of 2 windows misses the difference to the references by 33.3% (median; at most 33.3%" in note


def test_a_model_that_is_no_function_is_refused_before_anything_is_written(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc", card=False)
    (source,) = toy.folder.glob("toy_*.py")
    dropped = "x = nn.functional.dropout(x, 0.3)\n        return x[:, 1:3]"
    source.write_text(source.read_text().replace("return x[:, 1:3]", dropped))
    for method in ("deepliftshap", "ism", "saliency", "ablation", "integrated_gradients", "marginalize"):
        out = tmp_path / ("c.tsv" if method == "marginalize" else "c.h5")
        motif = {"motif": "TGA"} if method == "marginalize" else {}
        with pytest.raises(ModelError, match=r"another number each time.*aten\.bernoulli_.*toy_toy\.py:"):
            attribute(toy.folder, toy.regions, toy.genome, out, trust=True, method=method, **motif)
    assert not list(tmp_path.glob("c.*"))
