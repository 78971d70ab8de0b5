"""Genomes found by the name of their assembly: those of ``$ZOO_GENOMES``, then those that `zoo genome add` kept.

This is the one rule: whoever opens a genome that was not given as a file asks ``find_genome``. Kept genomes lie in
``ZOO_CACHE/assemblies/<assembly>/``: the FASTA as bgzip, its two indexes, and ``source.json``, which says where it is
from and what of it was checked.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import InputError, UsageError
from zoo.files import cache_folder
from zoo.genome.assembly import Assembly, known_assemblies, load_assembly
from zoo.paths import given_path
from zoo.words import did_you_mean

__all__ = [
    "KeptGenome",
    "find_genome",
    "folder_of",
    "genome_file",
    "genome_name",
    "genome_path",
    "genomes",
    "kept_genome",
    "known_assembly",
    "looked_in",
    "own_folder_problem",
    "remove_genome",
]

SUFFIXES = (".fa", ".fasta", ".fa.gz", ".fasta.gz")
OWN = "$ZOO_GENOMES"


@dataclass(frozen=True)
class KeptGenome:
    """A genome that is found by name.

    Attributes:
        assembly: its name, as UCSC writes it.
        path: the FASTA.
        bytes: of the FASTA and, where we keep it, its indexes.
        used: when it was last looked up, seconds since 1970; of a file of the user's, when it was last written.
        source: where it came from: an address, a file, ``$ZOO_GENOMES``.
        record: the whole ``source.json``; empty for a file of the user's.
    """

    assembly: str
    path: Path
    bytes: int
    used: float
    source: str
    record: dict[str, Any]


#: Names of species, and the assemblies of each that are known: which one is meant, no name of a species tells.
SPECIES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("human", "homo sapiens"): ("hg38", "hg19", "hs1"),
    ("mouse", "mus musculus"): ("mm10", "mm39"),
    ("zebrafish", "fish", "danio rerio"): ("danRer11",),
    ("fly", "fruit fly", "drosophila", "drosophila melanogaster"): ("dm6",),
    ("worm", "nematode", "c. elegans", "caenorhabditis elegans"): ("ce11",),
    ("yeast", "budding yeast", "s. cerevisiae", "saccharomyces cerevisiae"): ("sacCer3",),
}


def known_assembly(name: str) -> Assembly:
    """The assembly of this name or synonym.

    Raises:
        UsageError: it is none of the table; names that a typo could have meant are given, and of a species its
            assemblies.
    """
    if (assembly := load_assembly(name)) is not None:
        return assembly
    plain = name.strip().lower().replace("_", " ")
    if of_it := next((those for species, those in SPECIES.items() if plain in species), None):
        raise UsageError(
            f"{name!r} is a species, and a genome is of one assembly",
            f"{'those of it that are' if len(of_it) > 1 else 'the one of it that is'} known: {', '.join(of_it)}",
            "Fix: name the one that your regions and the model's card (`zoo info MODEL`) have"
            if len(of_it) > 1
            else f"Fix: {of_it[0]} in its place",
        )
    hint = did_you_mean(name, _all_names())
    raise UsageError(
        f"no assembly {name!r} is known" + (f"; {hint}" if hint else ""),
        f"known are {', '.join(known_assemblies())}, and their names at NCBI and Ensembl",
        f"Fix: one of these; the FASTA of another one is given by its path, or put into {OWN} as <assembly>.fa",
    )


def _all_names() -> list[str]:
    loaded = [assembly for name in known_assemblies() if (assembly := load_assembly(name))]
    return [name for assembly in loaded for name in (assembly.name, *assembly.synonyms)]


# ---------------------------------------------------------------- where they lie


def folder_of(assembly: str) -> Path:
    """The folder of a kept genome, whether it is there or not."""
    return cache_folder() / "assemblies" / assembly


def _names_of(assembly: str) -> tuple[str, ...]:
    """The name as it was given, then every other name of the same assembly."""
    known = load_assembly(assembly)
    return tuple(dict.fromkeys([assembly, *((known.name, *known.synonyms) if known else ())]))


def find_genome(assembly: str) -> Path | None:
    """The FASTA of an assembly, by any of its names; None where there is none.

    ``$ZOO_GENOMES/<assembly>.fa`` (``.fasta``, either also ``.gz``) comes before one that `zoo genome add` kept.
    """
    if "/" in assembly:  # a name on a card, which is no way into other folders
        return None
    names = _names_of(assembly)
    if folder := os.environ.get("ZOO_GENOMES"):
        for name in names:
            for suffix in SUFFIXES:
                if (path := Path(folder) / f"{name}{suffix}").is_file():
                    return path
    for name in names:
        if (path := folder_of(name) / f"{name}.fa.gz").is_file():
            with contextlib.suppress(OSError):
                os.utime(path.parent / "source.json")  # its date tells when the genome was last used
            return path
    return None


def genome_name(path: Path) -> str | None:
    """The name by which a FASTA is found; None where it is another file than that."""
    name = next((path.name.removesuffix(suffix) for suffix in reversed(SUFFIXES) if path.name.endswith(suffix)), None)
    found = find_genome(name) if name else None
    return name if found is not None and found.resolve() == path.resolve() else None


def genome_path(name: str) -> Path:
    """The FASTA of an assembly that is found by name.

    Raises:
        UsageError: no such assembly is known, or its genome is not here.
    """
    if (path := find_genome(name)) is not None:
        return path
    assembly = known_assembly(name)
    raise UsageError(
        f"the genome of {assembly.name} is not here",
        f"looked in {looked_in()}",
        f"Fix: `zoo genome add {assembly.name}`, or give the path of its FASTA",
    )


def looked_in() -> str:
    """The places of genomes, for errors; a folder of the user's that is not there is told, it is no empty one."""
    own, kept = os.environ.get("ZOO_GENOMES"), folder_of("x").parent
    problem = own_folder_problem() if own else f"{OWN} is not set"
    return f"{kept}; {problem}" if problem else f"{own} ({OWN}) and {kept}"


