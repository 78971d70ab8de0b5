"""The seam of a run: what is computed, which part of the regions is read, and where windows come from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from prediction_cases import flat, make_case, read_tsv, values_of
from toys import complement, window

import zoo
from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.model import Model
from zoo.models.entry import open_entry
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec
from zoo.progress import Notes
from zoo.run.file_run import FileRun
from zoo.run.job import PredictOptions, opened, prepare
from zoo.run.pipeline import Block
from zoo.run.predict import Prediction, open_file_writer, run_in_memory
from zoo.writers import open_writer
from zoo.writers.base import WriterContext

SPEC = OutputSpec("number", "scalar", ("number", "bases"))


class Numbers:
    """A computation that is no model: each window's number and its known bases."""

    outputs = (SPEC,)

    def __init__(self, step=4, fail_at=None, label="a"):
        self.step, self.fail_at, self.label = step, fail_at, label
        self.asked = []

    def forward(self, one_hot, first):
        assert len(one_hot) <= self.step
        self.asked.append((first, len(one_hot)))
        if self.fail_at is not None and first >= self.fail_at:
            raise KeyboardInterrupt
        return {"number": np.stack([first + np.arange(len(one_hot)), (one_hot == 1).sum((1, 2))], 1).astype(np.float32)}

    def signature(self):
        return {"label": self.label}


@pytest.fixture
def case(tmp_path):
    return make_case(tmp_path, "profile", n=60)


@pytest.fixture
def make_job(case):
    """``make_job(start=0, **options)``: the case's job; its regions file is closed at the end."""
    files = []

    def make(start=0, model=None, **options):
        files.append(RegionFile(case.bed))
        chosen = PredictOptions(trust=True, **options)
        given = opened(case.toy.folder, trust=True) if model is None else model
        return prepare(given, files[-1], case.genome, chosen, start=start)

    yield make
    for file in files:
        file.close()


def context_of(job, out, outputs=(SPEC,)):
    return WriterContext(out, outputs, job.chrom_sizes(), "mean", {}, job.options.window == "tile")


def run_to(job, out, compute, **more):
    return FileRun(job, compute, open_writer(context_of(job, out, compute.outputs)), **more)


def columns(batch):
    named = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch) if f.name != "values"}
    return named | batch.values


# What is computed


def test_a_job_is_prepared_without_a_runner_and_without_a_format(make_job, monkeypatch):
    monkeypatch.setattr("zoo.models.loaded.Runner", None)
    monkeypatch.setattr("zoo.writers._find", None)
    job = make_job(format="no such format")
    assert (job.n_regions, job.count_windows(), job.plan.length) == (60, 60, 40)


def test_any_computation_is_run_in_steps_of_its_own(make_job, tmp_path):
    job, compute = make_job(), Numbers(step=7)
    run = run_to(job, tmp_path / "out.tsv", compute)
    assert run.go() == [tmp_path / "out.tsv"]
    assert compute.asked == [(first, min(7, 60 - first)) for first in range(0, 60, 7)]
    assert run.rows == run.counts["windows"] == 60
    assert [int(float(r["number"])) for r in read_tsv(tmp_path / "out.tsv")] == list(range(60))


@pytest.mark.parametrize("edges", ["pad", "skip"])
@pytest.mark.parametrize("window_option", ["center", "tile"])
def test_a_resumed_run_numbers_its_windows_as_one_that_was_not_interrupted(make_job, tmp_path, edges, window_option):
    """Where windows are skipped, the number is not that of the laid windows."""
    options = {"edges": edges, "window": window_option}
    whole, notes = run_to(make_job(**options), tmp_path / "whole.tsv", Numbers()), []
    whole.go()
    with pytest.raises(KeyboardInterrupt):
        run_to(make_job(**options), tmp_path / "out.tsv", Numbers(fail_at=20)).go()
    again = run_to(make_job(resume=True, **options), tmp_path / "out.tsv", Numbers(), notes=Notes(notes.append))
    done = again.rows
    again.go()
    assert 0 < done < whole.rows and notes == [f"resuming after {done:,} windows"]
    assert again.compute.asked[0][0] == done
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    assert (again.counts, again.rows) == (whole.counts, whole.rows)


