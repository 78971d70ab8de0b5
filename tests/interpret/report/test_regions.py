"""The view of regions: each lane in the genome's direction, from windows of either strand; what is left out is said."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from planted import LENGTH

from interpret.report.genes import Gene
from interpret.report.page import render
from interpret.report.regions import GENES, view_data, views_shown


def unpacked(packed):
    """Numbers of a lane, decoded as the page's script does."""
    return np.frombuffer(base64.b64decode(packed["values"]), "<i2") * packed["scale"]


def test_the_view_is_in_the_genomes_direction(planted, page):
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))
    assert len(data["views"]) == 50
    for view in data["views"]:
        assert planted.genome[view["chrom"]][view["start"] : view["start"] + LENGTH] == view["letters"]
        assert len(view["items"]) >= 1
    assert "50 of 360 regions" in page


def test_the_track_lies_in_the_genome(page, asked):
    """Bins on 8..136 of 160 bp; in a reversed window on 24..152, in the other order."""
    views = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))["views"]
    turned = 0
    for k, (view, sequence) in enumerate(zip(views, asked.views.sequence, strict=True)):
        track = view["track"]
        values = np.frombuffer(base64.b64decode(track["values"]), "<i2") * track["scale"]
        expected = np.arange(k + 1, k + 9)
        reverse = bool(asked.regions.reverse[sequence])
        turned += reverse
        assert values == pytest.approx(expected[::-1] if reverse else expected, rel=1e-3)
        assert (track["offset"], track["bin"], track["name"]) == (24 if reverse else 8, 16, "score: all")
    assert 0 < turned < len(views)


def test_genes_are_those_of_the_window(page, asked):
    """Of each window the one gene whose exons are 30 and 40 bp, named after the bar."""
    views = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))["views"]
    for view, i in zip(views, asked.views.sequence, strict=True):
        a = view["start"] + 10
        assert view["genes"] == [[a, a + 140, f"GEN{i}", "+-"[i % 2], [[a, a + 30], [a + 100, a + 140]]]]


