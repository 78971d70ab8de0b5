"""What a file that is given as a genome is: a FASTA, plain, bgzip or gzip; else what it is in truth.

Only its first bytes are read. A file whose lines are wrong further down is refused when it is indexed
(``fasta_faults``).
"""

from __future__ import annotations

import codecs
import shlex
import zlib
from pathlib import Path

from zoo.errors import InputError
from zoo.paths import near_file
from zoo.words import counted

__all__ = ["compression_of", "is_bgzf"]

HEAD = 1 << 16
# Letters of amino acids that stand for no base, nor for several (IUPAC).
_PROTEIN = b"EFIJLOPQZ"
# More of them than this, of all letters: a protein has 35 %, and DNA none.
PROTEIN_SHARE = 0.05
PROTEIN_LEAST = 10

_FASTA = "Fix: give a genome FASTA with -g"
#: First bytes -> what the file is, and what to do.
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (codecs.BOM_UTF8, "begins with a byte order mark (BOM), as editors of Windows write it", "tail -c +4 {} > NEW.fa"),
    (codecs.BOM_UTF16_LE, "is UTF-16 text, not ASCII", "iconv -f UTF-16 -t UTF-8 {} > NEW.fa"),
    (codecs.BOM_UTF16_BE, "is UTF-16 text, not ASCII", "iconv -f UTF-16 -t UTF-8 {} > NEW.fa"),
    (b"\x43\x27\x41\x1a", "is a 2bit file", "twoBitToFa {} NEW.fa   (twoBitToFa is a program of UCSC)"),
    (b"\x1a\x41\x27\x43", "is a 2bit file", "twoBitToFa {} NEW.fa   (twoBitToFa is a program of UCSC)"),
    (b"@HD\t", "is a SAM file of reads", ""),
    (b"@SQ\t", "is a SAM file of reads", ""),
    (b"@", "is a FASTQ of reads", ""),
    (b"BAM\1", "is a BAM file of reads", ""),
    (b"CRAM", "is a CRAM file of reads", ""),
    (b"LOCUS ", "is a GenBank file", ""),
    (b"ID   ", "is an EMBL file", ""),
    (b"##fileformat=VCF", "is a VCF of variants", ""),
    (b"##gff", "is a GFF of genes", ""),
    (b"\x89HDF", "is an HDF5 file", ""),
    (b"BZh", "is compressed with bzip2", "bunzip2 -k {}, and give what it makes"),
    (b"\xfd7zXZ", "is compressed with xz", "unxz -k {}, and give what it makes"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", "unzstd {}, and give what it makes"),
    (b"PK\3\4", "is a zip archive", "unzip {}, and give the FASTA in it"),
    (b"<", "is a web page", "fetch the genome again"),
)


def compression_of(path: Path) -> str:
    """``plain``, ``bgzip`` or ``gzip``: how a FASTA is compressed.

    Raises:
        InputError: there is no such file, or it is no FASTA; the message says what it is, where that is known.
    """
    try:
        with path.open("rb") as handle:
            head = handle.read(HEAD)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such genome file", near_file(path), "Fix: give the path of a FASTA with -g"
        ) from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, not a FASTA", "", "Fix: give a FASTA file with -g") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "", "Fix: check the file's permissions") from None
    kind = "plain"
    if head[:2] == b"\x1f\x8b":
        kind = "bgzip" if is_bgzf(head) else "gzip"
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD)
        except zlib.error:
            raise InputError(
                f"{path}: begins as gzip, and is damaged", "no window can be read", "Fix: fetch the genome again"
            ) from None
    _refuse_other_content(path, head)
    return kind


def is_bgzf(head: bytes) -> bool:
    """Whether a block of BGZF begins here: gzip with an extra field "BC" (SAM specification, section 4.1)."""
    return len(head) >= 18 and head[:3] == b"\x1f\x8b\x08" and bool(head[3] & 4) and head[12:16] == b"BC\2\0"


def _refuse_other_content(path: Path, head: bytes) -> None:
    """Raise InputError where the first bytes of the content are not those of a FASTA of bases."""
    quoted = shlex.quote(str(path))
    if not head.strip():
        raise InputError(
            f"{path}: is not a FASTA (it is empty)", "no window can be read", "Fix: fetch the genome again"
        )
    for start, what, fix in _STARTS:
        if head.startswith(start):
            raise InputError(
                f"{path}: {what}" + ("" if "FASTA" in what else "; it is not a FASTA as it is"),
                "no window can be read",
                f"Fix: {fix.format(quoted)}" if fix else _FASTA,
            )
    if head[257:262] == b"ustar":
        raise InputError(
            f"{path}: is a tar archive, not a FASTA",
            "no window can be read",
            f"Fix: tar -xf {quoted}, and give a FASTA of it (cat joins those of several chromosomes)",
        )
    if not head.lstrip().startswith(b">"):
        raise InputError(
            f"{path}: is not a FASTA (its first character is not '>')",
            "no window can be read",
            _FASTA,
        )
    if b"\r" in head and b"\n" not in head:
        raise InputError(
            f"{path}: its lines end with CR alone, as on an old Macintosh",
            "no window can be read",
            f"Fix: tr '\\r' '\\n' < {quoted} > NEW.fa",
        )
    _refuse_protein(path, head)


def _refuse_protein(path: Path, head: bytes) -> None:
    letters = b"".join(line for line in head.split(b"\n") if not line.startswith(b">")).upper()
    amino = sum(letters.count(letter) for letter in _PROTEIN)
    if amino >= PROTEIN_LEAST and amino > PROTEIN_SHARE * len(letters):
        raise InputError(
            f"{path}: holds proteins (or other text), not bases",
            f"{amino:,} of its first {counted(len(letters), 'letter')} are among {', '.join(_PROTEIN.decode())}",
            _FASTA,
        )
