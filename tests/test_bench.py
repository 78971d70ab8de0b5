"""What the benchmarks compute beside the clock: rows and limits, medians, ratios, inputs, and the README's table."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pytest

from scripts.bench import interpret, predict, variants
from scripts.bench.rows import Row, limited, save
from zoo.outputs import OutputSpec


@pytest.mark.parametrize(
    ("ratio", "limit", "ok"),
    [
        (1.3, "<= 1.3", True),
        (1.31, "<= 1.3", False),
        (1.0, "> 1", False),
        (1.01, "> 1", True),
        (10.0, ">= 10", True),
        (9.99, ">= 10", False),
        (24.9, "<= 25 us", True),
        (25.1, "<= 25 us", False),
        (1.2, "< 1.2", False),
        (2e-6, "<= 1e-5", True),
        (float("nan"), "<= 1.3", False),
    ],
)
def test_a_verdict_is_what_the_limit_says(ratio, limit, ok):
    row = limited("case", "a / b", ratio, limit)
    assert row == Row("case", "a / b", ratio, limit, ok)


@pytest.mark.parametrize("limit", ["", "1.3", "<=1.3", "== 1", "<= 25 ms", "<= much"])
def test_what_is_no_limit_is_refused(limit):
    with pytest.raises(ValueError):
        limited("case", "a / b", 1.0, limit)


def test_a_row_as_text():
    assert (
        Row("loader", "9 / 1 us", 9.0, ">= 10", False).line(8, 10) == "loader     9 / 1 us        9  >= 10     MISSED"
    )
    assert Row("loader", "a", 12.345, ">= 10", True).line(6, 1) == "loader a     12.3  >= 10     ok"


@pytest.fixture
def readme():
    return importlib.import_module("scripts.build_readme")


def test_saved_rows_are_the_table_of_the_readme(tmp_path, readme):
    save([limited("start", "1 / 2", 0.5, "<= 1.3"), limited("loader", "3 / 1", 3.0, ">= 10")], tmp_path / "b.json")
    assert [row["ok"] for row in json.loads((tmp_path / "b.json").read_text())] == [True, False]
    assert readme.bench(tmp_path / "b.json").splitlines()[2:] == [
        "| start | 1 / 2 | 0.50 | <= 1.3 |",
        "| loader | 3 / 1 | 3.00 | >= 10 (missed) |",
    ]


def test_a_block_of_the_readme_is_replaced_and_nothing_else(readme):
    text = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n"
    assert readme.fill(text, "x", r"new \1") == "a\n<!-- begin x -->\nnew \\1\n<!-- end x -->\nb\n"
    with pytest.raises(SystemExit, match="0 blocks 'y'"):
        readme.fill(text, "y", "new")
    with pytest.raises(SystemExit, match="2 blocks 'x'"):
        readme.fill(text * 2, "x", "new")


def test_commands_take_turns_and_their_median_counts(tmp_path, monkeypatch):
    order, seconds = [], iter([1.0, 10.0, 5.0, 30.0, 2.0, 20.0])

    def run(command, folder):
        order.append(command[0])
        return predict.Usage(cpu=next(seconds), wall=0.0, peak_mb=0.0)

    monkeypatch.setattr(predict, "run", run)
    a, b = predict.compare(["a"], ["b"], tmp_path, 3)
    assert order == ["a", "b"] * 3
    assert (predict.cpu(a), predict.cpu(b)) == (2.0, 20.0)


def test_the_kernels_account_of_a_process(tmp_path):
    held = np.ones(50_000_000)  # 400 MB of who starts it, which are no part of the account
    usage = predict.run([sys.executable, "-c", "x = bytearray(200_000_000)"], tmp_path)
    assert usage.cpu > 0 and usage.wall > 0 and 200 < usage.peak_mb < 300 < held.nbytes / 1e6
    with pytest.raises(SystemExit, match="to nobody"):
        predict.run([sys.executable, "-c", "raise SystemExit('to nobody')"], tmp_path)


def test_regions_of_a_benchmark_can_be_batched_by_kipoi(tmp_path):
    lengths = {c.ucsc: c.length for c in predict.load_assembly("sacCer3").chromosomes}
    rows = [line.split("\t") for line in predict.make_regions(tmp_path, 300).read_text().splitlines()]
    assert len(rows) == 300 and {len(row) for row in rows} == {3} and "chrM" not in {row[0] for row in rows}
    for chrom, start, end in rows:
        assert int(end) - int(start) == 1000
        assert int(start) >= 1000 and int(end) <= lengths[chrom] - 1000
    before = (tmp_path / "regions_300.bed").stat().st_mtime_ns
    assert predict.make_regions(tmp_path, 300).stat().st_mtime_ns == before  # made once


def small_genome(folder, size=3_000):
    letters = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(2).integers(0, 4, (len(variants.CHROMS), size))]
    chroms = {name: row.tobytes().decode() for name, row in zip(variants.CHROMS, letters, strict=True)}
    (folder / "small.fa").write_text("".join(f">{name}\n{text}\n" for name, text in chroms.items()))
    return folder / "small.fa", chroms


@pytest.mark.parametrize("alts", [1, 3])
def test_variants_of_a_benchmark_are_sorted_substitutions_of_the_genome(tmp_path, alts):
    genome, chroms = small_genome(tmp_path)
    path = variants.make_variants(tmp_path, genome, 41, alts)
    rows = [line.split("\t") for line in path.read_text().splitlines() if line[0] != "#"]
    places = [(variants.CHROMS.index(row[0]), int(row[1])) for row in rows]
    assert len(rows) == 41 and places == sorted(set(places))
    for chrom, pos, _, ref, alt, *_ in rows:
        assert chroms[chrom][int(pos) - 1] == ref and len({ref, *alt.split(",")}) == alts + 1
        assert variants.MARGIN < int(pos) <= len(chroms[chrom]) - variants.MARGIN


def test_ratios_of_variants_are_ours_over_the_bare_loop_and_grelu_over_ours(tmp_path, monkeypatch):
    genome, _ = small_genome(tmp_path)
    usage = predict.Usage

    def compare(a, b, folder, repeats):
        assert "zoo" in a
        return [usage(2.0, 0.0, 120.0)], [usage(4.0, 0.0, 100.0)]

    monkeypatch.setattr(variants, "compare", compare)
    monkeypatch.setattr(variants, "make_genome", lambda folder: genome)
    monkeypatch.setattr(variants, "make_toy", lambda folder: folder)
    monkeypatch.setattr(variants, "batch_of", lambda model: 16)
    found = {name: [(row.ratio, row.limit) for row in case(tmp_path, 8, 1)] for name, case in variants.CASES.items()}
    assert found == {
        "bpnet": [(0.5, "<= 1.15"), (0.5, "<= 1.25")],
        "three": [(0.5, "<= 0.72")],
        "grelu": [(2.0, ">= 1.3")],
        "memory": [(1.2, "<= 1.2"), (1.2, "<= 1.2")],
    }


def test_windows_for_the_writers_lie_on_their_chromosomes():
    output = OutputSpec("p", "profile", ("t",), n_bins=32, bin_size=32)
    batch = predict.random_profiles(3, 50, output, {"chr1": 5_000, "chr2": 9_000})
    assert batch.values["p"].shape == (50, 1, 32) and batch.values["p"].dtype == np.float32
    assert batch.region.tolist() == list(range(150, 200))
    assert batch.window_start.min() >= 0 and batch.window_end.max() <= 5_000
    again = predict.random_profiles(3, 50, output, {"chr1": 5_000, "chr2": 9_000})
    assert np.array_equal(batch.values["p"], again.values["p"])


def test_every_format_is_written(tmp_path):
    rows = predict.bench_writers(tmp_path, 500, 1)
    assert [row.case.split()[-2] for row in rows] == list(predict.WRITER_LIMITS)
    assert all(row.ratio > 0 and row.limit.endswith(" us") for row in rows)
    assert {path.suffix for path in tmp_path.iterdir()} >= set(predict.WRITER_LIMITS)


def test_differences_are_of_the_scale_of_the_second():
    assert interpret.difference(np.array([1.0, 2.0]), np.array([1.0, -4.0])) == 1.5
    assert interpret.difference(np.zeros(3), np.ones(3)) == 1.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0123, "12.3 ms"), (0.9994, "999 ms"), (1.0, "1 s"), (12.34, "12.3 s")]
)
def test_seconds_as_text(seconds, text):
    assert interpret.short(seconds) == text


@pytest.fixture
def measured(monkeypatch):
    """Calls that are not run: their seconds and arrays by who, and the order in which they would run."""
    order = []

    def answer(times, arrays=None):
        def measure(case, who, net, n, folder):
            order.append((who, n))
            return times[who], (arrays or {}).get(who, np.ones(2))

        monkeypatch.setattr(interpret, "measure", measure)
        return order

    return answer


def test_callers_take_turns_and_a_slow_import_runs_once(measured, tmp_path):
    order = measured({"ours": 1.0, "tangermeme": 2.0, "gReLU": 3.0})
    times, _ = interpret.in_turn("saliency", ["ours", "tangermeme", "gReLU"], "basset", 4, 2, tmp_path)
    assert order == [("ours", 4), ("tangermeme", 4), ("gReLU", 4), ("ours", 4), ("tangermeme", 4)]
    assert times == {"ours": 1.0, "tangermeme": 2.0, "gReLU": 3.0}


def test_full_passes_are_measured_on_one_sequence(measured, tmp_path):
    order = measured({"ours": 1.0, "full": 50.0})
    interpret.in_turn("ism", ["ours", "full"], "basset", 8, 1, tmp_path)
    assert order == [("ours", 8), ("full", 1)]


def test_ours_is_compared_with_the_better_peer_and_its_numbers(measured, tmp_path):
    measured({"ours": 1.0, "tangermeme": 4.0, "gReLU": 0.5}, {"tangermeme": np.array([1.0, 2.0])})
    time, apart = interpret.against_peers("saliency", 64)(tmp_path, 1)
    assert "ours / gReLU" in time.case and time.ratio == 2.0 and not time.ok
    assert apart.ratio == 0.5 and not apart.ok and apart.limit == "<= 1e-5"
    (only,) = interpret.against_peers("ablation", 4, compared=False)(tmp_path, 1)
    assert "ours / tangermeme" in only.case and only.ratio == 0.25 and only.ok


def test_ism_is_compared_with_forward_passes_and_with_tangermeme(measured, tmp_path):
    measured({"ours": 1.0, "unchecked": 0.5, "tangermeme": 0.6, "full": 30.0, "gReLU": 99.0})
    forwards, fast, apart = interpret.bench_ism("basset")(tmp_path, 1)
    assert (forwards.ratio, forwards.limit, forwards.ok) == (30.0, ">= 12", True)
    assert fast.ratio == pytest.approx(1.2) and not fast.ok  # at least 1.5
    assert apart.ratio == 0 and apart.ok


@pytest.mark.parametrize("case", [name for name in interpret.CASES if name != "memory"])
def test_every_call_that_a_case_measures_is_there(monkeypatch, tmp_path, case):
    from scripts.bench.interpret_calls import CALLS, NETS

    def measure(called, who, net, n, folder):
        assert who in CALLS[called] and net in NETS and n >= 1
        return 1.0, np.ones(2)

    def in_one_process(net, n, repeats):
        assert net in NETS and n >= 1 and repeats >= 1
        return 1.0, 1.0, 1.0

    monkeypatch.setattr(interpret, "measure", measure)
    monkeypatch.setattr(interpret, "in_one_process", in_one_process)
    rows = interpret.CASES[case](tmp_path, 1)
    assert rows and all(np.isfinite(row.ratio) for row in rows)


def test_mutagenesis_and_its_forward_passes_take_turns_in_one_process():
    ours, edits, forwards = interpret.in_one_process("recurrent", 1, 1)
    assert ours > 0 and edits > 0 and forwards > 0


def test_a_failed_call_ends_the_benchmark_with_its_words(tmp_path):
    with pytest.raises(SystemExit, match="failed: no-such-case ours basset"):
        interpret.measure("no-such-case", "ours", "basset", 1, tmp_path)


def test_what_a_motif_benchmark_misses_is_named():
    from scripts.bench.motifs import Found, Score, misses
    from scripts.bench.planted_motifs import Motif

    def found(name, patterns=("pos.0",), q=1e-9, right=True):
        return Found(Motif("MA1", name, "family", np.ones((1, 4)), 1.0), patterns, "best", q, right, 1.0, 1.0)

    quick = {"attribute": 100.0, "motifs": 100.0}
    assert misses(Score([found("A"), found("B")], ["neg.3"], 0.95, 0.8), quick) == []
    poor = Score([found("A", patterns=()), found("B", right=False), found("C", q=0.02)], ["x", "y"], 0.5, 0.6)
    assert misses(poor, {"attribute": 200.0, "motifs": 150.0}) == [
        "1 motifs not found",
        "2 patterns invented",
        "B: best with q 1.0e-09 comes first",
        "C: best with q 2.0e-02 comes first",
        "recall of hits 0.50",
        "precision of hits 0.60",
        "attribute and motifs took 350 CPU-s",
    ]


def test_the_scripts_say_how_they_are_called():
    for name in ("predict", "interpret", "motifs", "interpret_calls"):
        module = importlib.import_module(f"scripts.bench.{name}")
        assert f"python -m scripts.bench.{name}" in module.__doc__
