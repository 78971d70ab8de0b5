"""Whole runs with a store: another file or spelling gives the bytes of a run without one, and computes what is new."""

from __future__ import annotations

import json

import pytest
import torch
from conv_model import a_genome, conv_model, some_variants, write_vcf

from zoo.errors import SystemStateError, UsageError
from zoo.variants.score_variants import score_variants
from zoo.variants.writers.tsv import TsvWriter


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a genome and 60 variants."""
    folder = tmp_path_factory.mktemp("store_runs")
    sequences = a_genome(folder / "g.fa")
    return folder, sequences, some_variants(sequences, 60)


def run(made, rows, out, model=None, **options):
    folder = made[0]
    vcf = write_vcf(out.with_suffix(".in.vcf"), rows)
    options = {"score": ("diff", "l2"), "device": "cpu"} | options
    score_variants(model or conv_model(), vcf, folder / "g.fa", out, **options)
    counts = json.loads(out.with_name(out.name + ".run.json").read_text())["counts"]
    return out.read_bytes(), counts


def spelled(rows, sequences):
    """The same changes with two bases before and one behind, which both alleles share."""
    found = []
    for chrom, pos, ref, alt in rows:
        before, at = sequences[chrom][pos - 3 : pos - 1].upper(), pos - 1 + len(ref)
        behind = sequences[chrom][at].upper()
        found.append((chrom, pos - 2, before + ref + behind, before + alt + behind))
    return found


def scores_of(text):
    """The scores, without the columns that show how the file writes a variant."""
    lines = [line.split("\t") for line in text.decode().splitlines()]
    first = lines[0].index("status")
    return [line[first:] for line in lines]


@pytest.mark.parametrize("suffix", [".tsv", ".vcf"])
def test_a_larger_file_gives_the_bytes_of_a_run_without_a_store(made, tmp_path, suffix):
    _, _, rows = made
    store = tmp_path / "store"
    said = []
    run(made, rows[10:31], tmp_path / f"some{suffix}", store=store)
    got, counts = run(made, rows, tmp_path / f"all{suffix}", store=store, report=said.append)
    assert said[-1] == f"{store}: 21 rows were there, 39 new"
    assert (counts["from_store"], counts["to_store"]) == (21, 39)
    assert got == run(made, rows, tmp_path / f"bare{suffix}")[0]
    assert got == run(made, rows, tmp_path / f"fresh{suffix}", store=tmp_path / "other")[0]
    again, counts = run(made, rows, tmp_path / f"again{suffix}", store=store)
    assert again == got and counts["sequences_predicted"] == 0


@pytest.mark.parametrize("batch_size", ["auto", 1, 5, 7])
def test_whatever_batches_and_order_the_earlier_runs_had(made, tmp_path, batch_size):
    _, _, rows = made
    store = tmp_path / "store"
    for i, part in enumerate((rows[50:53], rows[::7], rows[5:25])):
        run(made, part, tmp_path / f"{i}.tsv", store=store, batch_size=batch_size)
    got, counts = run(made, rows, tmp_path / "all.tsv", store=store, batch_size=batch_size)
    assert counts["from_store"] + counts["to_store"] == 60 and counts["from_store"] > 25
    assert got == run(made, rows, tmp_path / "bare.tsv", batch_size=batch_size)[0]


def test_another_spelling_computes_nothing(made, tmp_path):
    _, sequences, rows = made
    # An indel that a base beside it repeats is another place when it is written with that base: left out here.
    rows = [row for row in rows if len(row[2]) == len(row[3]) == 1]
    store = tmp_path / "store"
    first, _ = run(made, rows, tmp_path / "a.tsv", store=store)
    other, counts = run(made, spelled(rows, sequences), tmp_path / "b.tsv", store=store)
    assert (counts["from_store"], counts["to_store"], counts["sequences_predicted"]) == (len(rows), 0, 0)
    assert scores_of(other) == scores_of(first)


def test_a_larger_file_in_another_spelling(made, tmp_path):
    """Indels included, some of which are another place in a repeat when a base is written behind them."""
    _, sequences, rows = made
    run(made, rows[5:40], tmp_path / "a.tsv", store=tmp_path / "s")
    got, counts = run(made, spelled(rows, sequences), tmp_path / "b.tsv", store=tmp_path / "s")
    assert counts["from_store"] + counts["to_store"] == 60 and counts["from_store"] > 25
    assert got == run(made, spelled(rows, sequences), tmp_path / "c.tsv")[0]


@pytest.mark.parametrize("options", [{"rc_average": True, "refill": "both"}, {"shifts": (-3, 0, 3)}, {"span": 21}])
def test_under_other_options_all_is_computed_and_kept_apart(made, tmp_path, options):
    _, _, rows = made
    store = tmp_path / "store"
    run(made, rows[:20], tmp_path / "a.tsv", store=store)
    got, counts = run(made, rows[:20], tmp_path / "b.tsv", store=store, **options)
    assert counts["from_store"] == 0
    assert got == run(made, rows[:20], tmp_path / "c.tsv", **options)[0]
    assert len(json.loads((store / "store.json").read_text())["shelves"]) == 2


def test_another_model_or_genome_gets_nothing_of_the_first(made, tmp_path):
    folder, _, rows = made
    store = tmp_path / "store"
    run(made, rows[:20], tmp_path / "a.tsv", store=store)
    got, counts = run(made, rows[:20], tmp_path / "b.tsv", model=conv_model(1), store=store)
    assert counts["from_store"] == 0
    assert got == run(made, rows[:20], tmp_path / "c.tsv", model=conv_model(1))[0]
    text = (folder / "g.fa").read_text()
    other = tmp_path / "g2.fa"
    other.write_text(text[:-3] + {"A": "C"}.get(text[-3].upper(), "A") + text[-2:])  # one base of chr2
    vcf = write_vcf(tmp_path / "d.vcf", rows[:20])
    score_variants(conv_model(), vcf, other, tmp_path / "d.tsv", store=store, device="cpu", score=("diff", "l2"))
    assert json.loads((tmp_path / "d.tsv.run.json").read_text())["counts"]["from_store"] == 0


def test_other_threads_are_other_conditions_and_are_said(made, tmp_path):
    _, _, rows = made
    before = torch.get_num_threads()
    said = []
    try:
        torch.set_num_threads(1)
        run(made, rows[:5], tmp_path / "a.tsv", store=tmp_path / "s")
        torch.set_num_threads(2)
        _, counts = run(made, rows[:5], tmp_path / "b.tsv", store=tmp_path / "s", report=said.append)
    finally:
        torch.set_num_threads(before)
    assert counts["from_store"] == 0
    assert [text for text in said if "threads 1, now 2" in text and "5 scores of conv" in text]


def test_genes_and_indels_in_repeats(made, tmp_path):
    """A row a gene, and the leftmost and rightmost place of each indel, from the store as computed."""
    folder, _, rows = made
    genes = folder / "genes.bed"
    lines = ["chr1\t0\t1500\tA\t0\t+", "chr1\t700\t2600\tB\t0\t-", "chr2\t100\t400\tC\t0\t+"]
    genes.write_text(
        "".join(f"{line}\t0\t0\t0\t1\t{size},\t0,\n" for line, size in zip(lines, (1500, 1900, 300), strict=True))
    )
    store = tmp_path / "store"
    run(made, rows[::2], tmp_path / "a.tsv", store=store, genes=genes)
    got, counts = run(made, rows, tmp_path / "b.tsv", store=store, genes=genes)
    assert got == run(made, rows, tmp_path / "c.tsv", genes=genes)[0]
    assert counts["from_store"] > 20 and got.count(b"\n") > len(rows) + 10
    assert run(made, rows, tmp_path / "d.tsv", store=store)[1]["from_store"] == 0


def test_a_ref_that_is_taken_as_given_is_an_entry_of_its_own(made, tmp_path):
    """The same edit on the genome's base and on another: two windows, two scores."""
    _, sequences, _ = made
    at = 500
    bases = sequences["chr1"][at - 1 : at + 2]
    wrong = next(base for base in "ACGT" if base != bases[2])
    alt = next(base for base in "ACGT" if base not in bases[0])
    right, given = ("chr1", at, bases, alt + bases[1:]), ("chr1", at, bases[:2] + wrong, alt + bases[1] + wrong)
    options = {"ref_mismatch": "as-given", "store": tmp_path / "s"}
    one, _ = run(made, [right], tmp_path / "a.tsv", **options)
    other, counts = run(made, [given], tmp_path / "b.tsv", **options)
    assert counts["from_store"] == 0
    assert other == run(made, [given], tmp_path / "c.tsv", ref_mismatch="as-given")[0]
    (names, mine), (_, theirs) = scores_of(one), scores_of(other)
    place = names.index("diff_n")
    assert mine[1:4] == theirs[1:4] and mine[place] != theirs[place] and "nan" not in (mine[place], theirs[place])


