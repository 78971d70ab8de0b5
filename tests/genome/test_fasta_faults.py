"""Files that are no FASTA, or a broken one: what they are answered with, and that the fix that is told works."""

from __future__ import annotations

import subprocess

import numpy as np
import pysam
import pytest

from zoo.errors import InputError
from zoo.genome.fasta import open_genome

LETTERS = "ACGTACGTACGTACGTACGTGGCC"
BLOCKS = b">chr1 x\nACGTACGTAC GTACGTACGT\nGGCC\n"

#: Content -> (line that is named, what is said, bases of chr1 after the fix that is told was typed).
BROKEN = {
    "blocks of ten": (BLOCKS, 2, "a blank stands among the bases of 'chr1' (column 11)", LETTERS),
    "blocks of ten on every line": (
        b">chr1\nACGTACGTAC GTACGTACGT\nGGCCGGCCGG CCGGCCGGCC\n",
        2,
        "a blank stands among",
        "ACGTACGTACGTACGTACGT" + "GGCC" * 5,
    ),
    "a blank on a later line": (b">chr1\nACGTACGTA\nACGT CGTA\nACG\n", 3, "(column 5)", "ACGTACGTAACGTCGTAACG"),
    "a blank on the last line": (b">chr1\nACGTACGTA\nAC GT\n", 3, "a blank stands", "ACGTACGTAACGT"),
    "a blank in the one line": (b">chr1\nACGT ACGT\n", 2, "a blank stands", "ACGTACGT"),
    "tabs": (b">chr1\nACGT\tACGT\nACG\tT\n", 2, "a tab stands", "ACGTACGTACGT"),
    "numbered as in GenBank": (b">chr1\n 1 acgt acgt\n 9 acgt\n", 2, "a blank stands", "acgtacgtacgt"),
    "a comment among bases": (b">chr1\n;note\nACGTACGT\nAC\n", 3, "line has 8 letters", "ACGTACGTAC"),
    "a CR on the last line alone": (b">chr1\nACGT\nACGT\r\n", 3, "1 blank or CR stands at the end", "ACGTACGT"),
    "CR within lines": (b">chr1\nACGT\rACGT\nAC\n", 2, "a carriage return (CR) stands", "ACGTACGTAC"),
    "a NUL among bases": (b">chr1\nACGT\0ACGT\nAC\n", 2, "a NUL stands", None),
    "a letter that is not ASCII": (b">chr1\nAC\xc3\x84GT\nACGT\n", 2, "the byte 195 stands", None),
    "a shorter line in the middle": (b">chr1\nACGTA\nAC\nACGTA\n", 3, "is shorter than the lines", "ACGTAACACGTA"),
    "a longer line": (b">chr1\nACGT\nACGTA\n", 3, "line has 5 letters", "ACGTACGTA"),
    "a blank line within": (b">chr1\nACGT\n\nACGT\n", 3, "is blank, and more bases of 'chr1' follow", "ACGTACGT"),
    "CRLF and LF mixed": (b">chr1\r\nACGT\r\nACGTA\nACG\r\n", 3, "line has 5 letters", "ACGTACGTAACG"),
    "CRLF and LF, as long as they should be": (
        b">chr1\r\nACGT\r\nACGTA\nAC T\r\nACGT\r\n",
        3,
        "line has 5 letters",
        "ACGTACGTAACTACGT",
    ),
    "a last record without bases": (b">chr1\nACGT\n>chr2\n", 3, "the last sequence, 'chr2', has no bases", "ACGT"),
    "two of them": (b">chr1\nACGT\n>chr2\n>chr3\n\n", 3, "the last sequence, 'chr3', has no bases", "ACGT"),
    "no bases at all": (b">chr1\n>chr2\n", 1, "its sequences have no bases", None),
    "no name": (b">\nACGT\n>chr1\nGG\n", 1, "the header has no name", None),
    "a name twice": (b">chr1\nACGT\n>chr1\nGG\n", 3, "two sequences are named 'chr1'", None),
    "a name of Latin-1": (b">chr1\nACGT\n>caf\xe9\nGG\n", 3, r"the name caf\xe9 is not UTF-8 text", "ACGT"),
    "a NUL in a name": (b">chr1\nACGT\n>a\0b\nGG\n", 3, r"the name 'a\x00b' holds a control", "ACGT"),
    "another control character in a name": (b">chr1\nACGT\n>a\x01b\nGG\n", 3, "holds a control character", "ACGT"),
    "names that are one up to a NUL": (b">chr1\nACGT\n>a\0b\nGG\n>a\0c\nGG\n", 3, "holds a control", "ACGT"),
}


