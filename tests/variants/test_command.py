"""`zoo variants` as a whole: scores against plain Python, files whole and in order, going on, and what is refused."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import os
import resource
import sys

import numpy as np
import pytest
from command_cases import make_case
from toy_entries import failing_model
from variant_cases import write_vcf

import zoo
from zoo.cli import run
from zoo.errors import InputError, ModelError, SystemStateError, UsageError
from zoo.run import file_run
from zoo.variants.run import passes
from zoo.variants.writers import FORMATS

SCORED = set("ACGT")


@pytest.fixture(autouse=True)
def short_trial(monkeypatch):
    """Of the size of a batch: three passes."""
    monkeypatch.setattr("zoo.variants.run.steady.TRIED_BASES", 1)


@pytest.fixture
def case(tmp_path):
    return make_case(tmp_path)


def read(path):
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def alleles(case):
    """(row, ALT) of every ALT, in order; one of ``.`` where there is none."""
    return [(row, alt) for row in case.rows for alt in row[3].split(",")]


# ---------------------------------------------------------------- numbers


def test_every_alt_is_a_row_whose_score_plain_python_gives(case):
    case.score(case.folder / "out.tsv")
    rows = read(case.folder / "out.tsv")
    assert [(r["chrom"], int(r["pos"]), r["ref"], r["alt"]) for r in rows] == [
        (row[0], row[1], row[2], alt) for row, alt in alleles(case)
    ]
    n = 0
    for got, (row, alt) in zip(rows, alleles(case), strict=True):
        if set(alt) <= SCORED:
            assert got["status"] == "ok"
            assert float(got["diff_gc"]) == pytest.approx(case.diff(*row[:3], alt), abs=1e-7)
            n += 1
        else:
            wanted = {"*": "overlapping_deletion", "<NON_REF>": "no_sequence", ".": "missing"}[alt]
            assert (got["status"], got["diff_gc"], got["window_start"]) == (wanted, "nan", "nan")
    assert n > 40


def test_windows_changes_and_unknown_bases_stand_in_the_row(case):
    case.score(case.folder / "out.tsv", "chr1:3:{}>T".format(case.sequences["chr1"][2].upper()), ref_mismatch="skip")
    (got,) = read(case.folder / "out.tsv")
    assert (got["window_start"], got["window_end"], got["unknown"]) == ("-6", "10", "6")


def test_one_change_in_three_spellings_is_the_same_to_the_last_bit(case):
    whole = case.sequences["chr1"].upper()
    at = next(i for i in range(50, 800) if whole[i : i + 3] == "GCC")
    spelled = [f"chr1:{at + 3}:C>T", f"chr1:{at + 2}:CC>CT", f"chr1:{at + 1}:GCC>GCT"]
    found = case.score(None, spelled)
    assert len(found) == 3 and len({row.values.tobytes() for row in found}) == 1
    assert len({row.start for row in found}) == 1


def test_a_record_of_three_alts_is_three_records_and_its_ref_is_predicted_once(case):
    base = case.sequences["chr1"][99].upper()
    others = [one for one in "ACGT" if one != base]
    one = write_vcf(case.folder / "one.vcf", [("chr1", 100, base, ",".join(others))])
    three = write_vcf(case.folder / "three.vcf", [("chr1", 100, base, alt) for alt in others])
    together = case.score(None, one)
    assert together.values.tobytes() == case.score(None, three).values.tobytes()
    case.score(case.folder / "three.tsv", three)
    assert json.loads((case.folder / "three.tsv.run.json").read_text())["counts"]["sequences_predicted"] == 4


def test_a_score_does_not_depend_on_its_file(case):
    whole = case.score(None)
    for number in (0, 7, 31, 58):
        alone = write_vcf(case.folder / "alone.vcf", [case.rows[number]], samples=["S1"])
        found = [row for row in whole if row.allele.record.number == number]
        assert case.score(None, alone).values.tobytes() == np.array(
            [row.values for row in found if row.values is not None]
        ).astype(np.float32).tobytes() or any(row.values is None for row in found)


def test_few_predictions_are_kept_and_none_is_needed_twice(case, monkeypatch):
    expected = case.score(None).values.tobytes()
    monkeypatch.setattr(passes, "KEPT_BYTES", 0)
    monkeypatch.setattr(passes, "WAITING", 3)
    assert case.score(None).values.tobytes() == expected


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz"])
def test_records_come_back_to_the_byte_but_info(case, suffix):
    out = case.folder / f"out{suffix}"
    case.score(out)
    text = (gzip.decompress(out.read_bytes()) if suffix.endswith("gz") else out.read_bytes()).decode()
    before, after = case.vcf.read_text().splitlines(), text.splitlines()
    assert [line for line in after if line in set(before) and line[0] == "#"] == [
        line for line in before if line[0] == "#"
    ]
    assert all(
        "##INFO=<ID=toy_" in line or line[:6] == "##zoo_" for line in after if line[0] == "#" and line not in before
    )
    rows = [line.split("\t") for line in after if line[0] != "#"]
    old = [line.split("\t") for line in before if line[0] != "#"]
    assert [row[:7] + row[8:] for row in rows] == [row[:7] + row[8:] for row in old]
    for row, was in zip(rows, old, strict=True):
        kept = [field for field in row[7].split(";") if not field.startswith("toy_")]
        assert (";".join(kept) or ".") == was[7]


def test_info_has_a_value_an_alt_and_a_dot_where_there_is_none(case):
    import pysam

    case.score(case.folder / "out.vcf")
    found = {}
    with pysam.VariantFile(str(case.folder / "out.vcf")) as file:
        assert file.header.info["toy_diff_gc"].number == "A" and file.header.info["toy_diff_gc"].type == "Float"
        for record in file:
            found[record.chrom, record.pos, record.ref, record.alts] = (
                record.info.get("toy_diff_gc"),
                record.info.get("toy_status"),
            )
    seen = set()
    for row in case.rows:
        alts = None if row[3] == "." else tuple(row[3].split(","))
        values, status = found[row[0], row[1], row[2], alts]
        if alts is None:
            assert values is None and status is None
            continue
        known = [set(alt) <= SCORED for alt in alts]
        assert [value is not None for value in values] == known
        assert (status is None) == all(known)
        for value, alt in zip(values, alts, strict=True):
            if value is not None:
                assert value == pytest.approx(case.diff(*row[:3], alt), abs=1e-6)
        seen.add(tuple(known))
    assert {(True,), (False,), (True, True, True), (False, True)} <= seen


@pytest.mark.parametrize("suffix", [".vcf.gz", ".bcf"])
def test_bcftools_reads_a_region_of_it_through_the_index(case, suffix):
    from pysam import bcftools

    out = case.folder / f"out{suffix}"
    result = case.score(out)
    index = ".tbi" if suffix == ".vcf.gz" else ".csi"
    assert [path.name for path in result.paths] == [out.name, f"{out.name}{index}"]
    listed = bcftools.query("-f", "%CHROM %POS %REF %ALT %INFO/toy_diff_gc\n", "-r", "chr2", str(out)).splitlines()
    inside = [row for row in case.rows if row[0] == "chr2"]
    assert [line.split()[:4] for line in listed] == [[row[0], str(row[1]), row[2], row[3]] for row in inside]
    for line, row in zip(listed, inside, strict=True):
        for text, alt in zip(line.split()[4].split(","), row[3].split(","), strict=True):
            assert (text != ".") == (set(alt) <= SCORED)
            assert text == "." or float(text) == pytest.approx(case.diff(*row[:3], alt), abs=1e-6)


def test_an_unsorted_file_has_no_index_and_says_so(case):
    rows = [case.rows[-1], *case.rows[:-1]]
    vcf = write_vcf(case.folder / "unsorted.vcf", rows, samples=["S1"])
    for name in ("out.vcf.gz.tbi", "out.vcf.gz.csi"):
        (case.folder / name).write_text("of an earlier file")
    result = case.score(case.folder / "out.vcf.gz", vcf)
    assert any("no index" in note for note in result.notes)
    assert not list(case.folder.glob("out.vcf.gz.[tc][bs]i"))


def test_bcf_takes_what_the_header_does_not_declare(case):
    from pysam import bcftools

    row = case.rows[0]
    vcf = write_vcf(case.folder / "bare.vcf", [(*row[:4], "DP=7")])
    case.score(case.folder / "out.bcf", vcf)
    assert bcftools.query("-f", "%POS %INFO/DP\n", str(case.folder / "out.bcf")).split() == [str(row[1]), "7"]


def test_a_disk_that_becomes_full_while_htslib_writes_is_told_as_such(case):
    for name in ("out.bcf", "out.vcf.gz"):
        case.score(case.folder / name)
    size = (case.folder / "out.bcf").stat().st_size
    assert (case.folder / "out.vcf.gz").stat().st_size < size - 64  # the text that it is made of fits
    for path in case.folder.glob("out.*"):
        path.unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 64, hard))
    try:
        with pytest.raises(SystemStateError, match="a file may not become so large") as caught:
            case.score(case.folder / "out.bcf")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "no file bears the final name" in caught.value.extent
    assert not [path.name for path in case.folder.glob("out.bcf*") if path.suffix != ".lock"]


@pytest.mark.parametrize("suffix", [".vcf.gz", ".bcf"])
def test_an_index_for_which_there_is_no_room_is_a_full_disk(case, monkeypatch, suffix):
    import pysam
    from pysam import bcftools

    def fails(*given, **options):
        raise OSError("building of index failed") if suffix == ".vcf.gz" else pysam.SamtoolsError("failed")

    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((pysam, "tabix_index") if suffix == ".vcf.gz" else (bcftools, "index")), fails)
    monkeypatch.setattr(f"zoo.variants.writers.{suffix[1:4]}.refuse_full", full)
    with pytest.raises(SystemStateError, match="the disk is full"):
        case.score(case.folder / f"out{suffix}")
    assert not [path.name for path in case.folder.glob("out.*") if path.suffix != ".lock"]


def test_tables_hold_the_same_rows(case):
    pd = pytest.importorskip("pandas")
    for suffix in (".tsv", ".tsv.gz", ".parquet"):
        case.score(case.folder / f"out{suffix}")
    plain = pd.read_csv(case.folder / "out.tsv", sep="\t")
    packed = pd.read_csv(case.folder / "out.tsv.gz", sep="\t")
    pd.testing.assert_frame_equal(plain, packed)
    parquet = pd.read_parquet(case.folder / "out.parquet")
    assert list(parquet) == list(plain)
    assert parquet["diff_gc"].to_numpy().tobytes() == plain["diff_gc"].to_numpy(np.float32).tobytes()
    returned = case.score(None).to_pandas()
    assert list(returned) == list(plain)
    assert returned["diff_gc"].to_numpy().tobytes() == parquet["diff_gc"].to_numpy().tobytes()
    for table in (parquet, returned):
        for name in ("chrom", "pos", "ref", "alt", "status", "window_start"):
            assert [number(one) for one in table[name]] == [number(one) for one in plain[name]]


def number(field):
    """A cell, whatever type of column it stands in; None where it is missing."""
    import pandas as pd

    if pd.isna(field):
        return None
    return field if isinstance(field, str) else int(field)


def test_hdf5_holds_the_predictions_of_both_alleles(tmp_path):
    h5py = pytest.importorskip("h5py")
    case = make_case(tmp_path, "profile", n=30)
    case.score(tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert list(file["scores"].attrs["columns"]) == ["diff_G"]
        alt, status = file["variants/alt"].asstr()[:], file["variants/status"].asstr()[:]
        n = 0
        for i, (row, text) in enumerate(alleles(case)):
            assert alt[i] == text
            if len(text) == len(row[2]) and set(text) <= SCORED:
                for name, seen in zip(("ref", "alt"), case.windows(*row[:3], text), strict=True):
                    assert file[f"{name}/g_per_bin"][i].tolist() == case.toy.answer(seen)["g_per_bin"]
                assert file["first/g_per_bin"][i] == row[1] - 1 - 20 + 8
                n += 1
            elif status[i] != "ok":
                assert np.isnan(file["alt/g_per_bin"][i]).all() and not file["shared/g_per_bin"][i].any()
        assert n >= 5


def test_a_table_becomes_a_vcf(case):
    import pysam

    base = case.sequences["chr2"][9].upper()
    alt = "A" if base != "A" else "C"
    table = case.folder / "in.tsv"
    table.write_text(f"chrom\tpos\tref\talt\tnote\nchr2\t10\t{base}\t{alt}\tmine\n")
    case.score(case.folder / "out.vcf", table)
    with pysam.VariantFile(str(case.folder / "out.vcf")) as file:
        (record,) = file
    assert (record.chrom, record.pos, record.ref, record.alts) == ("chr2", 10, base, (alt,))
    assert record.info["toy_diff_gc"][0] == pytest.approx(case.diff("chr2", 10, base, alt), abs=1e-6)


def test_columns_of_a_table_stay_with_their_rows(case):
    base = case.sequences["chr2"][9].upper()
    alt, other = [one for one in "ACGT" if one != base][:2]
    table = case.folder / "in.tsv"
    table.write_text(f"beta\tchrom\tpos\tref\talt\tstatus\n0.5\tchr2\t10\t{base}\t{alt},{other}\tnovel\n")
    case.score(case.folder / "out.tsv", table)
    one, two = read(case.folder / "out.tsv")
    for row in (one, two):
        assert (row["beta"], row["input_status"], row["status"]) == ("0.5", "novel", "ok")
    assert (one["alt"], two["alt"]) == (alt, other)
    again = case.score(None, case.folder / "out.tsv")
    assert [row.values[0] for row in again] == [np.float32(row["diff_gc"]) for row in (one, two)]


# ---------------------------------------------------------------- going on, failing


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_resumed_run_gives_the_same_bytes_and_counts(case, suffix, monkeypatch):
    from zoo.progress import pace
    from zoo.variants.run import stream

    monkeypatch.setattr(stream, "TASKS", 4)
    options = {"trust": True, "score": "diff", "batch_size": 4}
    whole, out = case.folder / f"whole{suffix}", case.folder / f"out{suffix}"
    expected = zoo.score_variants(case.toy.folder, case.vcf, case.genome, whole, **options)
    with pytest.raises(KeyboardInterrupt):
        zoo.score_variants(
            failing_model(case.toy.folder, KeyboardInterrupt(), 20), case.vcf, case.genome, out, **options
        )
    assert not out.exists()
    state = json.loads(out.with_name(f"{out.name}.partial.json").read_text())
    assert 0 < state["cursor"] < len(case.rows)
    notes = []
    got = zoo.score_variants(case.toy.folder, case.vcf, case.genome, out, resume=True, report=notes.append, **options)
    assert got.counts == expected.counts and notes[0].startswith("resuming after")
    assert 0 < got.earlier < got.scored and expected.earlier == 0
    recorded, of_whole = (
        json.loads(path.with_name(f"{path.name}.run.json").read_text())["counts"] for path in (out, whole)
    )
    part = recorded["since_resumed"]
    assert "sequences_predicted" not in recorded and "since_resumed" not in of_whole
    assert (
        part["after_records"] == state["cursor"] and 0 < part["sequences_predicted"] < of_whole["sequences_predicted"]
    )
    assert f"({pace(got.scored - got.earlier, got.seconds, 'variant')})" in got.summary()
    if suffix != ".h5":  # HDF5 has times in it
        assert out.read_bytes() == whole.read_bytes()
    else:
        import h5py

        with h5py.File(out) as one, h5py.File(whole) as other:
            assert one["scores"][:].tobytes() == other["scores"][:].tobytes()
            assert one["alt/gc"][:].tobytes() == other["alt/gc"][:].tobytes()
    assert not list(case.folder.glob("*.partial*"))


def test_a_run_of_other_options_is_not_gone_on_with(case, monkeypatch):
    from zoo.variants.run import stream

    monkeypatch.setattr(stream, "TASKS", 4)
    options = {"trust": True, "score": "diff", "batch_size": 4}
    out = case.folder / "out.tsv"
    with pytest.raises(KeyboardInterrupt):
        zoo.score_variants(
            failing_model(case.toy.folder, KeyboardInterrupt(), 20), case.vcf, case.genome, out, **options
        )
    with pytest.raises(UsageError, match="another refill"):
        zoo.score_variants(case.toy.folder, case.vcf, case.genome, out, resume=True, refill="left", **options)


def test_a_run_of_a_bed_that_is_another_by_now_is_not_gone_on_with(case, monkeypatch):
    import pysam

    from zoo.variants.run import stream

    monkeypatch.setattr(stream, "TASKS", 4)
    vcf, out = case.folder / "in.vcf.gz", case.folder / "out.tsv"
    pysam.tabix_compress(str(case.vcf), str(vcf))
    pysam.tabix_index(str(vcf), preset="vcf")
    bed, moved = case.folder / "some.bed", case.folder / "moved.bed"
    bed.write_text("chr1\t0\t900\n")
    options = {"trust": True, "score": "diff", "batch_size": 4}
    failing = failing_model(case.toy.folder, KeyboardInterrupt(), 12)
    with pytest.raises(KeyboardInterrupt):
        zoo.score_variants(failing, vcf, case.genome, out, regions=bed, **options)
    bed.rename(moved)
    bed.write_text("chr1\t300\t900\n")
    with pytest.raises(UsageError, match="another regions"):
        zoo.score_variants(case.toy.folder, vcf, case.genome, out, regions=bed, resume=True, **options)
    zoo.score_variants(case.toy.folder, vcf, case.genome, out, regions=moved, resume=True, **options)
    case.score(case.folder / "whole.tsv", vcf, regions=moved, batch_size=4)
    assert out.read_bytes() == (case.folder / "whole.tsv").read_bytes()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_model_that_fails_leaves_nothing(case, suffix):
    model = failing_model(case.toy.folder, RuntimeError("in the model"), 8)
    with pytest.raises(ModelError, match="in the model"):
        zoo.score_variants(model, case.vcf, case.genome, case.folder / f"out{suffix}", score="diff", batch_size=4)
    assert list(case.folder.glob("out*")) == []


def test_checkpoints_in_time_hold_what_was_written(case, monkeypatch):
    from zoo.variants.run import stream

    monkeypatch.setattr(stream, "TASKS", 4)
    monkeypatch.setattr(file_run, "CHECKPOINT_SECONDS", 0.0)
    options = {"trust": True, "score": "diff", "batch_size": 4}
    case.score(case.folder / "whole.tsv", batch_size=4)
    with pytest.raises(ModelError):
        zoo.score_variants(
            failing_model(case.toy.folder, RuntimeError(), 20),
            case.vcf,
            case.genome,
            case.folder / "out.tsv",
            **options,
        )
    case.score(case.folder / "out.tsv", batch_size=4, resume=True)
    assert (case.folder / "out.tsv").read_bytes() == (case.folder / "whole.tsv").read_bytes()


# ---------------------------------------------------------------- what is refused


def test_a_wrong_ref_stops_before_the_model_is_loaded(case):
    (case.toy.folder / "weights.pth").unlink()
    base = case.sequences["chr1"][99].upper()
    wrong = "A" if base != "A" else "C"
    vcf = write_vcf(case.folder / "wrong.vcf", [("chr1", 100, wrong, base)])
    with pytest.raises(InputError, match="swapped"):
        case.score(case.folder / "out.tsv", vcf)
    assert list(case.folder.glob("out*")) == []


def test_as_given_keeps_the_sign(case):
    base = case.sequences["chr1"][99].upper()
    wrong = "G" if base in "AT" else "A"
    right = case.score(None, [f"chr1:100:{base}>{wrong}"])
    turned = case.score(None, [f"chr1:100:{wrong}>{base}"], ref_mismatch="as-given")
    assert right.values[0, 0] != 0 and turned.values[0, 0] == -right.values[0, 0]


def test_fields_that_exist_already_are_refused_and_a_prefix_helps(case):
    case.score(case.folder / "once.vcf")
    with pytest.raises(UsageError, match="toy_diff_gc already") as caught:
        case.score(case.folder / "twice.vcf", case.folder / "once.vcf")
    assert "--prefix toy_2" in caught.value.fix
    case.score(case.folder / "twice.vcf", case.folder / "once.vcf", prefix="toy_2")
    text = (case.folder / "twice.vcf").read_text()
    assert "toy_diff_gc=" in text and "toy_2_diff_gc=" in text


@pytest.mark.parametrize("suffix", [".vcf", ".bcf"])
def test_info_tells_the_window_and_what_trimming_left(case, suffix):
    """At chr1:101, whose window of 16 bp begins 8 before the first base that changes."""
    whole = case.sequences["chr1"].upper()
    ref = whole[100:103]
    other = "A" if ref[1] != "A" else "C"
    rows = [
        ("chr1", 101, ref, f"{ref[0]}{other}{ref[2]},*,{ref[:1]}"),
        ("chr1", 102, ref[1], other),
        ("chr1", 103, whole[102], "<NON_REF>"),
    ]
    case.score(case.folder / f"out{suffix}", write_vcf(case.folder / "x.vcf", rows, ["##contig=<ID=chr1,length=900>"]))
    import pysam

    with pysam.VariantFile(str(case.folder / f"out{suffix}")) as file:
        found = [(one.info.get("toy_window"), one.info.get("toy_changed")) for one in file]
    clean = [
        tuple(None if one is None else tuple(x if x != "." else None for x in one) for one in row) for row in found
    ]
    assert clean == [
        (("93|109", None, "92|108"), (f"102|{ref[1]}|{other}", None, None)),
        (("93|109",), None),
        (None, None),
    ]


@pytest.mark.parametrize("info", ["toy_diff_gc=3", "AF=1;toy_status=x", "toy_unknown"])
def test_a_field_that_rows_have_and_no_header_declares_is_not_written_twice(case, info):
    base = case.sequences["chr1"][99].upper()
    other = "A" if base != "A" else "C"
    vcf = write_vcf(case.folder / "x.vcf", [("chr1", 100, base, other, info)])
    with pytest.raises(UsageError, match=r"toy_(diff_gc|status|unknown) already"):
        case.score(case.folder / "out.vcf", vcf)
    assert list(case.folder.glob("out*")) == []
    case.score(case.folder / "out.tsv", vcf)
    near = write_vcf(
        case.folder / "near.vcf", [("chr1", 100, base, other, "toy_diff_gc_x=3;not_toy_diff_gc=toy_diff_gc")]
    )
    case.score(case.folder / "near_out.vcf", near)


@pytest.mark.parametrize("prefix", ["1x", "a b", "a;b", "ä", ""])
def test_a_prefix_that_is_no_name_is_refused(case, prefix):
    with pytest.raises(UsageError, match="no name"):
        case.score(case.folder / "out.vcf", prefix=prefix)


def test_more_scores_than_a_vcf_is_given_are_for_a_table(case, monkeypatch):
    from zoo.variants.writers import vcf

    monkeypatch.setattr(vcf, "MOST_FIELDS", 1)
    with pytest.raises(UsageError, match="2 scores") as caught:
        case.score(case.folder / "out.vcf", score=["ref", "alt"])
    assert "--tracks" in caught.value.fix
    case.score(case.folder / "out.tsv", score=["ref", "alt"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"score": "dif"}, "did you mean diff"),
        ({"refill": "rigth"}, "did you mean right"),
        ({"scores": "diff"}, "did you mean score"),
        ({"batch_size": 0}, "no positive number"),
        ({"span": 0}, "less than 1"),
        ({"span": 5.5}, "no whole number"),
        ({"limit": "3"}, "no whole number"),
        ({"shifts": None}, "no list of whole numbers"),
        ({"shifts": "-8,0,8"}, "no list of whole numbers"),
        ({"shifts": [0, 1.5]}, "no list of whole numbers"),
        ({"mask": True}, "--splicing"),
        ({"distance": 10}, "--distance is for splicing"),
        ({"splicing": True}, "acceptor"),
        ({"span": 11}, "not bins"),
        ({"format": "bed"}, "not known"),
    ],
)
def test_a_wrong_option_is_told(case, options, said):
    with pytest.raises(UsageError) as caught:
        case.score(case.folder / "out.tsv", **options)
    assert said in " ".join([caught.value.what, caught.value.extent, caught.value.fix])
    assert list(case.folder.glob("out*")) == []


@pytest.mark.parametrize("name", ["out.tsv", "out.parquet", None])
def test_a_prefix_where_there_is_no_info_is_told(case, name):
    notes = []
    case.score(name and case.folder / name, prefix="mine", report=notes.append)
    what = name[3:] if name else "table in memory"
    assert f"--prefix mine: is for fields of INFO, of which a {what} has none: columns keep their names" in notes
    case.score(case.folder / "out.vcf", prefix="mine", report=(others := []).append)
    assert not [note for note in others if "--prefix" in note]


@pytest.mark.parametrize("background", [None, "vcf", 20])
def test_a_seed_of_nothing_is_told(case, background):
    notes = []
    given = case.vcf if background == "vcf" else background
    case.score(seed=3, background=given, limit=8, report=notes.append)
    told = [note for note in notes if note.startswith("--seed 3: is of the flanks that --background N shuffles")]
    assert len(told) == (background != 20)


def test_whole_numbers_of_numpy_are_whole_numbers(case):
    case.score(case.folder / "plain.tsv", limit=5, shifts=(0, 2), max_length=3)
    of_numpy = {"limit": np.int64(5), "shifts": np.array([0, 2]), "max_length": np.int32(3)}
    case.score(case.folder / "numpy.tsv", **of_numpy)
    assert (case.folder / "numpy.tsv").read_bytes() == (case.folder / "plain.tsv").read_bytes()
    options = [json.loads((case.folder / f"{name}.tsv.run.json").read_text())["options"] for name in ("plain", "numpy")]
    assert options[0] == options[1]


def test_out_must_not_be_the_input(case):
    for name in (case.vcf, case.genome):
        with pytest.raises(UsageError):
            case.score(name, format="vcf")


def test_out_must_not_be_what_says_which_regions_or_their_index(case):
    import pysam

    vcf, bed = case.folder / "in.vcf.gz", case.folder / "some.tsv"
    pysam.tabix_compress(str(case.vcf), str(vcf))
    pysam.tabix_index(str(vcf), preset="vcf")
    bed.write_text("chr1\t0\t900\n")
    index = case.folder / "in.vcf.gz.tbi"
    before = index.read_bytes()
    for out in (bed, index):
        with pytest.raises(UsageError, match="is an input of this command"):
            case.score(out, vcf, regions=bed, format="tsv")
    assert bed.read_text() == "chr1\t0\t900\n" and index.read_bytes() == before


# ---------------------------------------------------------------- the command line


def typed(case, *arguments):
    return ["variants", str(case.toy.folder), *map(str, arguments), "-g", str(case.genome), "--trust"]


def test_the_command_writes_a_table_to_standard_output(case, capsys):
    base = case.sequences["chr1"][99].upper()
    alt = "G" if base in "AT" else "A"
    assert run([*typed(case, f"chr1:100:{base}>{alt}"), "--score", "diff,ref", "-q"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    found = dict(zip(header.split("\t"), row.split("\t"), strict=True))
    assert float(found["diff_gc"]) == pytest.approx(case.diff("chr1", 100, base, alt), abs=1e-7)
    assert float(found["ref_gc"]) == case.toy.answer(case.windows("chr1", 100, base, alt)[0])["gc"][0]


def test_standard_input_and_vcf_to_standard_output(case, capsys, monkeypatch):
    case.score(case.folder / "out.vcf")
    stdin = io.TextIOWrapper(io.BytesIO(case.vcf.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run([*typed(case, "-"), "--score", "diff", "--format", "vcf", "--batch-size", "8"]) == 0
    said = capsys.readouterr()
    assert said.out == (case.folder / "out.vcf").read_text()
    assert "have the status no_sequence and no score" in said.err


def test_a_dry_run_says_what_would_be_done(case, capsys):
    assert run([*typed(case, case.vcf), "-o", str(case.folder / "out.vcf"), "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert "dry run: 60 variants, 1 score each (" in said and "windows of 16 bp" in said
    assert list(case.folder.glob("out*")) == []


def test_limit_scores_the_first_rows(case):
    assert (
        case.score(None, limit=5).values.tobytes()
        == case.score(None).values[: len(case.score(None, limit=5))].tobytes()
    )


def test_no_variants_are_asked_for(case, capsys):
    assert run(["variants", str(case.toy.folder), "-g", str(case.genome)]) == 2
    assert "VARIANTS" in capsys.readouterr().err


def test_the_record_says_what_was_done(case):
    case.score(case.folder / "out.tsv")
    record = json.loads((case.folder / "out.tsv.run.json").read_text())
    counts = record["counts"]
    assert counts["records"] == len(case.rows) and counts["rows"] == len(alleles(case))
    assert counts["scored"] + sum(counts["statuses"].values()) == counts["rows"]
    assert record["options"]["score"] == ["diff"] and record["columns"][0]["name"] == "diff_gc"
    assert record["variants"]["sha256"] and record["genome"]["contigs"] == 2
    assert any("overlapping_deletion" in note for note in record["notes"])


def test_genes_give_a_row_each_and_none_says_so(tmp_path):
    case = make_case(tmp_path, "profile")
    genes = tmp_path / "genes.bed"
    genes.write_text(
        "chr1\t10\t400\tONE\t0\t+\t10\t400\t0\t1\t390,\t0,\nchr1\t50\t600\tTWO\t0\t-\t50\t600\t0\t1\t550,\t0,\n"
    )
    out = tmp_path / "out.tsv"
    base = case.sequences["chr1"][199].upper()
    alt = "G" if base != "G" else "A"
    far = case.sequences["chr2"][199].upper()
    case.score(out, [f"chr1:200:{base}>{alt}", f"chr2:200:{far}>{'A' if far != 'A' else 'C'}"], genes=genes)
    rows = read(out)
    assert [(row["gene"], row["strand"], row["status"]) for row in rows] == [
        ("ONE", "+", "ok"),
        ("TWO", "-", "ok"),
        (".", ".", "no_gene"),
    ]
    case.score(tmp_path / "out.vcf", [f"chr1:200:{base}>{alt}"], genes=genes)
    (line,) = [line for line in (tmp_path / "out.vcf").read_text().splitlines() if line[0] != "#"]
    value = float(rows[0]["diff_G"])
    assert line.split("\t")[7] == f"toy={alt}|ONE|{value:g},{alt}|TWO|{value:g};toy_window=179|219"


def test_rows_of_genes_are_called_rows_and_what_is_returned_shows_itself(tmp_path):
    case = make_case(tmp_path, "profile")
    genes = tmp_path / "genes.bed"
    genes.write_text("".join(f"chr1\t{at}\t400\t<{at}>\t0\t+\t{at}\t400\t0\t1\t{400 - at},\t0,\n" for at in (10, 50)))
    base = case.sequences["chr1"][199].upper()
    variant = f"chr1:200:{base}>{'G' if base != 'G' else 'A'}"
    result = case.score(tmp_path / "out.tsv", variant, genes=genes)
    assert result.summary().startswith("2 of 2 rows of 1 variant scored in ") and result.summary() in repr(result)
    assert case.score(tmp_path / "one.tsv", variant).summary().startswith("1 of 1 ALT of 1 variant scored in ")
    scores = case.score(None, variant, genes=genes)
    assert "2 of 2 rows with scores: diff_G" in repr(scores)
    assert "2 of 2 rows with scores" in scores._repr_html_() and ".to_pandas()" in scores._repr_html_()
    assert "zoo-card" in result._repr_html_()


def test_an_option_without_names_is_told_by_its_own_name(capsys):
    from zoo.cli import run

    assert run(["variants", "yeast-atac", "calls.vcf", "--score", ""]) == 2
    assert "names no score" in capsys.readouterr().err
