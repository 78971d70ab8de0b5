"""Several files of motifs on one page: which patterns are one motif, what differs, what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest

from interpret.motifs.grades import grade_patterns
from interpret.motifs.pattern import Effect, alignment
from interpret.report.compare import _run as read_run
from interpret.report.compare import compare_text, labels_of, motif_rows
from interpret.report.report import report
from zoo.cli import run as zoo
from zoo.errors import InputError, UsageError


def named(found, name, **changes):
    """The same motifs as if of another file."""
    return replace(found, path=Path(f"/data/{name}.h5"), **changes)


def turned(pattern):
    """A pattern as if TF-MoDISco had found it on the other strand."""
    width = len(pattern.contribution)
    matrices = {k: getattr(pattern, k)[::-1, ::-1] for k in ("probability", "contribution", "hypothetical")}
    return replace(pattern, core=(width - pattern.core[1], width - pattern.core[0]), **matrices)


def rows_of(*files):
    return motif_rows([read_run(motifs.path.stem, motifs) for motifs in files])


def held(row):
    """Of each run the short names of its patterns."""
    return [[entry.pattern.short_name for entry in cell.entries] for cell in row.cells]


# ---------------- how matrices lie on each other


@pytest.mark.parametrize("shift", [-3, 0, 4])
@pytest.mark.parametrize("other_strand", [False, True])
def test_an_alignment_finds_where_a_matrix_was_cut_from(shift, other_strand):
    """A stretch of 20 columns; the first is its columns 5 to 15, the second begins ``shift`` columns later."""
    whole = np.random.default_rng(1).normal(0, 1, (20, 4))
    a, b = whole[5:15], whole[5 + shift : 14 + shift]
    found = alignment(a, b[::-1, ::-1] if other_strand else b)
    assert (found.turned, found.shift) == (other_strand, shift)
    rows = slice(max(0, shift), min(10, 9 + shift))
    expected = (whole[5:15][rows] ** 2).sum() / np.linalg.norm(a) / np.linalg.norm(b)
    assert found.similarity == pytest.approx(expected)


def test_a_matrix_and_its_reverse_complement_are_the_same():
    matrix = np.random.default_rng(2).normal(0, 1, (9, 4))
    found = alignment(matrix, 7 * matrix[::-1, ::-1])
    assert found.similarity == pytest.approx(1) and found.turned and found.shift == 0


# ---------------- rows


def test_the_same_motifs_stand_in_one_row_each(found):
    rows = rows_of(named(found, "a"), named(found, "b"))
    assert len(rows) == len(found.patterns) and all(row.runs == 2 for row in rows)
    assert all(left == right and len(left) == 1 for left, right in map(held, rows))


def test_neither_order_nor_strand_nor_scale_of_contributions_matters(found):
    """The second run has the patterns in another order, on the other strand, and a thousandth as large."""
    other = [turned(p) for p in found.patterns]
    small = tuple(replace(p, contribution=p.contribution / 1000) for p in other)
    rows = rows_of(named(found, "a"), named(found, "b", patterns=small))
    assert all(left == right and len(left) == 1 for left, right in map(held, rows)) and len(rows) == 3
    for row in rows:  # both are drawn in one orientation, letter by letter
        pictures = [re.findall(r"#g(\w) transform", str(cell.entries[0].picture)) for cell in row.cells]
        assert pictures[0] == pictures[1] and len(pictures[0]) >= 6


def test_what_one_run_has_alone_is_absent_in_the_other(found):
    alone = named(found, "b", patterns=found.patterns[:1])
    rows = rows_of(named(found, "a"), alone)
    shared = [row for row in rows if row.runs == 2]
    assert len(rows) == 3 and [held(row) for row in shared] == [[["+1"], ["+1"]]]
    assert all(not row.cells[1].entries for row in rows if row.runs == 1)
    text = compare_text([named(found, "a"), alone])
    known = [name.match.motif.name for name in grade_patterns(found) if name.known]
    lead = lines_of(text).split("Motifs of 2 runs ")[1].split(".")[0]
    assert "no pattern alike" in text and re.match("1 motif in both runs.*; 2 motifs in one alone", lead)
    assert all(name in lead for name in known)


def test_a_motif_that_lowers_another_output_is_the_same_motif(found):
    """The contributions of the second run have the other sign, as those of the log ratio the other way round."""
    flipped = tuple(
        replace(
            p, name=p.name.replace("pos", "x").replace("neg", "pos").replace("x", "neg"), contribution=-p.contribution
        )
        for p in found.patterns
    )
    matches = {new.name: found.matches[old.name] for new, old in zip(flipped, found.patterns, strict=True)}
    other = named(found, "b", patterns=flipped, matches=matches, effects=None)
    rows = rows_of(named(found, "a"), other)
    assert len(rows) == 3 and all(row.runs == 2 for row in rows)
    for row in rows:
        left, right = (cell.entries[0].pattern.positive for cell in row.cells)
        assert left != right
    text = compare_text([named(found, "a"), other])
    assert "raises" in text and "lowers" in text


def test_two_patterns_of_a_run_that_are_alike_share_a_cell(found):
    first = found.patterns[0]
    again = replace(turned(first), name="pos_patterns.pattern_9", subpatterns=())
    twice = named(
        found, "b", patterns=(*found.patterns, again), matches=found.matches | {again.name: []}, hits=None,
        enrichment=None, explained=None,
    )  # fmt: skip
    rows = rows_of(named(found, "a"), twice)
    assert len(rows) == 3 and [["+1"], ["+1", "+10"]] in [held(row) for row in rows]


def test_the_order_of_the_files_changes_no_row(found):
    a, b = named(found, "a"), named(found, "b", patterns=tuple(reversed(found.patterns[1:])))
    forth, back = (
        {tuple(map(tuple, held(row)[::step])) for row in rows_of(*files)} for step, files in ((1, (a, b)), (-1, (b, a)))
    )
    assert forth == back


def test_runs_without_patterns(found):
    nothing = {"patterns": (), "hits": None, "enrichment": None, "effects": None, "explained": None}
    text = compare_text([named(found, "a", **nothing), named(found, "b", **nothing)])
    assert "None of the 2 runs has a pattern." in text and "found no pattern in any of them" in text
    one = lines_of(compare_text([named(found, "a", **nothing | {"explained": found.explained}), named(found, "b")]))
    assert "Positive contribution in instances there is no pattern " in one
    rows = rows_of(named(found, "a", **nothing), named(found, "b"))
    assert len(rows) == 3 and all(row.runs == 1 and row.cells[0].nearest is None for row in rows)


# ---------------- what the page says


def changed(found, name, **record):
    """The same motifs with other facts in the record of the contributions."""
    contributions = found.run["contributions"] | record
    return named(found, name, run=found.run | {"contributions": contributions})


def lines_of(text):
    """The page's words, without its style."""
    plain = re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<style>.*?</style>|<svg.*?</svg>", "", text))
    return " ".join(plain.split())