def own_folder_problem() -> str:
    """What is wrong with ``$ZOO_GENOMES``; "" where it is not set, or a folder."""
    own = os.environ.get("ZOO_GENOMES")
    return "" if not own or Path(own).is_dir() else f"{OWN} is {own}, which is no folder"


def genome_file(given: str | Path) -> Path:
    """The FASTA that is meant: a path, or the genome of an assembly whose name was given and that no file has.

    Raises:
        UsageError: the name of an assembly whose genome is not here. InputError: a URL, a Git LFS pointer, or a name
            without a suffix that is neither a file nor an assembly.
    """
    path, text = given_path(given), str(given)
    if (path.exists() and not path.is_dir()) or path.name != text or path.suffix in (".fa", ".fasta", ".fna", ".gz"):
        return path
    if load_assembly(text) is not None:  # also where a folder has the name, which is no genome
        return genome_path(text)
    if path.is_dir():
        return path
    if hint := did_you_mean(text, _all_names()):
        raise InputError(
            f"{text}: no such genome file, and no assembly of this name; {hint}",
            "",
            "Fix: give the path of a FASTA, or the name of a genome of `zoo genome ls`",
        )
    return path


# ---------------------------------------------------------------- which there are


def genomes() -> list[KeptGenome]:
    """The genomes that are found by name: of each assembly the one that is taken, in the order of the table."""
    found = []
    for name in dict.fromkeys([*known_assemblies(), *_kept_names()]):
        if (path := find_genome(name)) is None:
            continue
        folder = folder_of(name)
        if path.parent == folder:
            found.append(_kept(name, path))
        else:
            stat = path.stat()
            found.append(KeptGenome(name, path, stat.st_size, stat.st_mtime, OWN, {}))
    return found


def kept_genome(path: Path) -> KeptGenome | None:
    """The kept genome whose FASTA this is; None where it is a file of the user's."""
    name = path.parent.name
    return _kept(name, path) if path == folder_of(name) / f"{name}.fa.gz" and path.is_file() else None


def _kept_names() -> list[str]:
    try:
        return sorted(path.name for path in folder_of("x").parent.iterdir() if (path / "source.json").is_file())
    except OSError:
        return []


def _kept(name: str, path: Path) -> KeptGenome:
    record_file = path.parent / "source.json"
    try:
        record, used = json.loads(record_file.read_text(encoding="utf-8")), record_file.stat().st_mtime
    except (OSError, ValueError):
        record, used = {}, path.stat().st_mtime
    size = sum(one.stat().st_size for one in path.parent.iterdir())
    return KeptGenome(name, path, size, used, record.get("source", "unknown"), record)


def remove_genome(name: str) -> KeptGenome:
    """Delete a kept genome; returns what it was.

    Raises:
        UsageError: none is kept under this name, or it is a file of the user's own.
    """
    assembly = known_assembly(name)
    folder = folder_of(assembly.name)
    path = folder / f"{assembly.name}.fa.gz"
    if path.is_file():
        kept = _kept(assembly.name, path)
        shutil.rmtree(folder)
        return kept
    own = find_genome(name)
    raise UsageError(
        f"no genome of {assembly.name} is kept in {folder.parent}",
        f"{own} is your own file, which is not touched" if own else "",
        "Fix: `zoo genome ls` lists those that are",
    )
