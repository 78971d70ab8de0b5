"""Every number of the page, computed again from the files beside it and from what was planted."""

from __future__ import annotations

import base64
import cProfile
import csv
import json
import pstats
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from planted import LENGTH, reverse_complement

from interpret.report.bars import number
from interpret.report.card import find_card
from interpret.report.head import _metrics
from interpret.report.logo import logo, probability_heights
from interpret.report.looked_for import look_for
from interpret.report.numbers import row_of
from interpret.report.page import render, write_report
from interpret.report.provenance import made_by
from interpret.report.section import motif_section
from interpret.report.table import motif_table
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


def test_the_head_says_what_was_run(page):
    assert "<h1>Motifs of toy</h1>" in page and ">toy 1.0<" in page and ">saliency<" in page
    assert "score; summed over bins; logits explained" in page and ">toy.fa<" in page
    assert "360 sequences of 160 bp; motifs sought in the central 160 bp" in page
    assert "3 patterns in 360 sequences: 2 of bases that raise the prediction, 1 of bases that lower it" in page
    assert "JASPAR2026 CORE fungi, 193 motifs" in page
    # errors were written as linspace(1e-7, 1e-4, 360) in float32, which rounds 1e-4 down
    assert "relative error of a sequence: median 5.0e-05, largest 1.0e-04" in page
    assert "below 1e-6, 1e-5, 1e-4, 1e-3, 1e-2 and above: 4, 32, 324, 0, 0, 0" in page


def test_the_view_is_in_the_genomes_direction(planted, page):
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))
    assert len(data["views"]) == 50
    for view in data["views"]:
        assert planted.genome[view["chrom"]][view["start"] : view["start"] + LENGTH] == view["letters"]
        assert len(view["items"]) >= 1
    assert "50 of 360 regions" in page


def test_capped_rows_say_so(page, found):
    for pattern in found.patterns:
        assert f"10 of {len(pattern.seqlets):,} seqlets, those whose core contributes most" in page
        section = page.split(f'id="{pattern.name.replace(".", "-")}"')[1].split("</details>")[0]
        assert f"Links ({section.count('data-view')}) lead to the regions drawn below." in section


def test_the_page_carries_the_files_beside_it(found):
    text = render(found)
    for key, file in (("meme", "motifs.meme"), ("tsv", "motifs.motifs.tsv"), ("bed", "motifs.seqlets.bed")):
        carried = text.split(f'<script type="text/plain" id="{key}">')[1].split("</script>")[0]
        assert carried == found.path.with_name(file).read_text()


def test_nothing_is_fetched(page):
    outside = re.findall(r"(?:src|href|action)=[\"']?(?!#|data:)([^\"' >]+)", page)
    assert outside == []
    assert "url(" not in page and "@import" not in page and 'http-equiv="Content-Security-Policy"' in page


def test_logo_of_a_certain_base_is_one_letter_of_two_bits():
    heights = probability_heights(np.array([[0, 1.0, 0, 0], [0.25] * 4]))
    # the pseudocount of 0.001 takes a little: 2 - H(1.001/1.004, 3 x 0.001/1.004)
    p = np.array([1.001, 0.001, 0.001, 0.001]) / 1.004
    assert heights[0] == pytest.approx([0, 2 + (p * np.log2(p)).sum(), 0, 0])
    assert heights[1] == pytest.approx([0, 0, 0, 0])
    assert re.findall(r"href=#g(.)", logo(heights, "x", top=2.0)) == ["C"]


def test_letters_that_lower_hang_upside_down():
    text = logo(np.array([[3.0, 0, 0, -1.0]]), "x")
    # 40 units for 4 of height: A from the axis at 30 up to 0, T turned from 40 to the axis.
    assert '<use href=#gA transform="matrix(9.4 0 0 30.0 0.3 0.0)"/>' in text
    assert '<use href=#gT transform="matrix(9.4 0 0 -10.0 0.3 40.0)"/>' in text


