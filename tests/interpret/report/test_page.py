"""Every number of the page, computed again from the files beside it and from what was planted."""

from __future__ import annotations

import csv
import importlib
import json
import re
import shutil
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import pytest
from planted import LENGTH, reverse_complement

from interpret.motifs.grades import Name, grade_patterns
from interpret.report.card import find_card
from interpret.report.numbers import order_of, row_of, within
from interpret.report.page import render, write_report
from zoo.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


class Rows(HTMLParser):
    """Attributes of the table's rows."""

    def __init__(self, text):
        super().__init__()
        self.rows = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "tr" and "data-pattern" in dict(attributes):
            self.rows.append(dict(attributes))


@pytest.fixture(scope="module")
def rows(page):
    """In the file's order; that of the page is by what drives the model."""
    return sorted(Rows(page).rows, key=lambda row: int(row["data-pattern"]))


def in_file_order(page, found):
    """What a pattern of the page's cells gives, from the order of the rows to that of the file."""
    order = [int(row["data-pattern"]) for row in Rows(page).rows]
    return [found[order.index(index)] for index in range(len(order))]


@pytest.fixture(scope="module")
def beside(planted, found):
    """The BED of seqlets, with each core in the window and its contribution, from contribs.h5."""
    with h5py.File(planted.path) as file:
        names = list(file["regions/name"].asstr()[:])
        starts, reverse = file["windows/start"][:], file["windows/reverse"][:]
        projected = (file["hypothetical"][:] * file["one_hot"][:]).sum(axis=1)
    projected[reverse] = projected[reverse][:, ::-1]  # in the genome's direction now
    by = {pattern.name: [] for pattern in found.patterns}
    for line in found.path.with_name("motifs.seqlets.bed").read_text().splitlines()[1:]:
        chrom, _, _, _, _, strand, thick, thin, _, region, name = line.split("\t")
        i = names.index(region)
        start, end = int(thick) - starts[i], int(thin) - starts[i]
        bases = planted.genome[chrom][int(thick) : int(thin)]
        by[name].append(
            {
                "region": region,
                "centre": (start + end) / 2,
                "contribution": projected[i, start:end].sum(),
                "bases": bases if strand == "+" else reverse_complement(bases),
            }
        )
    return by


def test_one_row_a_pattern(rows, found):
    assert [int(row["data-pattern"]) for row in rows] == [0, 1, 2]
    assert [row["data-sign"] for row in rows] == ["raises", "raises", "lowers"]


def test_seqlets_contribution_and_distance(rows, found, beside):
    for row, pattern in zip(rows, found.patterns, strict=True):
        seqlets = beside[pattern.name]
        assert int(row["data-seqlets"]) == len(seqlets)
        mean = np.mean([item["contribution"] for item in seqlets])
        assert float(row["data-contribution"]) == pytest.approx(mean, rel=1e-4)
        off = np.median([abs(item["centre"] - LENGTH / 2) for item in seqlets])
        assert float(row["data-distance"]) == pytest.approx(off)


def test_regions_and_spread_as_shown(page, found, beside):
    shown = re.findall(r'data-label="Seqlets">([\d,]+)<br><small>in ([\d,]+) regions', page)
    spreads = [float(text) for text in re.findall(r"<small>± ([\d.]+)</small>", page)]
    shown, spreads = in_file_order(page, shown), in_file_order(page, spreads)
    for pair, spread, pattern in zip(shown, spreads, found.patterns, strict=True):
        seqlets = beside[pattern.name]
        assert pair == (f"{len(seqlets):,}", f"{len({item['region'] for item in seqlets}):,}")
        assert spread == pytest.approx(np.std([item["contribution"] for item in seqlets], ddof=1), rel=0.01)


def test_gc_is_that_of_the_bases(page, found, beside):
    """The peers' report shows half of it."""
    shown = in_file_order(page, [int(text) for text in re.findall(r"GC (\d+)%", page)])
    for gc, pattern in zip(shown, found.patterns, strict=True):
        bases = "".join(item["bases"] for item in beside[pattern.name])
        assert gc == round(100 * (bases.count("G") + bases.count("C")) / len(bases))


def test_positions_are_of_the_cores(found, beside):
    for index, pattern in enumerate(found.patterns):
        centres = [
            item["centre"] if not turned else LENGTH - item["centre"]
            for item, turned in zip(beside[pattern.name], _turned(found, beside[pattern.name]), strict=True)
        ]
        expected = [sum(LENGTH * i / 24 <= c < LENGTH * (i + 1) / 24 for c in centres) for i in range(24)]
        assert row_of(found, index, Name(None, "none")).positions.tolist() == expected


def _turned(found, items):
    names = list(found.regions.name)
    return [bool(found.regions.reverse[names.index(item["region"])]) for item in items]


def test_q_and_names_are_those_of_the_tsv(page, rows, found):
    with found.path.with_name("motifs.motifs.tsv").open() as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    for row, line, name in zip(rows, table, grade_patterns(found), strict=True):
        assert float(row["data-q"]) == pytest.approx(float(line["q"]), rel=0.01)
        assert row["data-grade"] == name.grade
        assert name.grade != "strong" or row["data-name"] == line["best_match"].lower()
        assert row["data-hits"] == line["hits"]