def test_the_signature_of_a_computation_decides_whether_a_run_goes_on(make_job, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_to(make_job(), tmp_path / "out.tsv", Numbers(fail_at=20)).go()
    with pytest.raises(UsageError, match='another label: "a", now "b"'):
        run_to(make_job(resume=True), tmp_path / "out.tsv", Numbers(label="b"))


def test_the_writer_is_told_the_outputs_of_the_computation(make_job, tmp_path):
    job = make_job()
    compute = Prediction(job.model, job.choice, job.options)
    assert compute.outputs == job.model.outputs
    assert compute.signature()["tracks"] == [["g_per_bin", ["G"]]]
    assert open_file_writer(job, tmp_path / "out.tsv").context.outputs == compute.outputs


# A part of the regions


@pytest.mark.parametrize("options", [{}, {"edges": "skip"}, {"window": "tile"}, {"strand": "use"}], ids=str)
@pytest.mark.parametrize("cut", [1, 29, 59])
def test_two_parts_are_the_whole(make_job, options, cut):
    def both(job):
        found = run_in_memory(job, Prediction(job.model, job.choice, job.options))
        return columns(found) | {"number": run_in_memory(job, Numbers()).values["number"]}

    whole = both(make_job(**options))
    parts = [both(make_job(limit=cut, **options)), both(make_job(start=cut, **options))]
    assert len(parts[1]["number"]), "a part without a window would show nothing"
    for name, values in whole.items():
        assert np.array_equal(np.concatenate([part[name] for part in parts]), values), name
    assert whole["number"][:, 0].tolist() == list(range(len(whole["region"])))


def test_parts_written_apart_are_the_lines_of_the_whole(make_job, tmp_path):
    parts = {"whole": {}, "first": {"limit": 20}, "second": {"start": 20, "limit": 45}, "third": {"start": 45}}
    lines = {}
    for name, part in parts.items():
        job = make_job(**part)
        run = FileRun(
            job, Prediction(job.model, job.choice, job.options), open_file_writer(job, tmp_path / f"{name}.tsv")
        )
        run.go()
        lines[name] = (tmp_path / f"{name}.tsv").read_text().splitlines()
    assert lines["first"] + lines["second"][1:] + lines["third"][1:] == lines["whole"]


def test_a_part_is_counted_alone_and_goes_on_only_as_itself(make_job, tmp_path):
    job = make_job(start=20, limit=45)
    assert (job.n_regions, job.count_windows()) == (25, 25)
    assert make_job(start=80).n_regions == 0
    with pytest.raises(KeyboardInterrupt):
        run_to(job, tmp_path / "out.tsv", Numbers(fail_at=30)).go()
    with pytest.raises(UsageError, match="another start: 20, now 0"):
        run_to(make_job(limit=45, resume=True), tmp_path / "out.tsv", Numbers())
    run = run_to(make_job(start=20, limit=45, resume=True), tmp_path / "out.tsv", Numbers())
    run.go()
    assert [int(float(r["number"])) for r in read_tsv(tmp_path / "out.tsv")] == list(range(20, 45))


def test_a_part_behind_the_last_region_is_empty(make_job):
    with pytest.raises(InputError, match="no window"):
        run_in_memory(make_job(start=60), Numbers())


# Another source of windows


class Alleles:
    """Each window twice: as it is, and with its middle base changed to another one."""

    def __init__(self, reader, base):
        self.reader, self.base = reader, base

    @property
    def counts(self):
        return self.reader.counts

    def __iter__(self):
        for block in self.reader:
            other = block.one_hot.copy()
            other[:, :, other.shape[2] // 2] = np.eye(4)["ACGT".index(self.base)]
            rows = {f.name: getattr(block.batch, f.name) for f in dataclasses.fields(block.batch) if f.name != "values"}
            twice = {name: np.repeat(values, 2) for name, values in rows.items()}
            both = np.stack([block.one_hot, other], 1).reshape(-1, *other.shape[1:])
            batch = dataclasses.replace(block.batch, **twice)
            yield Block(block.cursor, 2 * block.first, batch, both, block.counts)


@pytest.mark.parametrize("base", "AG")
def test_both_alleles_of_a_window_are_predicted_side_by_side(case, make_job, tmp_path, base):
    job = make_job()

    def read(step, cursor):
        return Alleles(job.reader(step // 2, cursor), base)

    compute = Prediction(job.model, job.choice, job.options)
    run = FileRun(job, compute, open_file_writer(job, tmp_path / "out.tsv"), read=read)
    run.go()
    records = read_tsv(tmp_path / "out.tsv")
    assert run.rows == len(records) == 120
    in_memory = run_in_memory(job, compute, read)
    for i, (chrom, start, end, *_) in enumerate(case.rows):
        seen = window(case.sequences[chrom], (start + end) // 2 - 20, 40)
        changed = seen[:20] + base + seen[21:]
        for record, sequence in zip(records[2 * i : 2 * i + 2], (seen, changed), strict=True):
            assert values_of(record) == flat(case.toy.answer(sequence))
        assert in_memory.values["g_per_bin"][2 * i + 1, 0].tolist() == flat(case.toy.answer(changed))


def test_a_run_from_another_source_goes_on_too(make_job, tmp_path):
    def run(name, compute, **options):
        job = make_job(**options)
        return run_to(job, tmp_path / name, compute, read=lambda step, at: Alleles(job.reader(step // 2, at), "C"))

    run("whole.tsv", Numbers()).go()
    with pytest.raises(KeyboardInterrupt):
        run("out.tsv", Numbers(fail_at=40)).go()
    run("out.tsv", Numbers(), resume=True).go()
    assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


# A module that is no entry


class Adenines(torch.nn.Module):
    """Counts A; ``scale`` is what training would change."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x[:, 0].sum(1, keepdim=True) * self.scale


@pytest.fixture
def bare():
    return Model("under training", Adenines(), SequenceLoader(12, 0.25), (OutputSpec("a", "scalar", ("A",)),))


def test_a_bare_module_is_predicted_through_the_run(case, bare, tmp_path):
    def expected(chrom, start, end, *_):
        return sum(
            {"A": 1, "N": 0.25}.get(s, 0) for s in window(case.sequences[chrom], (start + end) // 2 - 6, 12).upper()
        )

    zoo.predict(bare, case.bed, case.genome, tmp_path / "out.tsv", batch_size=7)
    answers = [expected(*row) for row in case.rows]
    assert [values_of(record)[0] for record in read_tsv(tmp_path / "out.tsv")] == answers
    with torch.no_grad():
        bare.module.scale.mul_(2)  # a step of training: the module itself is run, not a copy
    batch = bare.predict_regions(case.bed, case.genome)
    assert batch.values["a"][:, 0].tolist() == [2 * answer for answer in answers]
    turned = bare.predict_regions(case.bed, case.genome, strand="use", limit=20).values["a"][:, 0].tolist()
    minus = [row[-1] == "-" for row in case.rows[:20]]
    assert any(minus) and [a == 2 * b for a, b in zip(turned, answers, strict=False)].count(True) >= 20 - sum(minus)


def test_a_run_of_a_bare_module_is_not_gone_on_with(case, bare, tmp_path):
    """Nobody knows whether it is the module of the earlier run."""
    with pytest.raises(UsageError, match="may be another model by now"):
        zoo.predict(bare, case.bed, case.genome, tmp_path / "out.tsv", resume=True)
    assert not list(tmp_path.glob("out*"))


def test_arguments_of_a_dataloader_come_too_late_for_a_loaded_model(case, bare, tmp_path):
    with pytest.raises(UsageError, match="--set auto_resize_len: under training is loaded already"):
        zoo.predict(bare, case.bed, case.genome, tmp_path / "out.tsv", settings={"auto_resize_len": 20})
    files = {"intervals_file": case.bed, "fasta_file": case.genome}
    zoo.predict(bare, "no.bed", "no.fa", tmp_path / "out.tsv", settings=files)
    assert len(read_tsv(tmp_path / "out.tsv")) == 60


def test_an_opened_entry_is_a_model_and_trust_can_be_given_later(case, tmp_path):
    entry = open_entry(case.toy.folder)
    assert not entry.trusted and opened(entry) is entry and opened(entry, trust=True).trusted
    zoo.predict(entry, case.bed, case.genome, tmp_path / "a.tsv", trust=True)
    case.predict(tmp_path / "b.tsv")
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_windows_on_the_other_strand_reach_the_computation_turned(case, make_job):
    job = make_job(strand="use", limit=20)
    seen = []

    class Letters(Numbers):
        def forward(self, one_hot, first):
            seen.extend(
                "".join("ACGT"[i] if known else "N" for i, known in zip(x.argmax(0), x.max(0) == 1, strict=True))
                for x in one_hot
            )
            return super().forward(one_hot, first)

    run_in_memory(job, Letters())
    for (chrom, start, end, *_, strand), letters in zip(case.rows[:20], seen, strict=True):
        expected = window(case.sequences[chrom], (start + end) // 2 - 20, 40).upper()
        assert letters == (complement(expected) if strand == "-" else expected)
