"""HDF5, Zarr and Parquet, read back by h5py, kipoi, zarr and pyarrow."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from writer_batches import PROFILE, SCALAR, make_batch, make_batches, make_context, write_all

from zoo.errors import UsageError
from zoo.outputs import OutputSpec


def joined(batches, output: str) -> np.ndarray:
    return np.concatenate([batch.values[output] for batch in batches])


def column(batches, name: str) -> list:
    return np.concatenate([getattr(batch, name) for batch in batches]).tolist()


def test_hdf5_of_one_output_is_one_line_of_h5py(tmp_path):
    batches = make_batches(1, 5, outputs=[PROFILE])
    write_all(make_context(tmp_path / "o.h5", [PROFILE]), batches)
    preds = h5py.File(tmp_path / "o.h5")["preds"][:]
    assert preds.tobytes() == joined(batches, "profile").tobytes()


def test_hdf5_has_kipois_layout_and_says_what_the_numbers_are(tmp_path):
    batches = make_batches(2, 5)
    write_all(make_context(tmp_path / "o.hdf5"), batches)
    with h5py.File(tmp_path / "o.hdf5") as file:
        assert file["preds/counts"][:].tobytes() == joined(batches, "counts").tobytes()
        profile = file["preds/profile"]
        assert profile.maxshape == (None, 2, 12) and profile.chunks is not None
        assert dict(profile.attrs) | {"tracks": list(profile.attrs["tracks"])} == {
            "output": "profile",
            "kind": "profile",
            "tracks": ["plus", "minus"],
            "bin_size": 8,
            "offset": 16,
            "units": "unknown",
        }
        assert file["preds/counts"].attrs["units"] == "log counts"
        assert file["metadata/windows/start"][:].tolist() == column(batches, "window_start")
        assert file["metadata/windows/reverse"][:].tolist() == column(batches, "reverse")
        assert file["metadata/windows/region"][:].tolist() == column(batches, "region")


def test_kipoi_reads_it(tmp_path):
    readers = pytest.importorskip("kipoi.readers")
    batches = make_batches(3, 5)
    write_all(make_context(tmp_path / "o.h5"), batches)
    found = readers.HDF5Reader.load(tmp_path / "o.h5")
    np.testing.assert_array_equal(found["preds"]["profile"], joined(batches, "profile"))
    ranges = found["metadata"]["ranges"]
    assert {key: list(value) for key, value in ranges.items()} == {
        "chr": column(batches, "chrom"),
        "start": column(batches, "start"),
        "end": column(batches, "end"),
        "id": column(batches, "name"),
        "strand": column(batches, "strand"),
    }


def test_hdf5_takes_thousands_of_track_names(tmp_path):
    """Their names pass the 64 KiB that an attribute may have in the oldest HDF5 format."""
    tracks = tuple(f"CAGE:sample number {i} of the collection" for i in range(6_000))
    output = OutputSpec("human", "scalar", tracks)
    write_all(make_context(tmp_path / "o.h5", [output]), [make_batch(1, 3, [output])])
    with h5py.File(tmp_path / "o.h5") as file:
        assert tuple(file["preds"].attrs["tracks"]) == tracks


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".parquet"])
def test_many_blocks_and_none(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("zoo.writers.spool.BLOCK_BYTES", 500)
    batches = make_batches(8, 9)
    write_all(make_context(tmp_path / f"o{suffix}"), batches)
    np.testing.assert_array_equal(read_profile(tmp_path / f"o{suffix}"), joined(batches, "profile"))
    write_all(make_context(tmp_path / f"none{suffix}"), [])
    assert read_profile(tmp_path / f"none{suffix}").shape == (0, 2, 12)


def read_profile(path) -> np.ndarray:
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["preds/profile"][:]
    if path.suffix == ".zarr":
        return pytest.importorskip("zarr").open_group(path, mode="r")["preds/profile"][:]
    table = pytest.importorskip("pyarrow.parquet").read_table(path)
    columns = [table[f"profile/{t}/{i}"].to_numpy() for t in ("plus", "minus") for i in range(12)]
    return np.stack(columns, axis=1).reshape(-1, 2, 12)


def test_zarr_has_the_same_layout(tmp_path):
    zarr = pytest.importorskip("zarr")
    batches = make_batches(4, 5)
    write_all(make_context(tmp_path / "o.zarr"), batches)
    root = zarr.open_group(tmp_path / "o.zarr", mode="r")
    assert root.metadata.zarr_format == 3
    np.testing.assert_array_equal(root["preds/counts"][:], joined(batches, "counts"))
    assert root["preds/profile"].attrs["tracks"] == ["plus", "minus"]
    assert root["preds/profile"].attrs["bin_size"] == 8
    assert root["metadata/ranges/id"][:].tolist() == column(batches, "name")
    assert root["metadata/windows/end"][:].tolist() == column(batches, "window_end")


def test_zarr_replaces_an_older_store_and_nothing_else(tmp_path):
    pytest.importorskip("zarr")
    context = make_context(tmp_path / "o.zarr", [SCALAR])
    write_all(context, make_batches(1, 5, outputs=[SCALAR]))
    batches = make_batches(2, 2, outputs=[SCALAR])
    write_all(context, batches)
    found = pytest.importorskip("zarr").open_group(tmp_path / "o.zarr", mode="r")["preds"][:]
    np.testing.assert_array_equal(found, joined(batches, "counts"))
    assert list(tmp_path.iterdir()) == [tmp_path / "o.zarr"]
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(UsageError, match="not a Zarr 3 store"):
        write_all(make_context(tmp_path / "mine.zarr", [SCALAR]), batches)


def test_parquet_columns_are_typed_and_named_as_in_the_tsv(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    batches = make_batches(5, 5)
    write_all(make_context(tmp_path / "o.parquet", tiled=True), batches)
    write_all(make_context(tmp_path / "o.tsv", tiled=True), batches)
    table = pq.read_table(tmp_path / "o.parquet")
    assert table.column_names == (tmp_path / "o.tsv").read_text().split("\n")[0].split("\t")
    kinds = {str(table.schema.field(i).type) for i in range(8, len(table.schema))}
    assert str(table.schema.field("start").type) == "int64" and kinds == {"float"}
    assert table["name"].to_pylist() == column(batches, "name")
    assert table["score"].to_pylist() == column(batches, "score")
    notes = json.loads(table.schema.metadata[b"seqzoo"])
    assert notes["profile"]["offset"] == 16


def test_parquet_of_many_bins_has_a_list_a_track(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    output = OutputSpec("p", "profile", ("a", "b"), n_bins=1_200)
    batches = make_batches(6, 3, outputs=[output])
    write_all(make_context(tmp_path / "o.parquet", [output]), batches)
    table = pq.read_table(tmp_path / "o.parquet")
    assert table.column_names[8:] == ["a", "b"]
    found = np.array(table["b"].to_pylist(), np.float32)
    np.testing.assert_array_equal(found, joined(batches, "p")[:, 1])
