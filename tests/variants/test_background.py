"""Backgrounds: which variants, on which bases, and the ranks of whole runs against them."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from conv_model import a_genome, conv_model, some_variants, write_vcf
from near_models import near_model

from zoo.errors import InputError, UsageError
from zoo.genome.fasta import open_genome
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.ranks import background as background_module
from zoo.variants.ranks.background import LEAST, Background, ShuffledGenes, ShuffledGenome, background_of, drawn
from zoo.variants.run import stream
from zoo.variants.score_variants import score_variants
from zoo.variants.scores.genes import Gene, Genes
from zoo.variants.writers.ranked import RankedWriter, RowSpool

OPTIONS = {"score": ("diff", "l2"), "device": "cpu"}


def allele(start, ref="A", alt="G", contig=0, status=""):
    record = Record(0, 1, "chr1", start, ".", ref, (alt,), None, ())
    return Allele(record, 0, contig, None if status else Edit(start, ref, alt), status)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("background")
    sequences = a_genome(folder / "g.fa")
    rows = some_variants(sequences, 40)
    return SimpleNamespace(
        folder=folder, genome=folder / "g.fa", sequences=sequences, rows=rows, vcf=write_vcf(folder / "v.vcf", rows)
    )


# ---------------- what is drawn


def test_what_can_be_asked_for(tmp_path):
    assert background_of("1000") == background_of(1000) == Background(1000)
    path = tmp_path / "neutral.vcf"
    path.write_text("")
    assert background_of(str(path)) == Background(0, path)
    for wrong in (0, "0", 2_000_000):
        with pytest.raises(UsageError, match="is not between 1 and"):
            background_of(wrong)
    with pytest.raises(InputError, match="no such file"):
        background_of(tmp_path / "absent.vcf")
    for wrong in (20.0, True):
        with pytest.raises(InputError, match="where a file is named"):
            background_of(wrong)


def test_each_once_where_there_are_enough_and_in_turn_where_not():
    alleles = [allele(i) for i in range(10)] + [allele(99, status="missing")]
    few = [one.edit.start for one in drawn(alleles, 4, 0)]
    assert len(set(few)) == 4 and few == sorted(few)
    assert [one.edit.start for one in drawn(alleles, 23, 0)] == [i % 10 for i in range(23)]
    assert drawn([], 5, 0) == drawn([allele(1, status="missing")], 5, 0) == []


def test_draws_are_even_and_of_the_seed():
    alleles = [allele(i) for i in range(20)]
    found = Counter(one.edit.start for seed in range(400) for one in drawn(alleles, 5, seed))
    assert set(found) == set(range(20)) and min(found.values()) > 60 and max(found.values()) < 145  # 100 each
    assert drawn(alleles, 5, 3) == drawn(alleles, 5, 3) != drawn(alleles, 5, 4)


def test_each_kind_has_its_own_draw_which_others_leave_as_it_is():
    single, deleted = [allele(i) for i in range(10)], [allele(100 + i, "ACGTACG", "A") for i in range(3)]
    both = [one for pair in itertools.zip_longest(single, deleted) for one in pair if one is not None]
    found = drawn(both, 4, 0)
    assert found == drawn(single, 4, 0) + drawn(deleted, 4, 0)
    assert [one.edit.start for one in found[4:]] == [100, 101, 102, 100]
    assert len(drawn([*both, allele(9, "A", "AG"), allele(9, "ACG", "TA"), allele(3, "AC", "A")], 5, 0)) == 25


# ---------------- the bases around them


def test_alleles_stay_and_each_side_keeps_its_dinucleotides(made):
    genome = open_genome(made.genome)
    origins = [
        allele(100, made.sequences["chr1"][100:103], "A"),
        allele(250, made.sequences["chr2"][250].upper(), "", 1),
    ]
    fake = ShuffledGenome(genome, origins, 60, seed=7)
    for number, origin in enumerate(origins):
        name = ["chr1", "chr2"][origin.contig]
        size, ref = 120 + len(origin.edit.ref), origin.edit.ref
        assert fake.sizes[f"shuffled_{number}"] == size
        letters = fake.gather(np.array([number]), np.array([0]), size).tobytes().decode()
        start, end = origin.edit.start, origin.edit.end
        before, behind = made.sequences[name][start - 60 : start].upper(), made.sequences[name][end : end + 60].upper()
        assert letters[60 : 60 + len(ref)] == ref
        for mine, theirs in ((letters[:60], before), (letters[-60:], behind)):
            assert mine != theirs and pairs(mine) == pairs(theirs)
        assert fake.alleles[number].edit == Edit(60, ref, origin.edit.alt)
    assert np.array_equal(fake.gather(np.array([0, 1]), np.array([-5, 3]), 40), again(genome, origins, 7))
    assert not np.array_equal(fake.gather(np.array([0, 1]), np.array([-5, 3]), 40), again(genome, origins, 8))


def again(genome, origins, seed):
    fake = ShuffledGenome(genome, origins, 60, seed)
    return np.concatenate([fake.gather(np.array([i]), np.array([at]), 40) for i, at in ((1, 3), (0, -5))])[::-1]


def pairs(text):
    return Counter(itertools.pairwise(text))


def test_beside_the_end_of_a_chromosome_n_is_shuffled_too(made):
    fake = ShuffledGenome(open_genome(made.genome), [allele(10, "A", "G")], 60, seed=0)
    letters = fake.gather(np.array([0]), np.array([0]), 121).tobytes().decode()
    assert letters[:60].count("N") == 50


def test_ref_that_was_taken_as_given_stands_in_the_middle(made):
    one = allele(100, "A", "G")
    given = Allele(one.record, 0, 0, Edit(100, "T", "G"), "", Edit(99, "CTT", "CGT"))
    fake = ShuffledGenome(open_genome(made.genome), [given], 60, seed=0)
    assert fake.gather(np.array([0]), np.array([60]), 1).tobytes() == b"T"
    assert fake.alleles[0].written is None


def test_genes_move_along():
    gene = Gene("A", "E1", 0, 900, 1200, "-", ((900, 1000), (1100, 1200)))
    moved = ShuffledGenes(Genes([gene]), [allele(950), allele(5000), allele(1150)], 200)
    assert moved.at(1, 200, 201) == []
    (first,), (third,) = moved.at(0, 200, 201), moved.at(2, 200, 201)
    assert (first.contig, first.start, first.end, first.exons) == (0, 150, 450, ((150, 250), (350, 450)))
    assert (third.contig, third.exons, third.strand) == (2, ((-50, 50), (150, 250)), "-")
    assert first.acceptors == tuple(at - 750 for at in gene.acceptors)
    assert first.donors == tuple(at - 750 for at in gene.donors)


# ---------------- whole runs


def table(path):
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def kind_by_length(row):
    """Of ``some_variants``, whose indels are written with the base before: what the kind must be."""
    more = len(row["alt"]) - len(row["ref"])
    size = "1" if abs(more) <= 1 else "2-4"
    return f"{'insertion' if more > 0 else 'deletion' if more < 0 else 'substitution'}_{size}"


def test_ranks_are_those_of_the_scores_of_the_kind_in_another_file(made, tmp_path):
    neutral = write_vcf(tmp_path / "neutral.vcf", some_variants(made.sequences, 90, seed=9))
    score_variants(conv_model(), neutral, made.genome, tmp_path / "n.tsv", **OPTIONS)
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "o.tsv", background=neutral, **OPTIONS)
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "bare.tsv", **OPTIONS)
    theirs, rows, bare = (table(tmp_path / name) for name in ("n.tsv", "o.tsv", "bare.tsv"))
    like = {kind: [one for one in theirs if kind_by_length(one) == kind] for kind in map(kind_by_length, rows)}
    assert min(map(len, like.values())) < LEAST <= sorted(map(len, like.values()))[1]
    for name, signed in (("diff_n", True), ("l2_a", False)):
        size = (lambda value: abs(float(value))) if signed else float
        p = []
        for row, alone in zip(rows, bare, strict=True):
            assert row[name] == alone[name] and row["background_kind"] == kind_by_length(row)
            others = like[row["background_kind"]]
            n = len(others)
            if n < LEAST:
                assert [row[f"{name}_{part}"] for part in ("quantile", "p", "q")] == ["nan"] * 3
                p.append(None)
                continue
            r = sum(size(other[name]) >= size(row[name]) for other in others)
            p.append((r + 1) / (n + 1))
            assert float(row[f"{name}_p"]) == pytest.approx(p[-1])
            below = sum(float(other[name]) < float(row[name]) for other in others) / n
            equal = sum(float(other[name]) == float(row[name]) for other in others) / n / 2
            wanted = 2 * (below + equal) - 1 if signed else below + equal
            assert float(row[f"{name}_quantile"]) == pytest.approx(wanted, abs=1e-6)
        known = [one for one in p if one is not None]
        for row, own in zip(rows, p, strict=True):
            if own is not None:
                q = min(min(1, x * len(known) / sum(y <= x for y in known)) for x in known if x >= own)
                assert float(row[f"{name}_q"]) == pytest.approx(q)


def test_a_file_against_itself_has_no_small_q(made, tmp_path):
    vcf = write_vcf(tmp_path / "v.vcf", some_variants(made.sequences, 120, seed=4))
    score_variants(conv_model(), vcf, made.genome, tmp_path / "o.tsv", background=vcf, **OPTIONS)
    rows = table(tmp_path / "o.tsv")
    q = np.array([[float(value) for key, value in row.items() if key.endswith("_q")] for row in rows])
    assert q.shape == (120, 6) and (~np.isnan(q)).all(1).sum() > 90 and np.nanmin(q) > 0.9


@pytest.mark.parametrize("suffix", [".tsv", ".vcf", "-", None])
def test_a_kind_that_the_other_file_lacks_has_no_rank(made, tmp_path, suffix, capsys):
    """A file of substitutions ranks no insertion or deletion: these are counted, and have scores all the same."""
    of_one = [row for row in some_variants(made.sequences, 100, seed=5) if len(row[2]) == len(row[3])]
    said, neutral = [], write_vcf(tmp_path / "neutral.vcf", of_one)
    out = tmp_path / f"o{suffix}" if suffix and suffix != "-" else suffix
    options = OPTIONS | {"background": neutral, "report": said.append}
    found = score_variants(conv_model(), made.vcf, made.genome, out, **options)
    others = sum(len(ref) != len(alt) for _, _, ref, alt in made.rows)
    (note,) = [text for text in said if "without quantile, p and q" in text]
    assert f"{others} rows have scores" in note and "fewer than 19 scores of their kind" in note
    assert (
        "insertion of 2-4 bp: 5 rows" in note and "deletion of 2-4 bp: 10 rows" in note and "substitution" not in note
    )
    if suffix is None:
        frame = found.to_pandas()
        assert list(frame["background_kind"].str.startswith("substitution")) == list(frame["diff_n_p"].notna())
        assert frame["diff_n"].notna().all()
        assert found.counts["background"]["kinds"]["substitution_1"]["rows"] == 40 - others
        return
    if suffix == ".vcf":
        lines = [line.split("\t") for line in out.read_text().splitlines() if not line.startswith("#")]
        for (*_, ref, alt), line in zip(made.rows, lines, strict=True):
            fields = dict(item.split("=") for item in line[7].split(";") if "=" in item)
            like = len(ref) == len(alt)
            assert (fields["conv_diff_n_p"] != ".") == (fields["conv_diff_n_q"] != ".") == like
            assert (fields["conv_background_kind"] == "substitution_1") == like and fields["conv_diff_n"] != "."
        return
    text = capsys.readouterr().out if suffix == "-" else out.read_text()
    rows = [line.split("\t") for line in text.splitlines()]
    rows = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    for row in rows:
        like = len(row["ref"]) == len(row["alt"])
        assert (row["diff_n_p"] != "nan") == (row["diff_n_quantile"] != "nan") == (row["diff_n_q"] != "nan") == like
        assert row["diff_n"] != "nan" and row["background_kind"] == kind_by_length(row)


def test_a_number_is_of_each_kind_and_the_record_says_so(made, tmp_path):
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "o.tsv", background=25, **OPTIONS)
    record = json.loads((tmp_path / "o.tsv.run.json").read_text())["counts"]["background"]
    rows = table(tmp_path / "o.tsv")
    wanted = Counter(kind_by_length(row) for row in rows)
    assert len(wanted) == 3 and record["least"] == 1
    assert {name: kind["rows"] for name, kind in record["kinds"].items()} == wanted
    for kind in record["kinds"].values():
        assert kind["rows_without_ranks"] == 0 and set(kind["background_scores"].values()) == {25}
    for row in rows:
        assert round(float(row["l2_a_p"]) * 26, 3) in range(1, 27)


def test_a_number_that_allows_no_small_p_is_told(made, tmp_path):
    notes = {}
    for n in (5, 18, 19):
        score_variants(
            conv_model(), made.vcf, made.genome, background=n, report=notes.setdefault(n, []).append, **OPTIONS
        )
    told = {n: [note for note in found if "no p can be below" in note] for n, found in notes.items()}
    assert told[5] == ["--background 5: no p can be below 1/6 = 0.17; 19 are the fewest by which one can be 0.05"]
    assert len(told[18]) == 1 and told[19] == []


@pytest.mark.parametrize("suffix", [".vcf.gz", ".bcf"])
def test_the_kind_of_each_alt_stands_in_info(made, tmp_path, suffix):
    pysam = pytest.importorskip("pysam")
    chrom, pos, ref, _ = next(row for row in made.rows if len(row[2]) == 1)
    other, third = [base for base in "ACGT" if base != ref][:2]
    alts = f"{other},*,{ref}{third},{third},{other}{third}{other}"
    vcf = write_vcf(tmp_path / "v.vcf", [(chrom, pos, ref, alts)])
    score_variants(conv_model(), vcf, made.genome, tmp_path / f"o{suffix}", background=8, **OPTIONS)
    with pysam.VariantFile(str(tmp_path / f"o{suffix}")) as file:
        assert file.header.info["conv_background_kind"].number == "A"
        (record,) = list(file)
    kinds = ("substitution_1", ".", "insertion_1", "substitution_1", "mixture_2-4")
    assert tuple(one or "." for one in record.info["conv_background_kind"]) == kinds
    known = [p is not None for p in record.info["conv_diff_n_p"]]
    assert known == [True, False, True, True, True]


def test_a_table_with_a_column_of_that_name_keeps_it(made, tmp_path):
    chrom, pos, ref, alt = made.rows[0]
    tsv = tmp_path / "v.tsv"
    tsv.write_text(f"chrom\tpos\tref\talt\tbackground_kind\tdiff_n_p\n{chrom}\t{pos}\t{ref}\t{alt}\tmine\t7\n")
    score_variants(conv_model(), tsv, made.genome, tmp_path / "o.tsv", background=8, **OPTIONS)
    (row,) = table(tmp_path / "o.tsv")
    assert row["input_background_kind"] == "mine" and row["input_diff_n_p"] == "7"
    assert row["background_kind"] == kind_by_length(row) and float(row["diff_n_p"]) <= 1


def test_a_store_leaves_ranks_as_they_are(made, tmp_path, monkeypatch):
    """Rows come from the store, those of the other file, too; the bytes are those without."""
    neutral = write_vcf(tmp_path / "neutral.vcf", some_variants(made.sequences, 90, seed=9))
    for name, background in (("n", 12), ("f", neutral)):
        options = OPTIONS | {"background": background, "report": lambda _: None}
        score_variants(conv_model(), made.vcf, made.genome, tmp_path / f"{name}.tsv", **options)
        for number in range(2):
            monkeypatch.setenv("ZOO_CACHE", str(tmp_path / f"cache_{name}{number}"))
            out = tmp_path / f"{name}{number}.tsv"
            score_variants(conv_model(), made.vcf, made.genome, out, store=tmp_path / "store", **options)
            assert out.read_bytes() == (tmp_path / f"{name}.tsv").read_bytes()


def test_p_is_uniform_in_each_kind_where_a_file_is_like_its_background(tmp_path):
    """Random bases, of which shuffles are as random: substitutions, and deletions of 20 bp, which change far more.

    Of 400 rows a kind against 199, p is further than 0.2 from the uniform distribution in one of 10,000 genomes or
    fewer (Kolmogorov and Smirnov's scale is (1/400 + 1/199) ** -0.5 = 11.5). In one distribution of both it would be.
    """
    rng = random.Random(3)
    letters = "".join(rng.choices("ACGT", k=62_000))
    (tmp_path / "g.fa").write_text(f">chr1\n{letters}\n")
    rows = []
    for i in range(800):
        at = 100 + 75 * i
        if i % 2:
            rows.append(("chr1", at + 1, letters[at : at + 21], letters[at]))
        else:
            rows.append(("chr1", at + 1, letters[at], rng.choice([base for base in "ACGT" if base != letters[at]])))
    vcf = write_vcf(tmp_path / "v.vcf", rows)
    options = OPTIONS | {"score": ("l2",), "tracks": "a", "report": lambda _: None}
    score_variants(conv_model(), vcf, tmp_path / "g.fa", tmp_path / "o.tsv", background=199, **options)
    found = table(tmp_path / "o.tsv")
    scores = {}
    for kind in ("substitution_1", "deletion_17-64"):
        like = [row for row in found if row["background_kind"] == kind]
        p = np.array([float(row["l2_a_p"]) for row in like])
        scores[kind] = np.array([float(row["l2_a"]) for row in like])
        assert len(p) == 400
        steps = np.arange(1, 201) / 200
        assert max(abs((p <= step + 1e-6).mean() - step) for step in steps) < 0.2
    # What ranking both together would do: a deletion is beyond nearly all substitutions.
    assert (scores["deletion_17-64"][:, None] > scores["substitution_1"]).mean() > 0.9


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz", ".vcf", ".vcf.gz", ".parquet"])
def test_a_second_run_takes_the_background_from_the_cache(made, tmp_path, suffix, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    said = []
    first, second, other = (tmp_path / f"{name}{suffix}" for name in "abc")
    score_variants(conv_model(), made.vcf, made.genome, first, background=25, report=said.append, **OPTIONS)
    assert any("25 variants of each kind of this file" in text and "computed before" not in text for text in said)

    def computed(*_):
        raise AssertionError("it was computed again")

    with monkeypatch.context() as patch:
        patch.setattr(background_module, "_computed", computed)
        score_variants(conv_model(), made.vcf, made.genome, second, background="25", report=said.append, **OPTIONS)
        assert any("computed before" in text for text in said)
        for changed in ({"seed": 1}, {"background": 24}, {"refill": "left"}):
            with pytest.raises(AssertionError, match="computed again"):
                score_variants(conv_model(), made.vcf, made.genome, other, **({"background": 25} | OPTIONS | changed))
        with pytest.raises(AssertionError, match="computed again"):
            score_variants(conv_model(1), made.vcf, made.genome, other, background=25, **OPTIONS)
    if suffix != ".parquet":
        assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []


def test_standard_output_and_python_have_the_same_rows(made, tmp_path, capsys):
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "o.tsv", background=20, **OPTIONS)
    capsys.readouterr()
    score_variants(conv_model(), made.vcf, made.genome, "-", background=20, report=lambda _: None, **OPTIONS)
    assert capsys.readouterr().out == (tmp_path / "o.tsv").read_text()
    scores = score_variants(conv_model(), made.vcf, made.genome, background=20, report=lambda _: None, **OPTIONS)
    names = [column.name for column in scores.columns]
    rows = table(tmp_path / "o.tsv")
    assert names == list(rows[0])[-len(names) :]
    got = np.stack([row.values for row in scores.rows])
    assert np.array_equal(got, np.array([[row[name] for name in names] for row in rows], np.float32), equal_nan=True)


@pytest.mark.parametrize("fails", [1, 30])
def test_an_interrupted_run_is_gone_on_with(made, tmp_path, monkeypatch, fails):
    """Interrupted while scoring, and while the result is written."""
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "whole.tsv", background=20, **OPTIONS)
    out, written = tmp_path / "o.tsv", []
    if fails == 1:
        monkeypatch.setattr(RankedWriter, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt()))
    else:
        real = RowSpool.append
        monkeypatch.setattr("zoo.variants.run.stream.TASKS", 8)
        monkeypatch.setattr(RowSpool, "append", lambda self, batch: written.append(len(batch)) or real(self, batch))
        ended = stream._ended
        monkeypatch.setattr(
            stream,
            "_ended",
            lambda block: (_ for _ in ()).throw(KeyboardInterrupt()) if sum(written) > 5 else ended(block),
        )
    with pytest.raises(KeyboardInterrupt):
        score_variants(conv_model(), made.vcf, made.genome, out, background=20, **OPTIONS)
    monkeypatch.undo()
    assert not out.exists() and (tmp_path / "o.tsv.partial.json").exists()
    said = []
    options = OPTIONS | {"resume": True, "report": said.append}
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))  # an empty cache: the background comes out the same
    score_variants(conv_model(), made.vcf, made.genome, out, background=20, **options)
    assert any("resuming after" in text for text in said)
    assert out.read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_resuming_with_another_background_is_refused(made, tmp_path, monkeypatch):
    monkeypatch.setattr(RankedWriter, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        score_variants(conv_model(), made.vcf, made.genome, tmp_path / "o.tsv", background=20, **OPTIONS)
    monkeypatch.undo()
    with pytest.raises(UsageError, match="another seed"):
        score_variants(
            conv_model(), made.vcf, made.genome, tmp_path / "o.tsv", background=20, seed=1, resume=True, **OPTIONS
        )


def test_resuming_when_the_other_file_is_another_by_now_is_refused(made, tmp_path, monkeypatch):
    neutral, out = tmp_path / "neutral.vcf", tmp_path / "o.tsv"
    options = OPTIONS | {"background": neutral, "report": lambda _: None}
    write_vcf(neutral, some_variants(made.sequences, 60, seed=9))
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "whole.tsv", **options)
    monkeypatch.setattr(RankedWriter, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        score_variants(conv_model(), made.vcf, made.genome, out, **options)
    monkeypatch.undo()
    write_vcf(neutral, some_variants(made.sequences, 60, seed=10))
    with pytest.raises(UsageError, match="background_scores"):
        score_variants(conv_model(), made.vcf, made.genome, out, resume=True, **options)
    write_vcf(neutral, some_variants(made.sequences, 60, seed=9))
    score_variants(conv_model(), made.vcf, made.genome, out, resume=True, **options)
    assert out.read_bytes() == (tmp_path / "whole.tsv").read_bytes()


@pytest.mark.parametrize("kept", [{"values": 1}, {"values": 1, "kinds": -1}, None])
def test_what_the_cache_has_of_another_shape_is_computed_again(made, tmp_path, monkeypatch, kept):
    """Without kinds, or with too few of them, or no archive at all."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    options = OPTIONS | {"background": 9, "report": lambda _: None}
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "a.tsv", **options)
    (path,) = (tmp_path / "cache" / "backgrounds").glob("*.npz")
    with np.load(path) as whole:
        arrays = dict(whole)
    assert arrays["values"].shape[0] == len(arrays["kinds"]) == 27
    path.unlink()
    if kept is None:
        path.write_bytes(b"PK")
    else:
        np.savez(path, **{name: arrays[name] if cut == 1 else arrays[name][:cut] for name, cut in kept.items()})
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "b.tsv", **options)
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()
    with np.load(path) as again:
        assert np.array_equal(again["kinds"], arrays["kinds"])
        assert np.array_equal(again["values"], arrays["values"], equal_nan=True)


