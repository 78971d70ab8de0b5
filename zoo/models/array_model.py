"""A model whose dataloader is its own, ready for arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.errors import ModelError
from zoo.models.entry import Entry
from zoo.models.foreign_python import blame
from zoo.models.kipoi_native import NativeModule, flat_result
from zoo.models.kipoi_outputs import outputs_that_came
from zoo.models.load import framework_of, verify_files
from zoo.models.loaded import SHOWN, pick_device
from zoo.notebook import card_html
from zoo.outputs import tracks_first
from zoo.paths import refuse_pointers

__all__ = ["ArrayModel"]


@dataclass(repr=False)
class ArrayModel:
    """A model that takes the arrays its own dataloader makes; it is no function of one-hot sequence alone.

    Attributes:
        entry: what was asked for.
        module: a torch module in eval mode, or a class of the folder behind ``predict_on_batch``.
        hashes: file name -> sha256 of what was loaded.
        device: where a torch module runs; a class of the folder decides itself.
    """

    entry: Entry
    module: Any
    hashes: dict[str, str]
    device: torch.device

    @classmethod
    def load(cls, entry: Entry, device: str = "auto") -> ArrayModel:
        """Load the model, not its dataloader.

        Raises:
            TrustError: Python or a pickle would run and is not trusted. ModelError, SystemStateError: see there.
        """
        _, reader = framework_of(entry.description)
        used = reader.files_used(entry.description, entry.trusted)
        refuse_pointers(used)
        hashes = verify_files(entry, used)
        where = pick_device(device)
        module = reader.build_module(entry.description, entry.trusted).to(where)
        return cls(entry, module, hashes, where)

    def __repr__(self) -> str:
        """Name, dataloader, and the inputs and outputs of model.yaml."""
        described = self.entry.description
        lines = [f"<{type(self).__name__} {self.name}", f"  its own dataloader {described.loader.defined_as}"]
        for kind, schemas in (("input", described.inputs), ("output", described.targets)):
            lines += [f"  {kind} {schema.place} {schema.shape}" for schema in schemas[:SHOWN]]
            lines += [f"  and {len(schemas) - SHOWN:,} more {kind}s"] if len(schemas) > SHOWN else []
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        described, card = self.entry.description, self.entry.card
        facts = [("", card.summary if card else ""), ("dataloader", f"its own, {described.loader.defined_as}")]
        rows = []
        for kind, schemas in (("input", described.inputs), ("output", described.targets)):
            rows += [(kind, schema.place, schema.shape) for schema in schemas[:SHOWN]]
            rows += [(f"and {len(schemas) - SHOWN:,} more {kind}s", "", "")] if len(schemas) > SHOWN else []
        return card_html(self.name, card.version if card else "", facts, ("", "name", "shape"), rows)

    @property
    def name(self) -> str:
        """Name or path the model was asked for by."""
        return self.entry.name

    @property
    def folder(self) -> Path:
        """The model's folder."""
        return self.entry.path

    def predict(self, inputs: Any) -> np.ndarray | dict[str, np.ndarray]:
        """Predict for the model's own inputs, all in one batch.

        Args:
            inputs: an array, or a list or dict of arrays as ``schema.inputs`` of model.yaml describes them; the
                first axis is the sample.

        Returns:
            The array of a lone output, else a dict of arrays by place (``a/0`` is the first of output ``a``): (N,),
            (N, tracks) or (N, tracks, bins), the tracks where ``column_labels`` of model.yaml say.

        Raises:
            ModelError: its Python failed on them, or an output is not numeric.
        """
        named = self.predict_named(inputs)
        specs, _ = outputs_that_came(self.entry.description, {place: one.shape[1:] for place, one in named.items()})
        named = {spec.name: tracks_first(named[spec.name], spec.axis) for spec in specs}
        return named if len(named) > 1 else next(iter(named.values()))

    def predict_named(self, inputs: Any) -> dict[str, np.ndarray]:
        """The model's own arrays, a lone output too by its name (the target's of model.yaml)."""
        with blame(f"{self.name}: predicting a batch"):
            if isinstance(self.module, NativeModule):
                result = self.module.predict_on_batch(inputs)
            else:
                keras = framework_of(self.entry.description)[0] == "keras"
                result = _call_torch(self.module, inputs, self.device, keras)
        named = flat_result(result)
        targets = self.entry.description.targets
        if list(named) == [""]:
            named = {targets[0].place if len(targets) == 1 else "preds": named[""]}
        return {place: _numbers(place, value) for place, value in named.items()}


def _numbers(place: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ModelError(f"output {place!r} is not numeric: {error}", "", "Fix: only numbers can be written") from None
    if array.ndim == 0:
        raise ModelError(f"output {place!r} is a single number for a batch", "", "Fix: one row a sample")
    return array


@torch.inference_mode()
def _call_torch(module: torch.nn.Module, inputs: Any, device: torch.device, keras: bool) -> Any:
    """Kipoi's PyTorchModel.predict_on_batch: a dict by keyword, a list by position, an array alone."""
    dtype = next((one.dtype for one in module.parameters() if one.is_floating_point()), torch.float32)

    def tensor(value: Any) -> torch.Tensor:
        made = torch.from_numpy(np.ascontiguousarray(value)).to(device)
        return made.to(dtype) if made.is_floating_point() else made

    if isinstance(inputs, Mapping):
        given = {name: tensor(value) for name, value in inputs.items()}
        # A converted Keras model knows its inputs by name; a torch module's names are those of its arguments.
        result = module(given) if keras else module(**given)
    elif isinstance(inputs, list | tuple):
        result = module(*(tensor(value) for value in inputs))
    else:
        result = module(tensor(inputs))
    return _to_numpy(result)


def _to_numpy(result: Any) -> Any:
    if isinstance(result, Mapping):
        return {name: _to_numpy(value) for name, value in result.items()}
    if isinstance(result, list | tuple):
        return [_to_numpy(value) for value in result]
    return result.detach().cpu().numpy()
