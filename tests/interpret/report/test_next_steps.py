"""What next: each command is one that exists, with options that it has, and right for the files of the run."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from interpret.motifs.grades import grade_patterns
from interpret.report.card import find_card
from interpret.report.next_steps import made_anew, next_steps
from interpret.report.numbers import row_of
from interpret.report.page import render
from zoo.cli import attribute, motifs, report, search
from zoo.cli import list as list_
from zoo.cli import run as zoo

COMMANDS = {"report": report.command, "attribute": attribute.command, "search": search.command, "list": list_.command}
CARD = find_card({"model": {"name": "yeast-atac", "version": "1.0.0"}})


@pytest.fixture
def steps(asked):
    """The steps of a run with other entries in its records."""

    def made(contributions=(), ours=(), **changes):
        record = {**asked.run, **dict(ours), "contributions": {**asked.run["contributions"], **dict(contributions)}}
        file = replace(asked, run=record, **changes)
        rows = [row_of(file, i, name) for i, name in enumerate(grade_patterns(file))]
        return next_steps(file, rows, CARD)

    return made


FULL = {
    "model": {"name": "yeast-atac", "version": "1.0.0"},
    "regions": {"path": "/data/my peaks.bed"},
    "genome": {"path": "/data/sacCer3.fa"},
    "options": {
        "method": "ism", "output": "atac", "tracks": ["atac_cuts"], "bins": "2:5", "reduce": "max", "references": "10",
        "explain": "predictions", "rc_average": True,
        "reading": {"limit": 300, "strand": "use", "window": "summit", "edges": "skip", "any_genome": True},
    },
    "output": "atac", "tracks": ["atac_cuts"], "bins": [2, 5], "references": {"kind": "dinucleotide", "n": 10},
}  # fmt: skip


def parsed(line):
    """The command's parameters, by click: an option that does not exist, or a value that is none, is an error."""
    program, name, *words = shlex.split(line)
    assert program == "zoo"
    return name, COMMANDS[name].make_context(name, words).params


def test_every_command_can_be_typed(steps):
    for record in ({}, FULL, {**FULL, "method": "deepliftshap", "options": {}}, {**FULL, "model": {"name": "./m"}}):
        commands = [step.command for step in steps(record, {"contribs": "/tmp/c.h5"}) if step.command]
        assert len(commands) >= 4
        for line in commands:
            parsed(line)


def test_they_repeat_what_makes_this_run(steps):
    lines = [step.command for step in steps(FULL, {"contribs": "/tmp/c.h5", "database": "JASPAR2026 CORE fungi"})]
    more, region, bigwig, effect, search, both = [parsed(line) for line in lines]
    assert region[1]["source"] == ("motifs.h5",) and region[1]["contribs"] == "c.h5"
    assert bigwig == ("attribute", {**bigwig[1], "model": "c.h5", "regions": None, "out": "c.bw"})
    assert (effect[1]["model"], effect[1]["regions"]) == ("yeast-atac", "my peaks.bed")
    assert (effect[1]["method"], effect[1]["output"], effect[1]["bins"]) == ("marginalize", "atac", "2:5")
    assert effect[1]["any_genome"] and set(effect[1]["motif"]) <= set("ACGTN")
    assert more[1]["source"] == ("yeast-atac", "my peaks.bed")  # the first 300 of them were taken
    for name, value in {
        "output": "atac", "bins": "2:5", "reduce": "max", "method": "ism", "references": "10", "explain": "predictions",
        "rc_average": True, "strand": "use", "window": "summit", "edges": "skip", "any_genome": True,
        "database": "jaspar:fungi",
    }.items():  # fmt: skip
        assert more[1][name] == value, name
    assert search[0] == "search" and search[1]["tag"] == "DNA accessibility"
    assert both[1]["source"] == ("motifs.h5", "other.motifs.h5")


def test_a_genome_that_was_found_by_its_name_is_called_by_it(steps):
    kept = {"path": "/home/ann/.cache/seqzoo/assemblies/sacCer3/sacCer3.fa.gz", "name": "sacCer3"}
    for genome, given in ((kept, "sacCer3"), ({"path": kept["path"]}, "sacCer3.fa.gz")):
        commands = [parsed(step.command) for step in steps({**FULL, "genome": genome}) if step.command]
        assert {found["genome"] for _, found in commands if found.get("genome")} == {given}


def test_what_the_record_does_not_hold_has_no_command(steps):
    for lacking in ({"regions": None}, {"genome": "hg38"}, {"model": "toy"}, {"regions": {"path": "-"}}):
        commands = [step.command for step in steps({**FULL, **lacking}) if step.command]
        assert not any("marginalize" in line or "more.html" in line for line in commands)
    assert not any("--contribs" in (step.command or "") for step in steps({}, {"contribs": None}))
    assert not any("hits.bed" in step.why for step in steps({}, hits=None))


