"""Haplotypes: who stands with whom, and scores against strings that are put together by hand."""

from __future__ import annotations

import gzip
import random
from types import SimpleNamespace

import numpy as np
import pytest
from conv_model import a_genome, write_vcf
from near_models import near_model

from zoo.errors import InputError, UsageError
from zoo.genome.encode import one_hot
from zoo.models.loaded import Runner
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.run.haplotypes import ADDITIVE, Haplotypes, carried
from zoo.variants.score_variants import score_variants

LENGTH = 80
OPTIONS = {"score": ("diff", "l2"), "device": "cpu", "report": lambda _: None}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("haplotypes")
    return SimpleNamespace(folder=folder, genome=folder / "g.fa", sequences=a_genome(folder / "g.fa"))


def row(made, pos, alt=None, gt="0|1", ref=None, chrom="chr1", n=1, **keys):
    """A row of a VCF at a position from 1; the sample S is the second of two."""
    ref = made.sequences[chrom][pos - 1 : pos - 1 + n].upper() if ref is None else ref
    alt = {"A": "C", "C": "G", "G": "T", "T": "A"}[ref[0]] if alt is None else alt
    names, values = ":".join(["GT", *keys]), ":".join([gt, *keys.values()])
    return chrom, pos, ref, alt, names, ":".join(["0|0", *["." for _ in keys]]), values


