"""What a Kipoi dataloader says of its samples, as the rows that writers take."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import ModelError
from zoo.models.load import Entry
from zoo.tracks import TrackChoice
from zoo.writers.base import OutputSpec, PredictionBatch

__all__ = ["first_rows", "join_rows", "output_specs", "rows_of"]

COLUMNS = tuple(one.name for one in dataclasses.fields(PredictionBatch) if one.name != "values")


def output_specs(named: Mapping[str, np.ndarray], entry: Entry) -> tuple[OutputSpec, ...]:
    """The outputs as they came, with the labels of model.yaml where they fit."""
    targets = {target.place: target for target in entry.description.targets}
    specs = []
    for place, value in named.items():
        n = value.shape[1] if value.ndim > 1 else 1
        target = targets.get(place)
        given = target.column_labels or () if target else ()
        base = target.name if target else place.rpartition("/")[2]
        tracks = given if len(given) == n else (base,) if n == 1 else tuple(f"{base}_{i}" for i in range(n))
        kind = "profile" if value.ndim > 2 else "scalar"
        specs.append(OutputSpec(place, kind, tuple(tracks), int(np.prod(value.shape[2:], dtype=np.int64))))
    return tuple(specs)


def rows_of(metadata: Any, named: Mapping[str, np.ndarray], first: int, choice: TrackChoice) -> PredictionBatch:
    """A batch of the loader as rows: coordinates from its ranges, the name from its ids or other metadata."""
    n = len(next(iter(named.values())))
    if uneven := [place for place, value in named.items() if len(value) != n]:
        wrong = f"output {uneven[0]!r} has {len(named[uneven[0]])} rows, others {n}"
        raise ModelError(wrong, "", "Fix: tell the model's authors")
    ranges = _ranges(metadata) or {}
    start = _integers(ranges.get("start"), n)
    end = _integers(ranges.get("end"), n)
    strand = np.array([one if one in ("+", "-") else "." for one in _words(ranges.get("strand"), n)], dtype="<U1")
    values = {
        spec.name: named[spec.name].reshape(n, -1)
        if spec.kind == "scalar"
        else named[spec.name].reshape(n, named[spec.name].shape[1], -1)
        for spec in chosen_outputs(named, choice)
    }
    return PredictionBatch(
        region=np.arange(first, first + n),
        chrom=_words(ranges.get("chr"), n),
        start=start,
        end=end,
        name=_names(metadata, ranges, n),
        score=np.array(["."] * n, dtype=object),
        strand=strand,
        window_start=start,
        window_end=end,
        reverse=np.zeros(n, dtype=bool),
        values=choice.apply(values),
    )


def chosen_outputs(named: Mapping[str, np.ndarray], choice: TrackChoice) -> tuple[OutputSpec, ...]:
    """The chosen outputs; the model must give each of them in every batch.

    Raises:
        ModelError: one is absent.
    """
    if gone := [spec.name for spec in choice.outputs if spec.name not in named]:
        raise ModelError(f"output {gone[0]!r} is absent from a later batch", "", "Fix: tell the model's authors")
    return choice.outputs


def _ranges(metadata: Any) -> Mapping[str, Any] | None:
    """The first genomic ranges in the metadata: a mapping with chr, start and end."""
    if not isinstance(metadata, Mapping):
        return None
    if {"chr", "start", "end"} <= set(metadata):
        return metadata
    return next((found for value in metadata.values() if (found := _ranges(value))), None)


def _names(metadata: Any, ranges: Mapping[str, Any], n: int) -> np.ndarray:
    """Text metadata beside the ranges (gene, transcript, variant), joined by ``|``; else the ids of the ranges."""
    others = []
    if isinstance(metadata, Mapping) and metadata is not ranges:
        for key, value in metadata.items():
            array = np.asarray(value) if not isinstance(value, Mapping) else np.empty(0)
            if array.shape == (n,) and array.dtype.kind in "UOS" and "strand" not in str(key).lower():
                others.append(_words(value, n))
    if not others:
        return _words(ranges.get("id"), n)
    return np.array(["|".join(parts) for parts in zip(*others, strict=True)], dtype=object)


def _words(value: Any, n: int) -> np.ndarray:
    if value is None:
        return np.array(["."] * n, dtype=object)
    given = [value] * n if isinstance(value, str | bytes) or np.ndim(value) == 0 else list(value)
    texts = [one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in given]
    if len(texts) != n:
        wrong = f"the dataloader's metadata has {len(texts)} rows for {n} predictions"
        raise ModelError(wrong, "", "Fix: tell the model's authors")
    return np.array([text or "." for text in texts], dtype=object)


def _integers(value: Any, n: int) -> np.ndarray:
    """Positions; -1 where the loader gives none, as BEDTools marks an absent interval."""
    return np.broadcast_to(np.asarray(-1 if value is None else value, np.int64), (n,)).copy()


def first_rows(rows: PredictionBatch, n: int) -> PredictionBatch:
    """The first ``n`` rows."""
    columns = {name: getattr(rows, name)[:n] for name in COLUMNS}
    return PredictionBatch(**columns, values={name: value[:n] for name, value in rows.values.items()})


def join_rows(parts: Sequence[PredictionBatch]) -> PredictionBatch:
    """Batches one after the other."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
    return PredictionBatch(**columns, values=values)
