"""The whole way from a BED to a file, on toys whose answers plain Python gives."""

from __future__ import annotations

import csv
import dataclasses
import json
import random

import h5py
import numpy as np
import pytest
import torch
from toys import complement, make_toy_entry, random_sequence, window, write_fasta

import zoo
from zoo import file_run, pipeline
from zoo.errors import InputError, ModelError, SystemStateError, TrustError, UsageError

CONTIGS = {"chr1": 1500, "chr2": 300, "tiny": 11}


@dataclasses.dataclass
class Case:
    """A toy with a genome and regions in no order, of all lengths, also at the ends of contigs."""

    toy: object
    sequences: dict
    genome: object
    bed: object
    rows: list

    def expected(self, row, use_strand=False):
        """Plain Python: the answer for the window centred on a row."""
        chrom, start, end, *_, strand = row
        seen = window(self.sequences[chrom], (start + end) // 2 - self.toy.length // 2, self.toy.length)
        return self.toy.answer(complement(seen) if use_strand and strand == "-" else seen)

    def predict(self, out, **options):
        return zoo.predict(self.toy.folder, self.bed, self.genome, out, **({"trust": True} | options))


def make_case(folder, kind, n=150, inside=False, **options):
    rng = random.Random(kind)
    sequences = {name: random_sequence(rng, length) for name, length in CONTIGS.items()}
    rows = []
    for i in range(n):
        chrom = rng.choice(["chr1", "chr2"]) if inside else rng.choice(list(CONTIGS))
        margin = 30 if inside else 0
        start = rng.randint(margin, CONTIGS[chrom] - margin - 1)
        end = min(start + rng.randint(1, 10 if inside else 120), CONTIGS[chrom] - margin)
        rows.append((chrom, start, max(end, start + 1), f"region {i}", str(i), rng.choice("+-.")))
    bed = folder / "regions.bed"
    bed.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    toy = make_toy_entry(folder / "toy", kind, **options)
    return Case(toy, sequences, write_fasta(folder / "genome.fa", sequences), bed, rows)


@pytest.fixture(params=["gc", "profile", "stranded"])
def case(tmp_path, request):
    return make_case(tmp_path, request.param)


def flat(answer):
    """Every value of an answer in the order of the columns."""
    tracks = [track for tracks in answer.values() for track in tracks]
    return [value for track in tracks for value in (track if isinstance(track, list) else [track])]


def read_tsv(path):
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def values_of(record, n_columns=6):
    return [float(value) for value in list(record.values())[n_columns:]]


# Values


def test_tsv_equals_plain_python_in_input_order(case, tmp_path):
    result = case.predict(tmp_path / "out.tsv")
    records = read_tsv(tmp_path / "out.tsv")
    got = [(r["chrom"], int(r["start"]), int(r["end"]), r["name"], r["score"], r["strand"]) for r in records]
    assert got == case.rows
    assert [values_of(record) for record in records] == [flat(case.expected(row)) for row in case.rows]
    assert (result.regions, result.windows, result.paths) == (150, 150, [tmp_path / "out.tsv"])


def test_hdf5_equals_plain_python_in_input_order(case, tmp_path):
    case.predict(tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as handle:
        for output in case.toy.outputs:
            preds = handle["preds"] if len(case.toy.outputs) == 1 else handle["preds"][output["name"]]
            assert preds[:].tolist() == [case.expected(row)[output["name"]] for row in case.rows]
            assert list(preds.attrs["tracks"]) == output["tracks"]
        ranges = handle["metadata/ranges"]
        assert [name.decode() for name in ranges["id"][:]] == [row[3] for row in case.rows]
        assert ranges["start"][:].tolist() == [row[1] for row in case.rows]


def test_regions_in_memory_equal_plain_python(case):
    model = zoo.load_model(case.toy.folder, trust=True)
    batch = model.predict_regions(case.bed, case.genome)
    assert batch.name.tolist() == [row[3] for row in case.rows]
    assert batch.region.tolist() == list(range(150))
    for name, values in batch.values.items():
        assert values.tolist() == [case.expected(row)[name] for row in case.rows]


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 7}, {"device": "cpu"}])
def test_how_it_runs_changes_no_value(case, tmp_path, monkeypatch, options):
    case.predict(tmp_path / "a.tsv")
    monkeypatch.setattr(pipeline, "BLOCK_BASES", 500)
    case.predict(tmp_path / "b.tsv", **options)
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_a_loaded_model_serves_as_well_as_its_name(case, tmp_path):
    case.predict(tmp_path / "a.tsv")
    zoo.predict(zoo.load_model(case.toy.folder, trust=True), case.bed, case.genome, tmp_path / "b.tsv")
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_a_bed_without_names_and_a_gzip_one(tmp_path):
    import gzip

    case = make_case(tmp_path, "gc")
    bare = tmp_path / "bare.bed.gz"
    bare.write_bytes(gzip.compress("".join(f"{c}\t{s}\t{e}\n" for c, s, e, *_ in case.rows).encode()))
    case.predict(tmp_path / "a.tsv")
    zoo.predict(case.toy.folder, bare, case.genome, tmp_path / "b.tsv", trust=True)
    named, nameless = read_tsv(tmp_path / "a.tsv"), read_tsv(tmp_path / "b.tsv")
    assert [r["gc"] for r in named] == [r["gc"] for r in nameless]
    assert {(r["name"], r["score"], r["strand"]) for r in nameless} == {(".", ".", ".")}


