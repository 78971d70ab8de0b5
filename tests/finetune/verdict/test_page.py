"""The page: well formed, alone in its file, escaped, and its figures those of the record."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from finetune.config import VerdictConfig
from finetune.verdict import drawing
from finetune.verdict.measures import METRICS
from finetune.verdict.page import TITLES, page
from finetune.verdict.verdict import Judged, judge

VOID = {"meta", "br", "path", "rect", "circle", "link", "img"}
EVIL = "<script>alert(1)</script>\"'&"
HISTORY = [{"epoch": i + 1, "train_loss": 1.0 / (i + 1), "val_loss": 2.0 / (i + 1), "val_r": None} for i in range(3)]


class Reader(HTMLParser):
    """Text, rows of tables, and whether every element is closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.words, self.attributes, self.tags = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            return
        self.words.append(data)
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def judged(name="mono", side="held-out chromosomes", noise=0.3, cell=None, n=40, seed=0, **changes):
    random = np.random.default_rng(seed)
    observed = random.poisson(random.gamma(1, 3, (n, 16))).astype(float)
    average = observed * 0.5 + random.gamma(1, 1, observed.shape)
    made = {"constant": np.full(observed.shape, 3.0), "training average": average}
    predicted = observed + random.normal(0, noise, observed.shape)
    track = Judged(
        side, name, observed, predicted, made, np.array(["chr1"] * (n // 2) + ["chr8"] * (n - n // 2), object),
        np.arange(n) * 10_000, 32, cell=cell, average=average, variance=observed, depth=observed.sum(1),
    )  # fmt: skip
    return dataclasses.replace(track, **changes)


def shown(value):
    return f"{value:.3f}".replace("-", "−")


def test_figures_are_those_of_the_record():
    verdict = judge([judged()], VerdictConfig(coarse=128), {"name": "m", "command": "zoo finetune run.yaml"})
    read = Reader(page(verdict, HISTORY))
    rows = [[re.sub(r"\s+", " ", cell).strip() for cell in row] for row in read.rows]
    track = verdict.sides["held-out chromosomes"]["tracks"][0]
    for found in track["resolutions"].values():
        skill = found["skill"]
        interval = f"{shown(skill['ci'][0])} to {shown(skill['ci'][1])}"
        assert [
            "Skill over the best baseline", shown(skill["value"]), interval, "0.000", skill["baseline"]
        ] in [row[:5] for row in rows]  # fmt: skip
        for name, item in found["metrics"].items():
            best = item["best_baseline"]
            matching = [row for row in rows if row[0].startswith(TITLES[name]) and row[1] == shown(item["value"])]
            assert any(
                row[2] == f"{shown(item['ci'][0])} to {shown(item['ci'][1])}"
                and row[3:5]
                == (["–", "not defined for any"] if best is None else [shown(item["baselines"][best]), best])
                for row in matching
            ), name
    words = " ".join(read.words)
    assert verdict.sentence in words
    assert "zoo finetune run.yaml" in words
    for name, item in verdict.sides["held-out chromosomes"]["skill"]["over"].items():
        assert re.search(re.escape(name) + r"\s+" + re.escape(shown(item["value"])), words), name


def test_every_metric_has_a_title():
    assert set(TITLES) == set(METRICS)


@pytest.mark.parametrize("noise", [0.3, 30.0])
def test_elements_close_in_turn_and_nothing_is_outside(noise):
    sides = [judged(noise=noise), judged("b", noise=noise), judged(side="both", cell="K562", noise=noise)]
    swapped = {"HepG2": sides[0].predicted, "A549": np.zeros(sides[0].predicted.shape)}
    sides[2] = dataclasses.replace(sides[2], swapped=swapped)
    text = page(judge(sides), HISTORY, {"name": "m", "notes": ["a note"], "splits": {"test": ["chr1"]}})
    read = Reader(text)
    assert read.open == []
    assert "script" not in read.tags
    outside = [item for item in read.attributes if item[1] in ("src", "href", "srcset", "action") or "url(" in item[2]]
    assert outside == []
    assert "url(" not in text and "@import" not in text
    assert "default-src 'none'" in text
    assert not re.search(r"\bnan\b|\binf\b|None", " ".join(read.words))
    assert not [item for item in read.attributes if item[1] in ("d", "x", "width", "cx") and "nan" in item[2]]


def test_names_are_escaped():
    track = judged(EVIL, cell=EVIL, side=EVIL)
    chrom = np.array([EVIL] * 40, object)
    track = dataclasses.replace(track, chrom=chrom, baselines={EVIL: track.average}, swapped={EVIL * 2: track.average})
    facts = {"name": EVIL, "command": EVIL, "notes": [EVIL], "base": EVIL, "other": {EVIL: EVIL}}
    text = page(judge([track]), [{f"loss{EVIL}": 1.0}, {f"loss{EVIL}": 2.0}], facts)
    assert "<script" not in text
    read = Reader(text)
    assert read.open == []
    assert EVIL in " ".join(read.words)


def test_the_verdict_stands_first_and_says_what_was_not_gained():
    bad = judged()
    bad = dataclasses.replace(bad, predicted=bad.average - 0.5)
    text = page(judge([judged(side="both"), bad]))
    words = [word.strip() for word in Reader(text).words if word.strip()]
    assert words.index("not gained") < words.index("gained") < words.index("Skill over each baseline")


def test_too_few_blocks_have_no_interval_on_the_page():
    text = page(judge([judged(n=4)]))
    assert "4 blocks are too few for an interval" in text
    assert "no interval" in text
    assert 'class="up"' not in text


def test_gaps_in_tracks_and_logarithms_are_drawn():
    track = judged()
    holes = np.where(np.arange(16) % 5 == 0, np.nan, track.observed)
    holes[3] = np.nan
    text = page(judge([dataclasses.replace(track, observed=np.log1p(holes) - 1, raw=False)]))
    assert Reader(text).open == []
    assert "on the scale of log1p" not in text


def test_history_by_column_is_history_by_row():
    verdict = judge([judged()])
    columns = {key: [row[key] for row in HISTORY] for key in HISTORY[0]}
    assert page(verdict, columns) == page(verdict, HISTORY)
    assert "Learning curves" in page(verdict, HISTORY)
    assert "Learning curves" not in page(verdict)


def test_of_many_tracks_the_page_shows_some_and_says_so():
    tracks = (judged(f"t{i}", seed=i) for i in range(45))
    text = page(judge(tracks, VerdictConfig(resamples=100)))
    assert "5 more are in the record" in text
    assert "37 more tracks are in the record" in text
    assert len(text) < 2_000_000


def test_ticks_are_round_and_inside():
    assert drawing.ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert drawing.ticks(-0.3, 0.5, 4) == [-0.2, 0, 0.2, 0.4]
    assert drawing.ticks(2, 2) == [2]


def test_a_bar_ends_where_its_value_is():
    picture = str(drawing.strip(0.5, (0.25, 0.75), -1, 1, "x"))
    assert 'class="up" x="500.0" y="26" width="250.0"' in picture
    assert 'class="ci" d="M625.0 50H875.0' in picture
    assert 'class="flat" x="250.0"' in str(drawing.strip(-0.5, None, -1, 1, "x"))


def test_a_track_is_as_high_as_its_values():
    picture = str(drawing.track(np.array([0, 5, np.nan, 10.0]), 0, 10, "observed", "x"))
    assert "M0.0 100.0V100.0H250.0V50.0H500.0V100.0Z" in picture
    assert "M750.0 100.0V0.0H1000.0V100.0Z" in picture


def test_the_density_is_darkest_where_most_bins_are():
    counts = np.zeros((4, 4), int)
    counts[1, 2], counts[0, 0] = 100, 1
    picture = str(drawing.density(counts, np.linspace(0, 4, 5), "x", False))
    size = drawing.SIDE / 4
    assert f'class="d6" d="M{drawing.LEFT + 2 * size:.1f} {drawing.TOP + drawing.SIDE - 2 * size:.1f}h' in picture
    assert picture.count('class="d') == 2