def test_long_windows_are_capped_and_the_page_says_so(asked):
    """Fifty windows of 200 kb would be 37 MB: a page holds those that 4 MB hold, and says how many there are."""
    long = 200_000
    views = replace(
        asked.views, letters=np.zeros((50, long), np.uint8), projected=np.ones((50, long), np.float32), track=None
    )
    text = render(replace(asked, length=long, views=views))
    kept = int(4_000_000 // (long * (1 + 8 / 3)))
    assert f"{kept} of 360 regions" in text and f"50 are in {asked.path.name}, the page holds 4 MB of them" in text
    assert len(text) < 10_000_000
    links = {int(k) for k in re.findall(r'data-view="(\d+)"', text)}
    assert links and max(links) < kept


def test_contributions_keep_four_digits_in_the_genomes_direction(asked):
    """Two bytes a number: off by half a step of 32,767 of the largest at most."""
    turned = 0
    for k, view in enumerate(view_data(asked)):
        values = asked.views.projected[k].astype(float)
        reverse = bool(asked.regions.reverse[asked.views.sequence[k]])
        turned += reverse
        expected = values[::-1] if reverse else values
        assert np.abs(unpacked(view) - expected).max() <= np.abs(values).max() / 32767 / 2 * 1.001
    assert 0 < turned < len(asked.views.sequence)


def test_contributions_of_zero_are_zero(asked):
    flat = replace(asked, views=replace(asked.views, projected=np.zeros_like(asked.views.projected)))
    assert not unpacked(view_data(flat)[0]).any()


def test_an_unknown_base_stays_unknown_on_either_strand(asked):
    """The first base of a window is the last of a reversed one."""
    letters = asked.views.letters.copy()
    letters[:, 0] = 4
    for view, sequence in zip(
        view_data(replace(asked, views=replace(asked.views, letters=letters))), asked.views.sequence, strict=True
    ):
        at = LENGTH - 1 if asked.regions.reverse[sequence] else 0
        assert [i for i, base in enumerate(view["letters"]) if base == "N"] == [at]


def test_items_are_the_hits_of_the_bed(asked):
    lines = [line.split("\t") for line in asked.path.with_name("motifs.hits.bed").read_text().splitlines()[1:]]
    names = [pattern.name for pattern in asked.patterns]
    for view in view_data(asked):
        expected = [[int(x[1]), int(x[2]), names.index(x[10]), x[5], x[6]] for x in lines if x[9] == view["name"]]
        assert [item[:4] for item in view["items"]] == sorted(item[:4] for item in expected)
        for item, (*_, contribution) in zip(view["items"], sorted(expected), strict=True):
            assert item[4] == pytest.approx(float(contribution), rel=5e-3)


def test_without_hits_items_are_the_cores_of_the_seqlets(asked):
    lines = [line.split("\t") for line in asked.path.with_name("motifs.seqlets.bed").read_text().splitlines()[1:]]
    names = [pattern.name for pattern in asked.patterns]
    for view in view_data(replace(asked, hits=None)):
        expected = [[int(x[6]), int(x[7]), names.index(x[10]), x[5]] for x in lines if x[9] == view["name"]]
        assert [item[:4] for item in view["items"]] == sorted(expected)


def test_a_region_whose_track_was_not_predicted_has_none(asked):
    track = asked.views.track.copy()
    track[1, 0] = np.nan
    views = view_data(replace(asked, views=replace(asked.views, track=track)))
    assert ["track" in view for view in views[:3]] == [True, False, True]


def test_genes_are_capped_and_the_rest_counted(asked):
    first = asked.views.sequence[0]
    chrom, start = str(asked.regions.chrom[first]), int(asked.regions.window_start[first])
    genes = [
        Gene(chrom, start + i, start + i + 1, f"g{i}", "+", ((start + i, start + i + 1),)) for i in range(GENES + 5)
    ]
    view = view_data(asked, [*genes, Gene("elsewhere", start, start + 9, "x", "+")])[0]
    assert [gene[2] for gene in view["genes"]] == [f"g{i}" for i in range(GENES)] and view["more_genes"] == 5
    assert view["genes"][0] == [start, start + 1, "g0", "+", ((start, start + 1),)]
    assert "genes" not in view_data(asked)[0]


@pytest.mark.parametrize(
    "length, bins, expected", [(160, 0, 50), (1_000_000, 0, 1), (60_000, 0, 18), (60_000, 60_000, 10)]
)
def test_a_page_holds_four_megabytes_of_views(asked, length, bins, expected):
    """A base is a letter and two bytes as base64, 1 + 8/3; a bin 8/3: 4e6 / 220,000 is 18, 4e6 / 380,000 is 10."""
    track = np.zeros((50, bins), np.float32) if bins else None
    assert views_shown(replace(asked, length=length, views=replace(asked.views, track=track))) == expected


def test_the_page_names_its_lanes(asked, found, page):
    lanes = re.compile(r"From top to bottom:(.*?)\. Instances", re.S)
    always = "contributions in logits (letters when zoomed in), instances of the patterns with their strand"
    assert (
        " ".join(lanes.search(page).group(1).split())
        == f"the predicted track, {always.replace('logits', 'logits, summed over 8 bins')}, genes"
    )
    assert " ".join(lanes.search(render(found)).group(1).split()) == always.replace(
        "logits", "logits, summed over bins"
    )


def test_a_file_without_views_has_no_section_of_regions(asked):
    none = replace(
        asked.views, **{name: getattr(asked.views, name)[:0] for name in ("sequence", "letters", "projected")}
    )
    assert '<section id="regions"' in render(asked)
    text = render(replace(asked, views=none))
    assert '<section id="regions"' not in text and 'href="#regions"' not in text