# Strand


@pytest.mark.parametrize("kind", ["profile", "stranded"])
@pytest.mark.parametrize(
    ("loader_says", "strand", "used"),
    [(False, "auto", False), (True, "auto", True), (False, "use", True), (True, "ignore", False)],
)
def test_minus_regions_are_reversed_when_the_loader_or_the_user_says(tmp_path, kind, loader_says, strand, used):
    case = make_case(tmp_path, kind, loader_args={"use_strand": loader_says})
    notes = []
    result = case.predict(tmp_path / "out.tsv", strand=strand, report=notes.append)
    got = [values_of(record) for record in read_tsv(tmp_path / "out.tsv")]
    assert got == [flat(case.expected(row, use_strand=used)) for row in case.rows]
    minus = sum(row[5] == "-" for row in case.rows)
    assert result.counts["reversed_windows"] == (minus if used else 0)
    (note,) = [note for note in notes if "regions on '-'" in note]
    assert note.startswith(f"{minus} ") and ("reverse complement" in note) == used


def test_rc_average_from_end_to_end(tmp_path):
    case = make_case(tmp_path, "profile")
    case.predict(tmp_path / "out.tsv", rc_average=True)
    for row, record in zip(case.rows, read_tsv(tmp_path / "out.tsv"), strict=True):
        (plus,), (minus,) = (case.expected((*row[:5], s), True)["g_per_bin"] for s in "+-")
        assert values_of(record) == [(a + b) / 2 for a, b in zip(plus, minus[::-1], strict=True)]


# Tiles and edges