def test_rows_without_scores_are_the_same_with_a_store(made, tmp_path):
    _, _, rows = made
    odd = [*rows[:3], (rows[3][0], rows[3][1], rows[3][2], "*"), ("chr1", 2990, "N", "A")]
    first = run(made, rows[:4], tmp_path / "a.tsv", store=tmp_path / "s")
    got, _ = run(made, odd, tmp_path / "b.tsv", store=tmp_path / "s")
    assert first and got == run(made, odd, tmp_path / "c.tsv")[0]


def test_an_interrupted_run_keeps_what_it_scored(made, tmp_path, monkeypatch):
    _, _, rows = made
    store = tmp_path / "store"
    written = TsvWriter.write
    calls = []

    def stop(self, batch):
        calls.append(len(batch))
        if sum(calls) > 30:
            raise OSError(28, "No space left on device")
        written(self, batch)

    monkeypatch.setattr(TsvWriter, "write", stop)
    with pytest.raises(SystemStateError):
        run(made, rows, tmp_path / "a.tsv", store=store)
    monkeypatch.undo()
    got, counts = run(made, rows, tmp_path / "b.tsv", store=store)
    assert counts["from_store"] >= 30
    assert got == run(made, rows, tmp_path / "c.tsv")[0]


def test_what_does_not_go_together_is_refused_before_the_work(made, tmp_path):
    folder, _, rows = made
    vcf = write_vcf(tmp_path / "v.vcf", rows[:2])
    with pytest.raises(UsageError, match="--store keeps scores"):
        score_variants(conv_model(), vcf, folder / "g.fa", tmp_path / "o.h5", store=tmp_path / "s")
    with pytest.raises(UsageError, match="is a folder that is not a store"):
        score_variants(conv_model(), vcf, folder / "g.fa", tmp_path / "o.tsv", store=folder)
    assert not (tmp_path / "s").exists()