def test_rows_without_scores_have_no_rank(made, tmp_path):
    rows = [*made.rows[:3], (made.rows[3][0], made.rows[3][1], made.rows[3][2], "*")]
    vcf = write_vcf(tmp_path / "odd.vcf", rows)
    score_variants(conv_model(), vcf, made.genome, tmp_path / "o.tsv", background=10, **OPTIONS)
    *scored, last = table(tmp_path / "o.tsv")
    assert last["status"] == "overlapping_deletion"
    assert {value for key, value in last.items() if key.endswith(("_p", "_q", "_quantile"))} == {"nan"}
    assert all(0 < float(row["diff_n_p"]) <= 1 for row in scored)


def test_a_file_of_no_use_is_told(made, tmp_path):
    none = write_vcf(tmp_path / "none.vcf", [(made.rows[0][0], made.rows[0][1], made.rows[0][2], "*")])
    with pytest.raises(InputError, match="no variant of it could be scored"):
        score_variants(conv_model(), made.vcf, made.genome, tmp_path / "o.tsv", background=none, **OPTIONS)
    with pytest.raises(UsageError, match="is an input"):
        score_variants(conv_model(), made.vcf, made.genome, none, background=none, **OPTIONS)
    with pytest.raises(UsageError, match="--background keeps scores"):
        score_variants(conv_model(), made.vcf, made.genome, tmp_path / "o.h5", background=10, **OPTIONS)
    assert not (tmp_path / "o.tsv").exists()


