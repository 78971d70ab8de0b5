"""`zoo motifs` and `zoo report` as commands: files, notes, exit codes, three-line errors."""

from __future__ import annotations

import json

from zoo.cli import run


def test_motifs_then_report(planted, tmp_path, capsys):
    out, page = tmp_path / "m.h5", tmp_path / "m.html"
    assert run(["motifs", str(planted.path), "--database", "jaspar:fungi", "-o", str(out), "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)  # modisco-lite's own printing stays out of the data
    assert "3 patterns, " in said.err
    assert (told["motifs"], told["regions"], len(told["patterns"])) == (str(out), 360, 3)
    table = [line.split("\t") for line in (tmp_path / "m.motifs.tsv").read_text().splitlines()]
    assert {one["pattern"]: str(one["seqlets"]) for one in told["patterns"]} == {
        row[0]: row[table[0].index("seqlets")] for row in table[1:]
    }
    assert run(["report", str(out), "-o", str(page)]) == 0
    assert capsys.readouterr().out == ""
    assert run(["report", str(out), "-o", str(page), "--look-for", "ABF1,XYZ", "-q", "--json"]) == 0
    said = capsys.readouterr()
    shown = json.loads(said.out)
    assert said.err == "" and (shown["page"], shown["figures"]) == (str(page), [])
    assert shown["patterns"] == told["patterns"] and shown["sentence"] == told["sentence"]
    assert [(one["word"], one["found"]) for one in shown["looked_for"]] == [("ABF1", True), ("XYZ", False)]
    assert run(["report", str(out), "-o", "-", "--json"]) == 2
    assert "both are for standard output" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "m.cwm.meme",
        "m.h5",
        "m.hcwm.meme",
        "m.hits.bed",
        "m.html",
        "m.matrices.tsv",
        "m.meme",
        "m.motifs.tsv",
        "m.partners.tsv",
        "m.seqlets.bed",
        "m.subpatterns.tsv",
    ]


def test_motifs_with_regions_and_a_model_without(found, tmp_path, capsys):
    """Each is told as what it is: neither is a damaged file of the other kind."""
    bed, page = tmp_path / "peaks.bed", str(tmp_path / "m.html")
    bed.write_text("chr1\t0\t100\n")
    assert run(["report", str(found.path), str(bed), "-o", page]) == 2
    said = capsys.readouterr().err
    assert "is a file of finished motifs" in said and "Keras" not in said and "step 1" not in said
    assert run(["report", "yeast-atac", "-o", page]) == 2
    assert "is it a model?" in capsys.readouterr().err


def test_mistakes(planted, tmp_path, capsys):
    out = str(tmp_path / "m.h5")
    for arguments, code in (
        (["motifs", str(tmp_path / "absent.h5"), "-o", out], 3),
        (["motifs", str(planted.path), "--database", "nosuch", "-o", out], 2),
        (["motifs", str(planted.path), "--modisco", "leiden=3", "-o", out], 2),
        (["motifs", str(planted.path), "--central", "9999", "--database", "jaspar:fungi", "-o", out], 3),
        (["motifs", str(planted.path), "-o", str(tmp_path / "no" / "m.h5")], 2),
        (["report", str(planted.path), "-o", str(tmp_path / "m.html")], 3),
        (["report", out, "--contribs", str(planted.path), "-o", str(tmp_path / "m.html")], 2),
    ):
        assert run(arguments) == code, arguments
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 3 and lines[0].startswith("error: ") and lines[2].startswith("  Fix: "), lines
    assert list(tmp_path.iterdir()) == []
