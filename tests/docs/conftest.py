"""Path to the modules of these tests, and a reader's folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """The folder; tests copy what is small and share the genomes."""
    from reader import YEAST, write_genome, write_tables, write_tracks, write_variants

    folder = tmp_path_factory.mktemp("reader")
    genome = write_genome(folder / "sacCer3.fa", "sacCer3", YEAST)
    for assembly in ("hg38", "hg19"):
        write_genome(folder / f"{assembly}.fa", assembly, ("chrM",))
    write_tables(folder)
    write_variants(folder, genome)
    write_tracks(folder, genome)
    return folder


@pytest.fixture(scope="session")
def programs(zoo_program):
    """A folder with the ``zoo`` that the pages type."""
    return zoo_program.parent


@pytest.fixture
def folder(reader, tmp_path):
    """A reader's folder of the test's own, beside a home."""
    from blocks import ROOT

    (tmp_path / "home").mkdir()
    made = tmp_path / "seqzoo"
    shutil.copytree(reader, made, copy_function=link)
    for name in ("model_cards", "docs", "scripts"):
        (made / name).symlink_to(ROOT / name)
    return made


def link(source: str, target: str) -> None:
    """Genomes are linked, tables copied: nobody writes into a genome."""
    if source.endswith(".fa"):
        Path(target).symlink_to(source)
    else:
        shutil.copy2(source, target)