def test_planted_names_are_earned(page, found):
    """ABF1 and REB1 (or NSI1, which binds the same bases) stand in bold, and are what the sentence says."""
    first, second = grade_patterns(found)[:2]
    assert first.label == "ABF1"
    assert second.label in ("REB1", "NSI1") and {second.label, *second.as_close} >= {"REB1", "NSI1"}
    assert page.count(f"<b>{second.label}</b></a>") == page.count("<b>ABF1</b></a>") == 1
    lead = re.search(r'<p class="lead">(.*?)</p>', page).group(1)
    names = f"(ABF1 and {second.label}|{second.label} and ABF1)"
    assert re.match(rf"{names} raise the predicted score, and ", lead)


def test_the_order_is_by_effect_times_frequency(page, found, asked):
    """Of the page's own cells: mean effects where measured, else contributions; hits in a share of 360 regions."""
    rows = [row_of(asked, i, name) for i, name in enumerate(grade_patterns(asked))]
    lines = found.path.with_name("motifs.hits.bed").read_text().splitlines()[1:]
    regions = [{x.split("\t")[9] for x in lines if x.split("\t")[-1] == p.name} for p in found.patterns]
    strength = [2.0, abs(found.patterns[1].seqlets.core_contribution.mean()), 1.5]
    drive = [s * len(r) / 360 for s, r in zip(strength, regions, strict=True)]
    expected = sorted(range(3), key=lambda i: -drive[i])
    assert order_of(rows) == expected == [int(row["data-pattern"]) for row in Rows(page).rows]
    sections = re.findall(r'<details class="motif" id="(...)_patterns-pattern_(\d)"', page)
    assert [f"{sign}_patterns.pattern_{i}" for sign, i in sections] == [found.patterns[i].name for i in expected]


def test_hits_are_the_lines_of_the_bed(rows, found):
    lines = found.path.with_name("motifs.hits.bed").read_text().splitlines()[1:]
    for row, pattern in zip(rows, found.patterns, strict=True):
        assert int(row["data-hits"]) == sum(line.split("\t")[-1] == pattern.name for line in lines)


def test_capped_rows_say_so(page, found):
    for pattern in found.patterns:
        assert f"10 of {len(pattern.seqlets):,} seqlets, those whose core contributes most" in page
        section = page.split(f'id="{pattern.name.replace(".", "-")}"')[1].split("</details>")[0]
        assert f"Links ({section.count('data-view')}) lead to the regions drawn below." in section


def test_the_page_carries_the_files_beside_it(found):
    text = render(found)
    for key, file in (("meme", "motifs.meme"), ("tsv", "motifs.motifs.tsv"), ("bed", "motifs.seqlets.bed")):
        carried = text.split(f'<template id="{key}">')[1].split("</template>")[0]
        assert unescape(carried) == found.path.with_name(file).read_text()


def test_nothing_is_fetched(page):
    outside = re.findall(r"(?:src|href|action)=[\"']?(?!#|data:)([^\"' >]+)", page)
    assert outside == []
    assert "url(" not in page and "@import" not in page and 'http-equiv="Content-Security-Policy"' in page


def test_a_run_without_patterns_is_a_page_that_says_so(tmp_path, planted):
    from planted import plant

    from interpret.motifs.find import find_motifs

    none = plant(tmp_path, n=60, motifs=())
    text = render(find_motifs(none.path, tmp_path / "m.h5", database="jaspar:fungi"))
    assert "TF-MoDISco found no pattern in 60 regions" in text and 'id="motifs"' not in text


