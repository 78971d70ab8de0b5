"""Tracks as bins: hand values, pyBigWig and plain Python as oracles, and what is refused."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pyBigWig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.config import TargetConfig
from finetune.data.bins import reduce_bases
from finetune.data.tracks import check_track, open_track, source_of
from zoo.errors import InputError, UsageError

SIZES = {"chr1": 1000, "chr2": 500}


def target(path, **more):
    files = path if isinstance(path, list) else [path]
    return TargetConfig(name="t", files=tuple(map(str, files)), **more)


def opened(path, sizes=SIZES, **more):
    return open_track(source_of(target(path, **more)), sizes)


def bins(path, chrom="chr1", start=0, n=4, size=10, **more):
    with opened(path, **more) as track:
        return track.read(np.array([chrom], object), np.array([start]), n, size)[0].tolist()


def bigwig(path, entries, sizes=SIZES):
    file = pyBigWig.open(str(path), "w")
    file.addHeader(list(sizes.items()))
    for chrom, start, end, value in entries:
        file.addEntries([chrom], [start], ends=[end], values=[value])
    file.close()
    return path


def written(path, text):
    path.write_text(text)
    return path


# ---------------------------------------------------------------- bins


def test_bins_by_hand():
    nan = math.nan
    bases = np.array([[1, 2, 3, 6, 1, 2, nan, nan, nan, nan, 5, nan]], np.float32)
    assert reduce_bases(bases, 4, "sum").tolist()[0][0] == 12
    np.testing.assert_array_equal(reduce_bases(bases, 4, "sum"), [[12, nan, nan]])
    np.testing.assert_array_equal(reduce_bases(bases, 4, "mean"), [[3, 1.5, nan]])
    np.testing.assert_array_equal(reduce_bases(bases, 4, "max"), [[6, 2, nan]])
    np.testing.assert_array_equal(reduce_bases(bases, 1, "mean"), bases)


def plain_bin(values, how):
    known = [v for v in values if not math.isnan(v)]
    if how == "sum":
        return sum(known) if len(known) == len(values) else math.nan
    if 2 * len(known) < len(values):
        return math.nan
    return max(known) if how == "max" else sum(known) / len(known)


@given(
    st.lists(st.one_of(st.just(math.nan), st.integers(-50, 50).map(float)), min_size=12, max_size=12),
    st.sampled_from(["sum", "mean", "max"]),
    st.sampled_from([1, 2, 3, 4, 6, 12]),
)
def test_bins_are_those_of_plain_python(values, how, size):
    expected = [plain_bin(values[i : i + size], how) for i in range(0, 12, size)]
    found = reduce_bases(np.array([values], np.float32), size, how)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# ---------------------------------------------------------------- bigWig


def test_bigwig_masks_what_it_does_not_name(tmp_path):
    path = bigwig(tmp_path / "a.bw", [("chr1", 0, 10, 2.0), ("chr1", 10, 16, 4.0), ("chr1", 30, 33, 9.0)])
    np.testing.assert_array_equal(bins(path), [2, 4, math.nan, math.nan])
    np.testing.assert_allclose(bins(path, missing="zero"), [2, 2.4, 0, 2.7], rtol=1e-6)
    np.testing.assert_array_equal(bins(path, reduce="sum"), [20, math.nan, math.nan, math.nan])
    np.testing.assert_array_equal(bins(path, reduce="max", missing="zero"), [2, 4, 0, 9])


def test_outside_of_the_chromosome_nothing_is_measured(tmp_path):
    path = bigwig(tmp_path / "a.bw", [("chr1", 0, 1000, 3.0), ("chr2", 0, 500, 3.0)])
    for missing in ("mask", "zero"):
        np.testing.assert_array_equal(bins(path, start=-15, missing=missing), [math.nan, 3, 3, 3])
        np.testing.assert_array_equal(bins(path, start=-100, missing=missing), [math.nan] * 4)
        np.testing.assert_array_equal(bins(path, "chr2", 485, missing=missing), [3, 3, math.nan, math.nan])
        np.testing.assert_array_equal(bins(path, "chr2", 900, missing=missing), [math.nan] * 4)


def test_replicates_of_bigwig_are_averaged_where_all_measured(tmp_path):
    a = bigwig(tmp_path / "a.bw", [("chr1", 0, 40, 2.0)])
    b = bigwig(tmp_path / "b.bw", [("chr1", 0, 20, 4.0)])
    np.testing.assert_array_equal(bins([a, b]), [3, 3, math.nan, math.nan])
    np.testing.assert_array_equal(bins([a, b], missing="zero"), [3, 3, 1, 1])


def test_windows_in_any_order_equal_pybigwig(tmp_path):
    random = np.random.default_rng(0)
    entries, at = [], {"chr1": 0, "chr2": 0}
    for chrom in at:
        while at[chrom] < SIZES[chrom] - 30:
            start = at[chrom] + int(random.integers(0, 6))
            end = start + int(random.integers(1, 20))
            entries.append((chrom, start, end, float(random.normal())))
            at[chrom] = end
    path = bigwig(tmp_path / "a.bw", entries)
    chrom = random.choice(["chr1", "chr2"], 40).astype(object)
    start = np.array([int(random.integers(0, SIZES[c] - 120)) for c in chrom])
    with opened(path) as track:
        found = track.read(chrom, start, 30, 4)
    with pyBigWig.open(str(path)) as file:
        for row, c, s in zip(found, chrom, start, strict=True):
            values = file.values(c, int(s), int(s) + 120)
            expected = [plain_bin(values[i : i + 4], "mean") for i in range(0, 120, 4)]
            np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_pieces_do_not_change_a_value(tmp_path, monkeypatch):
    path = bigwig(tmp_path / "a.bw", [("chr1", 0, 1000, 1.5), ("chr2", 0, 300, 2.5)])
    chrom, start = np.array(["chr2", "chr1", "chr2"], object), np.array([290, 7, 0])
    with opened(path) as track:
        whole = track.read(chrom, start, 4, 10)
        monkeypatch.setattr("finetune.data.tracks.BASES", 1)
        np.testing.assert_array_equal(track.read(chrom, start, 4, 10), whole)
        assert track.read(chrom[:0], start[:0], 4, 10).shape == (0, 4)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"chr1": 1001, "chr2": 500}, "another assembly"),
        ({"1": 1000, "2": 500}, "another style"),
        ({"chr9": 77}, "no chromosome"),
    ],
)
def test_bigwig_of_another_genome(tmp_path, sizes, told):
    path = bigwig(tmp_path / "a.bw", [(next(iter(sizes)), 0, 10, 2.0)], sizes)
    with pytest.raises(InputError, match=told) as error:
        opened(path)
    assert "track t" in error.value.what and str(path) in error.value.what


def test_bigwig_without_an_asked_chromosome(tmp_path):
    path = bigwig(tmp_path / "a.bw", [("chr1", 0, 10, 2.0)], {"chr1": 1000})
    with pytest.raises(InputError, match="nothing on chr2") as error:
        bins(path, "chr2")
    assert "regions.chromosomes" in error.value.fix and "missing: zero" in error.value.fix
    assert bins(path, "chr2", missing="zero") == [0, 0, 0, 0]
    with pytest.raises(InputError, match="nothing on chr2"):
        open_track(source_of(target(path)), SIZES, asked=["chr1", "chr2"])


def test_damaged_bigwig(tmp_path):
    random = np.random.default_rng(0)
    sizes = {"chr1": 200_000}
    path = tmp_path / "a.bw"
    file = pyBigWig.open(str(path), "w")
    file.addHeader(list(sizes.items()))
    file.addEntries("chr1", list(range(100_000)), values=random.normal(size=100_000).tolist(), span=1)
    file.close()
    whole = path.read_bytes()
    for length in (30, 400, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cannot be read|truncated"):
            opened(path, sizes).read(np.array(["chr1"], object), np.array([0]), 1000, 100)
    hole = bytearray(whole)
    hole[len(whole) // 2 : len(whole) // 2 + 3000] = bytes(3000)
    path.write_bytes(hole)
    with pytest.raises(InputError, match="cannot be read"):
        opened(path, sizes).read(np.array(["chr1"], object), np.array([0]), 1000, 100)


def test_infinite_values_are_refused(tmp_path):
    path = bigwig(tmp_path / "a.bw", [("chr1", 0, 10, 2.0), ("chr1", 12, 13, math.inf)])
    with pytest.raises(InputError, match="chr1:10-20 holds an infinite"):
        bins(path, missing="zero")


# ---------------------------------------------------------------- fragments


#: The same on chr1, as pairs of reads of 3 and 2 bp; a pair over two chromosomes, and one that did not map, are none.
BEDPE = (
    "chr1\t0\t3\tchr1\t18\t20\ta\t9\t+\t-\nchr1\t14\t16\tchr1\t5\t8\tb\t9\t-\t+\n"
    "chr1\t8\t11\tchr1\t28\t30\tc\t9\t+\t-\nchr1\t8\t11\tchr2\t28\t30\tc\t9\t+\t-\n"
    ".\t-1\t-1\t.\t-1\t-1\td\t9\t+\t-\n"
)
FRAGMENTS = "chr1\t0\t20\nchr1\t5\t16\nchr1\t8\t30\nchr2\t100\t101\n"


def test_fragments_by_hand(tmp_path):
    path = written(tmp_path / "f.bed", FRAGMENTS)
    # Centres 10, 10, 19; cuts 4, 15, 9, 11, 12, 25.
    assert bins(path, read="centres", reduce="sum") == [0, 3, 0, 0]
    assert bins(path, read="cuts", reduce="sum") == [2, 3, 1, 0]
    assert bins(path, read="coverage", reduce="sum") == [10 + 5 + 2, 10 + 6 + 10, 10, 0]
    assert bins(path, read="coverage", reduce="max") == [3, 3, 1, 0]
    assert bins(path, read="centres", reduce="max", start=3, n=3) == [2, 1, 0]
    assert bins(path, read="coverage", start=17, n=2, size=2) == [2, 1.5]  # a window that begins within fragments


def test_length_is_inclusive(tmp_path):
    path = written(tmp_path / "f.bed", FRAGMENTS)
    assert bins(path, read="centres", reduce="sum", length="20-22") == [0, 2, 0, 0]
    assert bins(path, read="centres", reduce="sum", length="11-20") == [0, 2, 0, 0]
    with pytest.raises(InputError, match="no fragment of 500 to 600 bp"):
        bins(path, read="centres", length="500-600")


def test_replicates_of_fragments_are_added(tmp_path):
    a, b = written(tmp_path / "a.bed", FRAGMENTS), tmp_path / "b.bed.gz"
    b.write_bytes(gzip.compress(FRAGMENTS.encode()))
    assert bins([a, b], read="cuts", reduce="sum") == [4, 6, 2, 0]


@pytest.mark.parametrize(
    "text",
    [
        FRAGMENTS.replace("\n", "\r\n"),
        "# made by hand\n\n" + FRAGMENTS,
        FRAGMENTS.replace("\t", "  "),
        FRAGMENTS.replace("\n", "\tACGT-1\t3\n"),
        FRAGMENTS[:-1],
        "".join(sorted(FRAGMENTS.splitlines(keepends=True), reverse=True)),
        BEDPE,
    ],
)
def test_fragments_in_other_dress(tmp_path, text):
    path = written(tmp_path / "f.txt", text)
    assert bins(path, read="cuts", reduce="sum") == [2, 3, 1, 0]


def plain_counts(fragments, read, length, low, high):
    counts = [0] * (high - low)
    for start, end in fragments:
        if length and not length[0] <= end - start <= length[1]:
            continue
        at = {"centres": [(start + end) // 2], "cuts": [start + 4, end - 5], "coverage": range(start, end)}[read]
        for base in at:
            if low <= base < high:
                counts[base - low] += 1
    return counts


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(1, 60)).map(lambda p: (p[0], min(p[0] + p[1], 100))), min_size=1
    ),
    st.sampled_from(["centres", "cuts", "coverage"]),
    st.sampled_from([None, (5, 30), (1, 60)]),
    st.integers(0, 60),
    st.sampled_from(["sum", "max", "mean"]),
)
def test_counts_are_those_of_plain_python(tmp_path_factory, fragments, read, length, start, how):
    lengths = [end - begin for begin, end in fragments]
    if length and not any(length[0] <= one <= length[1] for one in lengths):
        return
    path = tmp_path_factory.mktemp("f") / "f.bed"
    path.write_text("".join(f"c\t{s}\t{e}\n" for s, e in fragments))
    source = source_of(target(path, read=read, reduce=how, length=f"{length[0]}-{length[1]}" if length else None))
    with open_track(source, {"c": 100}) as track:
        found = track.read(np.array(["c"], object), np.array([start]), 10, 4)[0]
    bases = plain_counts(fragments, read, length, start, start + 40)
    np.testing.assert_allclose(found, [plain_bin(bases[i : i + 4], how) for i in range(0, 40, 4)], rtol=1e-6)


def test_reads_are_drawn_by_the_seed(tmp_path):
    rows = [f"chr{1 + i % 2}\t{i}\t{i + 60}\n" for i in range(400)]
    path = written(tmp_path / "f.bed", "".join(rows))

    def drawn(seed, reads):
        source = source_of(target(path, read="centres", reduce="sum", depth={"reads": reads}), seed)
        with open_track(source, SIZES) as track:
            assert track._reader.total == reads
            return track.read(np.array(["chr1", "chr2"], object), np.array([0, 0]), 50, 10)

    assert drawn(0, 100).sum() == 100
    np.testing.assert_array_equal(drawn(0, 100), drawn(0, 100))
    assert (drawn(0, 100) != drawn(1, 100)).any()
    assert (drawn(0, 400) <= drawn(5, 400)).all()  # all of them: no choice is left
    with pytest.raises(InputError, match="asks for 401 reads") as error:
        drawn(0, 401)
    assert "400" in error.value.extent


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chr1\t5\n", ":1: 2 column"),
        ("chr1\t5\t20\nchr1\t9\t9\n", ":2: start 9 is not below"),
        ("chr1\t5\t20\nchr1\t-3\t9\n", ":2: start and end must be whole"),
        ("chr1\t5\t20\nchr1\t1e2\t900\n", ":2: start and end must be whole"),
        ("chr1\t5\t20\nchr2\t480\t501\n", ":2: end 501 is past the end of chr2"),
        ("# x\n\nchr1\t5\t20\nchr2\t480\t501\n", ":4: end 501"),
        ("", "holds no fragment"),
        ("# nothing\n", "holds no fragment"),
        ("1\t5\t20\n", "another style"),
        ("scaffold7\t5\t20\n", "no chromosome"),
        ("chr1\t5\t20\tx_peak_1\t9\t.\t4.5\t3.1\t2.2\t9\n", "holds peaks"),
        ("".join(f"chr1\t{i}\t{i + 36}\tN\t1000\t{'+-'[i % 2]}\n" for i in range(50)), "reads of one end"),
    ],
)
def test_what_is_no_fragment(tmp_path, text, told):
    path = written(tmp_path / "f.bed", text)
    with pytest.raises(InputError, match=told) as error:
        opened(path, read="cuts")
    assert "track t" in error.value.what and error.value.fix.startswith("Fix: ")


def test_damaged_gzip_of_fragments(tmp_path):
    path = tmp_path / "f.bed.gz"
    path.write_bytes(gzip.compress((FRAGMENTS * 1000).encode())[:-20])
    with pytest.raises(InputError, match="gzip stream is truncated"):
        opened(path, read="cuts")


def test_strand_takes_its_rows_alone(tmp_path):
    rows = ["chr1\t0\t20\ta\t0\t+\n", "chr1\t5\t16\tb\t0\t-\n", "chr1\t8\t30\tc\t0\t+\n"]
    path = written(tmp_path / "f.bed", "".join(rows))
    assert bins(path, read="cuts", reduce="sum", strand="+") == [1, 2, 1, 0]
    assert bins(path, read="cuts", reduce="sum", strand="-") == [1, 1, 0, 0]
    with pytest.raises(InputError, match="without one"):
        bins(written(tmp_path / "g.bed", FRAGMENTS), read="cuts", strand="-")


def test_chromosomes_that_the_fasta_lacks_are_told(tmp_path):
    path = written(tmp_path / "f.bed", FRAGMENTS + "chrM\t5\t90\nchrM\t9\t99\n")
    with opened(path, read="cuts") as track:
        assert track.notes == ("2 fragments on chrM, not in the FASTA, are left out",)


# ---------------------------------------------------------------- labels and tables


def test_labels_by_hand(tmp_path):
    # Bins of 10: half covered by two peaks that overlap; 4 of 10; whole; none.
    path = written(tmp_path / "p.narrowPeak", "chr1\t0\t3\nchr1\t2\t5\nchr1\t16\t30\nchr1\t900\t1000\n")
    assert bins(path, read="labels") == [1, 0, 1, 0]
    assert bins(path, read="labels", reduce="max") == [1, 1, 1, 0]
    assert bins(path, read="labels", start=15, n=1, size=2) == [1]
    np.testing.assert_array_equal(bins(path, read="labels", start=985, n=3), [1, 1, math.nan])


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 40)), min_size=1, max_size=8),
    st.integers(0, 50),
    st.sampled_from(["mean", "max"]),
)
def test_labels_are_those_of_plain_python(tmp_path_factory, peaks, start, how):
    path = tmp_path_factory.mktemp("p") / "p.bed"
    path.write_text("".join(f"c\t{s}\t{s + n}\n" for s, n in peaks))
    covered = {base for s, n in peaks for base in range(s, s + n)}
    least = 2 if how == "mean" else 1
    expected = [len(covered & set(range(b, b + 4))) >= least for b in range(start, start + 48, 4)]
    with open_track(source_of(target(path, read="labels", reduce=how)), {"c": 200}) as track:
        found = track.read(np.array(["c"], object), np.array([start]), 12, 4)[0]
    assert found.tolist() == [float(one) for one in expected]


def test_peaks_off_the_genome(tmp_path):
    path = written(tmp_path / "p.bed", "chr1\t5\t90\nchr1\t950\t1100\n")
    with pytest.raises(InputError, match=r"track t: .*p.bed:2: end 1100 is past the end of chr1"):
        opened(path, read="labels")
    with pytest.raises(InputError, match="no regions"):
        opened(written(tmp_path / "e.bed", ""), read="labels")
    with pytest.raises(InputError, match="another style"):
        opened(written(tmp_path / "s.bed", "1\t5\t90\n"), read="labels")


TABLE = "chrom\tstart\tend\tt\tother\nchr1\t0\t10\t1.5\t9\nchr1\t10\t20\tNA\t9\nchr1\t20\t40\t4\t9\n"


def test_table_by_hand(tmp_path):
    path = written(tmp_path / "t.tsv", TABLE)
    np.testing.assert_array_equal(bins(path, read="table", n=6), [1.5, math.nan, 4, 4, math.nan, math.nan])
    assert bins(path, read="table", column="other", n=1, start=20, size=20, reduce="sum") == [9]
    with pytest.raises(InputError, match=r"t.tsv:2: row chr1:0-10 is not the bin chr1:5-15"):
        bins(path, read="table", start=5)
    with pytest.raises(InputError, match="row chr1:20-40") as error:
        bins(path, read="table", reduce="sum")
    assert "reduce: mean" in error.value.fix


def test_rows_that_overlap_are_read_where_they_are_asked(tmp_path):
    path = written(tmp_path / "t.tsv", "#chrom\tstart\tend\tt\nchr1\t0\t10\t1\nchr1\t5\t15\t2\n")
    assert bins(path, read="table", n=1) == [1]
    assert bins(path, read="table", n=1, start=5) == [2]
    with pytest.raises(InputError, match="nor alone"):
        bins(path, read="table", n=1, start=6, size=2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no column 'chrom'"),
        ("chrom\tstart\tend\tT2\n", "no column 't'"),
        ("chrom\tstart\tend\tt\n", "has no rows"),
        (TABLE + "chr1\t0\t10\t8\t9\n", ":5: has the start and end of line 2"),
        (TABLE + "chr1\t50\t60\tmany\t9\n", ":5: 'many' is no finite"),
        (TABLE + "chr1\t50\t60\tinf\t9\n", ":5: 'inf' is no finite"),
        (TABLE + "chr1\t50\t60\t1\n", ":5: 4 fields below a header of 5"),
        (TABLE + "chr1\t60\t50\t1\t9\n", ":5: start 60 is not below"),
        (TABLE + "chr1\t600\t5000\t1\t9\n", ":5: end 5000 is past the end"),
        ("chrom\tstart\tend\tt\n1\t0\t10\t1\n", "another style"),
    ],
)
def test_tables_that_are_wrong(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        opened(written(tmp_path / "t.tsv", text), read="table")


# ---------------------------------------------------------------- sources, checks, fingerprints


def test_sources_that_make_no_sense(tmp_path):
    bw = bigwig(tmp_path / "a.bw", [("chr1", 0, 10, 2.0)])
    bed = written(tmp_path / "f.bed", FRAGMENTS)
    for told, path, more in (
        ("no such file", tmp_path / "none.bw", {}),
        ("has no cuts", bw, {"read": "cuts"}),
        ("`read` must say", bed, {}),
        ("is no bigWig", bed, {"read": "signal"}),
        ("`length` is of fragments", bw, {"length": "1-2"}),
        ("`length` must be", bed, {"read": "cuts", "length": "9-2"}),
        ("`length` must be", bed, {"read": "cuts", "length": "-9"}),
        ("`column` is of a table", bw, {"column": "x"}),
        ("`depth.reads` draws", bw, {"depth": {"reads": 5}}),
        ("0 or 1", bed, {"read": "labels", "reduce": "sum"}),
        ("several kinds", [bw, bed], {}),
        ("named twice", [bw, bw], {}),
        ("no one meaning", [bed, written(tmp_path / "g.bed", FRAGMENTS)], {"read": "labels"}),
        ("is a bigBed", written(tmp_path / "b.bb", "\xeb"), {}),
    ):
        if told == "is a bigBed":
            path.write_bytes(b"\xeb\xf2\x89\x87....")
        with pytest.raises(UsageError, match=told):
            source_of(target(path, **more))


def test_fingerprint_follows_contents_and_options(tmp_path):
    path = written(tmp_path / "f.bed", FRAGMENTS)
    copy = written(tmp_path / "g.bed", FRAGMENTS)

    def of(path, **more):
        with opened(path, read="cuts", **more) as track:
            return track.fingerprint()

    assert of(path) == of(copy)
    assert len({of(path), of(path, length="1-50"), of(path, reduce="max"), of(path, depth={"reads": 2})}) == 4
    before = of(path)
    written(path, FRAGMENTS + "chr1\t7\t50\n")
    assert of(path) != before


def test_tracks_of_which_nothing_is_learned():
    nan = math.nan
    for values, told in (
        ([[0, 0], [0, nan]], "every bin is 0"),
        ([[2.5, 2.5], [2.5, nan]], "every bin is 2.5"),
        ([[nan, nan], [nan, nan]], "no bin of any window was measured"),
    ):
        with pytest.raises(InputError, match=told):
            check_track("t", np.array(values, np.float32))
    chrom = np.array(["a", "b", "c"], object)
    values = np.array([[1, 2], [0, 0], [nan, nan]], np.float32)
    assert check_track("t", values, chrom) == ["track t: every bin of b is 0", "track t: c is all missing"]


@pytest.mark.parametrize("block", [1, 7, 20, 64, 4096])
def test_blocks_do_not_change_a_fragment_or_a_line_number(tmp_path, monkeypatch, block):
    monkeypatch.setattr("finetune.data.fragments.BLOCK", block)
    assert bins(written(tmp_path / "f.bed", FRAGMENTS), read="cuts", reduce="sum") == [2, 3, 1, 0]
    with pytest.raises(InputError, match=r"f.bed:5: start 40 is not below end 30"):
        bins(written(tmp_path / "f.bed", FRAGMENTS + "chr1\t40\t30\n"), read="cuts")


def test_temporary_files_go_with_the_track(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with opened(written(tmp_path / "f.bed", FRAGMENTS), read="cuts"):
        assert len(list((tmp_path / "temporary").iterdir())) == 1
    with pytest.raises(InputError):
        opened(written(tmp_path / "g.bed", FRAGMENTS + "chr1\t5\n"), read="cuts")
    assert list((tmp_path / "temporary").iterdir()) == []