def read(path, name="chr1"):
    genome = open_genome(path)
    number = genome.numbers(np.array([name], dtype=object))
    return bytes(genome.gather(number, np.array([0]), genome.sizes[name])[0]).decode()


def refusal(path):
    with pytest.raises(InputError) as caught:
        open_genome(path)
    assert caught.value.fix.startswith("Fix: ") and caught.value.extent
    assert caught.value.what.startswith(str(path))
    return caught.value


def typed(fix, folder):
    """Type a fix; what stands behind three blanks is no part of it."""
    subprocess.run(["bash", "-ec", fix.removeprefix("Fix: ").split("   (")[0]], cwd=folder, check=True)
    return folder / "NEW.fa"


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "bgzip"])
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_fasta_is_refused_with_its_line_and_a_fix_that_works(tmp_path, case, compressed):
    content, line, said, letters = BROKEN[case]
    folder = tmp_path / "a folder"
    folder.mkdir()
    path = folder / ("x.fa.gz" if compressed else "x.fa")
    if compressed:
        with pysam.BGZFile(str(path), "wb") as handle:
            handle.write(content)
    else:
        path.write_bytes(content)
    error = refusal(path)
    assert error.what.startswith(f"{path}:{line}: ") and said in error.what
    assert [one.name for one in folder.iterdir()] == [path.name], "no index is left"
    if letters:
        assert read(typed(error.fix, folder)) == letters


def test_an_index_of_samtools_does_not_hide_blanks(tmp_path):
    """samtools takes lines of two blocks for lines with a long end; its index is not believed."""
    path = tmp_path / "x.fa"
    path.write_bytes(BROKEN["blocks of ten on every line"][0])
    pysam.faidx(str(path))
    assert "a blank stands" in refusal(path).what


def test_an_index_of_another_tool_does_not_hide_a_repeated_name(tmp_path):
    """samtools leaves the second out, pyfaidx and seqkit keep it: either would answer for the other."""
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGT\n>a\nGGGG\n")
    (tmp_path / "x.fa.fai").write_text("a\t4\t3\t4\t5\na\t4\t11\t4\t5\n")
    assert refusal(path).what == f"{path}:3: two sequences are named 'a'"


def test_lines_that_are_wrong_in_one_way_are_counted(tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(b">a\nACGT ACGT\nACGT ACGT\n>b\nAC GT\nA\n")
    assert refusal(path).extent == "3 lines of bases hold a blank or another character that is no letter"


#: First bytes of other files -> what they are called.
OTHERS = {
    "byte order mark": (b"\xef\xbb\xbf>chr1\nACGT\n", "byte order mark (BOM)"),
    "UTF-16": (">chr1\nACGT\n".encode("utf-16"), "is UTF-16 text"),
    "CR alone": (b">chr1\rACGT\rAC\r", "end with CR alone"),
    "protein": (b">sp|P69905\nMVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSH\n", "holds proteins"),
    "FASTQ": (b"@r1\nACGT\n+\nIIII\n", "is a FASTQ of reads"),
    "SAM": (b"@HD\tVN:1.6\n", "is a SAM file"),
    "GenBank": (b"LOCUS       NC_000001  248956422 bp\n", "is a GenBank file"),
    "EMBL": (b"ID   X56734; SV 1; linear; mRNA;\n", "is an EMBL file"),
    "2bit": (bytes.fromhex("4327411a00000000"), "is a 2bit file"),
    "VCF": (b"##fileformat=VCFv4.2\n", "is a VCF"),
    "GFF": (b"##gff-version 3\n", "is a GFF"),
    "bzip2": (b"BZh91AY&SY", "compressed with bzip2"),
    "xz": (b"\xfd7zXZ\0", "compressed with xz"),
    "zstd": (b"\x28\xb5\x2f\xfd\0", "compressed with zstd"),
    "zip": (b"PK\3\4\x14", "is a zip archive"),
    "tar": (b"chr1.fa".ljust(257, b"\0") + b"ustar  \0".ljust(300, b"\0"), "is a tar archive"),
    "web page": (b"<!DOCTYPE html><title>404</title>", "is a web page"),
    "blank": (b"\n\n", "it is empty"),
    "bases alone": (b"ACGTACGT\n", "its first character is not '>'"),
}


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "bgzip"])
@pytest.mark.parametrize("case", OTHERS)
def test_what_is_no_fasta_is_called_by_its_name(tmp_path, case, compressed):
    content, said = OTHERS[case]
    path = tmp_path / ("x.gz" if compressed else "x")
    if compressed:
        with pysam.BGZFile(str(path), "wb") as handle:
            handle.write(content)
    else:
        path.write_bytes(content)
    assert said in refusal(path).what


