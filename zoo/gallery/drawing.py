"""What a model sees of a window and what of it it predicts: the crop at either side, and the bins, in bp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.cards.kipoi import ModelDescription
from zoo.gallery.collect import Item

__all__ = ["Span", "n_bins_of", "spans_of"]


@dataclass(frozen=True)
class Span:
    """An output on its window, in bp: ``before + n_bins * bin_size + after = length``.

    Numbers that nothing states are None, and so is all that hangs on them.
    """

    name: str
    kind: str
    length: int
    before: int | None
    bin_size: int | None
    n_bins: int | None
    after: int | None
    tracks: int | None
    units: str | None

    @property
    def covered(self) -> int | None:
        """bp of the window that are predicted."""
        return None if self.bin_size is None or self.n_bins is None else self.bin_size * self.n_bins

    @property
    def text(self) -> str:
        """The drawing in words."""
        tracks = "" if self.tracks is None else f" for {self.tracks:,} {'track' if self.tracks == 1 else 'tracks'}"
        if self.kind != "profile":
            return f"one value{tracks} for the whole window of {self.length:,} bp"
        if self.covered is None or self.before is None or self.after is None:
            bins = "bins" if self.n_bins is None else f"{self.n_bins:,} bins"
            return f"{bins}{tracks}; where they lie in the window of {self.length:,} bp is not stated"
        bins = f"{self.n_bins:,} {'bin' if self.n_bins == 1 else 'bins'} of {self.bin_size:,} bp"
        crop = f"{self.before:,} bp before and {self.after:,} bp after them are context"
        return f"{bins} ({self.covered:,} bp){tracks}; " + (crop if self.before or self.after else "no context is cut")


def spans_of(item: Item, record: Mapping[str, Any]) -> list[Span]:
    """The outputs of a model on its window; none where the length of the window is not stated."""
    length = record["input_length"]
    if not isinstance(length, int):
        return []
    return [_span(item.description, length, output) for output in record["outputs"]]


def _span(description: ModelDescription | None, length: int, output: Mapping[str, Any]) -> Span:
    n_bins, bin_size, before = n_bins_of(description, output), output["bin_size"], output["offset"]
    profile = output["kind"] == "profile"
    after = None
    if profile and None not in (n_bins, bin_size, before):
        after = length - before - n_bins * bin_size
        if after < 0:  # the card contradicts itself: `zoo check` says so, nothing is drawn
            before = after = None
    return Span(
        output["name"],
        output["kind"],
        length,
        before if profile else None,
        bin_size if profile else None,
        n_bins if profile else None,
        after,
        output.get("n_tracks") or len(output["tracks"]) or None,
        output.get("units"),
    )


def n_bins_of(description: ModelDescription | None, output: Mapping[str, Any]) -> int | None:
    """Bins of a profile: what its record says, or the axis of its target that is not that of the tracks."""
    if output["kind"] != "profile":
        return None
    if output.get("n_bins") is not None:
        return int(output["n_bins"])
    tracks = output.get("n_tracks") or len(output["tracks"])
    for target in description.targets if description is not None else ():
        single = len(description.targets) == 1
        if (single or output["name"] in (target.name, target.place)) and len(target.shape) == 2:
            sizes = list(target.shape)
            if tracks in sizes:
                sizes.remove(tracks)
                return sizes[0]
    return None
