"""A prediction that fails or is interrupted: nothing under the final name, and going on gives the same bytes."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
from prediction_cases import make_case
from toy_entries import failing_model
from toys import write_fasta

import zoo
from zoo.errors import ModelError, SystemStateError, UsageError
from zoo.run import file_run
from zoo.run import predict as compute

SMALL = {"batch_size": 4}


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(compute, "STEP_BASES", 1)  # a step is one batch


FORMATS = ["tsv", "tsv.gz", "bed", "h5", "bw", "bedgraph", "zarr", "parquet"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_model_that_fails_leaves_nothing_under_the_final_name(tmp_path, small_blocks, suffix):
    case = make_case(tmp_path, "profile" if suffix != "bed" else "gc", inside=True)
    model = failing_model(case.toy.folder, RuntimeError("in the model"), 10)
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
        zoo.predict(
            failing_model(case.toy.folder, RuntimeError(), 10), case.bed, case.genome, tmp_path / "out.tsv", **SMALL
        )
    assert (tmp_path / "out.tsv").read_bytes() == before


def interrupted(case, out, at=15, **options):
    with pytest.raises(KeyboardInterrupt):
        zoo.predict(
            failing_model(case.toy.folder, KeyboardInterrupt(), at), case.bed, case.genome, out, **(SMALL | options)
        )
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
    assert f"resuming after {state['rows']:,} windows" in notes
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
        zoo.predict(
            failing_model(case.toy.folder, RuntimeError(), 15), case.bed, case.genome, tmp_path / "out.tsv", **SMALL
        )
    assert not (tmp_path / "out.tsv").exists()
    case.predict(tmp_path / "out.tsv", resume=True, **SMALL)
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


@pytest.mark.parametrize(
    "changed",
    [
        {"edges": "skip"},
        {"strand": "use"},
        {"limit": 50},
        {"batch_size": 8},
        {"tracks": ["counts"]},
        {"rc_average": True},
        {"precision": "bfloat16"},
    ],
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


def test_a_run_of_a_table_goes_on_with_the_same_rows_in_any_form_and_with_no_others(tmp_path, small_blocks):
    case = make_case(tmp_path, "profile")
    frame = pd.DataFrame(case.rows, columns=["chrom", "start", "end", "name", "score", "strand"])
    case.predict(tmp_path / "whole.tsv", **SMALL)
    case.bed = frame
    interrupted(case, tmp_path / "out.tsv")
    case.bed = [*case.rows[:-1], ("chr1", 5, 6)]
    with pytest.raises(UsageError, match="another regions"):
        case.predict(tmp_path / "out.tsv", resume=True, **SMALL)
    case.bed, notes = iter(case.rows), []
    case.predict(tmp_path / "out.tsv", resume=True, report=notes.append, **SMALL)
    assert any(note.startswith("resuming after ") for note in notes)
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