@pytest.mark.parametrize("case", ["byte order mark", "UTF-16", "CR alone"])
def test_the_fix_of_another_encoding_works(tmp_path, case):
    path = tmp_path / "x y.fa"
    path.write_bytes(OTHERS[case][0])
    assert read(typed(refusal(path).fix, tmp_path)).startswith("ACGT")


# What is no fault


@pytest.mark.parametrize(
    ("content", "letters"),
    [
        (b">chr1\r\nACGT\r\nACGT\r\nA\r\n", "ACGTACGTA"),
        (b">chr1\r\nACGT\r\nACGT\r\nA", "ACGTACGTA"),
        (b"\n\n>chr1\nACGT\nAC\n\n", "ACGTAC"),
        (b">chr1\nACGT  \nACGT  \nAC\n", "ACGTACGTAC"),
        (b">chr1\nACGT\nAC  \n", "ACGTAC"),
        (b"> chr1 of somewhere\nACGT\n", "ACGT"),
        (b">chr1\tdescription \xe9\nACGT\n", "ACGT"),
        (b">empty\n>chr1\nACGT\n", "ACGT"),
        (b">chr1\nNNNNNNNNN\nNNNN\n", "NNNNNNNNNNNNN"),
        (b">chr1\nacgunnnnXX-*.?\n", "acgunnnnXX-*.?"),
    ],
    ids=["CRLF", "CRLF, no last", "blank lines around", "blanks at ends", "blanks at the last end", "a blank before",
         "tab behind", "an empty record before", "only N", "letters of all kinds"],
)  # fmt: skip
def test_layouts_that_are_read_as_they_are(tmp_path, content, letters):
    (tmp_path / "x.fa").write_bytes(content)
    with pysam.BGZFile(str(tmp_path / "x.fa.gz"), "wb") as handle:
        handle.write(content)
    assert read(tmp_path / "x.fa") == letters == read(tmp_path / "x.fa.gz")


NAMES = [
    "chrM",
    "chrm",
    "CHRM",
    "1",
    "HLA-A*01:01:01:01",
    "a|b;c=d",
    "Größe",
    "染色体1",
    "n" * 5000,
    ".",
    "'q\"",
    "a,b",
]


def test_names_are_taken_byte_by_byte(tmp_path):
    """Case tells names apart, and length is no matter."""
    text = "".join(f">{name} x\n{'ACGT'[i % 4] * (i + 1)}\n" for i, name in enumerate(NAMES))
    (tmp_path / "x.fa").write_text(text, encoding="utf-8")
    with pysam.BGZFile(str(tmp_path / "x.fa.gz"), "wb") as handle:
        handle.write(text.encode())
    for path in (tmp_path / "x.fa", tmp_path / "x.fa.gz"):
        assert list(open_genome(path).sizes.items()) == [(name, i + 1) for i, name in enumerate(NAMES)]
        assert [read(path, name) for name in NAMES] == ["ACGT"[i % 4] * (i + 1) for i in range(len(NAMES))]
