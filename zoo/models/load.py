"""``load_model``: a registry name, an entry or Kipoi folder, or a gReLU checkpoint -> LoadedModel."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.cards.kipoi import ModelDescription, component_file, read_model
from zoo.cards.kipoi_groups import find_group
from zoo.cards.tracks_file import read_names, read_tracks
from zoo.errors import FetchError, ModelError
from zoo.store.cache import Cache, argument_path, blob_sha256
from zoo.store.checksums import sha256_of, verify
from zoo.store.hub import fetch_model, is_hub_name
from zoo.store.registry import entries, entries_folder, find_entry
from zoo.store.remote import remote_files
from zoo.store.sources import refuse_pointers, sources
from zoo.store.transfer import current_listener
from zoo.writers.base import OutputSpec

if TYPE_CHECKING:
    from zoo.cards.schema import Card, Output
    from zoo.models.array_model import ArrayModel
    from zoo.models.loaded import LoadedModel
    from zoo.models.sequence_loader import SequenceLoader

__all__ = ["Entry", "load_entry", "load_model", "open_entry"]

GRELU = "grelu.lightning.LightningModel"
FRAMEWORKS = {"kipoi.model.PyTorchModel": "pytorch", "kipoi.model.KerasModel": "keras"}
# Everything else that Kipoi defines runs through kipoi's own classes.
READERS = {"pytorch": "pytorch_folder", "keras": "keras_folder", "kipoi": "kipoi_native"}


@dataclass(frozen=True)
class Entry:
    """A model before its code is imported: enough to check regions and genome against.

    Attributes:
        name: what the user asked for.
        path: entry folder, or checkpoint file.
        trusted: whether Python of the folder may run.
        description: ``model.yaml``, or None for a checkpoint.
        card: the card, or None where there is none.
    """

    name: str
    path: Path
    trusted: bool
    description: ModelDescription | None
    card: Card | None


def load_model(name: str | Path, *, trust: bool = False) -> LoadedModel | ArrayModel:
    """Load a model by registry name (``name`` or ``name@version``) or path.

    A model of a Kipoi folder whose dataloader is its own (not kipoiseq's reader of sequence) comes as an
    ``ArrayModel``: it predicts from the arrays that its dataloader makes.

    Args:
        name: registry name, path of a folder with ``model.yaml`` or of a gReLU ``.ckpt``, or ``hf://org/repo``.
        trust: allow Python files of a folder that is not bundled with this package.

    Raises:
        ModelError: unknown name, broken folder, card or weights. FetchError: a checksum differs.
    """
    from zoo.models.sequence_loader import is_replaced

    entry = open_entry(name, trust=trust)
    if entry.description is not None and not is_replaced(entry.description.loader):
        from zoo.models.array_model import ArrayModel

        return ArrayModel.load(entry)
    return load_entry(entry)


def open_entry(name: str | Path, *, trust: bool = False) -> Entry:
    """Find and read an entry's YAML without importing torch or its Python."""
    path = Path(name)
    if is_hub_name(name):
        found = fetch_model(str(name))
        return replace(open_entry(found.path, trust=trust), name=found.pinned)
    if path.is_file() and path.suffix == ".ckpt":
        return Entry(str(name), path, trust, None, None)
    if path.is_file() and path.name in ("model.yaml", "model.yml"):
        path = path.parent
    if path.is_dir():
        return _open_folder(str(name), path, trust or _is_bundled(path))
    if path.is_file() and str(name) not in {one["name"] for one in entries()}:
        raise _no_model(path)
    if path.suffix == ".ckpt" or str(name).startswith((".", "/", "~")) or find_group(path, "model"):
        return _open_member(str(name), path, trust)
    folder, record = find_entry(str(name))
    source = sources().get(record.get("source"))
    return _open_folder(str(name), folder, trust or source is None or source.trusted)


def _open_folder(name: str, folder: Path, trusted: bool) -> Entry:
    if folder.is_dir() and component_file(folder, "model") is None and component_file(folder, "model-template") is None:
        raise ModelError(f"{folder}: no model.yaml in this folder", "", "Fix: give the folder that holds model.yaml")
    return Entry(name, folder, trusted, read_model(folder), _card_of(folder))


def _open_member(name: str, path: Path, trust: bool) -> Entry:
    """A model of a group by its path: the group's folder, then the name in models.tsv; there is no such folder."""
    if find_group(path, "model") is None:
        raise ModelError(f"{name}: no such model folder or checkpoint", "", "Fix: check the path, or see `zoo list`")
    return _open_folder(name, path, trust or _is_bundled(path))


def _no_model(path: Path) -> ModelError:
    """The error for a file that is there: weights alone, or something else."""
    fix = f"give a folder whose model.yaml names {path.name} among its args"
    if path.suffix in (".pt", ".pth", ".torch", ".pkl", ".pickle", ".joblib"):
        fix += f"; of a whole module or a linear model `zoo convert {path} -o weights.pth` takes the tensors"
    what = f"{path}: is a file, and no gReLU checkpoint (.ckpt)"
    return ModelError(what, "weights alone do not say what the model is", f"Fix: {fix}")


def _is_bundled(folder: Path) -> bool:
    return entries_folder().resolve() in folder.resolve().parents


def _card_of(folder: Path) -> Card | None:
    """The card; a Kipoi folder's README without front matter is not one."""
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if not text.startswith("---") or (not _is_bundled(folder) and "schema_version" not in text):
        return None  # front matter of other kinds (Hugging Face, web pages) is no card
    from zoo.cards.read import read_card  # pydantic: 0.1 s that a bare Kipoi folder does not need

    return read_card(path).card


def load_entry(entry: Entry) -> LoadedModel:
    """Verify checksums, build the module and name its outputs."""
    if entry.description is None:
        from zoo.models.grelu_checkpoint import load_checkpoint

        loaded = load_checkpoint(entry.path, entry.name)
        loaded.hashes[entry.path.name] = sha256_of(entry.path)
        return loaded
    if entry.description.defined_as == GRELU:
        return _load_grelu(entry, entry.description)
    return _load_folder(entry, entry.description)


def _load_grelu(entry: Entry, description: ModelDescription) -> LoadedModel:
    """An entry whose ``args.checkpoint`` is a gReLU checkpoint, here or elsewhere; the file names its own tracks."""
    from zoo.models.grelu_checkpoint import load_checkpoint

    path = argument_path(description, "checkpoint")
    hashes = _verify_files(entry, (path,))
    loaded = load_checkpoint(path, entry.name)
    if entry.card is not None and entry.card.input.length != loaded.length:
        raise ModelError(
            f"{path}: the checkpoint sees {loaded.length:,} bp",
            f"the card says {entry.card.input.length:,}",
            "Fix: correct input.length of the card",
        )
    loaded.hashes, loaded.card, loaded.folder = hashes, entry.card, entry.path
    return loaded


def framework_of(description: ModelDescription) -> tuple[str, ModuleType]:
    """``pytorch``, ``keras`` or ``kipoi``, and the module with ``files_used`` and ``build_module`` for it."""
    framework = FRAMEWORKS.get(description.defined_as, "kipoi")
    return framework, importlib.import_module(f"zoo.models.{READERS[framework]}")


def _load_folder(entry: Entry, description: ModelDescription) -> LoadedModel:
    from zoo.models.loaded import LoadedModel
    from zoo.models.sequence_loader import loader_from_kipoi

    framework, reader = framework_of(description)
    used = reader.files_used(description, entry.trusted)
    refuse_pointers(used)
    hashes = _verify_files(entry, used)
    loader = loader_from_kipoi(description.loader, description)
    if entry.card is not None and entry.card.input.length != loader.length:
        raise description.document.error(
            ("default_dataloader",),
            f"the dataloader makes {loader.length} bp, the card says {entry.card.input.length}",
            "let auto_resize_len and input.length agree",
        )
    module = reader.build_module(description, entry.trusted)
    result = _probe(entry, module, loader)
    outputs = _card_outputs(entry, result, loader) if entry.card else _schema_outputs(description)
    loaded = LoadedModel(
        name=entry.name,
        module=module,
        loader=loader,
        outputs=outputs,
        card=entry.card,
        folder=entry.path,
        places_bins=entry.card is not None or all(spec.kind == "scalar" for spec in outputs),
        strand_pairs=_strand_pairs(entry.card, outputs),
        hashes=hashes,
        info={"framework": framework, "version": entry.card.version if entry.card else None},
    )
    loaded.named(result)  # refuses outputs of another shape than described, before any region is read
    return loaded


def _verify_files(entry: Entry, used: tuple[Path, ...]) -> dict[str, str]:
    """Check the files that will be used against the card; return their sha256."""
    recorded = {item.path: item.sha256 for item in entry.card.files if item.sha256} if entry.card else {}
    hashes = {}
    for path in used:
        if fetched := blob_sha256(path):
            hashes[path.name] = fetched  # verified by the cache
            continue
        name = os.path.relpath(path, entry.path)
        if name in recorded:
            verify(path, recorded[name])
        hashes[name] = recorded.get(name) or sha256_of(path)
    return hashes


def _card_outputs(entry: Entry, result: Any, loader: SequenceLoader) -> tuple[OutputSpec, ...]:
    """The card's outputs, with the number of bins that the module really returns."""
    from zoo.models.loaded import as_list

    shapes = [tuple(part.shape[1:]) for part in as_list(result, entry.card.outputs)]
    if len(shapes) != len(entry.card.outputs):
        raise ModelError(
            f"{entry.path}: the module returns {len(shapes)} output(s)",
            f"the card names {len(entry.card.outputs)}",
            "Fix: correct `outputs` of the card",
        )
    specs = []
    for output, shape in zip(entry.card.outputs, shapes, strict=True):
        bins = shape[-1] if output.kind == "profile" else 1
        specs.append(
            OutputSpec(
                output.name,
                output.kind,
                _track_names(entry, output),
                bins,
                output.bin_size,
                output.offset,
                output.units,
            )
        )
        if output.kind == "profile" and output.offset + bins * output.bin_size > loader.length:
            raise ModelError(
                f"{entry.path}: output {output.name!r} would end past the model's window",
                f"offset {output.offset} + {bins} bins x {output.bin_size} bp > {loader.length} bp",
                "Fix: correct bin_size or offset in the card",
            )
    return tuple(specs)


def _track_names(entry: Entry, output: Output) -> tuple[str, ...]:
    """Names of the card, fetched where they lie elsewhere; a model runs without them."""
    remote = remote_files(entry.description, entry.card).get(output.tracks_file or "")
    if remote is None:
        return read_tracks(entry.path, output)
    try:
        return read_names(Cache().get(remote, user=entry.path.resolve().name))
    except FetchError as error:
        current_listener().note(f"{error.what}: the tracks are numbered instead of named")
        return read_tracks(entry.path, output)


def _probe(entry: Entry, module: Any, loader: SequenceLoader) -> Any:
    """What the module returns for one window of zeros."""
    import torch

    from zoo.models.foreign_python import blame

    window = loader.arrange(torch.zeros(1, 4, loader.length)).to(getattr(torch, loader.dtype))
    what = f"{entry.path}: running the module on a window of {loader.length:,} bp"
    fix = "length and layout (alphabet_axis, dummy_axis) of the dataloader must be what the module takes"
    with blame(what, f"on an input of shape {tuple(window.shape)}", fix), torch.inference_mode():
        return module(window)


def _schema_outputs(description: ModelDescription) -> tuple[OutputSpec, ...]:
    """Outputs of a bare Kipoi folder, named by model.yaml's targets; where bins lie is not known."""
    specs = []
    for target in description.targets:
        shape = tuple(size for size in target.shape if size is not None) or (1,)
        labels = target.column_labels
        tracks = (
            labels
            if labels and len(labels) == shape[0]
            else tuple(f"{target.name}_{i}" if shape[0] > 1 else target.name for i in range(shape[0]))
        )
        kind = "profile" if len(shape) > 1 else "scalar"
        specs.append(OutputSpec(target.place, kind, tracks, int(np.prod(shape[1:]))))
    return tuple(specs)


def _strand_pairs(card: Card | None, outputs: tuple[OutputSpec, ...]) -> dict[str, np.ndarray]:
    """Permutations of stranded tracks under reverse complement."""
    pairs: dict[str, np.ndarray] = {}
    for output, spec in zip(card.outputs if card else (), outputs, strict=False):
        if isinstance(output.strand, str):  # unstranded, or sense
            continue
        order = np.arange(len(spec.tracks))
        for plus, minus in output.strand:
            if plus not in spec.tracks or minus not in spec.tracks:
                raise ModelError(
                    f"output {output.name!r}: strand pairs an unknown track",
                    f"{plus!r} and {minus!r}",
                    "Fix: use names of `tracks`",
                )
            a, b = spec.tracks.index(plus), spec.tracks.index(minus)
            order[a], order[b] = b, a
        pairs[spec.name] = order
    return pairs
