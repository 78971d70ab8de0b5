"""Every format read back by a library that did not write it: pandas, pysam's tabix, pyBigWig, polars."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pyBigWig
import pysam
import pytest
from genome_oracle import covering_values, merged
from writer_batches import CHROM_SIZES, PROFILE, SCALAR, make_batch, make_batches, make_context, with_values, write_all

from zoo.outputs import OutputSpec

pd = pytest.importorskip("pandas")


def joined(batches, output):
    return np.concatenate([batch.values[output].reshape(len(batch), -1) for batch in batches])


def column(batches, name):
    return np.concatenate([getattr(batch, name) for batch in batches]).tolist()


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz"])
def test_a_table_in_pandas(tmp_path, suffix):
    batches = make_batches(21, 5)
    write_all(make_context(tmp_path / f"o{suffix}"), batches)
    frame = pd.read_csv(tmp_path / f"o{suffix}", sep="\t", keep_default_na=False, dtype={"score": str})
    for name in ("chrom", "start", "end", "name", "score", "strand"):
        assert frame[name].tolist() == column(batches, name), name
    values = frame.iloc[:, 8:].to_numpy(np.float32)
    np.testing.assert_array_equal(
        values, np.concatenate([joined(batches, "counts"), joined(batches, "profile")], axis=1)
    )


def test_values_that_are_no_numbers_in_pandas(tmp_path):
    output = OutputSpec("s", "scalar", ("a", "b", "c"))
    batch = with_values(make_batch(1, 1, [output]), s=[[np.nan, np.inf, -np.inf]])
    write_all(make_context(tmp_path / "o.tsv", [output]), [batch])
    found = pd.read_csv(tmp_path / "o.tsv", sep="\t")[["a", "b", "c"]].iloc[0]
    assert np.isnan(found["a"]) and (found["b"], found["c"]) == (np.inf, -np.inf)


def test_a_table_in_polars(tmp_path):
    polars = pytest.importorskip("polars")
    batches = make_batches(22, 4)
    write_all(make_context(tmp_path / "o.parquet"), batches)
    frame = polars.read_parquet(tmp_path / "o.parquet")
    assert frame["chrom"].to_list() == column(batches, "chrom")
    assert frame.schema["start"] == polars.Int64 and frame.schema["counts/plus"] == polars.Float32
    np.testing.assert_array_equal(frame["profile/minus/11"].to_numpy(), joined(batches, "profile")[:, 23])


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".parquet", ".tsv"])
def test_formats_hold_the_same_numbers(tmp_path, suffix):
    """Float32 by its bits, whatever the way to disk: subnormal, largest, negative zero."""
    awkward = np.array([[1e-45, 3.4028235e38, -0.0, 1 / 3]], np.float32)
    output = OutputSpec("s", "scalar", ("a", "b", "c", "d"))
    batch = with_values(make_batch(1, 1, [output]), s=awkward)
    write_all(make_context(tmp_path / f"o{suffix}", [output]), [batch])
    if suffix == ".h5":
        import h5py

        with h5py.File(tmp_path / "o.h5") as file:
            found = file["preds"][:]
    elif suffix == ".zarr":
        found = pytest.importorskip("zarr").open_group(tmp_path / "o.zarr", mode="r")["preds"][:]
    elif suffix == ".parquet":
        found = pd.read_parquet(tmp_path / "o.parquet")[["a", "b", "c", "d"]].to_numpy()
    else:
        fields = (tmp_path / "o.tsv").read_text().splitlines()[1].split("\t")[8:]
        found = np.array([[np.float32(field) for field in fields]])
    assert found.dtype == np.float32 and found.tobytes() == awkward.tobytes()


# Blocked gzip and tabix


def test_a_bed_is_indexed_by_tabix(tmp_path):
    """BED rows are in input order: sorted windows give a file that tabix takes."""
    batches = [make_batch(3, 60)]
    order = np.lexsort((batches[0].start, batches[0].chrom.astype(str)))
    batch = batches[0]
    fields = {
        name: getattr(batch, name)[order]
        for name in ("chrom", "start", "end", "name", "score", "strand", "window_start", "window_end", "reverse")
    }
    sorted_batch = type(batch)(region=batch.region, values={k: v[order] for k, v in batch.values.items()}, **fields)
    write_all(make_context(tmp_path / "o.bed.gz"), [sorted_batch])
    pysam.tabix_index(str(tmp_path / "o.bed.gz"), preset="bed", force=True)
    with pysam.TabixFile(str(tmp_path / "o.bed.gz")) as table:
        assert sorted(table.contigs) == sorted(set(batch.chrom))
        assert [line.split("\t")[0] for line in table.header] == ["#chrom"]
        for chrom, low, high in (("chr1", 0, 5000), ("chr10", 700, 1500), ("chr2", 3000, 3100)):
            expected = [
                str(name)
                for name, c, start, end in zip(
                    fields["name"], fields["chrom"], fields["start"], fields["end"], strict=True
                )
                if c == chrom and start < high and end > low
            ]
            assert [line.split("\t")[3] for line in table.fetch(chrom, low, high)] == expected


def test_a_bedgraph_is_indexed_by_tabix(tmp_path):
    output = OutputSpec("p", "profile", ("x",), n_bins=12, bin_size=8, offset=16)
    batches = make_batches(31, 6, outputs=[output])
    context = make_context(tmp_path / "o.bedgraph.gz", [output])
    write_all(context, batches)
    pysam.tabix_index(str(tmp_path / "o.bedgraph.gz"), seq_col=0, start_col=1, end_col=2, zerobased=True, force=True)
    expected = merged(covering_values(batches, output, 0, context), "mean")
    with pysam.TabixFile(str(tmp_path / "o.bedgraph.gz")) as table:
        found = {}
        for chrom in table.contigs:
            for line in table.fetch(chrom, 1000, 2000):
                _, start, end, value = line.split("\t")
                found |= {(chrom, base): float(value) for base in range(max(int(start), 1000), min(int(end), 2000))}
    wanted = {place: value for place, value in expected.items() if 1000 <= place[1] < 2000}
    assert found.keys() == wanted.keys() and len(found) > 100
    np.testing.assert_allclose([found[p] for p in wanted], list(wanted.values()), rtol=3e-7, atol=1e-9)


def test_blocked_gzip_is_read_by_gzip_and_by_htslib(tmp_path):
    batches = make_batches(4, 300)
    write_all(make_context(tmp_path / "o.tsv.gz"), batches)
    with gzip.open(tmp_path / "o.tsv.gz", "rb") as one, pysam.BGZFile(str(tmp_path / "o.tsv.gz"), "rb") as other:
        assert one.read() == other.read()


# bigWig


def test_a_bigwig_has_sorted_chromosomes_true_sizes_and_true_sums(tmp_path):
    output = OutputSpec("s", "scalar", ("x",))
    batches = make_batches(5, 4, outputs=[output])
    context = make_context(tmp_path / "o.bw", [output])
    write_all(context, batches)
    expected = merged(covering_values(batches, output, 0, context), "mean")
    with pyBigWig.open(str(tmp_path / "o.bw")) as file:
        assert file.chroms() == CHROM_SIZES and list(file.chroms()) == sorted(CHROM_SIZES)
        header = file.header()  # pyBigWig gives whole numbers
        assert header["nBasesCovered"] == len(expected)
        assert (header["maxVal"], header["minVal"]) == (int(max(expected.values())), int(min(expected.values())))
        for chrom, size in CHROM_SIZES.items():
            here = [value for (c, _), value in expected.items() if c == chrom]
            (mean,) = file.stats(chrom, 0, size, type="mean", exact=True)
            assert mean == pytest.approx(np.mean(here, dtype=np.float64), rel=1e-6)
            (covered,) = file.stats(chrom, 0, size, type="coverage", exact=True)
            assert covered == pytest.approx(len(here) / size)


def test_zoom_levels_of_a_bigwig_agree_with_the_values(tmp_path):
    """Genome browsers draw from the summaries: each bin's mean over 5 kb is that of its bases."""
    output = OutputSpec("p", "profile", ("x",), n_bins=1000, bin_size=10)
    rng = np.random.default_rng(0)
    batch = make_batch(0, 1, [output], {"chr1": 10_000}, window=10_000)
    values = rng.gamma(2, 3, (1, 1, 1000)).astype(np.float32)
    placed = type(batch)(
        **{name: getattr(batch, name) for name in ("region", "chrom", "start", "end", "name", "score")},
        strand=np.array(["+"]),
        window_start=np.array([0]),
        window_end=np.array([10_000]),
        reverse=np.array([False]),
        values={"p": values},
    )
    write_all(make_context(tmp_path / "o.bw", [output], chrom_sizes={"chr1": 10_000}), [placed])
    with pyBigWig.open(str(tmp_path / "o.bw")) as file:
        assert file.header()["nLevels"] > 0
        drawn = file.stats("chr1", 0, 10_000, nBins=2, type="mean")  # a summary may lie across the middle
        np.testing.assert_allclose(drawn, values[0, 0].reshape(2, 500).mean(1), rtol=0.03)
        exact = file.stats("chr1", 0, 10_000, nBins=2, type="mean", exact=True)
        np.testing.assert_allclose(exact, values[0, 0].reshape(2, 500).mean(1), rtol=1e-6)
        np.testing.assert_array_equal(file.values("chr1", 0, 10_000, numpy=True)[::10], values[0, 0])


