"""What the options of a prediction choose, what is refused before it begins, and what the run record tells."""

from __future__ import annotations

import json

import pytest
from prediction_cases import CONTIGS, make_case, read_tsv, values_of

import zoo
from zoo.errors import InputError, ModelError, TrustError, UsageError


def test_limit_takes_the_first_regions(tmp_path):
    case = make_case(tmp_path, "gc")
    assert case.predict(tmp_path / "out.tsv", limit=7).regions == 7
    assert [r["name"] for r in read_tsv(tmp_path / "out.tsv")] == [row[3] for row in case.rows[:7]]


@pytest.mark.parametrize("tracks", ["minus", ["minus"], ["1"], ["counts/1"], ["min*"]])
def test_chosen_tracks_are_written_alone(tmp_path, tracks):
    case = make_case(tmp_path, "stranded")
    case.predict(tmp_path / "out.tsv", tracks=tracks)
    for row, record in zip(case.rows, read_tsv(tmp_path / "out.tsv"), strict=True):
        assert values_of(record) == case.expected(row)["counts"][1]


def test_an_unknown_track_is_refused(tmp_path):
    case = make_case(tmp_path, "gc")
    with pytest.raises(UsageError, match="no such track"):
        case.predict(tmp_path / "out.tsv", tracks=["cg"])
    assert list(tmp_path.glob("out*")) == []


def test_chromosomes_of_another_style_can_be_translated(tmp_path):
    case = make_case(tmp_path, "gc")
    renamed = tmp_path / "renamed.bed"
    renamed.write_text(case.bed.read_text().replace("chr", ""))
    with pytest.raises(InputError, match="another style"):
        zoo.predict(case.toy.folder, renamed, case.genome, tmp_path / "a.tsv", trust=True)
    zoo.predict(case.toy.folder, renamed, case.genome, tmp_path / "a.tsv", trust=True, translate_chroms=True)
    case.predict(tmp_path / "b.tsv")
    got, expected = read_tsv(tmp_path / "a.tsv"), read_tsv(tmp_path / "b.tsv")
    assert [r["gc"] for r in got] == [r["gc"] for r in expected]
    assert [r["chrom"] for r in got] == [row[0].replace("chr", "") for row in case.rows]


def test_both_names_of_a_chromosome_in_one_file(tmp_path):
    case = make_case(tmp_path, "gc")
    case.bed.write_text("chr2\t100\t116\n2\t130\t146\nchr1\t50\t66\n")
    case.predict(tmp_path / "out.bedgraph", translate_chroms=True)
    lines = [line.split("\t") for line in (tmp_path / "out.bedgraph").read_text().splitlines()]
    found = {(line[0], int(line[1]), int(line[2])) for line in lines if line[0] in ("chr1", "chr2", "2")}
    assert found == {("chr2", 100, 116), ("2", 130, 146), ("chr1", 50, 66)}


def test_a_dry_run_writes_nothing(tmp_path):
    case = make_case(tmp_path, "profile")
    before = sorted(tmp_path.rglob("*"))
    result = case.predict(tmp_path / "out.tsv", dry_run=True)
    assert (result.regions, result.windows, result.paths) == (150, 150, [])
    after = {p for p in tmp_path.rglob("*") if "__pycache__" not in p.parts}
    assert after - set(before) == {tmp_path / "genome.fa.fai"}


