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

from interpret.report.head import find_card
from interpret.report.numbers import row_of
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
    return Rows(page).rows


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
        chrom, _, _, name, _, strand, thick, thin, _, region = line.split("\t")
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


def test_one_row_a_pattern_in_the_files_order(rows, found):
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
    for pair, spread, pattern in zip(shown, spreads, found.patterns, strict=True):
        seqlets = beside[pattern.name]
        assert pair == (f"{len(seqlets):,}", f"{len({item['region'] for item in seqlets}):,}")
        assert spread == pytest.approx(np.std([item["contribution"] for item in seqlets], ddof=1), rel=0.01)


def test_gc_is_that_of_the_bases(page, found, beside):
    """The peers' report shows half of it."""
    shown = [int(text) for text in re.findall(r"GC (\d+)%", page)]
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
        assert row_of(found, index).positions.tolist() == expected


def _turned(found, items):
    names = list(found.regions.name)
    return [bool(found.regions.reverse[names.index(item["region"])]) for item in items]


def test_q_and_names_are_those_of_the_tsv(page, rows, found):
    with found.path.with_name("motifs.motifs.tsv").open() as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    for row, line in zip(rows, table, strict=True):
        assert float(row["data-q"]) == pytest.approx(float(line["q"]), rel=0.01)
        named = line["best_match"] != "no match"
        assert row["data-matched"] == str(int(named))
        assert row["data-name"] == (line["best_match"].lower() if named else "~")
        assert row["data-hits"] == line["hits"]
    assert page.count(">no match<") == sum(row["data-matched"] == "0" for row in rows)


def test_hits_are_the_lines_of_the_bed(rows, found):
    lines = found.path.with_name("motifs.hits.bed").read_text().splitlines()[1:]
    for row, pattern in zip(rows, found.patterns, strict=True):
        assert int(row["data-hits"]) == sum(line.split("\t")[3] == pattern.name for line in lines)


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
    assert "TF-MoDISco found no pattern in 60 sequences." in text and 'id="motifs"' not in text


def test_not_a_motifs_file(planted, tmp_path):
    with pytest.raises(InputError, match="not a file of motifs"):
        write_report(planted.path, tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_known_motifs_of_subpatterns_are_named_with_their_q(page, found):
    """Each caption again from the file: a name where q is at most 0.05, the number of seqlets always."""
    from interpret.report.numbers import within

    for index, pattern in enumerate(found.patterns):
        names = [
            found.matches[child.name][0].motif.name
            for child in pattern.subpatterns
            if found.matches[child.name][0].q <= 0.05 and len(child.seqlets) >= 20
        ]
        best = found.matches[pattern.name][0]
        expected = {name for name in names if not (best.q <= 0.05 and name == best.motif.name)}
        assert set(within(found, index)) == expected
        for name in expected:
            assert re.search(rf"<small>subpatterns: [^<]*\b{re.escape(name)}\b", page)
        if len(pattern.subpatterns) > 1:
            sizes = [len(child.seqlets) for child in pattern.subpatterns]
            row = page.split(f'data-pattern="{index}"')[1].split("</tr>")[0]
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
    where = {p.name: {line[9] for line in lines if line[3] == p.name} for p in found.patterns}
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
    assert cells == [("+2", "−0.484 to 4.48"), ("not measured", ""), ("−1.5", "−7.85 to 4.85")]
    assert [row["data-effect"] for row in rows] == ["2.0", "nan", "-1.5"]
    first = page.split('id="pos_patterns-pattern_0"')[1].split("</details>")[0]
    assert "Inserted into 3 background sequences, <code>CGTATAAAGTGA</code> changes" in first
    assert "changes the explained output by 2 on average (95% interval −0.484 to 4.48" in first
    assert "inserted into 3 background sequences, less the output without" in page


def test_a_file_without_effects_or_track_has_no_such_column(found):
    text = render(found)
    assert "Effect" not in text.split("<script")[0] and "predicted track" not in text.split("<script")[0]
    assert all(
        "track" not in view for view in json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))["views"]
    )


def test_a_page_with_a_card_links_to_it(asked):
    card = find_card({"model": {"name": "yeast-atac", "version": "1.0.0"}})
    text = render(asked, card)
    assert '<a href="#card">toy 1.0</a>' in text and '<details id="card">' in text and "schema_version: 1" in text


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