def test_a_run_without_patterns_is_a_page_that_says_so(tmp_path, planted):
    from planted import plant

    from interpret.motifs.find import find_motifs

    none = plant(tmp_path, n=60, motifs=())
    text = render(find_motifs(none.path, tmp_path / "m.h5", database="jaspar:fungi"))
    assert "TF-MoDISco found no pattern in 60 sequences." in text and 'id="motifs"' not in text


def test_names_cannot_break_out(tmp_path, planted):
    from interpret.motifs.find import find_motifs

    path = tmp_path / "contribs.h5"
    shutil.copy(planted.path, path)
    with h5py.File(path, "a") as file:
        names = file["regions/name"]
        names[:] = [f"</script><img src=x onerror=alert({i})>" for i in range(len(names))]
    text = render(find_motifs(path, tmp_path / "m.h5", database="jaspar:fungi"))
    assert "</script><img" not in text
    assert "<img src=x" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)


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
        shown = re.findall(r"<tr><td>([+−]\d)[^<]*</td><td class=num>(\d+)</td><td class=num>(\d+)</td>", section)
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


def test_metrics_are_those_of_the_card():
    """The page's table against the front matter of yeast-atac, read as plain YAML."""
    card = find_card({"model": {"name": "yeast-atac", "version": "1.0.0", "sha256": {}}})
    front = yaml.safe_load((ROOT / "model_cards" / "yeast-atac" / "README.md").read_text().split("---")[1])
    text = _metrics(card)
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr><td>.*?</tr>", text)]
    assert [row[0] for row in rows] == list(dict.fromkeys(item["metric"] for item in front["evaluation"]))
    for name, value, interval, n, split, baselines in rows:
        items = [item for item in front["evaluation"] if item["metric"] == name]
        assert value == f"{items[0]['value']:.3g}" and n == f"{items[0]['n']:,}" and split == items[0]["split"]
        assert interval == "{:.3g} to {:.3g}".format(*items[0]["ci"])
        assert baselines.split("<br>") == [f"{i['baseline']['value']:.3g} {i['baseline']['name']}" for i in items]
    assert front["summary"] in card.text


def test_the_card_of_another_version_or_of_other_weights_is_not_shown():
    assert find_card({"model": {"name": "yeast-atac", "version": "0.9.0"}}) is None
    assert find_card({"model": {"name": "yeast-atac", "version": "1.0.0", "sha256": {"weights.pth": "0" * 64}}}) is None
    assert find_card({"model": {"name": "no-such-model", "version": "1.0.0"}}) is None
    assert find_card({"model": "toy"}) is None


def test_a_page_with_a_card_links_to_it(asked):
    card = find_card({"model": {"name": "yeast-atac", "version": "1.0.0"}})
    text = render(asked, card)
    assert '<a href="#card">toy 1.0</a>' in text and '<details id="card">' in text and "schema_version: 1" in text


def test_the_motif_part_of_180_logos_takes_half_a_million_calls_and_1_mb(many_patterns):
    """The peers' report takes 140 s and 10.7 MB, ours 0.25 s; calls of functions stand for time.

    Hits are of all patterns, so that each has partners to look for.
    """
    n = len(many_patterns.patterns)
    hits = replace(many_patterns.hits, pattern=np.arange(len(many_patterns.hits)) % n)
    motifs = replace(many_patterns, hits=hits)
    profile = cProfile.Profile()
    with profile:
        rows = [row_of(motifs, i) for i in range(n)]
        text = motif_table(motifs, rows) + "".join(motif_section(motifs, i, row, 50) for i, row in enumerate(rows))
    assert text.count('class="logo"') >= 180
    assert pstats.Stats(profile).total_calls <= 500_000 and len(text.encode()) <= 1_000_000


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