def test_names_of_subpatterns_are_said_of_the_pattern(including):
    """In the row's name where nothing else is known, and beside the pattern."""
    text = lines_of(compare_text([named(including, "a"), named(including, "b")]))
    assert text.count("+1 raises subpatterns: ABF1") == 2 and "includes ABF1 in every run" in text
    names = [row.names for row in rows_of(named(including, "a"), named(including, "b"))]
    assert ["includes ABF1"] in names and not any(known == ["ABF1"] for known in names)


def test_different_outputs_are_called_not_comparable(found):
    text = lines_of(compare_text([named(found, "a"), changed(found, "b", output="counts")]))
    assert "The runs explain 2 different numbers" in text and "not comparable" in text


@pytest.mark.parametrize(
    "record",
    [
        {"model": {"name": "toy", "version": "2.0"}},
        {"tracks": ["x"]},
        {"bins": [0, 4]},
        {"reduction": "max"},
        {"explained": "predictions"},
    ],
    ids=lambda record: next(iter(record)),
)
def test_any_other_question_is_another_number(found, record):
    text = lines_of(compare_text([named(found, "a"), changed(found, "b", **record)]))
    assert "different numbers" in text


def test_the_same_question_asked_in_other_regions_or_by_another_method(found):
    same = lines_of(compare_text([named(found, "a"), changed(found, "b", seed=5)]))
    assert "effects and contributions can be compared" in same and "different numbers" not in same
    other = lines_of(compare_text([named(found, "a"), changed(found, "b", method="ism")]))
    assert "effects can be compared, contributions cannot" in other


