"""`report` as a function: which option goes to which step, what is refused, what a dry run and a second run do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from interpret.attribute import attribute as attribute_module
from interpret.motifs import find as find_module
from interpret.report import report as module
from interpret.report.report import ReportResult, report
from zoo.errors import InputError, UsageError


@pytest.fixture
def steps(monkeypatch, tmp_path):
    """The two earlier steps and the page replaced by ones that write down what they were asked."""
    asked = SimpleNamespace(attribute=[], motifs=[], page=[], bed=tmp_path / "r.bed", out=tmp_path / "p.html")
    asked.bed.write_text("chr1\t0\t9\n")

    def attribute(*arguments, report, planned, progress=None, **options):
        asked.attribute.append((arguments, options))
        planned(10_000, 500)  # all arguments are right, and these are enough
        if not options.get("dry_run"):
            Path(arguments[3]).write_text("contribs")
        return SimpleNamespace(windows=7, summary=lambda: "7 windows explained")

    def find_motifs(contribs, out, *, report, progress, **options):
        asked.motifs.append(((contribs, out), options))
        Path(out).write_text("motifs")

    def write_report(motifs, out, genes, look_for, named):
        asked.page.append((motifs, genes, list(look_for)))
        asked.named = named
        Path(out).write_text("page")
        return Path(out)

    monkeypatch.setattr(attribute_module, "attribute", attribute)
    monkeypatch.setattr(find_module, "find_motifs", find_motifs)
    monkeypatch.setattr(module, "write_report", write_report)
    monkeypatch.setattr(module, "read_motifs", lambda path: path)
    monkeypatch.setattr(module, "ending", lambda motifs, words: [f"found in {motifs.name}"])
    return asked


def test_options_go_to_the_step_that_has_them(steps):
    notes: list[str] = []
    done = report(
        "m",
        steps.bed,
        "g.fa",
        steps.out,
        method="ism",
        limit=3,
        batch_size=8,
        settings={"a": 1},
        trust=True,
        seed=5,
        database="jaspar:fungi",
        central=400,
        hits=False,
        region="peak1",
        look_for="REB1, ABF1",
        report=notes.append,
    )
    contribs, motifs = steps.out.with_name("p.contribs.h5"), steps.out.with_name("p.motifs.h5")
    given = {"method": "ism", "limit": 3, "batch_size": 8, "settings": {"a": 1}, "trust": True, "seed": 5}
    assert steps.attribute == [(("m", steps.bed, "g.fa", contribs), given | {"resume": False})]
    found = {"database": "jaspar:fungi", "central": 400, "hits": False, "trust": True, "seed": 5}
    assert steps.motifs == [((contribs, motifs), found | {"region": ("peak1",), "model": "m"})]
    assert steps.page == [(motifs, None, ["REB1", "ABF1"])] and steps.named is True
    assert done == ReportResult(steps.out)
    assert notes == [
        "step 1 of 3: what each base contributes",
        "7 windows explained",
        "step 2 of 3: motifs in the contributions",
        "step 3 of 3: the page",
        "found in p.motifs.h5",
        f"0 kB -> {steps.out}",
    ]


def test_a_dry_run_stops_before_anything_is_written(steps, tmp_path):
    notes: list[str] = []
    assert report("m", steps.bed, out=steps.out, dry_run=True, report=notes.append) == ReportResult()
    assert steps.attribute[0][1]["dry_run"] is True and not steps.motifs and not steps.page
    assert notes == ["dry run: 7 windows to explain; nothing was written"]
    assert list(tmp_path.iterdir()) == [steps.bed]


def test_resume_keeps_what_was_asked_in_other_words(steps):
    """Typing a default, or another place for notes, changes no result."""
    report("m", steps.bed, out=steps.out, limit=3)
    assert steps.named is False
    report("m", steps.bed, out=steps.out, limit=3, method="deepliftshap", edges="pad", resume=True)
    assert len(steps.attribute) == len(steps.motifs) == 1 and len(steps.page) == 2
    report("m", steps.bed, out=steps.out, limit=3, central=100, resume=True)
    assert (len(steps.attribute), len(steps.motifs)) == (1, 2)
    report("m", steps.bed, out=steps.out, limit=4, central=100, resume=True)
    assert (len(steps.attribute), len(steps.motifs)) == (2, 3)
    report("m", steps.bed, out=steps.out, limit=4, central=100)
    assert (len(steps.attribute), len(steps.motifs)) == (3, 4)


def test_a_loaded_model_is_passed_on_and_never_taken_for_the_same(steps):
    loaded = SimpleNamespace(folder=None, name="m")
    for _ in range(2):
        report(loaded, steps.bed, out=steps.out, resume=True)
    assert [arguments[0] for arguments, _ in steps.attribute] == [loaded, loaded]
    assert steps.motifs[0][1]["model"] is None  # the recorded name


@pytest.mark.parametrize(
    ("options", "words", "fix"),
    [
        ({"stride": 5}, "--stride: is no option of a report", "Fix: leave out --stride"),
        ({"format": "bw"}, "--format: is no option of a report", "Fix: leave out --format"),
        ({"overlap": "max"}, "--overlap: is no option of a report", "Fix: leave out --overlap"),
        ({"motif": "TGACTCA"}, "--motif: is no option of a report", "Fix: leave out --motif"),
        ({"method": "saliency"}, "needs contributions of both signs", "Fix: --method inputxgradient"),
        ({"method": "marginalize"}, "--method marginalize: a report is made of contributions", "zoo attribute MODEL"),
        ({"method": "guess"}, "--method guess", "Fix: one of"),
        ({"contribs": "c.h5"}, "--contribs: a report of MODEL REGIONS makes its own", "leave out --contribs"),
        ({"modisco": "leiden=3"}, "--modisco leiden=3", "--modisco NAME=VALUE"),
        ({"nonsense": 1}, "nonsense", "Fix: one of"),
        ({"batch_size": 0}, "--batch-size 0", "auto, or e.g. 64"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_a_report_of_a_model_refuses(steps, tmp_path, options, words, fix):
    with pytest.raises(UsageError) as caught:
        report("m", steps.bed, out=steps.out, **options)
    assert words in caught.value.what and fix in caught.value.fix
    assert not steps.attribute and list(tmp_path.iterdir()) == [steps.bed]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "ism"}, "--method: for MODEL REGIONS"),
        ({"settings": {"a": 1}, "genome": "g.fa"}, "--set, -g: for MODEL REGIONS"),
        ({"batch_size": 4, "dry_run": True}, "--batch-size, --dry-run: for MODEL REGIONS"),
        ({"contribs": "c.h5"}, "--contribs: is read for --region"),
    ],
)
def test_what_a_report_of_finished_motifs_refuses(options, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        report("m.h5", out=tmp_path / "r.html", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_report_of_finished_motifs(planted, found, tmp_path, capsys):
    """The same page from a path and from what was read; `-` is standard output."""
    source = planted.path.with_name("motifs.h5")
    assert report(source, out=tmp_path / "a.html") == ReportResult(tmp_path / "a.html")
    assert report(found, out=tmp_path / "b.html", region="region7").path == tmp_path / "b.html"
    text = (tmp_path / "a.html").read_text()
    assert text.startswith("<!doctype html>") and "region7 " in (tmp_path / "b.html").read_text()
    assert report(source, out="-") == ReportResult()
    assert capsys.readouterr().out == text
    with pytest.raises(InputError, match="no such file"):
        report(tmp_path / "absent.h5", out=tmp_path / "c.html")


def test_the_view_opens_on_the_region_that_was_asked_for(found, tmp_path):
    """On its strongest instance, or whole where it has none; without ``region`` on the strongest of all."""

    def opened(out, source=found, **options):
        text = report(source, out=tmp_path / out, **options).path.read_text()
        data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
        at = data["opening"]
        return data["views"][at["view"] if at else 0]["name"], at, data["views"][0]["items"]

    strongest, at, _ = opened("a.html")
    held = [int(row) for row in found.hits.sequence if found.regions.name[row] != strongest]
    name, at, items = opened("b.html", region=str(found.regions.name[held[0]]))
    assert name == found.regions.name[held[0]] and [at["start"], at["end"]] in [item[:2] for item in items]
    others = found.hits.sequence != held[0]
    bare = replace(found, hits=replace(found.hits, **{key: v[others] for key, v in vars(found.hits).items()}))
    assert opened("c.html", bare, region=str(found.regions.name[held[0]])) == (name, None, [])


def test_a_page_of_finished_motifs_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, interpret.report.report; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_contributions_in_the_place_of_a_model(planted, tmp_path):
    """Said at once, with the commands that make a page of them; no model is looked for in the file."""
    (tmp_path / "peaks.bed").write_text("chr1\t0\t100\n")
    with pytest.raises(UsageError, match="is a file of contributions, in the place of a model") as caught:
        report(planted.path, tmp_path / "peaks.bed", tmp_path / "genome.fa", tmp_path / "page.html")
    assert f"zoo motifs {planted.path} -o motifs.h5" in caught.value.fix and "zoo report motifs.h5" in caught.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["peaks.bed"]