def test_not_a_motifs_file(planted, tmp_path):
    with pytest.raises(InputError, match="not a file of motifs"):
        write_report(planted.path, tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_subpatterns_are_named_where_they_earn_it(page, found):
    """Each caption again from the file: names of the rule, the number of seqlets always."""
    names = grade_patterns(found)
    for index, pattern in enumerate(found.patterns):
        row = page.split(f'data-pattern="{index}"')[1].split("</tr>")[0]
        for name in within(found, index, names[index]):
            assert re.search(rf'<span class="flag">subpatterns: [^<]*\b{re.escape(name)}\b', row)
        if len(pattern.subpatterns) > 1:
            sizes = [len(child.seqlets) for child in pattern.subpatterns]
            assert f"<summary>{len(sizes)} subpatterns</summary>" in row
            assert [int(n) for n in re.findall(r"<figcaption>(\d+) seqlets", row)] == sizes


def test_an_incomplete_motifs_file_is_an_error(found, tmp_path):
    path = tmp_path / "m.h5"
    shutil.copy(found.path, path)
    with h5py.File(path, "a") as file:
        del file["matches"]
    with pytest.raises(InputError, match="incomplete"):
        write_report(path, tmp_path / "r.html")


def test_partners_are_shown_with_the_numbers_of_the_hits(page, found):
    """Regions with both, again from the BED of hits, for the pairs that the page shows."""
    lines = [line.split("\t") for line in found.path.with_name("motifs.hits.bed").read_text().splitlines()[1:]]
    where = {p.name: {line[9] for line in lines if line[-1] == p.name} for p in found.patterns}
    for index, pattern in enumerate(found.patterns):
        section = page.split(f'id="{pattern.name.replace(".", "-")}"')[1].split("</details>")[0]
        shown = re.findall(r'<tr><td>([+−]\d)[^<]*</td><td class="num">(\d+)</td><td class="num">(\d+)</td>', section)
        assert shown or "No other pattern lies in the same regions" in section
        for name, both, expected in shown:
            other = next(p for p in found.patterns if p.short_name == name.replace("−", "-"))
            # planted motifs never touch, so that every shared region counts
            assert int(both) == len(where[pattern.name] & where[other.name])
            assert int(expected) == round(len(where[pattern.name]) * len(where[other.name]) / 360)
        assert index < 3


def test_effects_are_means_with_an_interval_of_student(page, rows):
    """1, 2, 3: mean 2, standard error 1/sqrt(3), t of 2 degrees of freedom 4.3027; -2, -1: -1.5, 1/2, 12.706."""
    cells = re.findall(r'data-label="Effect">([^<]*)(?:<br><small>([^<]*)</small>)?</td>', page)
    cells = in_file_order(page, cells)
    assert cells == [("+2", "−0.484 to 4.48"), ("not measured", ""), ("−1.5", "−7.85 to 4.85")]
    assert [row["data-effect"] for row in rows] == ["2.0", "nan", "-1.5"]
    first = page.split('id="pos_patterns-pattern_0"')[1].split("</details>")[0]
    assert 'Effect of <code class="seq">CGTATAAAGTGA</code>, inserted on both strands in turn, in each of 3' in first
    assert "from 0 to 3 in the picture" in first
    assert "inserted into 3 background sequences, less the output without" in page


def test_a_file_without_effects_or_track_has_no_such_column(found):
    text = render(found)
    assert 'data-label="Effect"' not in text and "what each pattern does when it is inserted (effects)" in text
    assert "the predicted track" not in text.split("<script")[0]
    assert all(
        "track" not in view for view in json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))["views"]
    )


def test_a_section_names_what_its_subpatterns_earned(including):
    """Where "Looked for and found: ABF1 (in +1)" leads."""
    text = render(including, look_for=["ABF1"])
    (link,) = re.findall(r'ABF1 \(<a href="#([\w-]+)">in \+1</a>', text)
    section = text.split(f'<details class="motif" id="{link}">')[1].split("</summary>")[0]
    assert "subpatterns: ABF1" in section and "<b>ABF1</b>" not in section


def test_a_page_with_a_card_links_to_it(asked):
    card = find_card({"model": {"name": "yeast-atac", "version": "1.0.0"}})
    text = render(asked, card)
    assert (
        '<a href="#card">toy 1.0</a>' in text and '<details id="card">' in text and "<h4>What it predicts</h4>" in text
    )
    assert '<th scope="row">genome, assembly</th><td>sacCer3</td>' in text and "schema_version" not in text


def test_an_effect_in_one_background_has_no_interval(asked):
    name = "pos_patterns.pattern_0"
    make = type(asked.effects[name])
    one = replace(asked, effects={name: make(consensus="ACG", values=np.array([2.0]))})
    assert "+2<br><small>– to –</small>" in render(one)


def test_a_page_of_many_patterns_draws_each_logo_once_and_stays_small(many_patterns, monkeypatch):
    """The peers' report of 180 logos has 10.7 MB of pictures: here letters are references to four glyphs."""
    drawn = []
    for module in ("table", "section"):
        part = sys.modules[f"interpret.report.{module}"]
        monkeypatch.setattr(part, "logo", lambda *a, _draw=part.logo, **k: drawn.append(1) or _draw(*a, **k))
    text = render(many_patterns)
    assert text.count('class="logo"') == len(drawn) >= 180
    assert text.count('<path class="n') == 4
    without_data = re.sub(r"<(script|template|style).*?</\1>", "", text, flags=re.S)
    assert len(without_data.encode()) <= 1_000_000


def test_the_command_that_runs_is_shown_where_it_is_zoos(asked, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/venv/bin/zoo", "report", "m x.h5"])
    assert '<pre class="command">zoo report &#39;m x.h5&#39;</pre>' in render(asked)


def test_more_seqlets_than_the_page_carries_are_counted(asked, monkeypatch):
    monkeypatch.setattr(importlib.import_module("interpret.report.page"), "BED_ROWS", 5)
    total = sum(len(pattern.seqlets) for pattern in asked.patterns)
    lines = unescape(render(asked).split('<template id="bed">')[1].split("</template>")[0]).splitlines()
    assert lines[0] == f"# 5 of {total} seqlets; all are in the .seqlets.bed beside {asked.path.name}"
    assert lines[1:] == asked.path.with_name("motifs.seqlets.bed").read_text().splitlines()[:6]


def test_the_page_is_written_whole(found, tmp_path):
    out = tmp_path / "r.html"
    assert write_report(found, out) == out and [path.name for path in tmp_path.iterdir()] == ["r.html"]
    text = out.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n")