def test_the_same_number_is_said_in_the_same_words(asked):
    """A file without a predicted track does not know that the output has eight bins."""
    bare = replace(asked.views, track=None)
    known, unknown = named(asked, "a"), named(asked, "b", views=bare)
    text = compare_text([known, unknown])
    differs = lines_of(text).split("What differs ")[-1].split("The same in all")[0]
    assert "logits, summed over bins" not in text and "Output explained" not in differs and "Unit" not in differs
    other = lines_of(compare_text([known, changed(named(asked, "b", views=bare), "b", output="other")]))
    assert "other; logits, summed over bins" in other  # of another number it is not known


def test_of_three_runs_those_that_can_be_compared_are_named(found):
    text = lines_of(compare_text([named(found, "a"), named(found, "b"), changed(found, "c", output="counts")]))
    assert "2 different numbers" in text and "a and b explain the same number: among them effects" in text


def test_what_differs_and_what_is_the_same(found):
    other = changed(found, "b", method="ism", genome={"path": "/home/me/hg38.fa"})
    text = compare_text([named(found, "a"), other])
    differs, same = (lines_of(part) for part in text.split("What differs</h2>")[1].split("The same in all"))
    assert "saliency" in differs and "ism" in differs and "toy.fa" in differs and "hg38.fa" in differs
    assert "JASPAR" in same and "Model" in same and "Windows" not in differs
    assert "/home/me" not in text and "/data" not in text


def test_windows_that_are_shared_are_counted(found):
    half = {k: v[::2] for k, v in vars(found.regions).items()}
    fewer = named(found, "b", regions=replace(found.regions, **half), hits=None, explained=None)
    text = lines_of(compare_text([named(found, "a"), fewer]))
    assert "Windows that all runs have 180 of 360 180 of 180" in text


def test_options_that_differ_are_named_alone(found):
    options = found.run["modisco"] | {"n_leiden_runs": 7}
    text = lines_of(compare_text([named(found, "a"), named(found, "b", run=found.run | {"modisco": options})]))
    assert "n_leiden_runs 2 n_leiden_runs 7" in text and "max_seqlets" not in text


def test_effects_stand_with_their_interval_and_what_an_older_file_lacks_is_said(found):
    effects = {p.name: Effect(p.consensus, np.array([1, 2, 3, 4], np.float32)) for p in found.patterns}
    text = lines_of(compare_text([named(found, "a", effects=effects), named(found, "b", explained=None)]))
    assert "effect +2.5 (0.446 to 4.55)" in text and "effect not measured, contribution" in text
    assert "not in this file" in text and "of positive contribution" in text


def test_the_first_line_counts_motifs_once(found):
    """Of three runs: one motif in all, one in two, one in one alone."""
    files = [named(found, name, patterns=found.patterns[:n]) for name, n in (("a", 3), ("b", 2), ("c", 1))]
    lead = lines_of(compare_text(files)).split("Motifs of 3 runs ")[1].split(".")[0]
    assert re.match("1 motif in all 3 runs.*; 1 motif in some of them.*; 1 motif in one alone", lead)
    same = lines_of(compare_text([named(found, "a"), named(found, "b")]))
    assert "3 motifs in both runs" in same and "in one alone" not in same
    none = lines_of(compare_text([files[2], named(found, "d", patterns=found.patterns[1:])]))
    assert "No motif in both runs; 3 motifs in one alone" in none


