"""A result that was interrupted and resumed is the result of a run that was not."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writer_batches import make_batches, make_context, write_all, write_interrupted

from zoo.errors import SystemStateError, UsageError
from zoo.writers import open_writer

BYTE_FOR_BYTE = [".tsv", ".tsv.gz", ".bed", ".bed.gz", ".bw", ".bedgraph", ".bg.gz"]
IN_CONTENT = [".h5", ".zarr", ".parquet"]


@settings(max_examples=60, deadline=None)
@given(
    suffix=st.sampled_from(BYTE_FOR_BYTE + IN_CONTENT),
    seed=st.integers(0, 10**6),
    count=st.integers(0, 8),
    cut=st.integers(0, 8),
    beyond=st.integers(0, 8),
    suspend=st.booleans(),
)
def test_resumed_equals_uninterrupted(tmp_path_factory, suffix, seed, count, cut, beyond, suspend):
    folder = tmp_path_factory.mktemp("resume")
    batches = make_batches(seed, count)
    whole = write_all(make_context(folder / f"whole{suffix}"), batches)
    context = make_context(folder / f"again{suffix}")
    again = write_interrupted(context, batches, min(cut, count), beyond, suspend)
    assert len(whole) == len(again)
    for left, right in zip(whole, again, strict=True):
        assert same(left, right)
    assert not list(folder.glob("*.partial"))


def same(left, right) -> bool:
    if left.suffix == ".h5":
        return contents_of_hdf5(left) == contents_of_hdf5(right)
    if left.suffix == ".zarr":
        files = [p.relative_to(left) for p in left.rglob("*") if p.is_file()]
        return all((left / p).read_bytes() == (right / p).read_bytes() for p in files)
    if left.suffix == ".parquet":
        pq = pytest.importorskip("pyarrow.parquet")
        return pq.read_table(left).equals(pq.read_table(right))
    return left.read_bytes() == right.read_bytes()


def contents_of_hdf5(path) -> dict[str, bytes]:
    found = {}
    with h5py.File(path) as file:

        def take(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = repr(item[:].tolist())

        file.visititems(take)
    return found


@pytest.mark.parametrize("suffix", BYTE_FOR_BYTE + IN_CONTENT)
def test_two_interruptions_and_nothing_under_the_final_name_before_the_end(tmp_path, suffix):
    batches = make_batches(7, 9)
    whole = write_all(make_context(tmp_path / f"whole{suffix}"), batches)
    context = make_context(tmp_path / f"again{suffix}")
    state = None
    for part in (batches[:4], batches[4:6], batches[6:]):
        writer = open_writer(context)
        writer.open(resume=state)
        for batch in part:
            writer.write(batch)
        state = json.loads(json.dumps(writer.checkpoint()))
        assert [p.name for p in tmp_path.glob("again*")] == [f"again{suffix}.partial"]
        writer.suspend()
        writer.suspend()
    writer = open_writer(context)
    writer.open(resume=state)
    assert all(same(a, b) for a, b in zip(whole, writer.finish(), strict=True))


@pytest.mark.parametrize("suffix", BYTE_FOR_BYTE + IN_CONTENT)
def test_finish_can_be_done_again_after_it_failed(tmp_path, monkeypatch, suffix):
    batches = make_batches(11, 4)
    whole = write_all(make_context(tmp_path / f"whole{suffix}"), batches)
    context = make_context(tmp_path / f"again{suffix}")
    writer = open_writer(context)
    writer.open()
    for batch in batches:
        writer.write(batch)
    state = writer.checkpoint()
    with monkeypatch.context() as patched:
        for name in ("replace", "rename"):
            patched.setattr(f"os.{name}", refuse)
        with pytest.raises(PermissionError):
            writer.finish()
    writer.suspend()
    assert [p.name for p in tmp_path.glob("again*")] == [f"again{suffix}.partial"]
    again = open_writer(context)
    again.open(resume=state)
    assert all(same(a, b) for a, b in zip(whole, again.finish(), strict=True))


def refuse(*paths):
    raise PermissionError(13, "Permission denied", str(paths[0]))


@pytest.mark.parametrize("suffix", BYTE_FOR_BYTE + IN_CONTENT)
def test_discard_leaves_nothing_and_a_new_run_starts_afresh(tmp_path, suffix):
    context = make_context(tmp_path / f"o{suffix}")
    for end in ("discard", "suspend"):
        writer = open_writer(context)
        writer.open()
        writer.write(make_batches(1, 1)[0])
        getattr(writer, end)()
        assert bool(list(tmp_path.iterdir())) is (end == "suspend")
    batches = make_batches(2, 2)
    first = write_all(context, batches)
    again = write_all(make_context(tmp_path / f"second{suffix}"), batches)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("suffix", [".tsv", ".bw", ".h5"])
def test_resume_without_its_partial(tmp_path, suffix):
    context = make_context(tmp_path / f"o{suffix}")
    writer = open_writer(context)
    writer.open()
    writer.write(make_batches(1, 1)[0])
    state = writer.checkpoint()
    writer.discard()
    again = open_writer(context)
    with pytest.raises(SystemStateError, match="cannot resume") as caught:
        again.open(resume=state)
    assert caught.value.fix == "run again without --resume"
    again.discard()


def test_a_checkpoint_of_compressed_text_stays_small(tmp_path):
    writer = open_writer(make_context(tmp_path / "o.tsv.gz"))
    writer.open()
    for batch in make_batches(1, 50):
        writer.write(batch)
    assert len(json.dumps(writer.checkpoint())) < 100_000
    writer.discard()


def test_discard_before_open_and_after_a_failed_open(tmp_path):
    for suffix in BYTE_FOR_BYTE + IN_CONTENT:
        context = make_context(tmp_path / "absent" / f"o{suffix}")
        writer = open_writer(context)
        writer.discard()
        with pytest.raises(UsageError, match="does not exist"):
            writer.open()
        writer.suspend()
        writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_said_at_once(tmp_path):
    for suffix in BYTE_FOR_BYTE + IN_CONTENT:
        context = make_context(tmp_path / f"o{suffix}", make_context(tmp_path).outputs[:1])
        writer = open_writer(context)
        for final in writer.finals:
            final.mkdir(exist_ok=True)
        with pytest.raises(UsageError, match="is a folder"):
            writer.open()
        writer.discard()
    assert not list(tmp_path.glob("*.partial"))


def test_values_of_the_wrong_shape_are_a_bug_that_shows(tmp_path):
    batch = make_batches(1, 1)[0]
    batch.values["counts"] = np.zeros((len(batch), 3), np.float32)
    for suffix in (".h5", ".bw"):
        writer = open_writer(make_context(tmp_path / f"o{suffix}"))
        writer.open()
        with pytest.raises(ValueError, match="output counts"):
            writer.write(batch)
        writer.discard()