@pytest.mark.parametrize(
    "options",
    [
        {"window": "middle"},
        {"edges": "cut"},
        {"strand": "both"},
        {"overlap": "min"},
        {"batch_size": 0},
        {"batch_size": "many"},
        {"limit": 0},
        {"stride": 5},
        {"window": "tile", "stride": 0},
        {"no_such": 1},
        {"precision": "int8"},
        {"device": "abacus"},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(tmp_path, options):
    case = make_case(tmp_path, "gc", n=3)
    with pytest.raises(UsageError) as caught:
        case.predict(tmp_path / "out.tsv", **options)
    assert caught.value.fix.startswith("Fix: ")
    assert list(tmp_path.glob("out*")) == []


def test_foreign_python_needs_trust(tmp_path):
    case = make_case(tmp_path, "gc", n=3)
    with pytest.raises(TrustError):
        case.predict(tmp_path / "out.tsv", trust=False)


def test_regions_are_checked_before_the_model_is_loaded(tmp_path):
    marker = tmp_path / "marker"
    case = make_case(tmp_path, "gc", n=3, module_prefix=f"open({str(marker)!r}, 'w')\n")
    case.bed.write_text("chr1\t20\t10\n")
    with pytest.raises(InputError, match="start 20 is not below end 10"):
        case.predict(tmp_path / "out.tsv")
    assert not marker.exists()


def test_no_genome_given(tmp_path, monkeypatch):
    case = make_case(tmp_path, "gc", n=3, card={"genome": {"assembly": "toyAsm1"}})
    monkeypatch.delenv("ZOO_GENOMES", raising=False)
    with pytest.raises(UsageError, match="no genome was given"):
        zoo.predict(case.toy.folder, case.bed, None, tmp_path / "out.tsv", trust=True)
    case.genome.rename(tmp_path / "toyAsm1.fa")
    monkeypatch.setenv("ZOO_GENOMES", str(tmp_path))
    assert zoo.predict(case.toy.folder, case.bed, None, tmp_path / "out.tsv", trust=True).windows == 3


def test_skipped_windows_leave_no_row_on_standard_output(tmp_path, capsysbinary):
    """All windows of a batch skipped: the batch has no values, which was a KeyError on standard output alone."""
    case = make_case(tmp_path, "profile", n=1)
    case.bed.write_text("chr1\t0\t4\n")  # the window of 40 bp begins before the chromosome
    case.predict("-", edges="skip")
    header, *rows = capsysbinary.readouterr().out.splitlines()
    assert header.startswith(b"chrom\tstart\tend") and rows == []


def test_the_run_record_tells_what_was_done(tmp_path):
    case = make_case(tmp_path, "stranded")
    case.bed.write_text("track name=x\n# c\n" + case.bed.read_text())
    result = case.predict(tmp_path / "out.tsv", edges="skip", tracks=["plus"], batch_size=3)
    record = json.loads((tmp_path / "out.tsv.run.json").read_text())
    assert record["counts"] == json.loads(json.dumps(result.counts))
    assert (record["counts"]["regions"], record["counts"]["skipped_lines"]) == (150, 2)
    assert record["counts"]["windows"] + record["counts"]["skipped"] == 150
    assert record["options"]["edges"] == "skip" and record["options"]["tracks"] == ["plus"]
    assert record["model"]["sha256"].keys() == {"toy_toy.py", "weights.pth"}
    assert record["genome"]["total_bp"] == sum(CONTIGS.values())
    assert [out["tracks"] for out in record["outputs"]] == [["plus"]]
    assert record["files"] == [str(tmp_path / "out.tsv")]
    assert record["versions"]["torch"] and record["batch_size"] == 3


def test_a_folder_that_does_not_exist_is_said_first(tmp_path):
    case = make_case(tmp_path, "gc", n=3)
    with pytest.raises(UsageError, match="does not exist"):
        case.predict(tmp_path / "none/out.tsv")


def test_bins_without_a_card_have_no_place_in_a_genome_track(tmp_path):
    case = make_case(tmp_path, "profile", inside=True, card=False)
    with pytest.raises(UsageError, match="where its bins lie"):
        case.predict(tmp_path / "out.bw")
    assert case.predict(tmp_path / "out.tsv").windows == 150


def test_a_strand_pair_torn_apart_cannot_go_into_a_genome_track(tmp_path):
    """On '-' the plus strand's values come from the minus track: without it they would be wrong."""
    case = make_case(tmp_path, "stranded", inside=True)
    case.predict(tmp_path / "both.bedgraph", strand="use", tracks=["plus", "minus"])
    case.predict(tmp_path / "one.bedgraph", strand="ignore", tracks=["plus"])
    for options in ({}, {"format": "bw"}):
        with pytest.raises(UsageError, match="leaves out 'minus'"):
            case.predict(tmp_path / "torn.bedgraph", strand="use", tracks=["plus"], **options)


def test_a_model_error_is_no_traceback(tmp_path):
    case = make_case(tmp_path, "gc", n=3)
    (case.toy.folder / "model.yaml").write_text("{")
    with pytest.raises(ModelError, match="does not parse"):
        case.predict(tmp_path / "out.tsv")
