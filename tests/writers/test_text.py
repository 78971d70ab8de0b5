"""TSV and BED: the columns, the values, plain and blocked gzip, and the stream."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest
from writer_batches import PROFILE, SCALAR, make_batch, make_batches, make_context, with_values, write_all

from zoo.errors import UsageError
from zoo.outputs import OutputSpec
from zoo.writers import StreamWriter
from zoo.writers.text import value_names

REGION = ["chrom", "start", "end", "name", "score", "strand"]
WINDOW = ["window_start", "window_end"]


def table(text: str) -> tuple[list[str], list[list[str]]]:
    header, *rows = [line.split("\t") for line in text.splitlines()]
    return header, rows


def test_tsv_of_known_values(tmp_path):
    output = OutputSpec("p", "profile", ("a", "b"), n_bins=2)
    batch = with_values(make_batch(3, 1, [output]), p=[[[0.1, 2], [-3, np.nan]]])
    out = tmp_path / "o.tsv"
    assert write_all(make_context(out, [output]), [batch]) == [out]
    region = f"{batch.chrom[0]}\t{batch.start[0]}\t{batch.end[0]}\tpeak0\t{batch.score[0]}\t{batch.strand[0]}"
    window = f"{batch.window_start[0]}\t{batch.window_end[0]}"
    assert out.read_text() == (
        "chrom\tstart\tend\tname\tscore\tstrand\twindow_start\twindow_end\ta/0\ta/1\tb/0\tb/1\n"
        + f"{region}\t{window}\t0.1\t2\t-3\tnan\n"
    )


def test_tsv_reads_back_to_the_same_float32_in_input_order(tmp_path):
    batches = make_batches(5, 6)
    write_all(make_context(tmp_path / "o.tsv"), batches)
    header, rows = table((tmp_path / "o.tsv").read_text())
    assert header[:8] == [*REGION, "window_start", "window_end"]
    assert header[8:11] == ["counts/plus", "counts/minus", "profile/plus/0"]
    assert header[-3:] == ["profile/minus/9", "profile/minus/10", "profile/minus/11"]
    assert [row[3] for row in rows] == [f"peak{i}" for i in range(len(rows))]
    assert [int(row[6]) for row in rows] == np.concatenate([b.window_start for b in batches]).tolist()
    found = np.array([[np.float32(v) for v in row[8:]] for row in rows])
    wanted = np.concatenate(
        [np.concatenate([b.values["counts"], b.values["profile"].reshape(len(b), -1)], 1) for b in batches]
    )
    assert found.tobytes() == wanted.tobytes()


def test_gzip_holds_the_plain_text_in_blocks_without_a_time(tmp_path):
    batches = make_batches(1, 400)
    write_all(make_context(tmp_path / "o.tsv"), batches)
    write_all(make_context(tmp_path / "o.tsv.gz"), batches)
    packed = (tmp_path / "o.tsv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "o.tsv").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"
    # BGZF: the extra field of each block gives its length; the last block is empty.
    lengths, at = [], 0
    while at < len(packed):
        assert packed[at : at + 4] == b"\x1f\x8b\x08\x04" and packed[at + 12 : at + 14] == b"BC"
        lengths.append(int.from_bytes(packed[at + 16 : at + 18], "little") + 1)
        at += lengths[-1]
    assert at == len(packed) and len(lengths) > 3 and lengths[-1] == 28


def test_pure_noise_still_fits_a_block(tmp_path):
    from zoo.writers.text import BgzfFile

    noise = np.random.default_rng(0).bytes(200_000)
    file = BgzfFile(tmp_path / "o.gz")
    file.write(noise)
    file.finish()
    assert gzip.decompress((tmp_path / "o.gz").read_bytes()) == noise


def test_track_names_that_clash(tmp_path):
    output = OutputSpec("out", "scalar", ("start", "a", "a", "b\tc"))
    assert value_names(make_context(tmp_path / "o", [output])) == ["out/start", "out/a", "out/a.2", "b c"]


def test_names_of_regions_cannot_break_a_line(tmp_path):
    batch = make_batch(1, 2, [SCALAR])
    batch.name[0] = "two\twords\n"
    write_all(make_context(tmp_path / "o.tsv", [SCALAR]), [batch])
    _, rows = table((tmp_path / "o.tsv").read_text())
    assert rows[0][3] == "two words " and len(rows) == 2


def test_no_rows_leaves_the_header(tmp_path):
    write_all(make_context(tmp_path / "o.tsv", [SCALAR]), [])
    assert (tmp_path / "o.tsv").read_text() == "\t".join([*REGION, *WINDOW, "plus", "minus"]) + "\n"


@pytest.mark.parametrize("fmt", ["tsv", ".bed"])
def test_stream_writes_what_the_file_holds(tmp_path, fmt):
    batches = make_batches(4, 3)
    out = tmp_path / f"o.{fmt.lstrip('.')}"
    write_all(make_context(out), batches)
    stream = io.StringIO()
    writer = StreamWriter(make_context(out.with_name("-")), stream, fmt)
    writer.open()
    for batch in batches:
        writer.write(batch)
    assert writer.checkpoint() == {}
    writer.suspend()
    assert writer.finish() == []
    writer.discard()
    assert stream.getvalue() == out.read_text()
    assert list(tmp_path.iterdir()) == [out]


def test_stream_refuses_other_formats(tmp_path):
    with pytest.raises(UsageError, match="'h5' cannot be written to standard output"):
        StreamWriter(make_context(tmp_path / "-"), io.StringIO(), "h5")


def test_profile_of_one_bin_is_still_numbered(tmp_path):
    output = OutputSpec("p", "profile", ("t",), n_bins=1)
    assert value_names(make_context(tmp_path / "o", [output, PROFILE]))[:2] == ["p/t/0", "profile/plus/0"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_the_stream_is_utf8_whatever_the_terminal_speaks(tmp_path, encoding):
    output = OutputSpec("s", "scalar", ("Müller µ",))
    batch = make_batch(1, 2, [output])
    batch.name[0] = "gène→"
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    writer = StreamWriter(make_context(tmp_path / "-", [output]), stream)
    writer.open()
    writer.write(batch)
    header, rows = table(raw.getvalue().decode("utf-8"))
    assert header[-1] == "Müller µ" and rows[0][3] == "gène→"
    assert not stream.closed, "standard output is not ours to close"


def test_what_was_printed_before_stays_before(tmp_path):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw)
    stream.write("first\n")
    StreamWriter(make_context(tmp_path / "-", [SCALAR]), stream).open()
    assert raw.getvalue().startswith(b"first\nchrom\tstart")


def test_rows_reach_a_pipe_batch_by_batch(tmp_path):
    raw = io.BytesIO()
    writer = StreamWriter(make_context(tmp_path / "-", [SCALAR]), io.TextIOWrapper(raw))
    writer.open()
    for n, batch in enumerate(make_batches(2, 3, outputs=[SCALAR]), 1):
        writer.write(batch)
        assert raw.getvalue().count(b"\n") == 1 + sum(len(b) for b in make_batches(2, 3, outputs=[SCALAR])[:n])


def test_a_reverse_window_keeps_the_models_orientation(tmp_path):
    """Tables hold what the model gave; only genome files turn it back."""
    output = OutputSpec("p", "profile", ("a", "b"), n_bins=3)
    batch = with_values(make_batch(3, 1, [output]), p=[[[1, 2, 3], [4, 5, 6]]])
    batch.reverse[:] = True
    context = make_context(tmp_path / "o.tsv", [output], stranded_swap={"p": np.array([1, 0])})
    write_all(context, [batch])
    _, rows = table((tmp_path / "o.tsv").read_text())
    assert rows[0][8:] == ["1", "2", "3", "4", "5", "6"]


def test_a_table_has_as_many_fields_in_every_row_as_in_its_header(tmp_path):
    for tiled in (False, True):
        for suffix in (".tsv", ".bed"):
            out = tmp_path / f"{tiled}{suffix}"
            write_all(make_context(out, tiled=tiled), make_batches(6, 3))
            header, rows = table(out.read_text())
            assert {len(row) for row in rows} == {len(header)}
            assert len(set(header)) == len(header)


@pytest.mark.parametrize(
    ("tracks", "names"),
    [
        (("a", "a", "a"), ["o/a", "o/a.2", "o/a.3"]),
        (("end", "window_end"), ["o/end", "o/window_end"]),
        (("o/a", "a", "a"), ["o/a", "o/a.2", "o/a.3"]),
        (("two\nlines", "x"), ["two lines", "x"]),
    ],
)
def test_names_of_columns_are_unique(tmp_path, tracks, names):
    assert value_names(make_context(tmp_path / "x", [OutputSpec("o", "scalar", tracks)])) == names