def test_genes_whose_strand_is_read(made, tmp_path):
    """A model in memory that reads strands: nothing is cached; each gene of a background variant is a row."""
    genes = tmp_path / "g.bed"
    line = "chr1\t0\t2900\t{}\t0\t{}\t0\t0\t0\t1\t2900,\t0,\n"
    genes.write_text(line.format("P", "+") + line.format("M", "-"))
    vcf = write_vcf(tmp_path / "v.vcf", [row for row in made.rows if row[0] == "chr1"][:12])
    said = []
    options = OPTIONS | {"genes": genes, "background": 15, "report": said.append}
    for name in ("a.tsv", "b.tsv"):
        score_variants(near_model(80, strand="sense"), vcf, made.genome, tmp_path / name, **options)
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()
    assert sum("substitution of 1 bp 30, " in text for text in said) == 2 and not any(
        "computed before" in t for t in said
    )
    rows = table(tmp_path / "a.tsv")
    assert len(rows) == 24 and {row["gene"] for row in rows} == {"P", "M"}
    for row in rows:
        # Whole numbers of 31, as there are 30 background rows.
        assert round(float(row["diff_total_a_p"]) * 31, 3) in range(1, 32)


def test_with_genes_a_vcf_has_one_kind_an_alt(made, tmp_path):
    genes = tmp_path / "g.bed"
    genes.write_text(
        "".join(
            f"chr1\t0\t2900\t{name}\t0\t{strand}\t0\t0\t0\t1\t2900,\t0,\n"
            for name, strand in zip("PM", "+-", strict=True)
        )
    )
    rows = [(*row[:3], f"{row[3]},*") if row[0] == "chr1" else row for row in made.rows[:6] + made.rows[-2:]]
    options = OPTIONS | {"genes": genes, "background": 8, "report": lambda _: None}
    model = near_model(80, strand="sense")
    score_variants(model, write_vcf(tmp_path / "v.vcf", rows), made.genome, tmp_path / "o.vcf", **options)
    lines = [line.split("\t")[7] for line in (tmp_path / "o.vcf").read_text().splitlines() if line[0] != "#"]
    for row, info in zip(rows, lines, strict=True):
        (kinds,) = (item.split("=")[1] for item in info.split(";") if item.split("=")[0].endswith("background_kind"))
        wanted = kind_by_length({"ref": row[2], "alt": row[3].removesuffix(",*")})
        assert kinds == (f"{wanted},." if row[3].endswith(",*") else wanted)


def test_averages_and_moved_windows_reach_no_further_than_the_flanks(made, tmp_path):
    options = OPTIONS | {
        "background": 12,
        "shifts": (-20, 0, 20),
        "refill": "both",
        "edges": "error",
        "rc_average": True,
    }
    vcf = write_vcf(tmp_path / "v.vcf", [row for row in made.rows if 60 < row[1] < 2900 and row[0] == "chr1"][:10])
    score_variants(near_model(80, crop=10), vcf, made.genome, tmp_path / "o.tsv", report=lambda _: None, **options)
    assert all(0 < float(row["diff_total_a_p"]) <= 1 for row in table(tmp_path / "o.tsv"))


def test_the_record_names_the_columns(made, tmp_path):
    score_variants(conv_model(), made.vcf, made.genome, tmp_path / "o.vcf", background=10, **OPTIONS)
    record = json.loads((tmp_path / "o.vcf.run.json").read_text())
    names = [column["name"] for column in record["columns"]]
    text = (tmp_path / "o.vcf").read_text()
    assert names[-3:] and all(f"ID=conv_{name}," in text for name in names)
