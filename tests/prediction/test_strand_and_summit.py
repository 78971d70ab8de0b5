"""Strands and summits in whole runs, against plain Python: what is used, what is refused, what is said."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from prediction_cases import flat, make_case, read_tsv, values_of
from toys import complement, window

import zoo
from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.run.job import opened, options_from, prepare

ROW = "chr1\t100\t124\tpeak1\t13.2\t{}\n"
ODD = ["-2.31", "-/+", "minus", "\u2212", " -", '"-"', "- ", "*"]


@pytest.fixture(scope="module", params=[{}, {"use_strand": True}], ids=["ignores", "uses"])
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uses" if request.param else "ignores")
    return make_case(folder, "stranded", n=3, loader_args=request.param)


def uses(case):
    return case.bed.parent.name.startswith("uses")


def run(case, tmp_path, content, **options):
    """Values of every row, and the notes."""
    bed = tmp_path / "x.bed"
    bed.write_text(content)
    result = zoo.predict(case.toy.folder, bed, case.genome, tmp_path / "out.tsv", trust=True, **options)
    return [values_of(record) for record in read_tsv(tmp_path / "out.tsv")], " | ".join(result.notes)


def answer(case, centre, reverse=False):
    seen = window(case.sequences["chr1"], centre - case.toy.length // 2, case.toy.length)
    return flat(case.toy.answer(complement(seen) if reverse else seen))


def test_the_two_strands_have_other_answers(case):
    assert answer(case, 112) != answer(case, 112, reverse=True)


@pytest.mark.parametrize("text", ODD)
def test_another_text_in_column_6_is_plus_where_strands_are_ignored_and_an_error_where_they_are_used(
    case, tmp_path, text
):
    content = ROW.format("-") + ROW.format(text) * 2
    if not uses(case):
        values, _ = run(case, tmp_path, content)
        assert values == [answer(case, 112)] * 3
        assert [record["strand"] for record in read_tsv(tmp_path / "out.tsv")] == ["-", ".", "."]
    for options in [{"strand": "use"}] + [{}] * uses(case):
        (tmp_path / "out.tsv").unlink(missing_ok=True)
        with pytest.raises(InputError) as caught:
            run(case, tmp_path, content, **options)
        assert caught.value.what == f"{tmp_path / 'x.bed'}:2: the strand (column 6) is {text!r}, not +, - or ."
        assert caught.value.extent.startswith("2 of 3 regions have such a one")
        assert "--strand ignore" in caught.value.fix and not (tmp_path / "out.tsv").exists()
    values, _ = run(case, tmp_path, content, strand="ignore")  # what is advised
    assert values == [answer(case, 112)] * 3


@pytest.mark.parametrize(
    ("line", "column"), [("chr1\t100\t124\t-\n", 4), ("chr1\t100\t124\tn\t-\n", 5), ("chr1 100 124 n +\n", 5)]
)
def test_a_strand_in_another_column_is_an_error_where_strands_are_used(case, tmp_path, line, column):
    if not uses(case):
        assert run(case, tmp_path, line)[0] == [answer(case, 112)]
    with pytest.raises(InputError) as caught:
        run(case, tmp_path, line, strand="use")
    assert f"in column {column} and no column 6" in caught.value.what and "x.bed:1: " in caught.value.what
    assert run(case, tmp_path, line, strand="ignore")[0] == [answer(case, 112)]


def test_plus_minus_and_dot_are_what_they_say(case, tmp_path):
    content = ROW.format("+") + ROW.format("-") + ROW.format(".")
    values, notes = run(case, tmp_path, content, strand="use")
    assert values == [answer(case, 112), answer(case, 112, reverse=True), answer(case, 112)]
    assert "1 region on '-': predicted from the reverse complement" in notes
    assert "1 region has no strand ('.') and was read as '+'" in notes
    assert run(case, tmp_path, content, strand="ignore")[0] == [answer(case, 112)] * 3


@pytest.mark.parametrize("content", ["chr1\t100\t124\n", "chr1\t100\t124\tn\n", ROW.format(".")])
def test_a_file_without_strands_is_said_where_they_are_used(case, tmp_path, content):
    values, notes = run(case, tmp_path, content)
    assert values == [answer(case, 112)]
    assert ("strands are used, but" in notes) is uses(case)
    assert "strands are used, but" in run(case, tmp_path, content, strand="use")[1]
    assert "strands are used" not in run(case, tmp_path, content, strand="ignore")[1]


def test_a_strand_column_that_is_wrong_is_told_before_the_model_is_loaded(tmp_path):
    marker = tmp_path / "loaded"
    case = make_case(tmp_path, "gc", n=3, module_prefix=f"open({str(marker)!r}, 'w')\n")
    case.bed.write_text(ROW.format("minus"))
    with pytest.raises(InputError, match="'minus', not"):
        case.predict(tmp_path / "out.tsv", strand="use")
    assert not marker.exists()


# ---------------------------------------------------------------- summits

PEAK = "chr1\t{0}\t{1}\tp\t0\t{3}\t1.5\t2\t-1\t{2}\n"
PEAKS = PEAK.format(100, 200, 70, "+") + PEAK.format(300, 321, -1, ".") + PEAK.format(400, 420, 0, "-")


@pytest.fixture(scope="module")
def peaks(tmp_path_factory):
    return make_case(tmp_path_factory.mktemp("peaks"), "stranded", n=3)


def test_windows_are_centred_on_summits(peaks, tmp_path):
    """start + column 10; the middle where it is -1; on '-' the same window, turned around."""
    values, notes = run(peaks, tmp_path, PEAKS, window="summit", strand="use")
    assert values == [answer(peaks, 170), answer(peaks, 310), answer(peaks, 400, reverse=True)]
    assert "1 region has no summit (-1): its window is centred on its middle" in notes
    assert "only its summit was seen" in notes  # 100 bp, and the model sees 24
    record = json.loads((tmp_path / "out.tsv.run.json").read_text())
    assert record["options"]["window"] == "summit" and record["counts"]["windows"] == 3


def test_summits_that_are_not_used_are_said(peaks, tmp_path):
    values, notes = run(peaks, tmp_path, PEAKS)
    assert values[0] == answer(peaks, 150)
    assert "has summits (column 10)" in notes and "--window summit" in notes
    assert "has summits" not in run(peaks, tmp_path, PEAKS, window="tile")[1]
    assert "has summits" not in run(peaks, tmp_path, ROW.format("."))[1]


def test_a_file_without_summits_is_refused(peaks, tmp_path):
    with pytest.raises(InputError, match=r"x.bed:1: has no column 10") as caught:
        run(peaks, tmp_path, ROW.format("."), window="summit")
    assert "--window center" in caught.value.fix
    with pytest.raises(UsageError, match="--stride is for tiled windows"):
        run(peaks, tmp_path, PEAKS, window="summit", stride=5)


def test_blocks_of_a_bed12_are_no_summits(peaks, tmp_path):
    """Column 10 of a BED12 counts blocks: read as a summit it would move the window in silence."""
    genes = "chr1\t100\t200\tg\t0\t+\t100\t200\t0\t2\t10,20,\t0,80,\n"
    with pytest.raises(InputError, match=r"x.bed:1: column 10 \(2\) counts blocks") as caught:
        run(peaks, tmp_path, genes, window="summit")
    assert "--window center" in caught.value.fix
    joined = PEAK.format(100, 200, 70, "+").rstrip("\n") + "\tchr1\t150\n"  # narrowPeak of bedtools intersect
    assert run(peaks, tmp_path, joined, window="summit")[0] == [answer(peaks, 170)]


def test_frames_and_regions_in_memory_have_summits_too(peaks, tmp_path):
    frame = pd.DataFrame({"chrom": ["chr1"] * 2, "start": [100, 300], "end": [200, 321], "peak": [70, -1]})
    model = zoo.load_model(peaks.toy.folder, trust=True)
    batch = model.predict_regions(frame, peaks.genome, window="summit")
    assert batch.window_start.tolist() == [170 - 12, 310 - 12]
    np.testing.assert_array_equal(batch.values["total"][:, 0], [answer(peaks, at)[-1] for at in (170, 310)])


def test_an_interrupted_run_does_not_go_on_with_other_windows(peaks, tmp_path):
    """What a journal is compared with."""
    (tmp_path / "x.bed").write_text(PEAKS)
    found = {}
    for window_ in ("center", "summit"):
        with RegionFile(tmp_path / "x.bed") as regions:
            options = options_from({"window": window_, "trust": True})
            job = prepare(opened(peaks.toy.folder, trust=True), regions, peaks.genome, options)
            found[window_] = job.signature(tmp_path / "out.tsv")
    assert found["center"] != found["summit"]
    assert found["center"] | {"window": "summit"} == found["summit"]


def test_contributions_are_of_the_window_on_the_summit(peaks, tmp_path):
    import h5py

    import interpret

    (tmp_path / "x.narrowPeak").write_text(PEAKS)
    out = tmp_path / "c.h5"
    given = (peaks.toy.folder, tmp_path / "x.narrowPeak", peaks.genome, out)
    options = {"trust": True, "method": "inputxgradient", "output": "total"}
    interpret.attribute(*given, window="summit", **options)
    with h5py.File(out) as file:
        assert file["windows/start"][:].tolist() == [158, 298, 388]
    with pytest.raises(InputError, match="'minus', not"):
        (tmp_path / "x.narrowPeak").write_text(PEAK.format(100, 200, 70, "minus"))
        interpret.attribute(*given, strand="use", **options)


def test_a_report_takes_summits_and_no_tiles(peaks, tmp_path):
    import interpret

    (tmp_path / "x.narrowPeak").write_text(PEAKS)
    given = (peaks.toy.folder, tmp_path / "x.narrowPeak", peaks.genome, tmp_path / "r.html")
    options = {"trust": True, "method": "inputxgradient", "output": "total", "dry_run": True}
    said = []
    interpret.report(*given, window="summit", report=said.append, **options)
    assert any("no summit (-1)" in note for note in said) and not any("has summits" in note for note in said)
    interpret.report(*given, report=said.append, **options)
    assert any("has summits (column 10)" in note for note in said)
    with pytest.raises(UsageError, match="--window tile"):
        interpret.report(*given, window="tile", **options)
