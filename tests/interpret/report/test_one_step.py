"""`zoo report MODEL REGIONS`: the three steps in one, what is kept of an earlier run, what is refused at once."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

import zoo
from zoo.cli import run

EXAMPLE = Path(zoo.__file__).parents[1] / "model_cards" / "yeast-atac" / "example"
YEAST = ["yeast-atac", str(EXAMPLE / "regions.bed"), "-g", str(EXAMPLE / "genome.fa")]
OPTIONS = [
    "--any-genome",
    "--limit",
    "97",
    "--method",
    "inputxgradient",
    "--database",
    "jaspar:fungi",
    "--central",
    "500",
]


@pytest.fixture(scope="module")
def yeast(tmp_path_factory):
    """The first arguments: the bundled model, 98 windows along 50 kb of the example's chromosome, its genome."""
    bed = tmp_path_factory.mktemp("regions") / "windows.bed"
    bed.write_text("".join(f"chrI\t{at}\t{at + 500}\tw{at}\n" for at in range(30700, 79700, 500)))
    return ["yeast-atac", str(bed), *YEAST[2:]]


@pytest.fixture(scope="module")
def made(yeast, tmp_path_factory):
    """A page of 97 regions."""
    folder = tmp_path_factory.mktemp("one")
    assert run(["report", *yeast, *OPTIONS, "-o", str(folder / "r.html"), "-q"]) == 0
    return folder


def test_the_steps_leave_their_files_beside_the_page(made):
    assert {path.name for path in made.iterdir()} == {
        "r.html",
        "r.html.run.json",
        "r.contribs.h5",
        "r.motifs.h5",
        "r.motifs.meme",
        "r.motifs.motifs.tsv",
        "r.motifs.matrices.tsv",
        "r.motifs.seqlets.bed",
        "r.motifs.hits.bed",
        "r.motifs.subpatterns.tsv",
        "r.motifs.partners.tsv",
        "r.motifs.cwm.meme",
        "r.motifs.hcwm.meme",
    }


def test_options_reach_their_steps(made):
    with h5py.File(made / "r.contribs.h5") as contribs, h5py.File(made / "r.motifs.h5") as motifs:
        record = json.loads(contribs.attrs["run"])
        assert record["method"] == "inputxgradient" and record["windows"] == 97
        found = json.loads(motifs.attrs["run"])
        assert found["window"] == 500 and "fungi" in found["database"]
    text = (made / "r.html").read_text()
    assert "97 sequences of 1,280 bp" in text
    assert "<h1>Motifs of yeast-atac</h1>" in text and 'id="card"' in text and "pearson log1p 32bp" in text


@pytest.mark.slow
def test_it_is_the_page_of_the_three_commands(made, yeast, tmp_path):
    contribs, motifs, page = (str(tmp_path / name) for name in ("r.contribs.h5", "r.motifs.h5", "r.html"))
    options = ["--any-genome", "--limit", "97", "--method", "inputxgradient"]
    assert run(["attribute", *yeast, *options, "-o", contribs, "-q"]) == 0
    assert run(["motifs", contribs, "--database", "jaspar:fungi", "--central", "500", "-o", motifs, "-q"]) == 0
    assert run(["report", motifs, "-o", page, "-q"]) == 0

    def shown(path: Path) -> str:
        """Head and table: the record of the run names files and seconds."""
        text = path.read_text()
        return text.split("Seed, versions and hashes")[0] + text.split('<table id="motifs">')[1].split("</table>")[0]

    assert shown(tmp_path / "r.html") == shown(made / "r.html")


def test_resume_keeps_finished_steps_and_nothing_else(made, yeast, capsys):
    page, contribs, motifs = made / "r.html", made / "r.contribs.h5", made / "r.motifs.h5"

    def times() -> tuple[int, int]:
        return contribs.stat().st_mtime_ns, motifs.stat().st_mtime_ns

    first, command = times(), ["report", *yeast, *OPTIONS, "-o", str(page), "--resume"]
    page.unlink()
    assert run(command) == 0
    assert times() == first and page.exists()
    assert capsys.readouterr().err.count("is kept: an earlier run made it") == 2
    # another option of the second step: the first is kept
    assert run([*command, "--central", "400", "-q"]) == 0
    second = times()
    assert second[0] == first[0] and second[1] != first[1]
    # another option of the first: both run again
    assert run([*command, "--central", "400", "--limit", "96", "-q"]) == 0
    third = times()
    assert third[0] != second[0] and third[1] != second[1]


def test_to_standard_output(made, capsys):
    assert run(["report", str(made / "r.motifs.h5"), "-o", "-"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("<!doctype html>") and said.out.endswith("</html>\n") and said.err == ""


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        ([], 2, "one or more files of motifs, or a model and its regions; 0 were given"),
        (["a", "b", "c"], 2, "3 were given"),
        (["motifs.h5", "--method", "ism", "--central", "9"], 2, "--method, --central: for MODEL REGIONS"),
        (["motifs.h5", "--resume"], 2, "--resume: for MODEL REGIONS"),
        (["yeast-atac"], 2, "yeast-atac: no file of motifs; is it a model?"),
        ([*YEAST, "--database", "nosuch"], 2, "nosuch"),
        ([*YEAST, "--modisco", "leiden=3"], 2, "leiden"),
        ([*YEAST, "--genes", "no-such.gtf"], 3, "no-such.gtf: genes cannot be read: no such file"),
        (["no-such-model", *YEAST[1:]], 4, "no-such-model"),
        (["yeast-atac", "no-such.bed", *YEAST[2:]], 3, "no-such.bed"),
    ],
)
def test_mistakes_are_three_lines_and_leave_nothing(arguments, code, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["report", *arguments, "-o", "r.html", "-q"]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and lines[0].startswith("error: ") and lines[2].startswith("  Fix: "), lines
    assert words in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_none(tmp_path, capsys):
    assert run(["report", *YEAST, "-o", str(tmp_path / "no" / "r.html")]) == 2
    assert "mkdir -p" in capsys.readouterr().err
    assert run(["report", *YEAST, "-o", "-"]) == 2
    assert "need a place beside the page" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_step_is_not_taken_for_finished(tmp_path):
    """A file that is there without its record, or with the record of other contents, is made again."""
    from interpret.report.report import Steps

    bed, out = tmp_path / "a.bed", str(tmp_path / "r.html")
    bed.write_text("chr1\t0\t9\n")

    def wants(options: dict, resume: bool = True) -> bool:
        steps = Steps("m", bed, None, out, {"resume": resume}, lambda note: None)
        with steps.step("attribute", steps.contribs, options) as needed:
            if needed and not options.get("fails"):
                steps.contribs.write_text("done")
            if options.get("fails"):
                raise InterruptedError
        return needed

    (tmp_path / "r.contribs.h5").write_text("of unknown origin")
    with pytest.raises(InterruptedError):
        wants({"n": 1, "fails": True})
    assert wants({"n": 1}) and not wants({"n": 1}) and wants({"n": 1}, resume=False) and wants({"n": 2})
    bed.write_text("chr1\t0\t9\nchr1\t20\t29\n")
    assert wants({"n": 2}) and not wants({"n": 2})
    (tmp_path / "r.contribs.h5").write_text("changed by hand")
    assert wants({"n": 2})