def test_bedgraph_and_bigwig_say_the_same(tmp_path):
    batches = make_batches(7, 5, outputs=[PROFILE])
    wigs = write_all(make_context(tmp_path / "o.bw", [PROFILE]), batches)
    graphs = write_all(make_context(tmp_path / "o.bedgraph", [PROFILE]), batches)
    for wig, graph in zip(wigs, graphs, strict=True):
        rows = [line.split("\t") for line in graph.read_text().splitlines()]
        with pyBigWig.open(str(wig)) as file:
            listed = [(c, *row) for c in file.chroms() for row in file.intervals(c) or ()]
        assert [(c, int(a), int(b), np.float32(v)) for c, a, b, v in rows] == [
            (c, a, b, np.float32(v)) for c, a, b, v in listed
        ]


def test_a_bedgraph_is_sorted_and_covers_no_base_twice(tmp_path):
    batches = make_batches(8, 8, outputs=[SCALAR])
    for path in write_all(make_context(tmp_path / "o.bg", [SCALAR]), batches):
        frame = pd.read_csv(path, sep="\t", names=["chrom", "start", "end", "value"])
        assert frame["chrom"].is_monotonic_increasing
        for _, rows in frame.groupby("chrom"):
            assert (rows["start"].to_numpy()[1:] >= rows["end"].to_numpy()[:-1]).all()
            assert (rows["end"] > rows["start"]).all()


def test_a_copy_of_a_store_is_the_store(tmp_path):
    """A Zarr result is a folder without absolute paths: it can be moved."""
    zarr = pytest.importorskip("zarr")
    batches = make_batches(9, 2)
    write_all(make_context(tmp_path / "o.zarr"), batches)
    shutil.move(tmp_path / "o.zarr", tmp_path / "moved.zarr")
    root = zarr.open_group(tmp_path / "moved.zarr", mode="r")
    np.testing.assert_array_equal(root["preds/counts"][:], joined(batches, "counts"))
    assert root["metadata/ranges/strand"][:].tolist() == column(batches, "strand")
