"""Dataloaders of Kipoi that are not replaced here: a folder's own, and the others of kipoiseq.

They run through kipoi's own classes, in this process, once their source is trusted.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cards.kipoi import LoaderDescription, ModelDescription
from zoo.cards.kipoi_layout import GENOMES, INTERVALS, KINDS
from zoo.errors import ModelError, UsageError
from zoo.models.entry import unknown_setting
from zoo.models.files import here
from zoo.models.foreign_python import blame, import_object, python_file, require_kipoi, require_trust
from zoo.store.remote import RemoteFile, file_name

__all__ = ["ForeignLoader", "example_values", "load_foreign_loader", "loader_values", "local_value"]

# kipoi.data.DATALOADERS_AS_FUNCTIONS: a function that returns everything, samples or batches.
AS_FUNCTIONS = ("PreloadedDataset", "SampleGenerator", "BatchGenerator")


@dataclass(frozen=True)
class ForeignLoader:
    """A dataloader class of kipoi, ready to be made.

    Attributes:
        make: the class; takes the arguments by name.
        defined_as: as the YAML names it.
        names: its arguments, in order.
        required: those without a default.
        defaults: values of the YAML; files as absolute paths.
    """

    make: Any
    defined_as: str
    names: tuple[str, ...]
    required: tuple[str, ...]
    defaults: dict[str, Any]

    def batches(self, values: Mapping[str, Any], batch_size: int) -> tuple[int | None, Iterator[Any]]:
        """Number of samples, where the loader knows it, and batches with ``inputs`` and perhaps ``metadata``."""
        with blame(f"the dataloader {self.defined_as}"):
            loader = self.make(**values)
            total = len(loader) if hasattr(type(loader), "__len__") and self._counts_samples(loader) else None
            return total, self._iterate(loader, batch_size)

    def _iterate(self, loader: Any, batch_size: int) -> Iterator[Any]:
        with blame(f"the dataloader {self.defined_as}"):
            batches = loader.batch_iter(batch_size=batch_size)
        while True:
            with blame(f"the dataloader {self.defined_as}"):
                try:
                    batch = next(batches)
                except StopIteration:
                    return
            if not isinstance(batch, Mapping) or "inputs" not in batch:
                raise ModelError(
                    f"the dataloader {self.defined_as} gave a batch without `inputs`", "", "Fix: tell its authors"
                )
            yield batch

    @staticmethod
    def _counts_samples(loader: Any) -> bool:
        data = importlib.import_module("kipoi.data")
        return isinstance(loader, data.Dataset | data.PreloadedDataset)


def load_foreign_loader(model: ModelDescription, trusted: bool) -> ForeignLoader:
    """Import a model's dataloader.

    Raises:
        TrustError: its Python is not trusted. SystemStateError: kipoi or a package of it is missing.
        ModelError: its Python failed, or it is no dataloader.
    """
    description = model.loader
    folder = description.folder or model.folder
    source, _ = python_file(description.defined_as, folder)
    # Also for kipoiseq's own classes: they evaluate arguments (dtypes, filters) that the folder gives.
    require_trust(source or description.path or model.document.path, trusted, model.component)
    require_kipoi(f"the dataloader {description.defined_as}")
    logging.getLogger("kipoi").setLevel(logging.ERROR)
    found = import_object(description.defined_as, folder, str(description.path or model.document.path))
    make = _as_class(found, description)
    names, required = _signature(found, description)
    defaults = {
        name: local_value(value, folder, model)
        for name, value in {**_class_defaults(make), **description.args}.items()
        if name in names
    }
    return ForeignLoader(make, description.defined_as, names, required, defaults)


def _as_class(found: Any, description: LoaderDescription) -> Any:
    data = importlib.import_module("kipoi.data")
    if inspect.isfunction(found):
        if description.type not in AS_FUNCTIONS:
            raise ModelError(
                f"{description.path}: {description.defined_as} is a function, so that its type must be said",
                f"it is {description.type}",
                f"Fix: type: one of {', '.join(AS_FUNCTIONS)}",
            )
        # A class of its own: from_fn writes into the class.
        return type(found.__name__, (getattr(data, description.type),), {}).from_fn(found)
    if not inspect.isclass(found) or not issubclass(found, data.BaseDataLoader):
        raise ModelError(
            f"{description.path}: {description.defined_as} is no dataloader of kipoi",
            "",
            "Fix: inherit from kipoi.data.Dataset or one of its like",
        )
    return found


def _signature(found: Any, description: LoaderDescription) -> tuple[tuple[str, ...], tuple[str, ...]]:
    target = found if inspect.isfunction(found) else found.__init__
    parameters = [one for one in inspect.signature(target).parameters.values() if one.name != "self"]
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    names = [one.name for one in named]
    if len(named) < len(parameters):  # **kwargs: the YAML says what else it takes
        names += [name for name in description.arguments or {} if name not in names]
    return tuple(names), tuple(one.name for one in named if one.default is one.empty)


def _class_defaults(make: Any) -> dict[str, Any]:
    """Files that a decorated class of a package names as default: kipoi fetches them."""
    described = getattr(make, "args", None) or {}
    defaults = {name: getattr(one, "default", None) for name, one in described.items()}
    return {
        name: {"url": value.url, "md5": value.md5}
        for name, value in defaults.items()
        if type(value).__name__ == "RemoteFile"
    }


def local_value(value: Any, folder: Path, model: ModelDescription) -> Any:
    """A default as the class takes it: files are fetched, or made absolute where they are in the folder."""
    if isinstance(value, Mapping) and isinstance(value.get("url"), str):
        md5 = str(value.get("md5") or "").lower()
        if not md5:
            raise ModelError(f"{value['url']} has no checksum", "", "Fix: add `md5:`; nothing is fetched unchecked")
        name = os.path.basename(str(value.get("name") or "")) or file_name(value["url"])
        return str(here(model, RemoteFile(name, (value["url"],), md5=md5)))
    if isinstance(value, str) and value and (folder / value).exists():
        return str((folder / value).resolve())
    return value


def loader_values(
    loader: ForeignLoader, regions: str | None, genome: str | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """All arguments of a dataloader: its defaults, then regions and genome where they belong, then ``--set``.

    Args:
        regions: goes to the argument for intervals; a VCF, GTF or FASTA to the one for such; else to the
            first required one.
        genome: goes to the argument for a FASTA.

    Raises:
        UsageError: an unknown name (with near names), a missing one, or no place for regions or genome.
    """
    if unknown := [name for name in settings if name not in loader.names]:
        raise unknown_setting(unknown[0], loader.names)
    values = loader.defaults | dict(settings)
    places = list(loader.names)
    if genome is not None:
        place = next((name for name in GENOMES if name in places), None)
        if place is None:
            raise _no_place("-g", genome, loader)
        if place not in settings:
            values[place] = str(genome)
        places.remove(place)
    if regions is not None:
        place = _place_of_regions(regions, loader, places)
        if place is None:
            raise _no_place("REGIONS", regions, loader)
        if place not in settings:
            values[place] = str(regions)
    if missing := [name for name in loader.required if name not in values]:
        raise UsageError(
            f"the dataloader {loader.defined_as} needs {', '.join(missing)}",
            f"its arguments: {', '.join(loader.names)}",
            f"Fix: add {' '.join(f'--set {name}=VALUE' for name in missing)}",
        )
    return values


def example_values(loader: ForeignLoader, model: ModelDescription) -> dict[str, Any]:
    """The arguments of the dataloader's example; remote files are fetched.

    Raises:
        ModelError: a required argument has no example.
    """
    folder = model.loader.folder or model.folder
    examples = {name: value for name, value in model.loader.examples.items() if name in loader.names}
    given = {name: local_value(value, folder, model) for name, value in examples.items()}
    values = loader.defaults | given
    if missing := [name for name in loader.required if name not in values]:
        raise ModelError(
            f"{model.loader.path}: the dataloader has no example",
            f"`example` is missing for {', '.join(missing)}",
            "Fix: add `example:` below each argument",
        )
    return values


def _place_of_regions(regions: str, loader: ForeignLoader, names: list[str]) -> str | None:
    lower = regions.lower().removesuffix(".gz").removesuffix(".bgz")
    for part in KINDS.get(os.path.splitext(lower)[1], ()):
        if found := [name for name in names if part in name.lower()]:
            return found[0]
    if found := [name for name in INTERVALS if name in names]:
        return found[0]
    needed = [name for name in loader.required if name in names and name not in loader.defaults]
    return needed[0] if needed else None


def _no_place(what: str, value: str, loader: ForeignLoader) -> UsageError:
    return UsageError(
        f"{what} {value}: the dataloader {loader.defined_as} has no argument for it",
        f"its arguments: {', '.join(loader.names)}",
        "Fix: give its arguments by --set NAME=VALUE",
    )
