"""BAM as tracks: which reads count, by hand and against the same fragments as text."""

from __future__ import annotations

import numpy as np
import pysam
import pytest

from finetune.config import TargetConfig
from finetune.data.tracks import open_track, source_of
from zoo.errors import InputError, UsageError

SIZES = {"chr1": 1000, "chr2": 500}
PROPER, FORWARD, REVERSE = 0x3, 0x20, 0x10


def record(header, name, flag, chrom, pos, length=20, mate=-1, template=0, cigar=None, mapq=0):
    one = pysam.AlignedSegment(header)
    one.query_name, one.flag, one.reference_id, one.reference_start = name, flag, chrom, pos
    one.mapping_quality, one.cigartuples = mapq, cigar or [(0, length)]
    one.query_sequence = "A" * sum(n for operation, n in one.cigartuples if operation in (0, 1, 4))
    one.next_reference_id, one.next_reference_start, one.template_length = (chrom if mate >= 0 else -1), mate, template
    return one


def pair(header, name, chrom, start, end, more=0, first_forward=True):
    left, right = (0x40, 0x80) if first_forward else (0x80, 0x40)
    yield record(header, name, PROPER | FORWARD | left | more, chrom, start, 20, end - 20, end - start)
    yield record(header, name, PROPER | REVERSE | right | more, chrom, end - 20, 20, start, start - end)


def bam(path, make, sizes=SIZES):
    header = pysam.AlignmentHeader.from_dict({"SQ": [{"SN": name, "LN": n} for name, n in sizes.items()]})
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for one in make(header):
            file.write(one)
    return path


def bins(path, sizes=SIZES, n=4, size=50, **more):
    source = source_of(TargetConfig(name="t", files=(str(path),), **{"reduce": "sum"} | more))
    with open_track(source, sizes) as track:
        return track.read(np.array(["chr1"], object), np.array([0]), n, size)[0].tolist()


def pairs(header):
    yield from pair(header, "a", 0, 10, 60)
    yield from pair(header, "b", 0, 20, 170, first_forward=False)
    yield from pair(header, "copy", 0, 20, 170, more=0x400)
    yield from pair(header, "bad", 0, 20, 170, more=0x200)
    yield from pair(header, "second", 0, 20, 170, more=0x100)
    yield from pair(header, "chimera", 0, 20, 170, more=0x800)
    yield record(header, "improper", 0x1 | FORWARD | 0x40, 0, 30, 20, 150, 140)
    yield record(header, "same way", PROPER | 0x40, 0, 30, 20, 150, 140)


def test_pairs_by_hand(tmp_path):
    path = bam(tmp_path / "a.bam", pairs)
    # Fragments 10-60 and 20-170: centres 35 and 95, cuts 14, 55, 24, 165.
    assert bins(path, read="centres") == [1, 1, 0, 0]
    assert bins(path, read="cuts") == [2, 1, 0, 1]
    assert bins(path, read="coverage") == [40 + 30, 10 + 50, 50, 20]
    assert bins(path, read="centres", length="50-149") == [1, 0, 0, 0]
    assert bins(path, read="centres", strand="-") == [0, 1, 0, 0]


def test_pairs_equal_the_same_fragments_as_text(tmp_path):
    random = np.random.default_rng(0)
    start = np.sort(random.integers(0, 700, 300))
    end = start + random.integers(30, 250, 300)
    path = bam(
        tmp_path / "a.bam",
        lambda header: (
            r for i, (s, e) in enumerate(zip(start, end, strict=True)) for r in pair(header, f"r{i}", 0, s, e)
        ),
    )
    text = tmp_path / "a.bed"
    text.write_text("".join(f"chr1\t{s}\t{e}\n" for s, e in zip(start, end, strict=True)))
    for read in ("centres", "cuts", "coverage"):
        assert bins(path, n=100, size=10, read=read, length="50-200") == bins(
            text, n=100, size=10, read=read, length="50-200"
        )


def test_single_reads_have_one_cut(tmp_path):
    path = bam(
        tmp_path / "a.bam", lambda h: [record(h, "f", 0, 0, 10, 20), record(h, "r", REVERSE, 0, 100, 30, mapq=60)]
    )
    assert bins(path, read="cuts", n=14, size=10) == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]  # 14 and 125
    assert bins(path, read="coverage") == [20, 0, 30, 0]
    assert bins(path, read="cuts", strand="-") == [0, 0, 1, 0]
    with pytest.raises(InputError, match="centres cannot be known"):
        bins(path, read="centres")
    with pytest.raises(InputError, match="length cannot be known"):
        bins(path, read="cuts", length="1-100")
    with pytest.raises(UsageError, match="`read` must say"):
        bins(path)


def test_bam_that_cannot_be_used(tmp_path):
    path = bam(tmp_path / "a.bam", pairs)
    with pytest.raises(InputError, match="another assembly"):
        bins(path, {"chr1": 1001, "chr2": 500}, read="cuts")
    with pytest.raises(InputError, match="another style") as error:
        bins(bam(tmp_path / "s.bam", pairs, {"1": 1000, "2": 500}), read="cuts")
    assert "samtools reheader" in error.value.fix and "s/SN:/SN:chr/" in error.value.fix
    with pytest.raises(InputError, match="no read that counts"):
        bins(bam(tmp_path / "e.bam", lambda header: []), read="cuts")
    with pytest.raises(InputError, match="mixes pairs and single"):
        bins(bam(tmp_path / "m.bam", lambda h: [*pair(h, "a", 0, 10, 60), record(h, "f", 0, 0, 10)]), read="cuts")
    spliced = bam(tmp_path / "n.bam", lambda h: [record(h, "f", 0, 0, 10, cigar=[(0, 10), (3, 200), (0, 10)])])
    with pytest.raises(InputError, match="spliced"):
        bins(spliced, read="coverage")
    path.write_bytes(path.read_bytes()[:-28])
    with pytest.raises(InputError, match="truncated"):
        bins(path, read="cuts")