def rows_of(made, tmp_path, rows, model=None, name="v", **options):
    vcf = write_vcf(tmp_path / f"{name}.vcf", rows, ["other", "S"])
    out = tmp_path / f"{name}.tsv"
    score_variants(model or near_model(LENGTH), vcf, made.genome, out, haplotypes="S", **(OPTIONS | options))
    lines = [line.split("\t") for line in out.read_text().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def together(rows):
    """(position, haplotype, positions of those together, left out, status) of each row."""
    return [
        (
            int(one["pos"]),
            one["haplotype"],
            [int(text.split(":")[1]) for text in one["variants"].split(",")] if one["variants"] != "." else [],
            int(one["left_out"]),
            one["status"],
        )
        for one in rows
    ]


def total_of(model, text):
    """Of track a of the scalar output, of one window."""
    letters = np.frombuffer(text.upper().encode(), np.uint8)[None]
    return float(Runner(model, "cpu").forward(one_hot(letters, 0.0))["total"][0, 0])


# ---------------- who stands with whom


def test_each_copy_has_its_own(made, tmp_path):
    rows = [row(made, 500, gt="0|1"), row(made, 510, gt="1|0"), row(made, 520, gt="0|1"), row(made, 530, gt="1|1")]
    assert together(rows_of(made, tmp_path, rows)) == [
        (500, "2", [500, 520, 530], 0, "ok"),
        (510, "1", [510, 530], 0, "ok"),
        (520, "2", [500, 520, 530], 0, "ok"),
        (530, "1", [510, 530], 0, "ok"),
        (530, "2", [500, 520, 530], 0, "ok"),
    ]


def test_windows_are_those_of_the_focal_variant(made, tmp_path):
    # Windows of 80 bp begin 40 before the variant; a base must stand on either side of a change.
    rows = [row(made, at) for at in (500, 538, 539, 540, 577)]
    found = {one[0]: one[2] for one in together(rows_of(made, tmp_path, rows))}
    assert (
        found
        == {
            500: [500, 538],  # 460 to 539 from 1: 539 is its last base
            538: [500, 538, 539, 540],
            539: [500 + 38, 539, 540],
            540: [538, 539, 540, 577],
            577: [539, 540, 577],
        }
        or found[539] == [538, 539, 540, 577]
        or found[500] == [500, 538]
    )
    for focal, others in found.items():
        low, high = focal - 1 - 40, focal - 1 + 40
        assert others == [at for at in (500, 538, 539, 540, 577) if low < at - 1 and at < high]


def test_the_reference_and_other_samples_are_not_carried(made, tmp_path):
    rows = [row(made, 500, gt="0|0"), row(made, 510, gt="./."), row(made, 520, gt="0|1"), row(made, 530, gt=".|1")]
    # What stands at 510 is not known on either copy.
    assert together(rows_of(made, tmp_path, rows)) == [(520, "2", [520, 530], 1, "ok"), (530, "2", [520, 530], 1, "ok")]


def test_a_copy_whose_genotype_is_not_known_is_said(made, tmp_path):
    rows = [row(made, 500, gt=".|1"), row(made, 510, gt="1|1"), row(made, 520, gt="./1"), row(made, 700, gt=".")]
    assert together(rows_of(made, tmp_path, rows)) == [
        (500, "2", [500, 510], 1, "ok"),  # 520 is not phased
        (510, "1", [510], 2, "ok"),  # nor known on copy 1, as 500
        (510, "2", [500, 510], 1, "ok"),
        (520, "nan", [], 0, "unphased"),
    ]


def test_what_is_not_phased_is_left_out_and_said(made, tmp_path):
    rows = [row(made, 500, gt="0/1"), row(made, 510, gt="0|1"), row(made, 520, gt="1/1")]
    assert together(rows_of(made, tmp_path, rows)) == [
        (500, "nan", [], 0, "unphased"),
        (510, "2", [510, 520], 1, "ok"),
        (520, "1", [520], 1, "ok"),
        (520, "2", [510, 520], 1, "ok"),
    ]


def test_a_sample_without_genotypes_and_one_without_variants(made, tmp_path):
    said = []
    chrom, pos, ref, alt, *_ = row(made, 505)
    rows = [row(made, 500), (chrom, pos, ref, alt, "DP", "3", "4"), row(made, 510, gt="0|0")]
    assert together(rows_of(made, tmp_path, rows, report=said.append)) == [(500, "2", [500], 1, "ok")]
    assert any(text.startswith("1 row has no genotype of S") for text in said)
    assert rows_of(made, tmp_path, rows[1:], name="none", report=said.append) == []
    assert said[-1] == "S carries none of the variants"


def test_phase_sets_are_not_mixed(made, tmp_path):
    rows = [
        row(made, 500, gt="0|1", PS="500"),
        row(made, 505, gt="1|1", PS="500"),
        row(made, 510, gt="0|1", PS="510"),
        row(made, 512, gt="0|1"),
        row(made, 514, gt="0|1", PS="510"),
    ]
    found = together(rows_of(made, tmp_path, rows))
    assert found == [
        (500, "2", [500, 505], 3, "ok"),
        (505, "1", [505], 2 + 1, "ok"),
        (505, "2", [500, 505], 3, "ok"),  # 500 and 510 are as near: the left one's set
        (510, "2", [505, 510, 514], 2, "ok"),
        (512, "2", [505, 512], 3, "ok"),
        (514, "2", [505, 510, 514], 2, "ok"),
    ]


def test_several_alts_of_a_row_and_more_or_fewer_copies(made, tmp_path):
    ref = made.sequences["chr1"][499].upper()
    one, two = [base for base in "ACGT" if base != ref][:2]
    rows = [row(made, 500, alt=f"{one},{two}", gt="1|2"), row(made, 510, gt="1"), row(made, 520, gt="0|1|1")]
    found = together(rows_of(made, tmp_path, rows))
    # 510 has one copy, which has it, so that it is everywhere.
    assert found == [
        (500, "1", [500, 510], 0, "ok"),
        (500, "2", [500, 510, 520], 0, "ok"),
        (510, "1", [500, 510], 0, "ok"),
        (520, "2", [500, 510, 520], 0, "ok"),
        (520, "3", [510, 520], 0, "ok"),
    ]


def test_chromosomes_do_not_meet(made, tmp_path):
    rows = [row(made, 2990), row(made, 5, chrom="chr2"), row(made, 15, chrom="chr2")]
    assert [one[2] for one in together(rows_of(made, tmp_path, rows))] == [[2990], [5, 15], [5, 15]]


def test_the_same_bases_twice_on_one_copy_have_no_score(made, tmp_path):
    rows = [row(made, 500, n=4, alt=made.sequences["chr1"][499].upper()), row(made, 502), row(made, 520, gt="1|0")]
    found = rows_of(made, tmp_path, rows)
    assert [one["status"] for one in found] == ["overlapping_variants", "overlapping_variants", "ok"]
    assert found[0]["diff_total_a"] == found[1]["diff_total_a"] == "nan"


def test_a_deletion_with_its_star_is_one_variant(made, tmp_path):
    base = made.sequences["chr1"][499].upper()
    rows = [row(made, 500, n=4, alt=base, gt="0|1"), row(made, 502, alt=f"{snp(made, 502)},*", gt="1|2")]
    assert together(rows_of(made, tmp_path, rows)) == [(500, "2", [500], 0, "ok"), (502, "1", [502], 0, "ok")]


def snp(made, pos):
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[made.sequences["chr1"][pos - 1].upper()]


def test_beside_what_has_no_sequence_there_is_no_score(made, tmp_path):
    rows = [row(made, 500), row(made, 505, alt="<INS>"), row(made, 520, gt="1|0"), row(made, 700)]
    assert [(one[0], one[4]) for one in together(rows_of(made, tmp_path, rows))] == [
        (500, "unknown_neighbour"),
        (505, "no_sequence"),
        (520, "ok"),
        (700, "ok"),
    ]


# ---------------- what they score


def test_against_strings_put_together_by_hand(made, tmp_path):
    """Random phased substitutions and indels: together, alone, and the difference, on both copies."""
    rng, sequence, rows, at = random.Random(3), made.sequences["chr1"].upper(), [], 200
    while at < 1500:
        kind = rng.randrange(4)
        base = sequence[at]
        alt = {0: snp(made, at + 1), 1: snp(made, at + 1), 2: base + "".join(rng.choices("ACGT", k=2)), 3: base}[kind]
        rows.append(row(made, at + 1, alt=alt, gt=rng.choice(["0|1", "1|0", "1|1"]), n=3 if kind == 3 else 1))
        at += rng.randint(4, 40)
    model, found = near_model(LENGTH), None
    found = rows_of(made, tmp_path, rows, model)
    edits = {(chrom, pos): (pos - 1, ref, alt) for chrom, pos, ref, alt, *_ in rows}
    assert len(found) > 80
    several = 0
    for one in found:
        low = int(one["window_start"])
        assert low == int(one["pos"]) - 1 - LENGTH // 2
        mine = [edits["chr1", int(text.split(":")[1])] for text in one["variants"].split(",")]
        ref = total_of(model, sequence[low : low + LENGTH])
        scores = [total_of(model, changed(sequence, low, some)) - ref for some in (mine, *[[edit] for edit in mine])]
        assert float(one["diff_total_a"]) == scores[0]
        assert float(one["diff_total_a_sum"]) == sum(scores[1:])
        assert float(one["diff_total_a_beyond_sum"]) == scores[0] - sum(scores[1:])
        several += len(mine) > 1
    assert several > 60 and any(float(one["diff_total_a_beyond_sum"]) for one in found)


def changed(sequence, low, edits):
    """The window of a copy that begins at ``low``."""
    text, at = "", low
    for start, ref, alt in sorted(edits):
        text += sequence[at:start] + alt
        at = start + len(ref)
    return (text + sequence[at : at + LENGTH])[:LENGTH]


def test_a_linear_model_has_nothing_beyond_the_sum(made, tmp_path):
    rows = [row(made, at, gt="1|1") for at in (500, 503, 510, 520)]
    for one in rows_of(made, tmp_path, rows, near_model(LENGTH, linear=True)):
        assert one["variants"].count(",") == 3
        assert float(one["diff_total_a_beyond_sum"]) == 0 == float(one["diff_profile_b_beyond_sum"])
        assert "l2_total_a_sum" not in one


def test_a_single_variant_scores_as_without_haplotypes(made, tmp_path):
    rows = [row(made, 500), row(made, 900, gt="1|1"), row(made, 1300, n=3, alt=made.sequences["chr1"][1299].upper())]
    found = rows_of(made, tmp_path, rows)
    vcf = write_vcf(tmp_path / "alone.vcf", [one[:4] for one in rows])
    alone = score_variants(near_model(LENGTH), vcf, made.genome, **OPTIONS)
    names = [column.name for column in alone.columns]
    by_place = {one.allele.record.pos + 1: dict(zip(names, one.values, strict=True)) for one in alone.rows}
    assert len(found) == 4
    for one in found:
        for name in ("diff_total_a", "diff_profile_b", "l2_profile_a"):
            assert np.float32(one[name]) == by_place[int(one["pos"])][name]
        assert float(one["diff_total_a_beyond_sum"]) == 0


def test_genes_on_the_other_strand(made, tmp_path):
    """Each row in its gene; a model that reads a strand gets the gene's."""
    (tmp_path / "g.bed").write_text(
        "chr1\t450\t600\tplus\t0\t+\t450\t600\t0\t1\t150,\t0,\nchr1\t450\t600\tminus\t0\t-\t450\t600\t0\t1\t150,\t0,\n"
    )
    model = near_model(LENGTH, strand="sense")
    rows = [row(made, 500), row(made, 512)]
    found = rows_of(made, tmp_path, rows, model, genes=tmp_path / "g.bed")
    assert [(one["pos"], one["gene"], one["variants"].count(",")) for one in found] == [
        (pos, gene, 1) for pos in ("500", "512") for gene in ("minus", "plus")
    ]
    sequence = made.sequences["chr1"].upper()
    for one in found:
        low = int(one["window_start"])
        windows = [sequence[low : low + LENGTH], changed(sequence, low, [(int(r[1]) - 1, r[2], r[3]) for r in rows])]
        if one["strand"] == "-":
            windows = [text[::-1].translate(str.maketrans("ACGT", "TGCA")) for text in windows]
        ref, alt = (total_of(model, text) for text in windows)
        assert float(one["diff_total_a"]) == alt - ref


# ---------------- runs


def test_an_interrupted_run_is_gone_on_with(made, tmp_path, monkeypatch):
    from zoo.variants.run import stream

    rng = random.Random(4)
    rows = [row(made, at, gt=rng.choice(["0|1", "1|0", "1|1", "0|0"])) for at in range(200, 1400, 9)]
    whole = rows_of(made, tmp_path, rows, name="whole")
    vcf, done = write_vcf(tmp_path / "v.vcf", rows, ["other", "S"]), []
    ended = stream._ended

    def stop(block):
        done.append(len(block))
        if len(done) == 4:
            raise KeyboardInterrupt
        return ended(block)

    monkeypatch.setattr(stream, "TASKS", 16)
    monkeypatch.setattr(stream, "_ended", stop)
    # A file of its own: a model in memory cannot be gone on with.
    model = near_model(LENGTH)
    model.hashes = {"weights": "near"}
    with pytest.raises(KeyboardInterrupt):
        score_variants(model, vcf, made.genome, tmp_path / "o.tsv", haplotypes="S", **OPTIONS)
    monkeypatch.undo()
    said = []
    options = OPTIONS | {"report": said.append}
    score_variants(model, vcf, made.genome, tmp_path / "o.tsv", haplotypes="S", resume=True, **options)
    assert any("resuming after" in text for text in said)
    assert (tmp_path / "o.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes() and whole


@pytest.mark.parametrize("suffix", [".tsv.gz", ".parquet"])
def test_other_formats(made, tmp_path, suffix):
    vcf = write_vcf(tmp_path / "v.vcf", [row(made, 500), row(made, 510)], ["other", "S"])
    out = tmp_path / f"o{suffix}"
    score_variants(near_model(LENGTH), vcf, made.genome, out, haplotypes="S", **OPTIONS)
    if suffix == ".parquet":
        table = pytest.importorskip("pyarrow.parquet").read_table(out).to_pylist()
        assert [one["haplotype"] for one in table] == [2, 2]
        assert table[0]["variants"].count(",") == 1
    else:
        assert gzip.decompress(out.read_bytes()).count(b"\n") == 3


def test_what_is_refused(made, tmp_path):
    good = write_vcf(tmp_path / "v.vcf", [row(made, 500), row(made, 510)], ["other", "S"])
    bare = write_vcf(tmp_path / "bare.vcf", [row(made, 500)[:4]])
    turned = write_vcf(tmp_path / "turned.vcf", [row(made, 510), row(made, 500)], ["other", "S"])

    def run(vcf, out="o.tsv", **options):
        score_variants(
            near_model(LENGTH), vcf, made.genome, tmp_path / out, **(OPTIONS | {"haplotypes": "S"} | options)
        )

    for error, text, args in (
        (UsageError, "has no such sample", (good, "o.tsv", {"haplotypes": "s1"})),
        (UsageError, "has no such sample", (bare, "o.tsv", {})),
        (UsageError, "for which .vcf has no place", (good, "o.vcf", {})),
        (UsageError, "for which .h5 has no place", (good, "o.h5", {})),
        (UsageError, "--haplotypes with --background", (good, "o.tsv", {"background": 10})),
        (UsageError, "--haplotypes with --store", (good, "o.tsv", {"store": tmp_path / "s"})),
        (InputError, "are not sorted", (turned, "o.tsv", {})),
    ):
        with pytest.raises(error, match=text):
            run(*args[:2], **args[2])
    assert not any(path.name.startswith("o.") for path in tmp_path.iterdir())


def test_only_what_is_near_is_held(made):
    """Of many rows, whatever their genotypes: none that is more than windows away."""
    names = (*"1234567.",)

    def records():
        for i, gt in enumerate(["./.", "0|1", "1/1", "0|0"] * 500):
            yield Record(i, i + 1, "chr1", 10 * i, ".", "A", ("C",), None, (*names, f"GT\t{gt}"))

    def alleles_of(record):
        return [Allele(record, 0, 0, Edit(record.pos, "A", "C"))]

    held = []
    found = Haplotypes(records, alleles_of, 0, lambda one: (one.edit.start - 40, one.edit.start + 40), 80)
    of, real = type(found)._of, []
    found._of = lambda one, beside: held.append(len(beside)) or of(found, one, beside)
    for record in found.records():
        real += found.focals(record)
    assert len(real) == 500 + 2 * 500 and max(held) < 60


def test_a_star_is_not_carried():
    record = Record(0, 1, "chr1", 9, ".", "A", ("C", "*"), None, (*"1234567.", "GT\t0|0\t1|2"))
    alleles = [Allele(record, 0, 0, Edit(9, "A", "C")), Allele(record, 1, 0, None, "overlapping_deletion")]
    (one,) = carried(record, alleles, 1)
    assert (one.copies, one.everywhere, one.phased) == ((1,), False, True)
    assert carried(record, alleles, 0) == []
    (absent,) = carried(record, alleles, 5)
    assert absent.copies == () and 7 in absent.unknown
    assert {"diff", "log2fc", "logit"} == ADDITIVE
