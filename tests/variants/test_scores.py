"""Scores of aligned predictions: numbers known by hand, and scipy's."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from zoo.errors import UsageError
from zoo.models.entry import open_entry
from zoo.models.grelu import GreluModule
from zoo.models.scale import Scale, scale_of
from zoo.outputs import OutputSpec
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.scores.genes import Gene, Genes
from zoo.variants.scores.measures import SCORES, default_score, fitting
from zoo.variants.scores.scores import Scores, scores_of_run
from zoo.variants.windows.aligned import Aligned

READS = OutputSpec("coverage", "profile", ("plus", "minus"), 4, units="reads")
CALLS = OutputSpec("calls", "scalar", ("open",), units="probability")


def allele(start=100, ref="A", alt="G"):
    return Allele(Record(0, 1, "chr1", start, ".", ref, (alt,), None, ()), 0, 0, Edit(start, ref, alt))


def aligned(spec, ref, alt, shared=None, first=100):
    ref, alt = np.array(ref, np.float32), np.array(alt, np.float32)
    if spec.kind == "scalar":
        return Aligned({spec.name: ref}, {spec.name: alt}, {}, {})
    kept = np.ones(ref.shape[1], bool) if shared is None else np.array(shared, bool)
    return Aligned({spec.name: ref}, {spec.name: alt}, {spec.name: kept}, {spec.name: first})


def scored(name, spec, ref, alt, *, shared=None, first=100, at=100, gene=None, **options):
    scores = Scores([name] if name else [], [spec], placed=False, **options)
    return scores.of(aligned(spec, ref, alt, shared, first), allele(at), gene)


PROFILE = ([[1, 2, 3, 2], [4, 0, 0, 4]], [[1, 4, 3, 8], [4, 0, 0, 0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("diff", [8, -4]),
        ("log2fc", [1, -1]),
        ("ref", [8, 8]),
        ("alt", [16, 4]),
        ("active", [16, 8]),
        ("max", [6, -4]),
        ("l2", [math.sqrt(2**2 + 6**2), 4]),
    ],
)
def test_counts_are_summed_over_bins(name, expected):
    assert scored(name, READS, *PROFILE).tolist() == pytest.approx(expected)


def test_bins_that_one_allele_lacks_are_left_out_of_both():
    shared = [True, True, True, False]
    assert scored("diff", READS, *PROFILE, shared=shared).tolist() == [2, 0]
    assert scored("log2fc", READS, *PROFILE, shared=shared) == pytest.approx([math.log2(8 / 6), 0])
    assert np.isnan(scored("diff", READS, *PROFILE, shared=[False] * 4)).all()


def test_log2fc_has_no_pseudocount_and_is_missing_where_one_is_zero():
    found = scored("log2fc", READS, [[0, 0, 0, 0], [1, 1, 1, 1]], [[1, 1, 1, 1], [0, 0, 0, 0]])
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("units", "per_unit"),
    [("log reads", 1 / math.log(2)), ("log2 TPM", 1), ("log10 RPKM", math.log2(10)), ("log1p counts", 1 / math.log(2))],
)
def test_log2fc_of_a_logarithm_is_its_difference(units, per_unit):
    spec = OutputSpec("counts", "scalar", ("all",), units=units)
    assert scored("log2fc", spec, [2.5], [4.0]) == pytest.approx([1.5 * per_unit])


def test_logarithms_in_bins_are_summed_as_what_they_are_of():
    spec = OutputSpec("profile", "profile", ("all",), 3, units="log reads")
    reads = np.array([[1, 2, 5]]), np.array([[2, 4, 26]])
    ref, alt = np.log(reads[0]), np.log(reads[1])
    assert scored("log2fc", spec, ref, alt) == pytest.approx([2])
    assert scored("ref", spec, ref, alt) == pytest.approx([math.log(8)])
    plus_one = OutputSpec("profile", "profile", ("all",), 3, units="log(1 + reads)")
    assert scored("alt", plus_one, np.log1p(reads[0]), np.log1p(reads[1])) == pytest.approx([math.log(33)])


def test_logit_of_a_probability():
    assert scored("logit", CALLS, [0.5], [0.8]) == pytest.approx([math.log(4)])
    assert np.isnan(scored("logit", CALLS, [0.5], [1.0])).all()
    sites = OutputSpec("sites", "profile", ("donor",), 3, units="probability")
    found = scored("logit", sites, [[0.5, 0.2, 0.9]], [[0.8, 0.2, 0.0]])  # the last base is deleted
    assert found == pytest.approx([math.log(4) / 2])


@pytest.mark.parametrize("seed", range(5))
def test_jsd_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    ref, alt = rng.gamma(0.3, size=(2, 2, 4)).astype(np.float32)
    ref[0, 1] = 0
    expected = jensenshannon(ref, alt, base=2, axis=1) ** 2
    assert scored("jsd", READS, ref, alt) == pytest.approx(expected, rel=1e-5)


def test_jsd_of_the_logits_of_a_profile_is_that_of_their_softmax():
    spec = OutputSpec("profile", "profile", ("a",), 5, units="logit")
    ref, alt = np.random.default_rng(1).normal(size=(2, 1, 5)) * 3
    shares = [np.exp(one) / np.exp(one).sum() for one in (ref, alt)]
    expected = jensenshannon(*shares, base=2, axis=1) ** 2
    assert scored("jsd", spec, ref, alt + 7) == pytest.approx(expected, rel=1e-5)
    assert default_score("profile", scale_of("logit")) == "jsd"


def test_jsd_ends_at_0_and_1_and_is_missing_without_counts():
    assert scored("jsd", READS, [[1, 1, 0, 0]] * 2, [[0, 0, 2, 9]] * 2).tolist() == [1, 1]
    assert scored("jsd", READS, [[1, 1, 0, 0]] * 2, [[3, 3, 0, 0]] * 2).tolist() == [0, 0]
    assert np.isnan(scored("jsd", READS, [[0, 0, 0, 0]] * 2, [[3, 3, 0, 0]] * 2)).all()


@pytest.mark.parametrize("name", ["diff", "log2fc", "logit", "l2", "jsd", "max"])
def test_what_is_equal_scores_exactly_zero(name):
    values = np.random.default_rng(0).uniform(0.01, 0.99, size=(2, 4)).astype(np.float32)
    sites = OutputSpec("sites", "profile", ("a", "b"), 4, units="probability")
    assert scored(name, sites, values, values.copy()).tolist() == [0, 0]


# ---------------- which bins


def test_a_span_lies_around_the_first_base():
    spec = OutputSpec("p", "profile", ("a",), 11, units="reads")
    alt = [2 ** np.arange(11)]
    ref = np.zeros((1, 11))
    for span, bins in ((1, [5]), (3, [4, 5, 6]), (4, [3, 4, 5, 6]), (501, range(11))):
        found = scored("diff", spec, ref, alt, at=105, span=span)
        assert found.tolist() == [sum(2**i for i in bins)]
    assert np.isnan(scored("diff", spec, ref, alt, at=400, span=5)).all()


def test_a_span_beyond_all_bins_is_said():
    spec = OutputSpec("p", "profile", ("a",), 11, bin_size=32, units="reads")
    assert Scores(["diff"], [spec], span=352).notes == []
    assert Scores(["diff"], [spec], span=353).notes == ["--span 353: p has 352 bp in all, and these are scored"]


def test_a_span_takes_the_bins_that_it_overlaps():
    spec = OutputSpec("p", "profile", ("a",), 4, bin_size=32, units="reads")
    alt = [[1, 10, 100, 1000]]  # bins at 100, 132, 164, 196
    for at, span, expected in ((132, 1, 10), (131, 1, 1), (132, 3, 11), (150, 501, 1111), (163, 2, 10), (164, 2, 110)):
        assert scored("diff", spec, np.zeros((1, 4)), alt, at=at, span=span).tolist() == [expected]


def test_exons_of_the_gene():
    spec = OutputSpec("p", "profile", ("a",), 11, units="reads")
    alt = [2 ** np.arange(11)]
    gene = Gene("G", "G1", 0, 90, 200, "-", ((90, 102), (104, 105), (110, 200)))
    found = scored("diff", spec, np.zeros((1, 11)), alt, gene=gene, exons=True)
    assert found.tolist() == [1 + 2 + 16 + 1024]
    assert np.isnan(scored("diff", spec, np.zeros((1, 11)), alt, exons=True)).all()


def test_genes_are_those_with_an_exon_in_the_bins():
    spec = OutputSpec("p", "profile", ("a",), 10, bin_size=10, offset=50, units="reads")  # of 200 bp
    scores = Scores(["diff"], [spec], exons=True, length=200)
    genes = Genes(
        [
            Gene("upstream", "1", 0, 900, 950, "+", ((900, 950),)),
            Gene("touches", "2", 0, 900, 951, "+", ((900, 951),)),
            Gene("intron", "3", 0, 900, 1200, "+", ((900, 930), (1050, 1200))),
            Gene("last", "4", 0, 1049, 1100, "-", ((1049, 1100),)),
            Gene("behind", "5", 0, 1050, 1100, "-", ((1050, 1100),)),
        ]
    )
    assert [gene.name for gene in scores.genes_of(genes, allele(1000))] == ["touches", "last"]
    inside = Scores(["diff"], [spec])
    assert [gene.name for gene in inside.genes_of(genes, allele(1000))] == ["intron"]


# ---------------- what fits, and what it is called


@pytest.mark.parametrize(
    ("units", "transform", "kind"),
    [
        ("probability", "sigmoid", "probability"),
        ("probability; usage as a fraction of transcripts", "none", "probability"),
        ("DeepBind score through a sigmoid", "sigmoid", "probability"),
        ("logit", "none", "logit"),
        ("logit PSI, deviation from the mean of tissues", "none", "other"),
        ("log reads", "none", "log"),
        ("log10 RPKM, standardised", "none", "other"),
        ("normalised log2(RNA/DNA)", "none", "other"),
        ("Tn5 cuts per bin", "none", "counts"),
        ("fragment centres per bin", "none", "counts"),
        ("reads per bin; CAGE and RNA after Borzoi's squashing", None, "counts"),
        ("reads per bin", "scale:0.1+log1p", "log"),
        ("reads per bin", "arcsinh", "other"),
        ("score", "none", "other"),
        ("TODO: what a value of preds counts", None, "unknown"),
        ("-log10(p-value)", None, "other"),
        ("signal p-value", None, "other"),
        ("arcsinh(reads)", None, "other"),
        ("reads, z-scored", None, "other"),
        ("difference in reads", None, "other"),
        ("log odds", None, "logit"),
        ("log2 fold change", None, "log"),
        ("quantile-normalised reads", None, "counts"),
        ("PSI", None, "probability"),
        ("mean TPM", None, "counts"),
        (None, None, "unknown"),
        (None, "exp", "counts"),
    ],
)
def test_units_of_cards(units, transform, kind):
    assert scale_of(units, transform).kind == kind


def test_bases_of_logarithms():
    assert scale_of("log2(TPM + 1)") == Scale("log", 2.0, True)
    assert scale_of("log10 reads") == Scale("log", 10.0)
    assert scale_of("ln reads") == Scale("log", math.e)


DEFAULTS = {
    "basset": {"accessibility": "logit"},
    "bpnet-k562-ctcf": {"profile": "jsd", "counts": "log2fc"},
    "deepsea-predict": {"features": "logit"},
    "mpra-dragonn": {"activity": "diff"},
    "openspliceai-mane-10000nt": {"splicing": "max"},
    "pangolin": {"splicing": "max"},
    "xpresso-human": {"expression": "diff"},
    "yeast-atac": {"atac": "log2fc"},
    "mini-borzoi": {"coverage": "log2fc"},
    "mmsplice-exon": {"score": "diff"},
    "mtsplice": {"tissue_effect": "diff"},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_of_bundled_entries(name):
    outputs = open_entry(name).card.outputs
    assert {one.name: default_score(one.kind, scale_of(one.units, one.transform)) for one in outputs} == DEFAULTS[name]


def test_every_default_fits_its_output():
    for kind in ("scalar", "profile"):
        for scale in ("probability", "counts", "log", "logit", "other", "unknown"):
            assert default_score(kind, Scale(scale)) in fitting(kind, Scale(scale))


@pytest.mark.parametrize(
    ("name", "spec", "why", "fix"),
    [
        ("log2fc", OutputSpec("y", "scalar", ("t",), units="normalised log2(RNA/DNA)"), "may be negative", "diff"),
        ("log2fc", OutputSpec("y", "scalar", ("t",)), "may be negative", "diff"),
        ("log2fc", OutputSpec("y", "profile", ("t",), 9, units="logit"), "may be negative", "jsd"),
        ("logit", OutputSpec("y", "scalar", ("t",), units="reads"), "no probabilities", "log2fc"),
        ("logit", OutputSpec("y", "scalar", ("t",), units="logit"), "one of log-odds already", "diff"),
        ("jsd", OutputSpec("y", "scalar", ("t",), units="reads"), "not a profile", "log2fc"),
        ("jsd", OutputSpec("y", "profile", ("t",), 9, units="score"), "may be negative", "diff"),
    ],
)
def test_a_score_that_no_output_can_have_is_refused_with_what_fits(name, spec, why, fix):
    with pytest.raises(UsageError, match=why) as refused:
        Scores([name], [spec])
    assert name not in refused.value.extent.partition(":")[2].split(", ")
    assert refused.value.fix.startswith(f"Fix: --score {fix},")
    Scores([fix], [spec])


def test_of_several_outputs_each_is_told_why_none_fits():
    outputs = [
        OutputSpec("p", "profile", ("a",), 9, units="logit"),
        OutputSpec("c", "scalar", ("b",), units="log reads"),
    ]
    with pytest.raises(UsageError) as refused:
        Scores(["logit"], outputs)
    assert "p has logits (logit)" in refused.value.what and "c has logarithms (log reads)" in refused.value.what
    assert "p: diff, l2, jsd" in refused.value.extent and "c: diff, log2fc" in refused.value.extent


def test_of_several_outputs_those_that_fit_are_scored_and_the_others_told():
    scores = Scores(["log2fc", "jsd"], [READS, CALLS])
    names = [one.name for one in scores.columns if "most" not in one.name]
    assert names[:3] == ["log2fc_plus", "log2fc_minus", "log2fc_open"]
    assert names[3:] == ["jsd_plus", "jsd_minus", "placements_differ"]
    assert scores.notes == ["--score jsd: not of calls, which cannot have it"]


def test_unknown_score_and_window_of_scalars():
    with pytest.raises(UsageError, match="no such score") as refused:
        Scores(["lg2fc"], [READS])
    assert "log2fc" in refused.value.extent
    with pytest.raises(UsageError, match="one number a window"):
        Scores([], [CALLS], span=501)
    with pytest.raises(UsageError, match="not known"):
        Scores([], [OutputSpec("p", "profile", ("a",), 5, placed=False)], span=501)
    with pytest.raises(UsageError, match="give one of them"):
        Scores([], [READS], span=501, exons=True)


def test_names_of_columns_are_keys_of_info():
    tracks = ("CAGE:x (CNhs1+)", "CAGE:x (CNhs1-)", "a b", "a_b", "T/NK cells", "día")
    spec = OutputSpec("y", "scalar", tracks, units="reads")
    names = [one.name for one in Scores(["diff"], [spec]).columns]
    assert names == [
        "diff_CAGE_x_CNhs1_plus",
        "diff_CAGE_x_CNhs1_minus",
        "diff_a_b",
        "diff_a_b_2",
        "diff_T_NK_cells",
        "diff_d_a",
    ]
    other = OutputSpec("z", "scalar", ("a_b",), units="reads")
    assert [one.name for one in Scores(["ref"], [OutputSpec("y", "scalar", ("a_b",)), other]).columns] == [
        "ref_y_a_b",
        "ref_z_a_b",
    ]


def test_columns_are_as_many_as_numbers_and_say_what_they_are():
    scores = Scores(list(SCORES), [OutputSpec("p", "profile", ("a", "b"), 4, units="probability")])
    found = scores.of(_probabilities(), allele())
    assert found.shape == (len(scores.columns),) and found.dtype == np.float32
    column = next(one for one in scores.columns if one.name == "logit_a")
    assert (column.score, column.output, column.track, column.units) == ("logit", "p", "a", "log-odds ratio")
    assert "all 4 bins" in column.description


def _probabilities():
    spec = OutputSpec("p", "profile", ("a", "b"), 4)
    return aligned(spec, np.full((2, 4), 0.25), np.full((2, 4), 0.5))


# ---------------- a run


@dataclass
class Card:
    outputs: list = field(default_factory=list)


@dataclass
class Model:
    outputs: tuple
    card: Card | None = None
    name: str = "toy"
    length: int = 200
    info: dict = field(default_factory=dict)
    module: object = None


@dataclass
class Described:
    units: str | None = None
    transform: str | None = None
    strand: object = "unstranded"


def test_units_are_the_cards_and_a_transform_says_more():
    spec = OutputSpec("binding", "scalar", ("a",), units="a score")
    model = Model((spec,), Card([Described("a score", "sigmoid")]))
    assert scores_of_run(model, model.outputs).columns[0].score == "logit"
    assert scores_of_run(Model((spec,)), (spec,)).columns[0].score == "diff"


@pytest.mark.parametrize(("activation", "score"), [("exp", "log2fc"), ("sigmoid", "logit"), ("identity", "diff")])
def test_a_grelu_checkpoint_without_card_is_known_by_its_activation(activation, score):
    spec = OutputSpec("preds", "scalar", ("a",))
    module = GreluModule(torch.nn.Identity(), activation)
    model = Model((spec,), info={"framework": "grelu"}, module=module)
    assert scores_of_run(model, (spec,)).columns[0].score == score
    described = Model((spec,), Card([Described("reads")]), info={"framework": "grelu"}, module=module)
    assert scores_of_run(described, (spec,), ["diff"]).columns[0].units == "reads"


def test_a_model_that_reads_a_strand_needs_genes():
    spec = OutputSpec("splicing", "profile", ("neither", "acceptor", "donor"), 101, offset=50, units="probability")
    model = Model((spec,), Card([Described("probability", strand="sense")]))
    with pytest.raises(UsageError, match="strand: sense") as refused:
        scores_of_run(model, (spec,), splicing=True)
    assert "--genes" in refused.value.fix
    scores = scores_of_run(model, (spec,), genes=True, span=5)
    assert "5 bp around" in scores.columns[0].description


def test_genes_of_a_model_without_strand_are_exons():
    spec = OutputSpec("p", "profile", ("a",), 10, bin_size=10, offset=50, units="reads")
    scores = scores_of_run(Model((spec,)), (spec,), genes=True)
    assert "exons" in scores.columns[0].description
    with pytest.raises(UsageError, match="--mask"):
        scores_of_run(Model((spec,)), (spec,), splicing=True, mask=True)


@pytest.mark.parametrize(
    ("units", "names", "told"),
    [
        ("reads per bin; CAGE and RNA after Borzoi's squashing", (), True),
        ("reads per bin, soft-clipped", ("log2fc", "diff"), True),
        ("square root of reads", ("log2fc",), True),
        ("reads per bin; CAGE and RNA after Borzoi's squashing", ("diff", "l2"), False),
        ("Tn5 cuts per bin", (), False),
    ],
)
def test_a_fold_change_of_squashed_counts_is_told(units, names, told):
    squashed = OutputSpec("coverage", "profile", ("a",), 4, units=units)
    notes = Scores(names, [squashed, OutputSpec("reads", "profile", ("b",), 4, units="reads")]).notes
    assert [f"log2fc of coverage is that of its own numbers ({units})" in note for note in notes] == [True] * told


def test_a_target_whose_root_was_trained_on_is_squashed():
    assert scale_of("Tn5 cuts per bin", "sqrt") == Scale("counts", squashed=True)
    assert scale_of("Tn5 cuts per bin", "scale:2") == Scale("counts")