def test_a_run_of_all_regions_asks_for_others(steps):
    for limit in (None, 361):
        record = {**FULL, "options": {"reading": {"limit": limit}}}
        more = next(step for step in steps(record) if "more.html" in (step.command or ""))
        assert more.title == "Take more regions" and "more.bed" in more.command  # 360 are few


FIRST = ("Take more regions", "See a region of your own")


def test_more_regions_stand_first_where_they_are_few_or_no_name_is_earned(steps, asked, monkeypatch):
    """360 regions are fewer than 1,000 and more than 300; without a match at q 0.05 no pattern earns a name."""
    assert [step.title for step in steps(FULL)][:2] == list(FIRST)
    assert steps({**FULL, "options": {"reading": {"limit": 360}}})[0].why == (
        "this run took the first 360, and fewer than 1,000 leave rare motifs unfound"
    )
    monkeypatch.setitem(next_steps.__globals__, "FEW", 300)
    titles = [step.title for step in steps(FULL)]
    assert titles[0] == FIRST[1] and titles.index("Take other regions") == len(titles) - 3
    unlike = {name: [replace(match, q=0.5) for match in matches] for name, matches in asked.matches.items()}
    assert [step.title for step in steps(FULL, matches=unlike)][:2] == list(FIRST)
    nothing = {"patterns": (), "hits": None, "enrichment": None, "effects": None}
    assert [step.title for step in steps(FULL, **nothing)][:2] == list(FIRST)


def test_more_regions_are_advised_without_a_command_too(steps, monkeypatch):
    """Of a record that names no file; where enough was found there is nothing to say then."""
    first = steps({**FULL, "regions": None})[0]
    assert (first.title, first.command) == ("Take more regions", None)
    unlimited = {**FULL, "regions": None, "options": {}}
    assert steps(unlimited)[0].why == "360 were explained, and fewer than 1,000 leave rare motifs unfound"
    assert steps({**unlimited, "regions": {"path": "my.bed"}})[0].why.startswith("of a BED with others; 360 were ")
    monkeypatch.setitem(next_steps.__globals__, "FEW", 300)
    assert not any(step.title.endswith("regions") for step in steps({**FULL, "regions": None}))


def _see(steps):
    return next(step for step in steps if step.title == "See a region of your own")


def test_the_region_is_one_that_the_page_does_not_draw(steps, asked):
    _, params = parsed(_see(steps()).command)
    (name,) = params["region"]
    row = list(asked.regions.name).index(name)
    assert row not in asked.views.sequence.tolist()
    same = replace(asked.regions, name=asked.regions.name.copy())
    same.name[:] = "peak"
    _, params = parsed(_see(steps(regions=same)).command)
    assert params["region"] == (f"{asked.regions.chrom[row]}:{asked.regions.start[row]}-{asked.regions.end[row]}",)


def test_the_commands_of_finished_files_run(steps, planted, monkeypatch, capsys):
    """In the folder of the files: the region, and what is said of other models."""
    monkeypatch.chdir(planted.path.parent)
    lines = [step.command for step in steps({}, {"contribs": str(planted.path)}) if step.command]
    done = 0
    for line in lines:
        _, *words = shlex.split(line)
        if words[0] == "search" or "--region" in words:
            assert zoo(words) == 0, capsys.readouterr().err
            done += 1
    assert done == 2 and (planted.path.parent / "region.html").stat().st_size > 100_000
    (planted.path.parent / "region.html").unlink()


def test_an_older_file_is_made_anew_of_its_contributions(asked):
    run = {**asked.run, "contribs": "/tmp/c.h5", "database": "JASPAR2026 CORE fungi"}
    old = replace(asked, run=run, window=100, explained=None)
    assert made_anew(old) == f"zoo motifs c.h5 --database jaspar:fungi --central 100 -o {asked.path.name}"
    motifs.command.make_context("motifs", shlex.split(made_anew(old))[2:])
    assert made_anew(replace(asked, run=run)) is None  # it lacks nothing
    assert made_anew(replace(old, run={**run, "contribs": None})) is None
    # without patterns there is nothing of them that could be measured
    assert made_anew(replace(asked, run=run, patterns=(), effects=None, hits=None, enrichment=None)) is None


def test_they_stand_on_the_page(asked):
    text = render(asked, CARD).split('<section id="patterns">')[0]
    assert text.count('<code class="line">zoo ') >= 4 and "zoo search --tag &#39;DNA accessibility&#39;" in text
