"""What the sample reports are made from: peaks within windows, genes as BED12, promoters; pictures are cropped."""

from __future__ import annotations

import gzip

import pytest

from scripts.samples import inputs, pictures


def test_peaks_whose_window_lies_in_a_stretch(tmp_path):
    """BPNet sees 1,057 bp on either side of a summit; the stronger peak comes first."""
    rows = [
        ("chr1", 5000, 5100, 3.0, 57),
        ("chr1", 5000, 5100, 9.0, 56),
        ("chr1", 8900, 9000, 1.0, 43),
        ("chr1", 8900, 9000, 1.0, 44),
        ("chr2", 6000, 6100, 1.0, 50),
    ]
    path = tmp_path / "peaks.narrowPeak.gz"
    with gzip.open(path, "wt") as file:
        for chrom, start, end, signal, summit in rows:
            file.write(f"{chrom}\t{start}\t{end}\t.\t0\t.\t{signal}\t-1\t-1\t{summit}\n")
    found = inputs._peaks_within(path, ["chr1:4000-10000"])
    # 5057 - 1057 is 4000, 5056 - 1057 outside; 8943 + 1057 is 10000, 8944 + 1057 outside
    assert found == "chr1\t4957\t5157\tpeak1\t0\t.\nchr1\t8843\t9043\tpeak2\t0\t.\n"


def test_genes_as_bed12(tmp_path):
    (tmp_path / "genes.tsv").write_text(
        "#NAME\tCHROM\tSTRAND\tTX_START\tTX_END\tEXON_START\tEXON_END\tsplit\twindow\n"
        "ABC\tX\t-\t100\t900\t100,700,\t250,900,\ttrain\tchrX:0-1000\n"
    )
    assert inputs._genes(tmp_path / "genes.tsv") == "chrX\t100\t900\tABC\t0\t-\t100\t900\t0\t2\t150,200\t0,600\n"


def test_promoters_are_upstream_on_both_strands(tmp_path):
    source = tmp_path / "data" / "d09_yeast"
    source.mkdir(parents=True)
    (source / "sacCer3.fa.gz").write_bytes(gzip.compress(b">chrI\n" + b"ACGT" * 1000 + b"\n>chrM\nACGT\n"))
    (source / "genes.bed.gz").write_bytes(
        gzip.compress(
            b"chrI\t2000\t2500\tY1|AAA1\t0\t+\nchrI\t1500\t1900\tY2|BBB2\t0\t-\n"
            b"chrI\t3500\t3900\tY3\t0\t+\nchrM\t2000\t2500\tY4\t0\t+\n"
        )
    )
    made = inputs.yeast_inputs(tmp_path, tmp_path / "data")
    # the third is too near to the chromosome's end for the model's window, the fourth is no nuclear gene
    assert sorted(made.regions.read_text().splitlines()) == [
        "chrI\t1600\t2100\tAAA1\t0\t+",
        "chrI\t1800\t2300\tBBB2\t0\t-",
    ]
    before = made.regions.stat().st_mtime_ns
    inputs.yeast_inputs(tmp_path, tmp_path / "data")
    assert made.regions.stat().st_mtime_ns == before  # a new file would make --resume start anew


@pytest.mark.browser
def test_a_picture_holds_what_was_asked_for_and_no_more(tmp_path, found_page):
    from PIL import Image

    path = pictures.take(found_page, pictures.Picture("t.png", "table", rows=1, width=1200), tmp_path)
    whole = pictures.take(found_page, pictures.Picture("w.png", "table", rows=3, width=1200), tmp_path)
    with Image.open(path) as one, Image.open(whole) as three:
        assert one.width == three.width == 1200
        assert three.height == pytest.approx(one.height + 200, abs=12)  # two more rows of 100 px and their borders
    assert path.stat().st_size < 60_000


@pytest.fixture
def found_page(tmp_path):
    """A page with a table of three rows."""
    rows = "".join(f'<tr data-name="m{i}"><th><a href="#p{i}">+{i}</a></th></tr>' for i in range(3))
    path = tmp_path / "page.html"
    path.write_text(
        "<!doctype html><style>tr{height:100px}[hidden]{display:none!important}</style><body>"
        '<nav>n</nav><main id="main"><header id="top">h</header><section id="patterns"><h2>p</h2><div class="bar">tools'
        f'</div><div><table id="motifs"><tbody>{rows}</tbody></table></div></section></main></body>'
    )
    return path
