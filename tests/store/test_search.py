"""Searching: what a person wants stands first. The expected orders are what a person would want, not what was found."""

from __future__ import annotations

import itertools
import random

import pytest

from zoo.store.search import search


def entry(name, summary="", tracks=(), tags=(), authors=(), assembly=None, status=None, deprecated=None):
    record = {"name": name, "summary": summary, "tags": list(tags), "authors": list(authors), "assembly": assembly}
    record |= {"license": "MIT", "framework": "pytorch", "deprecated": deprecated, "path": name}
    record["outputs"] = [{"name": "preds", "tracks": list(tracks)}]
    record["verification"] = {"status": status} if status else None
    if name.startswith("kipoi/"):
        record["source"] = "kipoi"
    return record


SPLICING, CTCF = ["RNA splicing"], "deepbind/Homo_sapiens/TF/D00328.018_ChIP-seq_CTCF"
CTCFL = "deepbind/Homo_sapiens/TF/D00753.001_ChIP-seq_CTCFL"
YEAST_RBP = "deepbind/Saccharomyces_cerevisiae/RBP/D00136.001_RNAcompete_NAB2"
SEA = ("K562|DNase|None", "K562|CTCF|None", "GM12878|DNase|None")
CATALOGUE = [
    entry("a-split-answer", tracks=["K562 H3K4me3", "HepG2 DNase"], status="verified"),
    entry("bpnet-k562-ctcf", tracks=["CTCF plus", "CTCF minus"], authors=["Ziga Avsec"], status="verified"),
    entry("ci-spliceai", tags=SPLICING, tracks=["acceptor", "donor"], status="verified"),
    entry(CTCF, "DeepBind: binding of CTCF (human, Homo sapiens).", ["CTCF_ChIP-seq"], status="verified"),
    entry(CTCFL, "DeepBind: binding of CTCFL (human, Homo sapiens).", ["CTCFL_ChIP-seq"], status="verified"),
    entry(YEAST_RBP, "DeepBind: binding of NAB2 (budding yeast).", ["NAB2_RNAcompete"], status="verified"),
    entry("deepsea-predict", "919 chromatin features.", SEA, assembly="hg19", status="unverified"),
    entry("kipoi/DeepSEA/predict", "919 chromatin features.", SEA),
    entry("kipoi/rbp_eclip/AARS", "in K562 cells, without DNase"),
    entry("mmsplice-donor", tags=SPLICING, status="verified"),
    entry("mpra-dragonn", "Activity of regulatory sequence in MPRA.", ["K562_minP"], status="verified"),
    entry("openspliceai-mane-400nt", tags=SPLICING, status="verified"),
    entry("pangolin", "Usage of splice sites in four tissues.", ["P(splice)_brain"], SPLICING, status="verified"),
    entry("retired-ctcf", status="verified", deprecated={"reason": "old", "replacement": None}),
    entry("sharpr-mpra-like", "A parser of MPRA."),
    entry("spliceai", tags=SPLICING, tracks=["acceptor", "donor"], assembly="hg38", status="verified"),
    entry("yeast-atac", "Accessibility of budding yeast.", ["atac_cuts"], assembly="sacCer3", status="verified"),
    entry("yeast-nucleosomes", "Nucleosomes of budding yeast.", ["mononucleosomes"], assembly="sacCer3"),
]
FIRST = {
    "CTCF": ["bpnet-k562-ctcf", CTCF, "retired-ctcf", "deepsea-predict", "kipoi/DeepSEA/predict", CTCFL],
    "ctcf human": [CTCF, "deepsea-predict"],
    "splice": ["spliceai", "pangolin", "ci-spliceai", "mmsplice-donor"],
    "splicing donor": ["mmsplice-donor", "ci-spliceai", "spliceai"],
    "K562 DNase": ["deepsea-predict", "kipoi/DeepSEA/predict", "a-split-answer", "kipoi/rbp_eclip/AARS"],
    "K562 CTCF": ["bpnet-k562-ctcf", "deepsea-predict", "kipoi/DeepSEA/predict"],
    "yeast": ["yeast-atac", "yeast-nucleosomes", YEAST_RBP],
    "saccharomyces": [YEAST_RBP],
    "MPRA": ["mpra-dragonn", "sharpr-mpra-like"],
    "chip-seq ctcf": [CTCF, CTCFL],
    "Homo_sapiens": [CTCF, CTCFL],
    "homo sapiens CTCF": [CTCF, CTCFL],
    "avsec": ["bpnet-k562-ctcf"],
    "deepsea": ["deepsea-predict", "kipoi/DeepSEA/predict"],
    "kipoi/DeepSEA/predict": ["kipoi/DeepSEA/predict"],
    "D00328.018": [CTCF],
    "hg38": ["spliceai"],
    "DNase-seq K562": ["deepsea-predict", "kipoi/DeepSEA/predict", "a-split-answer", "kipoi/rbp_eclip/AARS"],
}


