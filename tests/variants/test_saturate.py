"""`--saturate` and `--share-window`: windows that several variants share, against windows cut from plain strings."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest
import torch
from conv_model import LENGTH, a_genome, conv_model, some_variants, write_vcf

import zoo
from interpret.mutagenesis.engine import Engine
from zoo.errors import InputError, SystemStateError, UsageError
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.run import engine as engines
from zoo.variants.run import scoring as module
from zoo.variants.run.sharing import neighbours

COLUMNS = ("ref_n", "alt_n")


@pytest.fixture
def genome(tmp_path):
    return a_genome(tmp_path / "g.fa")


@pytest.fixture(params=[True, None], ids=["followed", "as-is-cheaper"])
def way(request, monkeypatch):
    """Edits are followed, or predicted the cheaper way: by passes, since they are few."""
    monkeypatch.setattr(module, "open_engine", lambda runner, choice: Engine(runner, choice, fast=request.param))
    return request.param


def score(tmp_path, variants=None, **options):
    out = tmp_path / options.pop("out", "out.tsv")
    given = {"score": ("ref", "alt"), "tracks": "counts", "any_genome": True} | options
    zoo.score_variants(conv_model(), variants, tmp_path / "g.fa", out, **given)
    with open(out, newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def bed(tmp_path, *rows):
    path = tmp_path / "loci.bed"
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def padded(letters, first):
    """A window of the model, N outside of the chromosome."""
    return "".join(letters[i].upper() if 0 <= i < len(letters) else "N" for i in range(first, first + LENGTH))


def predicted(*windows):
    encoded = [[[float(letter == base) for letter in one] for base in "ACGT"] for one in windows]
    with torch.inference_mode():
        return conv_model().module(torch.tensor(encoded))["counts"][:, 0].numpy()


def expected(letters, centre, at, ref, alt):
    """The scalar of REF and of ALT, in a window that has the base ``centre`` (from 0) at its middle."""
    first = centre - LENGTH // 2
    edited = letters[:at] + alt + letters[at + len(ref) :]
    return predicted(padded(letters, first), padded(edited, first))


def agree(row, want):
    got = np.array([float(row[name]) for name in COLUMNS])
    assert np.abs(got - want).max() < 1e-6, (row, want)


# ---------------------------------------------------------------- loci


def test_every_substitution_of_a_locus_is_read_in_one_window(tmp_path, genome, way):
    rows = score(tmp_path, saturate=bed(tmp_path, ("chr1", 500, 512, "first"), ("chr2", 200, 207)))
    assert [(r["chrom"], int(r["pos"]), r["id"]) for r in rows[::3]] == [
        *(("chr1", at + 1, "first") for at in range(500, 512)),
        *(("chr2", at + 1, ".") for at in range(200, 207)),
    ]
    for r in rows:
        letters, at = genome[r["chrom"]], int(r["pos"]) - 1
        assert r["ref"] == letters[at].upper() and r["alt"] != r["ref"] and r["status"] == "ok"
        centre = 506 if r["chrom"] == "chr1" else 203
        assert int(r["window_start"]) == centre - LENGTH // 2
        agree(r, expected(letters, centre, at, r["ref"], r["alt"]))
    assert [{r["ref"], *(one["alt"] for one in rows[i : i + 3])} for i, r in enumerate(rows) if i % 3 == 0] == [
        set("ACGT")
    ] * 19
    made = json.loads((tmp_path / "out.tsv.run.json").read_text())["counts"]["engine"]
    assert made["path"] == ("windows" if way else "undecided") and made["recomputed"] == 0
    assert (made["followed"], made["passed"]) == ((59, 0) if way else (0, 59))


def test_substitutions_have_one_place_and_no_columns_of_others(tmp_path, genome):
    (row, *_) = score(tmp_path, saturate=bed(tmp_path, ("chr1", 600, 603)), tracks="profile/a", score="max")
    assert "max_a" in row and not [name for name in row if name.endswith(("most", "_differ"))]
    shared = score(tmp_path, ["chr1:601:N>A"], share_window=20, tracks="profile/a", score="max", out="s.tsv")
    assert "max_a_leftmost" in shared[0]


def test_a_long_locus_is_read_in_pieces_of_equal_length(tmp_path, genome, way):
    """130 bp, of which a window holds 56: three pieces, of 43, 43 and 44 bp."""
    notes = []
    rows = score(tmp_path, saturate=bed(tmp_path, ("chr1", 1000, 1130)), report=notes.append)
    starts = [int(r["window_start"]) + LENGTH // 2 for r in rows[::3]]
    assert starts == [1021] * 43 + [1064] * 43 + [1108] * 44
    assert any("1 locus" in note and "56 bp" in note and "several windows" in note for note in notes)
    for r in rows[:: 3 * 17]:
        at = int(r["pos"]) - 1
        agree(r, expected(genome["chr1"], starts[at - 1000], at, r["ref"], r["alt"]))


def test_an_unknown_base_has_a_status_and_no_scores(tmp_path, genome, way):
    letters = genome["chr1"][:600] + "NNR" + genome["chr1"][603:]
    (tmp_path / "g.fa").write_text(f">chr1\n{letters}\n")
    rows = score(tmp_path, saturate=bed(tmp_path, ("chr1", 598, 605)))
    by_place = {at: [r for r in rows if int(r["pos"]) == at] for at in range(599, 606)}
    assert [len(by_place[at]) for at in range(599, 606)] == [3, 3, 4, 4, 4, 3, 3]
    for r in rows:
        known = r["ref"] in "ACGT"
        assert (r["status"], r["alt_n"] != "nan") == (("ok", True) if known else ("unknown_letters", False))
    (r,) = [r for r in by_place[604] if r["alt"] == by_place[604][0]["alt"]]
    agree(r, expected(letters.replace("R", "N"), 601, 603, r["ref"], r["alt"]))


def test_loci_at_the_ends_that_overlap_and_that_are_soft_masked(tmp_path, genome, way):
    end = len(genome["chr2"])
    loci = [("chr2", 0, 4), ("chr2", end - 3, end), ("chr2", 2, 6)]
    rows = score(tmp_path, saturate=bed(tmp_path, *loci))
    assert len(rows) == 3 * 11
    for r, (_, low, high) in zip(rows[::3], [loci[0]] * 4 + [loci[1]] * 3 + [loci[2]] * 4, strict=True):
        agree(r, expected(genome["chr2"], (low + high) // 2, int(r["pos"]) - 1, r["ref"], r["alt"]))


def test_both_strands_and_shifts_are_averaged(tmp_path, genome, way):
    both = score(tmp_path, saturate=bed(tmp_path, ("chr1", 700, 704)), rc_average=True, shifts=(-2, 0, 3))
    turn = str.maketrans("ACGTN", "TGCAN")
    for r in both[::2]:
        at, values = int(r["pos"]) - 1, []
        for shift in (-2, 0, 3):
            letters = genome["chr1"]
            edited = letters[:at] + r["alt"] + letters[at + 1 :]
            cut = [padded(one, 702 + shift - LENGTH // 2) for one in (letters, edited)]
            turned = [one.translate(turn)[::-1] for one in cut]
            values.append((predicted(*cut) + predicted(*turned)) / 2)
        agree(r, np.mean(values, axis=0))


def test_names_of_another_style(tmp_path, genome, way):
    rows = score(tmp_path, saturate=bed(tmp_path, ("1", 500, 502)), translate_chroms=True)
    assert {r["chrom"] for r in rows} == {"1"}
    agree(rows[0], expected(genome["chr1"], 501, 500, rows[0]["ref"], rows[0]["alt"]))


def test_loci_in_every_format_and_from_python(tmp_path, genome, way):
    loci = bed(tmp_path, ("chr1", 500, 503))
    options = {"score": "diff", "tracks": "counts", "saturate": loci}
    kept = zoo.score_variants(conv_model(), None, tmp_path / "g.fa", **options)
    assert len(kept) == 9
    zoo.score_variants(conv_model(), None, tmp_path / "g.fa", tmp_path / "out.vcf", **options)
    lines = [line for line in (tmp_path / "out.vcf").read_text().splitlines() if line[0] != "#"]
    assert len(lines) == 3 and all(line.split("\t")[4].count(",") == 2 for line in lines)


# ---------------------------------------------------------------- neighbours


def record(number, start=None, contig=0, status=""):
    edit = None if start is None else Edit(start, "A", "C")
    of = Record(number, number + 1, "chr1", start or 0, ".", "A", ("C",), None, ())
    return of, (Allele(of, 0, contig, edit, status),)


def centres(within, *records):
    return [(of.number, centre) for of, _, centre in neighbours(within)(records)]


def test_who_are_neighbours():
    """By hand: 10, 14 and 20 within 10; 21 is not within 10 of the first; another chromosome; one without a score."""
    rows = [record(0, 10), record(1, 14), record(2, 20), record(3, 21), record(4), record(5, 22, contig=1)]
    assert centres(10, *rows) == [(0, 15), (1, 15), (2, 15), (3, 21), (4, 21), (5, 22)]
    assert centres(1, *rows) == [(0, 10), (1, 14), (2, 20), (3, 20), (4, 20), (5, 22)]
    assert centres(5, record(0, 14), record(1, 10), record(2, 30)) == [(0, 12), (1, 12), (2, 30)]
    assert centres(5, record(0), record(1)) == [(0, None), (1, None)]
    assert centres(5, record(0), record(1, 8)) == [(0, 8), (1, 8)]
    assert centres(5) == []


def test_neighbours_are_read_in_one_window_indels_too(tmp_path, genome, way):
    variants = some_variants(genome, 80)
    rows = score(tmp_path, write_vcf(tmp_path / "v.vcf", variants), share_window=20)
    groups = []
    for variant in variants:
        same = groups and groups[-1][0][0] == variant[0]
        if same and variant[1] - groups[-1][0][1] <= 20:
            groups[-1].append(variant)
        else:
            groups.append([variant])
    assert max(map(len, groups)) >= 2
    checked = 0
    for group in groups:
        centre = (group[0][1] + group[-1][1]) // 2 - 1
        for chrom, pos, ref, alt in group:
            got = rows[checked]
            assert (got["chrom"], int(got["pos"]), got["alt"]) == (chrom, pos, alt)
            letters = genome[chrom].upper()
            agree(got, expected(letters, centre, pos - 1, ref, alt))
            checked += 1
    assert checked == len(rows) == 80


def test_a_run_that_goes_on_has_the_windows_of_a_whole_one(tmp_path, genome, monkeypatch):
    """The row to go on with may be in the middle of a window."""
    from zoo.run import file_run

    path = write_vcf(tmp_path / "v.vcf", some_variants(genome, 90))
    monkeypatch.setattr(module, "open_engine", lambda runner, choice: Engine(runner, choice, fast=False))
    monkeypatch.setattr("zoo.variants.run.shared_passes.ITEMS", 7)
    monkeypatch.setattr("zoo.variants.run.stream.TASKS", 4)
    whole = score(tmp_path, path, share_window=30, out="whole.tsv")
    monkeypatch.setattr(file_run, "CHECKPOINT_SECONDS", 0.0)
    of, calls = Engine.predict, []

    def fails(self, sequences, bases, **more):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return of(self, sequences, bases, **more)

    monkeypatch.setattr(Engine, "predict", fails)
    with pytest.raises(KeyboardInterrupt):
        score(tmp_path, path, share_window=30, out="half.tsv")
    monkeypatch.setattr(Engine, "predict", of)
    notes = []
    rows = score(tmp_path, path, share_window=30, out="half.tsv", resume=True, report=notes.append)
    assert rows == whole and any(note.startswith("resuming after") for note in notes)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"share_window": 20}, "--share-window"),
        ({"store": "kept"}, "--store"),
        ({"background": 50}, "--background"),
        ({"haplotypes": "S1"}, "--haplotypes"),
        ({"regions": "chr1:1-100"}, "--regions"),
    ],
)
def test_what_does_not_go_with_loci(tmp_path, genome, options, told):
    with pytest.raises(UsageError, match=f"--saturate with {told}") as caught:
        score(tmp_path, saturate=bed(tmp_path, ("chr1", 500, 503)), **options)
    assert "Fix:" in str(caught.value)
    assert not (tmp_path / "out.tsv").exists()


def test_loci_and_variants(tmp_path, genome):
    with pytest.raises(UsageError, match="in place of VARIANTS"):
        score(tmp_path, "chr1:500:A>C", saturate=bed(tmp_path, ("chr1", 500, 503)))


def test_a_shared_window_must_hold_what_shares_it(tmp_path, genome):
    with pytest.raises(UsageError, match="half of the 60 bp"):
        score(tmp_path, write_vcf(tmp_path / "v.vcf", some_variants(genome, 5)), share_window=31)


@pytest.mark.parametrize(
    ("row", "told"), [(("chr9", 1, 5), "chr9"), (("chr2", 490, 501), "500"), (("chr1", 9, 4), "loci.bed:1")]
)
def test_loci_that_are_not_on_the_genome(tmp_path, genome, row, told):
    with pytest.raises(InputError, match=told):
        score(tmp_path, saturate=bed(tmp_path, row))
    assert not (tmp_path / "out.tsv").exists()


@pytest.mark.parametrize("table", [list, pd.DataFrame])
def test_loci_of_a_table_are_written_to_a_file_and_gone_on_with(tmp_path, genome, monkeypatch, table):
    loci = [("chr1", np.int64(600), 603, "one")]
    if table is pd.DataFrame:
        loci = pd.DataFrame(loci, columns=["chrom", "start", "end", "name"])
    monkeypatch.setattr("zoo.run.file_run.CHECKPOINT_SECONDS", 0.0)  # a journal is written
    rows = score(tmp_path, saturate=loci)
    assert rows == score(tmp_path, saturate=bed(tmp_path, ("chr1", 600, 603, "one")), out="of_bed.tsv")


def test_the_result_is_not_written_over_the_loci(tmp_path, genome):
    loci = bed(tmp_path, ("chr1", 500, 503))
    before = loci.read_text()
    with pytest.raises(UsageError):
        score(tmp_path, saturate=loci, out="loci.bed", format="tsv")
    assert loci.read_text() == before


def test_without_the_engine_both_are_refused_and_others_are_not(tmp_path, genome, monkeypatch):
    monkeypatch.setattr(engines, "ENGINE", "interpret_that_is_not_there.engine:Engine")
    with pytest.raises(SystemStateError, match="is not installed"):
        score(tmp_path, saturate=bed(tmp_path, ("chr1", 500, 503)))
    path = write_vcf(tmp_path / "v.vcf", some_variants(genome, 3))
    assert len(score(tmp_path, path)) == 3
