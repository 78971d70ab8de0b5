"""The outputs of a Kipoi model without a card: what `model.yaml` says of the arrays that the model gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from zoo.cards.kipoi import ModelDescription
from zoo.cards.kipoi_layout import TargetLayout, target_layout
from zoo.cards.kipoi_schema import ArraySchema
from zoo.outputs import OutputSpec

__all__ = ["described_outputs", "outputs_that_came"]

Outputs = tuple[tuple[OutputSpec, ...], tuple[str, ...]]


def described_outputs(description: ModelDescription, shapes: Sequence[tuple[int, ...]] | None) -> Outputs:
    """Outputs as model.yaml's targets describe them, and sentences on what it does not say.

    Args:
        shapes: of what the model gave for a window, in the order of the targets; None where their number differs.
    """
    if description.is_file and shapes is not None:
        return outputs_that_came(
            description, dict(zip([target.place for target in description.targets], shapes, strict=True))
        )
    given = shapes or [None] * len(description.targets)
    pairs = zip(description.targets, given, strict=True)
    layouts = [target_layout(target, description.framework, shape) for target, shape in pairs]
    places = [target.place for target in description.targets]
    return _specs(places, layouts)


def outputs_that_came(description: ModelDescription, shapes: dict[str, tuple[int, ...]]) -> Outputs:
    """Outputs by place with the shapes that they have, whatever the targets say of sizes."""
    targets = {target.place: target for target in description.targets}
    layouts = []
    for place, shape in shapes.items():
        target = targets.get(place) or ArraySchema(place.rpartition("/")[2], shape)
        pairs = zip(target.shape, shape, strict=False)
        as_described = len(target.shape) == len(shape) and all(known in (None, size) for known, size in pairs)
        read = target if as_described else dataclasses.replace(target, shape=shape)
        layouts.append(target_layout(read, description.framework, shape))
    return _specs(shapes, layouts)


def _specs(places: Iterable[str], layouts: Sequence[TargetLayout]) -> Outputs:
    specs = tuple(
        OutputSpec(
            place,
            layout.kind,
            layout.tracks,
            layout.n_bins or 1,
            placed=layout.kind == "scalar",
            axis=layout.axis,
        )
        for place, layout in zip(places, layouts, strict=True)
    )
    return specs, tuple(layout.assumed for layout in layouts if layout.assumed)
