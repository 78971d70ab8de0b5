"""What the pages say: numbers that were worked out by hand from the cards, rules of facets, commands that run."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_pages import read
from toys import make_toy_entry

import zoo
from zoo.cards.schema import Card
from zoo.gallery.bibtex import bibtex, doi_of
from zoo.gallery.charts import Bar, Chart, charts_of, number, shared_charts
from zoo.gallery.collect import Item, collect
from zoo.gallery.commands import snippets_of
from zoo.gallery.drawing import spans_of
from zoo.gallery.facets import FACETS, facet_values, licence_name
from zoo.gallery.facts import n_parameters, runs_of, warnings_of
from zoo.gallery.prose import first_paragraph, html_of
from zoo.gallery.track import examples_of, place_in_genome
from zoo.store.sources import add_source

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bundled():
    items, _ = collect()
    return {item.name: item for item in items}


def spans(item, record=None):
    return spans_of(item, record or item.records[0])


# ---------------------------------------------------------------- window, crop, bins


@pytest.mark.parametrize(
    ("name", "output", "length", "before", "bin_size", "n_bins", "after"),
    [
        ("yeast-atac", "atac", 1280, 128, 32, 32, 128),  # 128 + 32 x 32 + 128
        ("bpnet-k562-ctcf", "profile", 2114, 557, 1, 1000, 557),
        ("mini-borzoi", "coverage", 131072, 32768, 32, 2048, 32768),  # 32768 + 65536 + 32768
        ("grelu-enformer-human", "preds", 196608, 40960, 128, 896, 40960),  # 896 x 128 = 114688
        ("grelu-borzoi-human-rep0", "preds", 524288, 163840, 32, 6144, 163840),
        ("spliceai", "splicing", 15000, 5000, 1, 5000, 5000),
    ],
)
def test_windows_by_hand(bundled, name, output, length, before, bin_size, n_bins, after):
    span = next(one for one in spans(bundled[name]) if one.name == output)
    assert (span.length, span.before, span.bin_size, span.n_bins, span.after) == (
        length,
        before,
        bin_size,
        n_bins,
        after,
    )
    assert span.before + span.covered + span.after == length


def test_a_window_in_words_and_in_its_drawing(site):
    text = (site / "models/yeast-atac.html").read_text()
    assert "32 bins of 32 bp (1,024 bp) for 1 track; 128 bp before and 128 bp after them are context" in text
    # Of 1,000 units: 128 / 1280 is 100, 1024 / 1280 is 800; the first edge between bins lies at 160 / 1280.
    assert '<rect class="predicted" x="100.0" y="26" width="800.0" height="18"/>' in text
    assert '<path class="edges" d="M125.0 26V44M150.0 26V44' in text and text.count("26V44") == 31
    assert "bins: 128 to 1,152" in text


def test_models_of_a_group_differ_in_their_windows(bundled):
    item = bundled["openspliceai"]
    found = {record["name"].rpartition("-")[2]: spans(item, record)[0] for record in item.records}
    # 5,000 bases with 40, 200, 1,000 and 5,000 of context at either side
    assert {name: (span.length, span.before, span.after) for name, span in found.items()} == {
        "80nt": (5080, 40, 40),
        "400nt": (5400, 200, 200),
        "2000nt": (7000, 1000, 1000),
        "10000nt": (15000, 5000, 5000),
    }


def test_where_bins_lie_is_not_guessed(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "profile", card=False)
    from zoo.cards.kipoi import read_model
    from zoo.store.index import describe

    record = describe(toy.folder)
    span = spans(Item("toy", (record,), "x", None, toy.folder, read_model(toy.folder)))[0]
    assert span.n_bins == 6 and (span.before, span.after, span.covered) == (None, None, None)
    assert span.text == "6 bins for 1 track; where they lie in the window of 40 bp is not stated"


def test_a_card_that_contradicts_itself_is_not_drawn(bundled):
    item = bundled["yeast-atac"]
    record = item.records[0] | {"outputs": [item.records[0]["outputs"][0] | {"offset": 300}]}  # 300 + 1024 > 1280
    assert "is not stated" in spans(item, record)[0].text


# ---------------------------------------------------------------- charts


def test_a_metric_is_one_chart_with_all_its_baselines(bundled):
    charts = charts_of(bundled["yeast-atac"].records)
    assert [(chart.title, chart.n, chart.split) for chart in charts] == [
        ("pearson log1p 32bp", 24736, "test"),
        ("pearson log1p 512bp", 1546, "test"),
    ]
    assert [(bar.label, bar.text) for bar in charts[0].bars] == [
        ("this model", "0.661 [0.617, 0.702]"),
        ("ridge regression on GC and dinucleotides", "0.330"),
        ("mean profile of training windows", "0.009"),
    ]
    assert charts[0].range == (0, 1) and charts[0].at(0.6612) == 661.2 and charts[0].at(0) == 0


def test_axes_by_hand():
    def chart(*values, ci=None):
        return Chart("m", "o", "s", tuple(Bar("b", value, ci) for value in values))

    assert chart(0.2, 0.9).range == (0, 1) and chart(1.2).range == (0, 2) and chart(2.2).range == (0, 2.5)
    assert chart(30).range == (0, 50) and chart(-0.25).range == (-0.25, 0) and chart(0.0).range == (0, 0)
    assert chart(-0.3, 0.5).range == (-0.5, 1) and chart(-0.3, 0.5).at(0) == 333.3
    assert chart(0.5, ci=(-0.1, 1.5)).range == (-0.1, 2)
    assert chart(math.nan, 0.5).range == (0, 1) and chart(math.nan).at(math.nan) == 0
    assert chart(0.5).at(0.5) == 500 and chart(0.0).at(0.0) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.66123, "0.661"),
        (0.9, "0.900"),
        (1.0, "1"),
        (24.0, "24"),
        (0, "0"),
        (-0.009, "−0.009"),
        (12345.6, "1.23e+04"),
        (0.0001, "0.0001"),
        (math.nan, "not a number"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_the_chart_says_its_numbers_to_who_does_not_see_it(site):
    page = read(site / "models/yeast-atac.html")
    labels = [attrs["aria-label"] for tag, attrs in page.tags if tag == "svg"]
    assert "this model: 0.661 [0.617, 0.702]" in labels
    assert labels[
        0
    ] == "Window of 1,280 bp: 32 bins of 32 bp (1,024 bp) for 1 track; 128 bp before and 128 bp after " + (
        "them are context"
    )


def test_only_what_was_measured_on_the_same_data_stands_in_one_table():
    def record(name, value, split="test", metric="r"):
        return {"name": name, "evaluation": [{"metric": metric, "output": "y", "split": split, "value": value}]}

    records = [record("a", 0.1), record("b", 0.2), record("c", 0.3, "other"), record("d", 0.4, metric="alone")]
    found = shared_charts([*records, {"name": "e", "evaluation": []}], {"a": "a.html"})
    assert list(found) == ["r"]
    assert [[(bar.model, bar.href) for bar in chart.bars] for chart in found["r"]] == [
        [("a", "a.html"), ("b", "")],
        [("c", "")],
    ]
    assert shared_charts(records[2:], {}) == {}


def test_a_comparison_has_the_metrics_of_the_cards(site):
    text = read(site / "compare.html").text
    assert "area under the precision-recall curve, acceptors" in text
    rows = [attrs["data-model"] for tag, attrs in read(site / "compare.html").tags if "data-model" in attrs]
    assert {"spliceai", "ci-spliceai", "openspliceai-mane-80nt"} <= set(rows)
    assert "mpra-dragonn" not in rows  # its metric is nobody else's


# ---------------------------------------------------------------- the example's track


def test_places_by_hand():
    place = place_in_genome("chrI_30000_80000", 904, 1928, 50000)
    assert place.real and place.text == "chrI:30,905-31,928"
    assert place_in_genome("chrI:30001-80000", 904, 1928, 50000) == place
    assert place_in_genome("chrI:30000-80000", 904, 1928, 50000) == place
    assert place_in_genome("NC_001133.9_30000_80000", 0, 10, 50000).chrom == "NC_001133.9"
    for contig, length in (("chrI_30000_80000", 1000), ("chrI_30000_80000", None), ("chrRandom0", 50000), ("x_1_2", 5)):
        found = place_in_genome(contig, 904, 1928, length)
        assert not found.real and (found.chrom, found.start, found.end) == (contig, 904, 1928)
    assert place_in_genome("chrI", 904, 1928, 230218, "sacCer3").text == "chrI:905-1,928"
    assert place_in_genome("I", 904, 1928, 230218, "sacCer3").real
    for length, assembly in ((50000, "sacCer3"), (230218, "hg38"), (230218, None), (None, "sacCer3"), (230218, "x1")):
        assert not place_in_genome("chrI", 904, 1928, length, assembly).real  # another chromosome, or a part of it


def test_the_example_of_yeast_lies_where_it_was_cut(bundled):
    """Region 31166-31666 of chrI, which is whole: centre 31416, window from 30776, bins from 30904 to 31928."""
    import h5py

    item = bundled["yeast-atac"]
    example = examples_of(item, item.records[0])[0]
    assert (example.region, example.place.text, example.place.real) == ("YAL062W_promoter", "chrI:30,905-31,928", True)
    with h5py.File(item.folder / "example/expected.h5") as file:
        values = file["preds"][0, 0]
    line = example.lines[0]
    assert line.high == pytest.approx(values.max()) and line.low == 0
    heights = [float(one) for one in re.findall(r"V([\d.]+)", line.points)]
    assert heights == pytest.approx(120 * (1 - values / values.max()), rel=1e-3)
    assert [float(one) for one in re.findall(r"H([\d.]+)", line.points)] == [31.25 * i for i in range(1, 33)]
    assert not example.more_tracks and example.kept is None and not example.reverse


def test_bins_that_the_example_does_not_hold_are_not_drawn(bundled):
    item = bundled["mini-borzoi"]
    example = examples_of(item, item.records[0])[0]
    assert (example.kept, example.n_bins, example.more_tracks) == (67, 2048, 70)
    assert example.lines[0].points.count("M") == 67 and example.lines[0].separate and not example.place.real


def test_values_of_a_scalar_are_a_table(bundled):
    import h5py

    item = bundled["mpra-dragonn"]
    example = examples_of(item, item.records[0])[0]
    with h5py.File(item.folder / "example/expected.h5") as file:
        values = file["preds"][()]
    assert [row[2] for row in example.rows] == [tuple(row[:4]) for row in values.astype(float)]
    assert example.more_tracks == 8 and not example.real


def test_a_model_of_a_group_has_its_own_row(bundled):
    import h5py

    item = bundled["deepbind"]
    record = next(one for one in item.records if one["name"].endswith("D00328.018_ChIP-seq_CTCF"))
    example = examples_of(item, record)[0]
    with h5py.File(item.folder / "example/expected.h5") as file:
        row = file["models"].asstr()[()].tolist().index("Homo_sapiens/TF/D00328.018_ChIP-seq_CTCF")
        assert [one[2][0] for one in example.rows] == file["preds"][row, :, 0].astype(float).tolist()


def test_toys_on_both_strands(tmp_path):
    """A model that reads the strand: on - its first bin lies at the right."""
    toy = make_toy_entry(tmp_path / "toy", "profile", loader_args={"use_strand": True})
    from zoo.cards.card import card_of
    from zoo.cards.kipoi import read_model
    from zoo.store.index import describe

    item = Item("toy", (describe(toy.folder),), "x", None, toy.folder, read_model(toy.folder), card_of(toy.folder))
    forward = examples_of(item, item.records[0])[0]
    fields = [line.split("\t") for line in toy.regions.read_text().splitlines()]
    toy.regions.write_text("".join("\t".join([*row[:3], row[3] if row[3:] else ".", "0", "-\n"]) for row in fields))
    reverse = examples_of(item, item.records[0])[0]
    assert reverse.reverse and not forward.reverse
    assert reverse.place == forward.place and reverse.place.end - reverse.place.start == 24  # 6 bins of 4 bp
    heights = [re.findall(r"V([\d.]+)", one.lines[0].points) for one in (forward, reverse)]
    assert len(heights[0]) == 6 and heights[0] == heights[1][::-1]


# ---------------------------------------------------------------- facets


def values(item, record=None):
    return facet_values(item, record or item.records[0])


def test_facets_of_bundled_entries_are_what_they_state(bundled):
    found = {name: values(item) for name, item in bundled.items() if not item.is_group}
    assert found["yeast-atac"] | {"source": []} == {
        "checked": ["verified"],
        "task": ["DNA accessibility"],
        "assay": ["ATAC-seq"],
        "species": ["Yeast (budding)"],
        "cell": ["not applicable"],
        "architecture": ["convolutional", "dilated", "residual"],
        "length": ["1,001 to 5,000 bp"],
        "licence": ["MIT"],
        "framework": ["pytorch"],
        "source": [],
    }
    assert found["bpnet-k562-ctcf"]["cell"] == ["K562"] and found["bpnet-k562-ctcf"]["assay"] == ["ChIP-seq"]
    assert found["mpra-dragonn"]["cell"] == ["HepG2", "K562"]  # names of its tracks
    assert found["xpresso-mouse"]["species"] == ["Mouse"] and found["spliceai"]["licence"] == ["CC-BY-NC-4.0"]
    assert found["basset"]["checked"] == ["not verified"]
    assert found["basset"]["cell"] == ["K562", "164 human cell types"]
    assert found["spliceai"]["architecture"] == ["SpliceAI", "convolutional", "dilated", "residual"]
    assert found["mmsplice-donor"]["architecture"] == ["MMSplice", "dense"]  # no convolution in its file
    assert all(one["architecture"] and one["cell"] for one in found.values())
    assert all(set(one) == {facet.key for facet in FACETS} for one in found.values())


def test_a_model_of_a_group_has_the_facets_of_its_row(bundled):
    item = bundled["deepbind"]
    found = {record["name"].rpartition("/")[2]: values(item, record) for record in item.records}
    assert found["D00328.003_SELEX_CTCF"]["assay"] == ["HT-SELEX"]
    assert found["D00328.018_ChIP-seq_CTCF"]["assay"] == ["ChIP-seq"]
    assert found["D00273.001_RNAcompete_An_0265"]["species"] == ["Aspergillus nidulans"]
    assert {tuple(one["architecture"]) for one in found.values()} == {("DeepBind", "convolutional")}
    # In vitro there is no cell; of ChIP-seq there was one, and Kipoi's names do not say which.
    assert {(one["assay"][0], *one["cell"]) for one in found.values()} == {
        ("ChIP-seq",),
        *((assay, "not applicable") for assay in ("HT-SELEX", "Protein binding microarray", "RNAcompete")),
    }
    assert sum(one["species"] == ["Human"] for one in found.values()) == 617  # rows of models.tsv
    assert sum(one["species"] == ["Mouse"] for one in found.values()) == 172


def entry(**changes):
    facts = {
        "name": "x",
        "summary": "",
        "assembly": None,
        "input_length": None,
        "outputs": [],
        "tags": [],
        "license": None,
        "framework": "pytorch",
        "verification": None,
    }
    return facts | changes


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"name": "a/CTCF_K562"}, "cell", ["K562"]),
        ({"name": "a/CTCF_K562b"}, "cell", []),  # no whole word
        ({"name": "atac"}, "assay", []),  # no name of an assay
        ({"name": "my-atac-seq"}, "assay", ["ATAC-seq"]),
        ({"name": "scATACseq_x"}, "assay", ["ATAC-seq"]),
        ({"name": "rnaseq_input"}, "assay", []),
        ({"name": "damage"}, "assay", []),
        ({"name": "x_CAGE"}, "assay", ["CAGE"]),
        ({"summary": "trained on human ChIP-seq of K562"}, "assay", []),  # without a card a summary is an abstract
        ({"assembly": "GRCh38"}, "species", ["Human"]),
        ({"assembly": "mm10"}, "species", ["Mouse"]),
        ({"assembly": "hs1"}, "species", []),
        ({"name": "superhuman"}, "species", []),
        ({"name": "Danio_rerio/x"}, "species", ["Zebrafish"]),
        ({"name": "bassett"}, "architecture", []),
        ({"name": "my-Enformer"}, "architecture", ["Enformer"]),
        ({"name": "my-Enformer", "architecture": ["attention"]}, "architecture", ["Enformer", "attention"]),
        ({"name": "x_K562", "cell_types": ["K562", "heart"]}, "cell", ["K562", "heart"]),
        ({"name": "x_K562", "cell_types": ["not applicable"]}, "cell", ["not applicable"]),
        ({"input_length": 200}, "length", ["up to 200 bp"]),
        ({"input_length": 201}, "length", ["201 to 1,000 bp"]),
        ({"input_length": 524288}, "length", ["over 200,000 bp"]),
        ({}, "length", []),
        ({"license": "Apache License v2"}, "licence", ["Apache-2.0"]),
        ({}, "licence", []),
        ({}, "checked", []),
        ({"verification": {"status": "partly"}}, "checked", ["partly verified"]),
    ],
)
def test_rules_of_facets(changes, key, expected):
    record = entry(**changes)
    assert facet_values(Item("x", (record,), "s"), record)[key] == expected


def test_the_first_place_decides(bundled):
    """The name of a model says more than its tracks: a model of CTCF in K562 with tracks of controls in HepG2."""
    outputs = [{"name": "y", "tracks": ["control_HepG2"]}]
    record = entry(name="ctcf-k562", outputs=outputs)
    assert facet_values(Item("x", (record,), "s"), record)["cell"] == ["K562"]
    record = entry(name="ctcf", outputs=outputs)
    assert facet_values(Item("x", (record,), "s"), record)["cell"] == ["HepG2"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mit", "MIT"),
        ("BSD 3-Clause", "BSD-3-Clause"),
        ("GPL-v3", "GPL-3.0"),
        ("GPL-2", "GPL-2"),
        ("CC-BY 3.0", "CC-BY-3.0"),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("CC-BY-ND", "CC-BY-ND"),
        ("Non-comercial", "non-commercial"),
        ("MIT, see file", "MIT, see file"),
        ("", None),
        (None, None),
    ],
)
def test_spellings_of_licences(text, name):
    assert licence_name(text) == name


# ---------------------------------------------------------------- prose, BibTeX, cost


def test_prose_keeps_markdown_and_nothing_else():
    html = str(html_of("# A *b*\n\n## C\n\n1. `x<y`\n2. [z](https://e.org)\n\n```\n<b>\n```\n\n<b>hi</b> &amp; &lt;\n"))
    assert "<h3>A <em>b</em></h3>" in html and "<h3>C</h3>" in html and "<code>x&lt;y</code>" in html
    assert '<a href="https://e.org" rel="noopener noreferrer">z</a>' in html
    assert "&lt;b&gt;hi&lt;/b&gt; &amp; &lt;" in html
    assert str(html_of("[a](x.md) [b](#c) [c](//e.org) [d](https:///x) <http://ok.org>")).count("<a ") == 1
    assert str(html_of("[a][1]\n\n[1]: javascript:x")) == "<p>a</p>\n"
    nested = str(html_of("[![i](https://e.org/p.png)](javascript:x)"))
    assert nested.count("<a ") == nested.count('<a href="https://e.org/p.png"') == 1


def test_the_first_paragraph():
    text = "## H\n\nOne *two* [three](https://e.org),\nfour `five`.\n\nSix"
    assert first_paragraph(text) == "One two three, four five."
    assert first_paragraph("## H\n\n```\ncode\n```\n") == "" and first_paragraph("") == ""


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("https://doi.org/10.1101/gr.200535.115", "10.1101/gr.200535.115"),
        ("doi: 10.1038/nbt.3300", "10.1038/nbt.3300"),
        ("10.1016/j.cell.2018.12.015", "10.1016/j.cell.2018.12.015"),
        ("https://example.org/10.1/x", None),
        ("see 10.1038/nbt.3300 and others", None),
        ("10.1038/a}b", None),
        (None, None),
    ],
)
def test_dois(text, doi):
    assert doi_of(text) == doi


def test_bibtex_by_hand():
    record = {"name": "my_model/1", "authors": ["Ada Lovelace", "Žiga & Co {x}"], "version": "1.0.0"}
    assert bibtex(record | {"cite_as": "https://doi.org/10.1038/nbt.3300"}) == (
        "@misc{my-model-1,\n"
        "  author = {Ada Lovelace and Žiga \\& Co \\{x\\}},\n"
        "  title = {my\\_model/1: a sequence-to-function model},\n"
        "  version = {1.0.0},\n"
        "  doi = {10.1038/nbt.3300},\n"
        "  url = {https://doi.org/10.1038/nbt.3300}\n}"
    )
    assert "note = {Smith 2019, 50\\%}" in bibtex(record | {"cite_as": "Smith 2019, 50%"})
    assert "year" not in bibtex(record | {"cite_as": "Smith 2019"})
    bare = bibtex({"name": "x", "authors": [], "version": "-", "cite_as": "javascript:x"})
    assert bare == "@misc{x,\n  title = {x: a sequence-to-function model},\n  note = {javascript:x}\n}"


def test_measured_cost(tmp_path):
    run = {
        "device": "cpu",
        "hardware": "Xeon",
        "threads": 1,
        "precision": "float32",
        "batch_size": 32,
        "windows": 512,
        "windows_per_second": 812.04,
        "peak_memory_bytes": 412000000,
        "versions": {},
        "date": "2026-11-29",
        "command": "zoo benchmark yeast-atac",
    }
    document = {"schema_version": 1, "parameters": 91620, "runs": [run, run | {"threads": None, "busy": True}]}
    (tmp_path / "benchmark.json").write_text(json.dumps(document))
    found, busy = runs_of(tmp_path)
    assert n_parameters(tmp_path) == 91620 and not found.busy and (busy.busy, busy.machine) == (True, "cpu: Xeon")
    assert (found.machine, found.windows_per_second, found.peak_memory) == ("cpu: Xeon, 1 thread", "812", "412.0 MB")
    for text in ("", "[]", '{"runs": [{}]}', '{"runs": 3}', "\x00"):
        (tmp_path / "benchmark.json").write_text(text)
        assert runs_of(tmp_path) == [] and n_parameters(tmp_path) is None
    assert runs_of(None) == [] and n_parameters(None) is None


def test_what_a_user_must_know_first():
    facts = {"deprecated": {"by": "x@2.0.0", "reason": "It is slow."}, "licence_note": "not for sale"}
    assert warnings_of(Item("x", (facts,)), facts) == ["Deprecated: It is slow. Use x@2.0.0.", "Licence: not for sale"]
    for withdrawn in ("wrong weights", {"reason": "wrong weights"}):
        assert warnings_of(Item("x", ({},)), {"withdrawn": withdrawn}) == ["Withdrawn: wrong weights"]
    assert warnings_of(Item("x", ({},)), {"deprecated": None, "licence_note": None}) == []


def test_base_models_in_both_directions(site):
    child, base = read(site / "models/yeast-nucleosomes.html"), read(site / "models/yeast-atac.html")
    assert "yeast-atac@1.0.0 yeast-nucleosomes" in child.text and "../models/yeast-atac.html" in child.values("href")
    assert "../models/yeast-nucleosomes.html" in base.values("href")
    page = read(site / "models/grelu-human-atac-catlas.html")
    assert "Genentech/enformer-model grelu-human-atac-catlas" in page.text
    assert "bases" not in read(site / "models/spliceai.html").ids


def test_cards_that_name_each_other_do_not_hang():
    from zoo.gallery.bases import ancestry

    def card(name, base):
        training = {"data": [], "base_model": base}
        output = {"name": "y", "kind": "scalar", "tracks": ["y"]}
        facts = {"schema_version": 1, "name": name, "version": "1.0.0", "summary": "", "input": {"length": 1}}
        return Item(name, ({"name": name},), card=Card(**facts, outputs=[output], training=training))

    items = [card("a", "b@1.0.0"), card("b", "a"), card("c", "c")]
    chain, made = ancestry(items[0], items, {"a": "a.html", "b": "b.html", "c": "c.html"})
    assert [node.name for node in chain] == ["a", "b@1.0.0", "a"] and [node.name for node in made] == ["b"]
    assert [node.name for node in ancestry(items[2], items, {"c": "c.html"})[0]] == ["c", "c"]


# ---------------------------------------------------------------- commands


def snippet(item, label, record=None):
    found = [one.text for one in snippets_of(item, record or item.records[0]) if one.label == label]
    return found[0] if found else None


def test_commands_run_as_they_stand(bundled, zoo_program, tmp_path):
    item = bundled["yeast-atac"]
    example = item.folder / "example"
    (tmp_path / "regions.bed").write_bytes((example / "regions.bed").read_bytes())
    (tmp_path / "sacCer3.fa").write_bytes((example / "genome.fa").read_bytes())
    environment = {"PATH": f"{zoo_program.parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    shell = snippet(item, "Command line")
    assert shell == "zoo predict yeast-atac regions.bed \\\n    -g sacCer3.fa -o predictions.bw"
    subprocess.run(["sh", "-ec", shell], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "predictions.bw").is_file()
    program = snippet(item, "Python") + "\nprint(values.shape)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "(12, 1, 32)"


def test_commands_are_those_of_the_model(bundled):
    assert "zoo pull spliceai\nzoo predict spliceai" in snippet(bundled["spliceai"], "Command line")
    assert snippet(bundled["spliceai"], "Command line").endswith("-g hg19.fa -o predictions.h5")
    assert snippet(bundled["basset"], "Command line").endswith("-g hg19.fa -o predictions.tsv")
    assert 'model$predict_regions("regions.bed", "hg38.fa")' in snippet(bundled["mtsplice"], "R")
    assert 'kipoi.get_model("yeast_atac_kipoi", source="dir")' in snippet(bundled["yeast-atac"], "Kipoi")
    assert snippet(bundled["deepbind"], "Kipoi") is None and snippet(bundled["spliceai"], "gReLU") is None
    assert "zoo export yeast-atac --to grelu yeast-atac-grelu" in snippet(bundled["yeast-atac"], "gReLU")
    assert "grelu-enformer-human" in snippet(bundled["grelu-enformer-human"], "gReLU")


def test_commands_of_a_source(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "config"))
    make_toy_entry(tmp_path / "models" / "a b; rm -rf x", "gc", card=False)
    add_source("mine", str(tmp_path / "models"), trust=False)
    items, _ = collect(["mine"])
    item = next(one for one in items if one.source == "mine")
    text = snippet(item, "Command line")
    assert text.startswith("zoo source add mine FOLDER\nzoo predict 'mine/a b; rm -rf x' regions.bed")
    assert str(tmp_path) not in text  # where somebody keeps it is nobody's business
    assert 'zoo.load_model("mine/a b; rm -rf x")' in snippet(item, "Python")


def test_every_source_is_named_in_an_error():
    from zoo.errors import UsageError

    with pytest.raises(UsageError, match="no source named 'nosuch'"):
        zoo.gallery("site", source=["nosuch"])
    with pytest.raises(UsageError, match="no source named 'nosuch'"):
        zoo.gallery("site", source="nosuch")
    assert not Path("site").exists()


def test_an_entry_that_cannot_be_read_is_told_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "config"))
    make_toy_entry(tmp_path / "models" / "good", "gc")
    make_toy_entry(tmp_path / "models" / "bad", "gc", card={"version": "one"})
    add_source("mine", str(tmp_path / "models"), trust=False)
    said = []
    items, records = collect(["mine"], said.append)
    assert [item.name for item in items if item.source == "mine"] == ["mine/good"]
    assert len(records) == len(zoo.entries()) + 1
    assert len(said) == 1 and said[0].startswith("mine: 1 entry cannot be read and left out; first: ")
