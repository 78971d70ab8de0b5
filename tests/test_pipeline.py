"""The three stages: order, bounded memory, and errors that end every thread."""

from __future__ import annotations

import random
import threading
import time

import numpy as np
import pytest
from toys import make_toy_entry, one_hot, random_sequence, window, write_fasta

import zoo
from zoo.genome.fasta import open_genome
from zoo.genome.intervals import RegionFile
from zoo.genome.windows import WindowPlan
from zoo.outputs import choose_tracks
from zoo.run.job import PredictOptions
from zoo.run.pipeline import BlockReader, compute_blocks
from zoo.run.predict import Prediction, windows_a_step


@pytest.fixture
def stages(tmp_path):
    """A reader of 200 regions in blocks of 16, the toy's predictions 8 at a time, and the answers in order."""
    toy = make_toy_entry(tmp_path / "toy")
    model = zoo.load_model(toy.folder, trust=True)
    rng = random.Random(0)
    sequence = random_sequence(rng, 2000)
    fasta = write_fasta(tmp_path / "x.fa", {"c": sequence})
    starts = [rng.randint(0, 1900) for _ in range(200)]
    bed = tmp_path / "x.bed"
    bed.write_text("".join(f"c\t{s}\t{s + 16}\n" for s in starts))
    with RegionFile(bed) as regions:
        reader = BlockReader(regions, open_genome(fasta), WindowPlan(16), use_strand=False, n_value=0.25, step=16)
        compute = Prediction(model, choose_tracks(model.outputs, []), PredictOptions(batch_size=8))
        yield reader, compute, [toy.answer(window(sequence, s, 16))["gc"] for s in starts]


def our_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("zoo-")]


def nothing(*_):
    pass


def test_batches_come_in_order_with_their_cursors(stages):
    reader, compute, answers = stages
    values, cursors, done = [], [], []

    def consume(batch, cursor, counts):
        values.extend(batch.values["gc"].tolist())
        cursors.append((cursor, counts["windows"]))

    compute_blocks(reader, compute, consume, done.append)
    assert values == answers
    assert cursors == [(n, n) for n in [*range(16, 200, 16), 200]], "each with the counts at its own cursor"
    assert sum(done) == 200
    assert our_threads() == []


@pytest.mark.parametrize("cursor", [0, 16, 96, 200])
def test_a_reader_goes_on_at_a_cursor(stages, cursor):
    reader, compute, answers = stages
    reader.skip_until = cursor
    values = []
    compute_blocks(reader, compute, lambda b, *_: values.extend(b.values["gc"].tolist()), nothing)
    assert values == answers[cursor:]


def test_regions_and_windows_of_a_block(stages):
    reader, *_ = stages
    first, second = [block for _, block in zip(range(2), reader, strict=False)]
    assert second.batch.region.tolist() == list(range(16, 32))
    assert np.array_equal(first.batch.window_end - first.batch.window_start, np.full(16, 16))
    assert first.one_hot.shape == (16, 4, 16) and first.batch.values == {}


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, MemoryError])
def test_an_error_of_the_reader_is_raised_and_all_threads_end(stages, error):
    reader, compute, answers = stages

    def broken():
        yield next(iter(reader))
        raise error("of the reader")

    values = []
    with pytest.raises(error, match="of the reader"):
        compute_blocks(broken(), compute, lambda b, *_: values.extend(b.values["gc"].tolist()), nothing)
    assert values == answers[:16], "what was read before is written"
    assert our_threads() == []


@pytest.mark.parametrize("at", [0, 3, 12])
def test_an_error_of_the_writer_is_raised_and_all_threads_end(stages, at):
    reader, compute, _ = stages
    written = []

    def consume(batch, *_):
        if len(written) == at:
            raise OSError(28, "of the writer")
        written.append(batch)

    with pytest.raises(OSError, match="of the writer"):
        compute_blocks(reader, compute, consume, nothing)
    assert len(written) == at, "nothing is written after the error"
    assert our_threads() == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_of_the_model_is_raised_after_what_it_did_is_written(stages, monkeypatch, error):
    reader, compute, answers = stages
    calls, forward = [], compute.runner.forward

    def failing(batch):
        calls.append(1)
        if len(calls) == 7:  # the first half of the fourth block
            raise error("of the model")
        return forward(batch)

    monkeypatch.setattr(compute.runner, "forward", failing)
    values = []

    def slowly(batch, *_):
        time.sleep(0.05)
        values.extend(batch.values["gc"].tolist())

    with pytest.raises(error, match="of the model"):
        compute_blocks(reader, compute, slowly, nothing)
    assert values == answers[:48]
    assert our_threads() == []


def test_an_interrupt_between_batches_keeps_what_was_predicted(stages):
    reader, compute, answers = stages
    values = []

    def advance(n):
        if advance.calls == 3:
            raise KeyboardInterrupt
        advance.calls += 1

    advance.calls = 0
    with pytest.raises(KeyboardInterrupt):
        compute_blocks(reader, compute, lambda b, *_: values.extend(b.values["gc"].tolist()), advance)
    assert values == answers[:64]
    assert our_threads() == []


def test_a_slow_writer_holds_the_reader_back(stages):
    """Memory is bounded: the reader is never more than the queues ahead of the writer."""
    reader, compute, _ = stages
    read, ahead, written = [], [], []

    def counted():
        for block in reader:
            read.append(block.cursor)
            yield block

    def consume(*_):
        time.sleep(0.03)
        written.append(1)
        ahead.append(len(read) - len(written))

    compute_blocks(counted(), compute, consume, nothing)
    # 2 blocks wait to be computed, 4 to be written; one more is in each of the three hands.
    assert max(ahead) <= 2 + 4 + 3


@pytest.mark.parametrize(("length", "batch_size"), [(1, 512), (100, 64), (1280, 51), (524_288, 1)])
def test_a_step_holds_whole_batches_and_about_a_quarter_of_a_megabase(length, batch_size):
    step = windows_a_step(batch_size, length)
    assert step % batch_size == 0
    assert step * length <= max(256 * 1024, batch_size * length) < (step + batch_size) * length


def test_unknown_bases_have_the_value_of_the_loader(tmp_path):
    fasta, bed = write_fasta(tmp_path / "x.fa", {"c": "ANRGT"}), tmp_path / "x.bed"
    bed.write_text("c\t0\t5\n")
    for n_value in (0.0, 0.25):
        with RegionFile(bed) as regions:
            reader = BlockReader(regions, open_genome(fasta), WindowPlan(7), use_strand=False, n_value=n_value, step=1)
            (block,) = reader
        assert block.one_hot[0].tolist() == one_hot("NANRGTN", n_value)
        assert (reader.counts.letters.iupac_bases, reader.counts.windows.padded) == (1, 1)
        assert (reader.counts.letters.unknown_bases, reader.counts.letters.padded_bases) == (2, 2)