@pytest.mark.parametrize("stride", [None, 5])
def test_tiles_equal_plain_python(tmp_path, stride):
    case = make_case(tmp_path, "profile", n=30)
    result = case.predict(tmp_path / "out.tsv", window="tile", stride=stride)
    records = iter(read_tsv(tmp_path / "out.tsv"))
    n = 0
    for chrom, start, end, name, *_ in case.rows:
        tiles = 1 + max(0, -(-(end - start - 24) // (stride or 24)))  # the model predicts 24 of its 40 bp
        first = start - 8 if tiles > 1 else (start + end) // 2 - 20
        for tile in range(tiles):
            record, low = next(records), first + tile * (stride or 24)
            assert (record["name"], int(record["window_start"]), int(record["window_end"])) == (name, low, low + 40)
            assert values_of(record, 8) == flat(case.toy.answer(window(case.sequences[chrom], low, 40)))
            n += 1
    assert next(records, None) is None
    assert (result.windows, result.regions) == (n, 30)


def leaves(case, row):
    low = (row[1] + row[2]) // 2 - case.toy.length // 2
    return low < 0 or low + case.toy.length > CONTIGS[row[0]]


def test_edges_are_padded_and_counted(tmp_path):
    case = make_case(tmp_path, "gc")
    outside = sum(leaves(case, row) for row in case.rows)
    assert 0 < outside < 150
    notes = []
    result = case.predict(tmp_path / "out.tsv", report=notes.append)
    assert (result.counts["padded"], result.counts["skipped"]) == (outside, 0)
    assert any(note.startswith(f"{outside} windows") and "padded" in note for note in notes)


@pytest.mark.parametrize("suffix", ["tsv", "h5"])
def test_edges_are_skipped_and_counted(tmp_path, suffix):
    case = make_case(tmp_path, "gc")
    kept = [row for row in case.rows if not leaves(case, row)]
    out = tmp_path / f"out.{suffix}"
    result = case.predict(out, edges="skip", batch_size=4)
    if suffix == "tsv":
        assert [(r["name"], float(r["gc"])) for r in read_tsv(out)] == [
            (row[3], flat(case.expected(row))[0]) for row in kept
        ]
    else:
        with h5py.File(out) as handle:
            assert handle["preds"].shape == (len(kept), 1)
    assert (result.windows, result.counts["skipped"]) == (len(kept), 150 - len(kept))


def test_an_edge_is_an_error_when_asked_and_leaves_no_file(tmp_path):
    case = make_case(tmp_path, "gc")
    first = next(i for i, row in enumerate(case.rows, 1) if leaves(case, row))
    with pytest.raises(InputError, match=rf"region {first} "):
        case.predict(tmp_path / "out.tsv", edges="error")
    assert list(tmp_path.glob("out*")) == []


# Choices


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
    [{"window": "middle"}, {"edges": "cut"}, {"strand": "both"}, {"overlap": "min"}, {"batch_size": 0},
     {"batch_size": "many"}, {"limit": 0}, {"stride": 5}, {"window": "tile", "stride": 0}, {"no_such": 1},
     {"precision": "int8"}, {"device": "abacus"}],
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


# The run record


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


# Failure and resume


def failing_model(case, error, at):
    """The toy's model, which raises ``error`` at its ``at``-th batch of 4."""
    model = zoo.load_model(case.toy.folder, trust=True)
    inner, calls = model.module, []

    class Failing(torch.nn.Module):
        def forward(self, x):
            calls.append(1)
            if len(calls) == at:
                raise error
            return inner(x)

    model.module = Failing()
    return model


SMALL = {"batch_size": 4}


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(pipeline, "BLOCK_BASES", 1)  # a block is one batch


FORMATS = ["tsv", "tsv.gz", "bed", "h5", "bw", "bedgraph", "zarr", "parquet"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_model_that_fails_leaves_nothing_under_the_final_name(tmp_path, small_blocks, suffix):
    case = make_case(tmp_path, "profile" if suffix != "bed" else "gc", inside=True)
    model = failing_model(case, RuntimeError("in the model"), 10)
    with pytest.raises(ModelError, match="in the model"):
        zoo.predict(model, case.bed, case.genome, tmp_path / f"out.{suffix}", **SMALL)
    assert list(tmp_path.glob("out*")) == []


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("at", [0, 10])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, small_blocks, monkeypatch, suffix, at):
    case = make_case(tmp_path, "profile" if suffix != "bed" else "gc", inside=True)
    write, calls = file_run.FileRun._write, []

    def full(self, *args):
        calls.append(1)
        if len(calls) > at:
            raise OSError(28, "No space left on device")
        write(self, *args)

    monkeypatch.setattr(file_run.FileRun, "_write", full)
    with pytest.raises(SystemStateError, match="the disk is full"):
        case.predict(tmp_path / f"out.{suffix}", **SMALL)
    assert list(tmp_path.glob("out*")) == []


def test_an_earlier_result_survives_a_failure(tmp_path, small_blocks):
    case = make_case(tmp_path, "gc")
    case.predict(tmp_path / "out.tsv")
    before = (tmp_path / "out.tsv").read_bytes()
    with pytest.raises(ModelError):
        zoo.predict(failing_model(case, RuntimeError(), 10), case.bed, case.genome, tmp_path / "out.tsv", **SMALL)
    assert (tmp_path / "out.tsv").read_bytes() == before


def interrupted(case, out, at=15, **options):
    with pytest.raises(KeyboardInterrupt):
        zoo.predict(failing_model(case, KeyboardInterrupt(), at), case.bed, case.genome, out, **(SMALL | options))
    assert not out.exists()
    return json.loads(out.with_name(out.name + ".partial.json").read_text())


@pytest.mark.parametrize(
    "options", [{}, {"edges": "skip"}, {"window": "tile"}, {"strand": "use", "limit": 100}], ids=str
)
@pytest.mark.parametrize("suffix", ["tsv", "tsv.gz"])
def test_a_resumed_run_gives_the_same_bytes_and_counts(tmp_path, small_blocks, suffix, options):
    case = make_case(tmp_path, "profile")
    whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    expected = case.predict(whole, **(SMALL | options))
    state = interrupted(case, out, **options)
    assert 0 < state["rows"] <= 14 * 4
    notes = []
    got = case.predict(out, resume=True, report=notes.append, **(SMALL | options))
    assert out.read_bytes() == whole.read_bytes()
    assert got.counts == expected.counts
    assert f"resuming after {state['rows']:,} predictions" in notes
    assert sorted(p.name for p in tmp_path.glob("out*")) == [out.name, f"{out.name}.run.json"]


def test_a_run_interrupted_twice_can_be_resumed(tmp_path, small_blocks):
    case = make_case(tmp_path, "profile")
    case.predict(tmp_path / "whole.tsv", **SMALL)
    first = interrupted(case, tmp_path / "out.tsv", at=10)
    second = interrupted(case, tmp_path / "out.tsv", at=8, resume=True)
    assert second["rows"] > first["rows"]
    case.predict(tmp_path / "out.tsv", resume=True, **SMALL)
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_checkpoints_in_time_let_a_failed_run_go_on(tmp_path, small_blocks, monkeypatch):
    monkeypatch.setattr(file_run, "CHECKPOINT_SECONDS", 0.0)
    case = make_case(tmp_path, "profile")
    case.predict(tmp_path / "whole.tsv", **SMALL)
    with pytest.raises(ModelError):
        zoo.predict(failing_model(case, RuntimeError(), 15), case.bed, case.genome, tmp_path / "out.tsv", **SMALL)
    assert not (tmp_path / "out.tsv").exists()
    case.predict(tmp_path / "out.tsv", resume=True, **SMALL)
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


@pytest.mark.parametrize(
    "changed",
    [{"edges": "skip"}, {"strand": "use"}, {"limit": 50}, {"batch_size": 8}, {"tracks": ["counts"]},
     {"rc_average": True}, {"precision": "bfloat16"}],
    ids=str,
)
def test_resume_refuses_changed_arguments_and_keeps_what_is_done(tmp_path, small_blocks, changed):
    case = make_case(tmp_path, "stranded")
    interrupted(case, tmp_path / "out.tsv")
    with pytest.raises(UsageError, match=f"another {next(iter(changed))}"):
        case.predict(tmp_path / "out.tsv", resume=True, **(SMALL | changed))
    case.predict(tmp_path / "whole.tsv", **SMALL)
    case.predict(tmp_path / "out.tsv", resume=True, **SMALL)
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


@pytest.mark.parametrize("what", ["regions", "genome", "model"])
def test_resume_refuses_changed_files(tmp_path, small_blocks, what):
    case = make_case(tmp_path, "profile", card=False)
    interrupted(case, tmp_path / "out.tsv")
    if what == "regions":
        case.bed.write_text(case.bed.read_text() + "chr1\t5\t6\n")
    elif what == "genome":
        write_fasta(case.genome, {name: sequence + "A" for name, sequence in case.sequences.items()})
    else:
        torch.save({"scale": torch.zeros(1)}, case.toy.folder / "weights.pth")
    with pytest.raises(UsageError, match=f"another {what}"):
        case.predict(tmp_path / "out.tsv", resume=True, **SMALL)


def test_resume_without_an_interrupted_run_starts_at_the_first_region(tmp_path):
    case = make_case(tmp_path, "gc")
    case.predict(tmp_path / "whole.tsv")
    notes = []
    case.predict(tmp_path / "out.tsv", resume=True, report=notes.append)
    assert any("nothing to resume" in note for note in notes)
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_without_resume_an_interrupted_run_starts_again(tmp_path, small_blocks):
    case = make_case(tmp_path, "gc")
    interrupted(case, tmp_path / "out.tsv")
    case.predict(tmp_path / "out.tsv", **SMALL)
    case.predict(tmp_path / "whole.tsv", **SMALL)
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    assert not (tmp_path / "out.tsv.partial.json").exists()


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


def test_values_of_tsv_read_back_to_the_same_float32(tmp_path):
    case = make_case(tmp_path, "gc")
    model = zoo.load_model(case.toy.folder, trust=True)
    inner = model.module

    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.exp(inner(x) * 7.3) / 3

    model.module = Odd()
    zoo.predict(model, case.bed, case.genome, tmp_path / "out.tsv")
    zoo.predict(model, case.bed, case.genome, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as handle:
        exact = handle["preds"][:, 0]
    assert len(np.unique(exact)) > 10
    assert np.array_equal(np.array([r["gc"] for r in read_tsv(tmp_path / "out.tsv")], dtype=np.float32), exact)