def names(query, where=None, **fields):
    return [one["name"] for one in search(query.split(), CATALOGUE if where is None else where, fields)]


@pytest.mark.parametrize("query", FIRST)
def test_what_is_wanted_stands_first(query):
    assert names(query)[: len(FIRST[query])] == FIRST[query]


def test_what_has_not_every_word_is_not_found():
    assert set(names("yeast")) == {"yeast-atac", "yeast-nucleosomes", YEAST_RBP}
    assert names("CTCF yeast") == [] and names("zzz") == []
    assert set(names("K562 DNase")) == set(FIRST["K562 DNase"])


def test_order_of_entries_words_and_letters_does_not_count():
    for query in FIRST:
        shuffled = random.Random(1).sample(CATALOGUE, len(CATALOGUE))
        for words in itertools.permutations(query.split()):
            assert names(" ".join(words).upper(), shuffled) == names(query)


def test_a_further_word_only_takes_away():
    words = ["ctcf", "human", "k562", "dnase", "splice", "yeast", "chip-seq", "deepbind"]
    for one, other in itertools.permutations(words, 2):
        assert set(names(f"{one} {other}")) == set(names(one)) & set(names(other))


def test_a_word_alone_counts_more_than_a_part_and_a_name_more_than_prose():
    texts = {"name": entry("ab-c"), "track": entry("x", tracks=["ab c"]), "tag": entry("x", tags=["ab"])}
    texts |= {"prose": entry("x", "of ab"), "part of a name": entry("x-abc"), "part of prose": entry("x", "abc")}
    texts |= {"beginning of the name": entry("abc")}
    ranked = ["name", "beginning of the name", "track", "tag", "part of a name", "prose", "part of prose"]
    found = search(["ab"], texts.values())
    assert [next(kind for kind, one in texts.items() if one is hit) for hit in found] == ranked


def test_a_summary_speaks_for_tracks_whose_names_are_fetched():
    basset = entry("basset", "Accessible chromatin (DNase-seq) in cells such as K562.", status="unverified")
    borzoi = entry("mini-borzoi", "DNase and RNA.", ["DNASE:HepG2 (a)", "RNA:K562 treated (b)"], status="verified")
    assert names("K562 DNase", [basset, borzoi]) == ["mini-borzoi", "basset"]
    basset["outputs"] = [{"name": "accessibility", "tracks": [], "n_tracks": 164}]
    assert names("K562 DNase", [basset, borzoi]) == names("DNase K562", [borzoi, basset]) == ["basset", "mini-borzoi"]
    assert names("K562 RNA", [basset, borzoi]) == ["mini-borzoi"]


def test_fields_only_filter():
    assert names("", author="avsec") == ["bpnet-k562-ctcf"]
    assert names("ctcf", target="dnase") == ["deepsea-predict", "kipoi/DeepSEA/predict"]
    assert names("splice", tag="splicing", target="brain") == ["pangolin"]


def test_a_word_with_signs_of_a_pattern_is_a_word():
    assert names("P(splice)") == ["pangolin"] and names("K562|DNase") == names("k562|dnase") != []
    assert names("[") == names("a.b") == []