def test_looked_for(found):
    text = lines_of(compare_text([named(found, "a"), named(found, "b", patterns=found.patterns[2:])], ["ABF1", "XYZ"]))
    part = text.split("Looked for")[1].split("Motifs")[0]
    assert (
        re.search(r"ABF1 \+1(, name not earned)? not found", part)
        and part.count("not found: JASPAR2026 CORE fungi has no") == 2
    )


def test_names_are_escaped(found):
    evil = replace(found, path=Path("/data/<script>alert(1)<script>&.h5"))
    text = compare_text([evil, named(found, "b")])
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text


# ---------------- labels


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["/x/a.h5", "/x/b.h5"], ["a", "b"]),
        (["/x/a.motifs.h5", "/x/b.motifs.h5"], ["a", "b"]),
        (["/x/m.h5", "/y/m.h5"], ["x/m", "y/m"]),
        (["/x/1/m.h5", "/y/1/m.h5", "/y/c.h5"], ["x/1/m", "y/1/m", "c"]),
        (["/x/m.h5", "/x/m.h5"], ["m (1)", "m (2)"]),
        (["/x/m.h5", "/x/m.hdf5", "/y/m.h5"], ["x/m (1)", "x/m (2)", "y/m"]),
        (["/m.h5", "/x/m.h5"], ["m", "x/m"]),
    ],
)
def test_labels_tell_runs_apart(paths, labels):
    assert labels_of([Path(path) for path in paths]) == labels


# ---------------- the command and the function