def test_pair_errors_are_shown_where_the_file_has_them(asked):
    text = render(replace(asked, pair_error=np.array([2e-5, 4e-5, np.nan])))
    assert "relative error of a pair with a reference: median 3.0e-05, largest 4.0e-05" in text
    assert "below 1e-6, 1e-5, 1e-4, 1e-3, 1e-2 and above: 0, 0, 2, 0, 0, 0" in text


def test_what_was_looked_for_is_said(asked):
    """ABF1 and REB1 are planted and match; poly-A and a motif of vertebrates are not there."""
    words = ["abf1", "REB1", "CTCF", "AAAAAAAA", "TCACTTTATACG", "mine=TATAAAG"]
    found = {item.word: item for item in look_for(asked, words)}
    assert found["abf1"].pattern is asked.patterns[0] and found["REB1"].pattern is asked.patterns[1]
    assert found["CTCF"].pattern is None and found["AAAAAAAA"].pattern is None
    # planted as CGTATAAAGTGA: the other strand of it
    assert found["TCACTTTATACG"].pattern is asked.patterns[0] and found["TCACTTTATACG"].q is None
    assert found["mine"].pattern is asked.patterns[0]
    parts = [part for p in asked.patterns for part in (p, *p.subpatterns) if part is p or len(part.seqlets) >= 20]
    best = min(match.q for part in parts for match in asked.matches[part.name] if match.motif.name == "ABF1")
    assert found["abf1"].q == best <= 0.05
    text = render(asked, look_for=["ABF1", "CTCF"])
    assert 'Looked for and found: ABF1 (<a href="#pos_patterns-pattern_0">+1</a>, q ' in text
    assert "Looked for and not found: CTCF." in text and "Looked for" not in render(asked).split("<script")[0]


def test_enrichment_is_that_of_the_table_beside_the_file(found, monkeypatch):
    """60 against 24.5 is 2.449; 7 against 14 one half; not counted is not shown."""
    lines = [
        "pattern\toccurrences\texpected_occurrences\tenrichment_q\n",
        "a\t60\t24.5\t1e-05\n",
        "b\t7\t14\t1\n",
        "c\t.\t.\t.\n",
    ]
    monkeypatch.setattr("interpret.report.numbers.motifs_tsv", lambda motifs: iter(lines))
    text = render(found)
    assert re.findall(r"<small>([\d.]+) × chance</small>", text) == ["2.4", "0.5"]
    said = re.findall(r"its bases occur (.*?) times in the sequences and (.*?) times in shuffles.*?\(q (.*?)\)", text)
    assert said == [("60", "24.5", "1.0×10<sup>−5</sup>"), ("7", "14", "1")]


def test_an_effect_in_one_background_has_no_interval(asked):
    name = "pos_patterns.pattern_0"
    make = type(asked.effects[name])
    one = replace(asked, effects={name: make(consensus="ACG", values=np.array([2.0]))})
    assert "+2<br><small>– to –</small>" in render(one)


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (0.0123, "0.0123"),
        (-2.5, "−2.5"),
        (2e-5, "2.0×10<sup>−5</sup>"),
        (float("nan"), "–"),
        (-3e-4, "−3.0×10<sup>−4</sup>"),
        (-12345.6, "−12,346"),
    ],
)
def test_numbers_as_text(value, text):
    assert number(value) == text


def test_the_commands_that_made_the_page_are_shown_once_each():
    run = {
        "contributions": {"command": ["/venv/bin/zoo", "attribute", "m", "a b.bed"]},
        "command": ["zoo", "motifs", "c.h5"],
    }
    text = made_by(run, ["/other/zoo", "motifs", "c.h5"])
    assert re.findall(r"<pre[^>]*>(.*?)</pre>", text) == ["zoo attribute m &#x27;a b.bed&#x27;", "zoo motifs c.h5"]
    assert "zoo report m.h5" in made_by(run, ["zoo", "report", "m.h5"]) and "pytest" not in made_by(run, ["pytest"])
    assert made_by({"contributions": {}}) == ""
