"""A track hub for the UCSC Genome Browser, with a session for IGV: a folder that a web server shows as it is.

DIR/hub.txt  genomes.txt             what UCSC's page "Track Hubs" is given the address of
DIR/<genome>/trackDb.txt  *.bw       a bigWig a track
DIR/igv_session.xml                  for IGV desktop and igv.js
DIR/seqzoo.json                      the tracks with their outputs and units; by it a hub of ours is known again
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from zoo.errors import UsageError
from zoo.outputs import OutputSpec
from zoo.results.whole import fresh_folder, put_folder
from zoo.words import counted
from zoo.writers.base import WriterContext
from zoo.writers.bigwig import BigWigWriter
from zoo.writers.hub_text import (
    HUB,
    MARK,
    HubFacts,
    HubTrack,
    email_of,
    genomes_txt,
    hub_txt,
    igv_session,
    labelled,
    track_db,
)

__all__ = ["TrackHubWriter", "refuse_foreign_files"]


class TrackHubWriter(BigWigWriter):
    """BigWigs as ``-o OUT.bw`` writes them, under UCSC's names of chromosomes, in a folder that gets its name whole."""

    store = HUB

    def __init__(self, context: WriterContext, facts: HubFacts) -> None:
        names = {chrom: facts.chroms.get(chrom, chrom) for chrom in context.chrom_sizes}
        sizes = {names[chrom]: size for chrom, size in context.chrom_sizes.items()}
        super().__init__(replace(context, chrom_sizes=sizes))
        self._codes = {chrom: self._codes[name] for chrom, name in names.items()}  # two names of one are one
        self.facts = facts
        self.finals = [context.out]

    def other_finals(self, outputs: tuple[OutputSpec, ...]) -> list[Path]:
        return []

    def check_finals(self, inputs: Iterable[str | Path | None] = ()) -> None:
        super().check_finals(inputs)
        refuse_foreign_files(self.context.out)

    def publish(self, made: list[Path]) -> list[Path]:
        folder, facts = self.partial / "hub", self.facts
        fresh_folder(folder)
        data = folder / facts.genome
        data.mkdir()
        outputs = self.context.outputs
        rows = [(output.name, track, output.units) for output in outputs for track in output.tracks]
        tracks = labelled(facts.model, rows, facts.strands, len(outputs) > 1)
        for i, (track, path) in enumerate(zip(tracks, made, strict=True)):
            low, high = _range(path)
            os.replace(path, data / track.file)
            tracks[i] = replace(track, low=low, high=high)
        (data / "trackDb.txt").write_text(track_db(tracks), encoding="utf-8")
        (folder / "hub.txt").write_text(
            hub_txt(facts.model, facts.version, email_of(self.context.out)), encoding="utf-8"
        )
        (folder / "genomes.txt").write_text(genomes_txt(facts.genome), encoding="utf-8")
        (folder / "igv_session.xml").write_text(igv_session(facts.genome, facts.locus, tracks), encoding="utf-8")
        (folder / MARK).write_text(_listing(folder, facts, tracks), encoding="utf-8")
        put_folder(folder, self.context.out, self.partial / "older")
        return [self.context.out]


def _range(path: Path) -> tuple[float, float]:
    """Least and largest value of a bigWig, by the summary in its header (pyBigWig gives them as whole numbers)."""
    with open(path, "rb") as file:
        file.seek(44)
        (summary_at,) = struct.unpack("<Q", file.read(8))
        file.seek(summary_at + 8)
        low, high = struct.unpack("<2d", file.read(16))
    return low, high


def _listing(folder: Path, facts: HubFacts, tracks: list[HubTrack]) -> str:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    listing = {
        "model": facts.model,
        "version": facts.version,
        "genome": facts.genome,
        "tracks": [
            {
                "name": track.name,
                "output": track.output,
                "track": track.track,
                "units": track.units,
                "strand": track.strand or None,
                "file": f"{facts.genome}/{track.file}",
            }
            for track in tracks
        ],
        "files": [*files, MARK],
    }
    return json.dumps(listing, indent=1, ensure_ascii=False) + "\n"


def refuse_foreign_files(folder: Path) -> None:
    """Refuse to replace a hub to which somebody has added files.

    Raises:
        UsageError: it holds files that it was not made with, or says no more which those are.
    """
    if not folder.is_dir():
        return
    try:
        own = set(json.loads((folder / MARK).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        own = set()
    held = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]
    others = sorted(set(held) - own)
    if others:
        raise UsageError(
            f"{folder}: the whole folder would be replaced, and {others[0]} was put there by somebody else",
            f"{counted(len(others), 'such file')}",
            "Fix: give another folder with --track-hub, or move what is yours",
        )