def test_side_by_side_from_the_command_line(found, tmp_path, capsys):
    (tmp_path / "x").mkdir(), (tmp_path / "y").mkdir()
    files = [shutil.copy(found.path, tmp_path / folder / "motifs.h5") for folder in "xy"]
    out = tmp_path / "c.html"
    assert zoo(["report", *map(str, files), "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert "2 runs side by side" in said.err and str(out) in said.err and said.out == ""
    text = out.read_text()
    assert "x/motifs" in text and "y/motifs" in text and text.startswith("<!doctype html>")
    assert zoo(["report", *map(str, files), str(files[0]), "-q", "-o", "-"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("<!doctype html>") and "Motifs of 3 runs" in said.out and said.err == ""
    assert report(files, out=tmp_path / "d.html").path.read_text() == text
    assert report([found.path, found], out=tmp_path / "e.html").path.exists()
    assert report([found.path], out=tmp_path / "f.html").path.read_text().count("Motifs of 1 runs") == 0


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["{planted}"], 3, "not a file of motifs"),
        (["absent.h5"], 3, "absent.h5: no such file"),
        (["{found}", "notes.txt"], 3, "notes.txt: no such file"),
        (["{text}"], 3, "not an HDF5 file"),
        (["{found}", "--genes", "g.bed"], 2, "--genes: has no effect on 2 files"),
        (["{found}", "--region", "region1"], 2, "--region: has no effect on 2 files"),
        (["{found}", "--figures", "f"], 2, "--figures: has no effect on 2 files"),
        (["{found}", "--contribs", "c.h5"], 2, "--contribs: has no effect on 2 files"),
        (["{found}", "-g", "g.fa", "--method", "ism"], 2, "-g, --method: has no effect on 2 files"),
        (["{found}", "--no-hits"], 2, "has no effect on 2 files"),
        (["{found}", "{found}", "--central", "5"], 2, "--central: has no effect on 3 files"),
        (["b", "c"], 2, "3 were given"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_three_lines_and_leave_nothing(found, planted, more, code, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    arguments = [word.format(planted=planted.path, found=found.path, text=text) for word in more]
    assert zoo(["report", str(found.path), *arguments, "-o", "r.html"]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and lines[0].startswith("error: ") and lines[2].startswith("  Fix: "), lines
    assert words in lines[0] and list(tmp_path.iterdir()) == [text]


def test_the_page_is_never_one_of_its_files(found, tmp_path):
    a = shutil.copy(found.path, tmp_path / "a.html")
    with pytest.raises(UsageError):
        report([a, found], out=a)
    with pytest.raises(UsageError, match="nothing to compare"):
        report([], out=tmp_path / "b.html")
    with h5py.File(tmp_path / "c.h5", "w"), pytest.raises(InputError):
        report([found, tmp_path / "c.h5"], out=tmp_path / "b.html")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".html"] == ["a.html"]


# ---------------- in a browser


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_fits_its_window(found, open_page, width):
    """Nothing is wider than the page, each cell says which run it is of."""
    from html import escape

    effects = {p.name: Effect(p.consensus, np.array([1, 2, 3, 4], np.float32)) for p in found.patterns}
    text = compare_text([named(found, "a", effects=effects), named(found, "b", patterns=found.patterns[:1])])
    frame = f'<iframe id="f" style="border:0;width:{width}px;height:900px" srcdoc="{escape(text)}"></iframe>'
    script = (
        "<script>onload=()=>{const d=document.getElementById('f').contentDocument,e=d.documentElement;"
        "const style=(what,part)=>getComputedStyle(d.querySelector(what),part);"
        "const answer=[e.scrollWidth,d.querySelectorAll('#compared .logo').length,"
        "style('#compared thead').display,style('#compared td','::before').content];"
        "document.body.append(Object.assign(document.createElement('pre'),"
        "{id:'answer',textContent:JSON.stringify(answer)}))}</script>"
    )
    dom, console = open_page(f"<body>{frame}{script}</body>", width)
    answer = re.search(r'<pre id="answer">(.*?)</pre>', dom, re.S)
    assert answer, console
    wide, logos, head, before = json.loads(answer[1].replace("&quot;", '"'))
    assert wide <= width and logos == 4 and console == []
    assert (head, before) == (("none", '"a"') if width == 390 else ("table-header-group", "none"))


@pytest.mark.browser
def test_every_logo_of_every_run_is_saved_as_svg_and_png(found, open_page):
    """Under the name of its run and pattern: as many letters as the page has, as paths; pixels three for one."""
    text = compare_text([named(found, "a"), named(found, "b", patterns=found.patterns[:1])])
    script = """<script>
    const saved = {}, kept = {}, made = Blob, address = URL.createObjectURL.bind(URL);
    window.Blob = function (parts, of) { return Object.assign(new made(parts, of), {said: parts.join('')}); };
    HTMLCanvasElement.prototype.toBlob = function (done) { done(Object.assign(new made(['']), {said: this.width})); };
    URL.createObjectURL = (blob) => { const url = address(blob); kept[url] = blob.said; return url; };
    HTMLAnchorElement.prototype.click = function () { saved[this.download] = kept[this.href]; };
    for (const button of document.querySelectorAll('#compared .save button')) button.click();
    const letters = [...document.querySelectorAll('#compared .logo')].map((one) => one.querySelectorAll('use').length);
    setTimeout(() => document.body.append(Object.assign(document.createElement('pre'),
      {id: 'answer', textContent: JSON.stringify([saved, letters])})), 1000);</script></body>"""
    dom, console = open_page(text.replace("</body>", script), 1400)
    answer = re.search(r'<pre id="answer">(.*?)</pre>', dom, re.S)
    assert answer, console
    saved, letters = json.loads(unescape(answer[1]))
    names = [f"a-{pattern.name}-core" for pattern in found.patterns]
    names.append(f"b-{found.patterns[0].name}-core")
    assert sorted(saved) == sorted(f"{name}.{kind}" for name in names for kind in ("svg", "png"))
    drawn = []
    for name in names:
        root = ElementTree.fromstring(saved[f"{name}.svg"])
        paths = [one for one in root.iter("{http://www.w3.org/2000/svg}path") if one.get("stroke") is None]
        assert all(one.get("fill").startswith("#") for one in paths) and "href" not in saved[f"{name}.svg"]
        assert saved[f"{name}.png"] == 3 * round(float(root.get("width")))
        drawn.append(len(paths))
    assert sorted(drawn) == sorted(letters) and min(drawn) > 0 and console == []
