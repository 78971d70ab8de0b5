"""BED rows, gaps between tiles, values that are no numbers: whole runs on toys whose answers plain Python gives."""

from __future__ import annotations

import gzip
import json

import h5py
import numpy as np
import pyBigWig
import pytest
import torch
from prediction_cases import make_case, read_tsv

import zoo
from zoo.errors import UsageError


def rows_of(path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()[1:]]


@pytest.mark.parametrize("how", [None, "mean", "sum", "max"])
def test_a_region_gets_its_own_bins(tmp_path, how):
    case = make_case(tmp_path, "profile", n=60)
    result = case.predict(tmp_path / "o.bed", aggregate=how)
    outside = bases = 0
    for row, (chrom, start, end, name, *_) in zip(rows_of(tmp_path / "o.bed"), case.rows, strict=True):
        first = (start + end) // 2 - 20 + 8
        low, high = max(start, first), min(end, first + 24)
        outside, bases = outside + (high - low < end - start), bases + end - start - (high - low)
        assert row[:4] == [chrom, str(low), str(high), name]
        (bins,) = case.expected((chrom, start, end, name, "0", "."))["g_per_bin"]
        each = [bins[(base - first) // 4] for base in range(low, high)]
        wanted = {"sum": sum(each) / 4, "max": max(each)}.get(how, sum(each) / len(each))
        assert float(row[6]) == pytest.approx(wanted, rel=1e-6)
    assert (result.counts["uncovered_regions"], result.counts["uncovered_bp"]) == (outside, bases)
    assert any(note.startswith(f"{bases:,} bp of {outside} regions lie outside the 24 bp") for note in result.notes)


@pytest.mark.parametrize("strand", ["ignore", "use"])
def test_the_mean_of_a_region_is_that_of_the_bigwig_of_the_same_run(tmp_path, strand):
    """Regions far apart, so that no windows are merged; stranded tracks on '-' are swapped in both."""
    case = make_case(tmp_path, "stranded", n=1)
    rows = [("chr1", at, at + width, "r", "0", s) for at, width, s in ((100, 7, "+"), (200, 16, "-"), (300, 1, "-"))]
    case.bed.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    case.predict(tmp_path / "o.bed", tracks=["counts"], strand=strand)
    case.predict(tmp_path / "o.bw", tracks=["counts"], strand=strand)
    for row in rows_of(tmp_path / "o.bed"):
        for value, track in zip(row[6:], ("plus", "minus"), strict=True):
            with pyBigWig.open(str(tmp_path / f"o.{track}.bw")) as file:
                assert file.stats(row[0], int(row[1]), int(row[2]), exact=True) == [pytest.approx(float(value))]


def test_tiles_of_a_bed_do_not_carry_one_interval(tmp_path):
    case = make_case(tmp_path, "profile", n=1)
    case.bed.write_text("chr1\t100\t160\n")
    case.predict(tmp_path / "o.bed", window="tile")
    assert [row[1:3] for row in rows_of(tmp_path / "o.bed")] == [["100", "124"], ["124", "148"], ["148", "160"]]


@pytest.mark.parametrize("out", ["o.tsv", "o.h5", "o.bw", "o.bedgraph", "-"])
def test_aggregate_is_for_a_bed(tmp_path, out):
    case = make_case(tmp_path, "profile", n=3)
    with pytest.raises(UsageError, match="only a BED has one value a region"):
        case.predict(out if out == "-" else tmp_path / out, aggregate="sum")


def test_a_bed_without_places_of_bins_is_refused_and_one_of_scalars_is_not(tmp_path):
    case = make_case(tmp_path, "profile", n=3, card=False)
    with pytest.raises(UsageError, match="where its bins lie"):
        case.predict(tmp_path / "o.bed")
    (tmp_path / "gc").mkdir()
    scalar = make_case(tmp_path / "gc", "gc", n=3, card=False)
    scalar.predict(tmp_path / "o.bed")
    assert [float(row[6]) for row in rows_of(tmp_path / "o.bed")] == [scalar.expected(r)["gc"][0] for r in scalar.rows]


# Tiles


def test_gaps_between_tiles_are_said_and_no_tile_lies_outside(tmp_path):
    case = make_case(tmp_path, "profile", n=1)
    case.bed.write_text("chr1\t900\t1490\nchr1\t10\t20\n")
    result = case.predict(tmp_path / "o.tsv", window="tile", stride=500)
    assert [int(row["window_start"]) for row in read_tsv(tmp_path / "o.tsv")] == [892, 1392, -5]
    assert result.counts["uncovered_bp"] == 590 - 48
    (note,) = [note for note in result.notes if "between tiles" in note]
    assert note.startswith("542 bp of 1 region ") and "--stride 24 leaves no gap" in note
    dry = case.predict(tmp_path / "o.tsv", window="tile", stride=500, dry_run=True)
    assert note in dry.notes and (dry.windows, result.windows) == (3, 3)
    full = case.predict(tmp_path / "o.tsv", window="tile", stride=24)
    assert full.counts["uncovered_bp"] == 0 and not any("tiles" in note for note in full.notes)


def test_tiles_of_a_model_whose_bins_have_no_place_say_what_is_assumed(tmp_path):
    case = make_case(tmp_path, "profile", n=3, card=False)
    notes = case.predict(tmp_path / "o.tsv", window="tile").notes
    assert any("tiles are laid as if it predicted all of its 40 bp window" in note for note in notes)


# Values that are no numbers


class Odd(torch.nn.Module):
    """NaN where a window begins with A, infinity where with C, else the model's own."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        found = self.inner(x)
        found = torch.where(x[:, :1, :1] == 1, torch.full_like(found, torch.nan), found)
        return torch.where(x[:, 1:2, :1] == 1, torch.full_like(found, torch.inf), found)


@pytest.fixture
def odd(tmp_path):
    """A case, its model, and what is to be counted: NaN, infinities, windows, the first region."""
    case = make_case(tmp_path, "profile", n=80, inside=True)
    model = zoo.load_model(case.toy.folder, trust=True)
    model.module = Odd(model.module)
    begin = [case.sequences[c][(a + b) // 2 - 20].upper() for c, a, b, *_ in case.rows]
    first = next(row for row, letter in zip(case.rows, begin, strict=True) if letter in "AC")
    found = {
        "nan": 6 * begin.count("A"),
        "infinite": 6 * begin.count("C"),
        "windows": begin.count("A") + begin.count("C"),
        "first": f"{first[0]}:{first[1]}-{first[2]}",
    }
    return case, model, {"g_per_bin": found}, begin


SUFFIXES = [".tsv", ".tsv.gz", ".bed", ".bedgraph", ".bw", ".h5", ".zarr", ".parquet"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_number_is_counted_and_said_in_every_format(odd, tmp_path, suffix):
    if suffix in (".zarr", ".parquet"):
        pytest.importorskip({".zarr": "zarr", ".parquet": "pyarrow"}[suffix])
    case, model, found, _ = odd
    out = tmp_path / f"o{suffix}"
    result = zoo.predict(model, case.bed, case.genome, out, batch_size=8)
    assert result.counts["not_finite"] == found
    (note,) = [note for note in result.notes if "not finite" in note]
    one = found["g_per_bin"]
    assert f"{one['nan'] + one['infinite']} values of {one['windows']} windows are not finite" in note
    assert note.endswith("left out of the file" if suffix in (".bw", ".bedgraph") else "written as nan, inf and -inf")
    record = json.loads((tmp_path / f"o{suffix}.run.json").read_text())
    assert record["counts"]["not_finite"] == found and note in record["notes"]


def test_each_format_writes_them_as_it_is_documented(odd, tmp_path):
    case, model, _, begin = odd
    for suffix in (".tsv.gz", ".bed", ".h5", ".bedgraph"):
        zoo.predict(model, case.bed, case.genome, tmp_path / f"o{suffix}")
    with gzip.open(tmp_path / "o.tsv.gz", "rt") as lines:
        table = [line.rstrip("\n").split("\t")[8:] for line in lines][1:]
    with h5py.File(tmp_path / "o.h5") as file:
        array = file["preds"][:, 0]
    bed = [row[6] for row in rows_of(tmp_path / "o.bed")]
    for letter, text, whole, value in zip(begin, table, array, bed, strict=True):
        wanted = {"A": "nan", "C": "inf"}.get(letter)
        if wanted is None:
            assert np.isfinite(whole).all() and np.isfinite(float(value))
        else:
            assert set(text) == {wanted} == {value} and np.array_equal(whole, [float(wanted)] * 6, equal_nan=True)
    assert all(np.isfinite(float(line.split("\t")[3])) for line in (tmp_path / "o.bedgraph").read_text().splitlines())


def test_standard_output_counts_them_too(odd, capsys):
    case, model, found, _ = odd
    assert zoo.predict(model, case.bed, case.genome, "-").counts["not_finite"] == found
    assert "nan" in capsys.readouterr().out
    assert zoo.predict(model, case.bed, case.genome).counts["not_finite"] == found  # returned, and nothing printed
    assert capsys.readouterr().out == ""


def test_their_count_survives_an_interruption(odd, tmp_path, monkeypatch):
    from zoo.run import file_run

    case, model, found, _ = odd
    model.hashes = {"weights": "0"}
    monkeypatch.setattr(file_run, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr("zoo.run.predict.STEP_BASES", 40)
    inner, seen = model.module, []

    class Stops(torch.nn.Module):
        def forward(self, x):
            seen.append(len(x))
            if sum(seen) > 50:
                raise KeyboardInterrupt
            return inner(x)

    model.module = Stops()
    with pytest.raises(KeyboardInterrupt):
        zoo.predict(model, case.bed, case.genome, tmp_path / "o.tsv", batch_size=8)
    model.module = inner
    result = zoo.predict(model, case.bed, case.genome, tmp_path / "o.tsv", batch_size=8, resume=True)
    assert result.counts["not_finite"] == found and result.windows == 80


def test_finite_values_are_counted_as_none(tmp_path):
    case = make_case(tmp_path, "gc", n=3)
    result = case.predict(tmp_path / "o.tsv")
    assert result.counts["not_finite"] == {} and not any("not finite" in note for note in result.notes)


def test_values_whose_sum_is_no_float32_are_finite():
    from zoo.run.not_finite import NotFinite

    case = NotFinite()
    case.add(type("Batch", (), {"values": {"x": np.full((2, 1), 3e38, np.float32)}})())
    assert case.as_dict() == {"not_finite": {}}


# Files of an earlier run, tracks by number


def test_tracks_of_an_earlier_run_are_named(tmp_path):
    case = make_case(tmp_path, "stranded", n=10, inside=True)
    case.predict(tmp_path / "s.bw", tracks=["counts"])
    notes = case.predict(tmp_path / "s.bw", tracks=["plus"]).notes
    assert [n for n in notes if "earlier run" in n] == [
        "of an earlier run, not of this one: s.minus.bw, s.plus.bw beside s.bw (delete what is not needed)"
    ]
    again = case.predict(tmp_path / "s.bw", tracks=["counts"]).notes
    assert any("not of this one: s.bw beside" in note for note in again)
    (tmp_path / "s.bw").unlink()
    assert not any("earlier run" in note for note in case.predict(tmp_path / "s.bw", tracks=["counts"]).notes)
    (tmp_path / "s.bw.run.json").unlink()  # the names tell too, where the record is lost
    assert any("s.minus.bw, s.plus.bw" in note for note in case.predict(tmp_path / "s.bw", tracks=["plus"]).notes)


def test_a_number_that_fits_two_outputs_is_said(tmp_path):
    case = make_case(tmp_path, "stranded", n=3)
    notes = case.predict(tmp_path / "o.tsv", tracks=["0"]).notes
    (note,) = [note for note in notes if "--tracks 0" in note]
    assert "each of 2 outputs and is counts/plus, total/at; --tracks counts/0 is of one" in note
    assert not any("--tracks" in note for note in case.predict(tmp_path / "o.tsv", tracks=["counts/0"]).notes)
