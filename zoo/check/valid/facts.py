"""Facts of card, model.yaml and dataloader.yaml: each in one place, and agreeing where Kipoi wants it in two."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from zoo.cards.card import read_tracks
from zoo.check.draft import Draft
from zoo.check.findings import Finding
from zoo.errors import ZooError
from zoo.models.sequence_loader import given_length

__all__ = ["check_facts"]


def check_facts(draft: Draft) -> Iterator[Finding]:
    """Lengths, shapes, tracks and strand pairs that contradict each other; sentences and versions that stand twice."""
    if draft.card is None:
        return
    yield from _name(draft)
    yield from _lengths(draft)
    yield from _tracks(draft)
    yield from _twice(draft)


def _name(draft: Draft) -> Iterator[Finding]:
    name = draft.card.name
    if not draft.members and name != draft.name:
        what = f"the card is called {name!r}, its folder {draft.name!r}"
        yield draft.finding("name", what, "let both be the same", draft.at("name"))


def _lengths(draft: Draft) -> Iterator[Finding]:
    if draft.description is None:
        return
    length, loader = draft.card.input.length, draft.description.loader
    given = given_length(loader.args, draft.description) if loader is not None else None
    if given is not None and given != length:
        what = f"input.length is {length:,}, and the dataloader makes {given:,} bp"
        yield draft.finding("length", what, "let auto_resize_len and input.length agree", draft.at("input", "length"))
    for array in draft.description.inputs:
        sizes = [size for size in array.shape if size not in (None, 1, 4)]
        if sizes and length not in sizes and array.special_type in ("DNASeq", None):
            what = f"input.length is {length:,}, and schema.inputs of model.yaml has shape {array.shape}"
            yield draft.finding("length", what, "let both agree", (draft.model, ("schema", "inputs")))


def _tracks(draft: Draft) -> Iterator[Finding]:
    targets = draft.description.targets if draft.description is not None else ()
    for i, output in enumerate(draft.card.outputs):
        try:
            names = read_tracks(draft.folder, output)
        except ZooError as error:
            if not any(one.path == output.tracks_file for one in draft.card.files):
                yield draft.finding("tracks", error.what, error.fix, draft.at("outputs", i, "tracks_file"))
            names = ()
        if isinstance(output.strand, list):
            yield from _pairs(draft, i, output.strand, names)
        span = draft.card.input.length - output.offset
        if output.kind == "profile" and span < output.bin_size:
            what = f"output {output.name!r} begins at {output.offset:,} of {draft.card.input.length:,} bp: no bin fits"
            yield draft.finding("bins", what, "correct offset or bin_size", draft.at("outputs", i, "offset"))
        if len(targets) == len(draft.card.outputs) and names:
            yield from _against_schema(draft, i, output, names, targets[i].shape)


def _pairs(draft: Draft, i: int, pairs: list[tuple[str, str]], names: tuple[str, ...]) -> Iterator[Finding]:
    at, seen = draft.at("outputs", i, "strand"), []
    for pair in pairs:
        unknown = [one for one in pair if names and one not in names]
        if unknown:
            yield draft.finding("strand", f"strand pairs an unknown track: {unknown[0]!r}", "use names of `tracks`", at)
        if pair[0] == pair[1] or any(one in seen for one in pair):
            what = f"the strand pair {pair[0]!r}, {pair[1]!r} names a track twice"
            yield draft.finding("strand", what, "a track has one partner, and is not its own", at)
        seen += pair


def _against_schema(draft: Draft, i: int, output: Any, names: tuple[str, ...], shape: tuple) -> Iterator[Finding]:
    """The shape of a Kipoi target has the number of tracks as an axis, unless there is one track or a free axis."""
    free = any(size is None for size in shape) or not shape
    if (
        free
        or len(names) in shape
        or shape == (1,)
        or (output.kind == "profile" and (len(names), len(shape)) == (1, 1))
    ):
        return
    what = f"output {output.name!r} has {len(names)} track(s), and schema.targets of model.yaml shape {tuple(shape)}"
    yield draft.finding("tracks", what, "name every track of the output, in order", draft.at("outputs", i, "tracks"))


def _twice(draft: Draft) -> Iterator[Finding]:
    """What both card and model.yaml say: the text of one in the other, and the version."""
    info = (draft.model.data.get("info") if draft.model is not None else None) or {}
    if not isinstance(info, dict):
        return
    if info.get("version") is not None and draft.has_own_weights:  # of published ones it is their authors' version
        said = str(info["version"])
        agrees = said == draft.card.version
        what = "the version stands in model.yaml and in the card"
        what += "" if agrees else f", and they differ: {said} and {draft.card.version}"
        fix = "leave `version` out of info of model.yaml: the card says it"
        place = (draft.model, ("info", "version"))
        yield draft.finding("twice", what, fix, place, severity="warning" if agrees else "error")
    if _plain(info.get("doc")) == _plain(draft.card.summary):
        what = "info.doc of model.yaml, which Kipoi shows, repeats the card's summary word for word"
        yield draft.finding("twice", what, "", (draft.model, ("info", "doc")), severity="note")


def _plain(text: Any) -> str:
    return re.sub(r"\W+", " ", str(text or "")).strip().lower()
