"""An entry to a model: checksums verified, the module built, its outputs named."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.cards.card import read_names, read_tracks
from zoo.cards.kipoi import ModelDescription
from zoo.errors import FetchError, ModelError
from zoo.files import sha256_of, verify
from zoo.models.files import argument_path, here, wheels_shared
from zoo.models.kipoi_outputs import described_outputs
from zoo.outputs import OutputSpec
from zoo.paths import refuse_pointers
from zoo.progress import current_listener
from zoo.store.cache import blob_sha256
from zoo.store.remote import remote_files
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.cards.schema import Card, Output
    from zoo.models.entry import Entry
    from zoo.models.loaded import LoadedModel
    from zoo.models.sequence_loader import SequenceLoader

__all__ = ["GRELU", "framework_of", "load_entry", "verify_files"]

GRELU = "grelu.lightning.LightningModel"
FRAMEWORKS = {"kipoi.model.PyTorchModel": "pytorch", "kipoi.model.KerasModel": "keras"}
# Everything else that Kipoi defines runs through kipoi's own classes.
READERS = {"pytorch": "pytorch", "keras": "keras_folder", "kipoi": "kipoi_native"}


def load_entry(entry: Entry) -> LoadedModel:
    """Verify checksums, build the module and name its outputs."""
    with wheels_shared():  # of which several files may be wanted
        return _load(entry)


def _load(entry: Entry) -> LoadedModel:
    if entry.description is None:
        from zoo.models.grelu import load_checkpoint

        hashes = verify_files(entry, (entry.path,))
        loaded = load_checkpoint(entry.path, entry.name)
        loaded.hashes = hashes
        return loaded
    if entry.description.defined_as == GRELU:
        return _load_grelu(entry, entry.description)
    return _load_folder(entry, entry.description)


def _load_grelu(entry: Entry, description: ModelDescription) -> LoadedModel:
    """An entry whose ``args.checkpoint`` is a gReLU checkpoint, here or elsewhere; the file names its own tracks."""
    from zoo.models.grelu import load_checkpoint

    path = argument_path(description, "checkpoint")
    hashes = verify_files(entry, (path,))
    loaded = load_checkpoint(path, entry.name)
    if entry.card is not None and entry.card.input.length != loaded.length:
        raise ModelError(
            f"{path}: the checkpoint sees {loaded.length:,} bp",
            f"the card says {entry.card.input.length:,}",
            "Fix: correct input.length of the card",
        )
    loaded.hashes, loaded.card, loaded.folder = hashes, entry.card, entry.path
    loaded.info |= {"version": entry.card.version if entry.card else None, **_licence(entry)}
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
    hashes = verify_files(entry, used)
    loader = loader_from_kipoi(description.loader, description)
    if entry.card is not None and entry.card.input.length != loader.length:
        raise description.document.error(
            ("default_dataloader",),
            f"the dataloader makes {loader.length} bp, the card says {entry.card.input.length}",
            "let auto_resize_len and input.length agree",
        )
    module = reader.build_module(description, entry.trusted)
    result = _probe(entry, module, loader)
    if entry.card:
        outputs, assumed = _card_outputs(entry, result, loader), ()
    else:
        outputs, assumed = _schema_outputs(description, result)
    loaded = LoadedModel(
        name=entry.name,
        module=module,
        loader=loader,
        outputs=outputs,
        card=entry.card,
        folder=entry.path,
        strand_pairs=_strand_pairs(entry.card, outputs),
        hashes=hashes,
        info={"framework": framework, "version": entry.card.version if entry.card else None, **_licence(entry)},
        notes=(*description.loader.notes, *assumed),
    )
    loaded.named(result)  # refuses outputs of another shape than described, before any region is read
    return loaded


def _licence(entry: Entry) -> dict[str, str]:
    """The licence of the weights, and what it forbids or asks for, for the run record."""
    licence = entry.description.info.get("license") if entry.description else None
    note = entry.card.licence_note if entry.card else None
    return ({"licence": str(licence)} if licence else {}) | ({"licence_note": note} if note else {})


def verify_files(entry: Entry, used: tuple[Path, ...]) -> dict[str, str]:
    """Check the files that will be used against the card; return their sha256.

    What was verified when it was fetched is not read again.

    Raises:
        FetchError: a file is not the one of the card.
    """
    recorded = {item.path: item.sha256 for item in entry.card.files if item.sha256} if entry.card else {}
    made = {item.path: item.tensors_sha256 for item in entry.card.files if item.tensors_sha256} if entry.card else {}
    hashes = {}
    for path in used:
        if cached := blob_sha256(path):
            hashes[path.name] = cached
            continue
        name = os.path.relpath(path, entry.folder)
        if name in made:
            _check_made(path, made[name])
        expected, known = recorded.get(name), entry.hashes.get(path.resolve())
        if expected and known != expected:
            verify(path, expected)
        hashes[name] = expected or known or sha256_of(path)
    return hashes


def _check_made(path: Path, expected: str) -> None:
    """Check a file of made tensors that lies in the entry's folder.

    Raises:
        FetchError: its tensors are not those of the card. ModelError: it is no safetensors.
    """
    from zoo.convert.readers import tensors_sha256
    from zoo.models.pytorch import load_tensors

    if (found := tensors_sha256(load_tensors(path))) != expected:
        raise FetchError(
            f"{path}: its tensors are not those of the card",
            f"tensors_sha256 {found} instead of {expected}",
            "Fix: remove the file; it is made again of what is published",
        )


def _card_outputs(entry: Entry, result: Any, loader: SequenceLoader) -> tuple[OutputSpec, ...]:
    """The card's outputs, with the number of bins that the module really returns."""
    from zoo.models.loaded import as_list

    shapes = [tuple(part.shape[1:]) for part in as_list(result, entry.card.outputs)]
    if len(shapes) != len(entry.card.outputs):
        raise ModelError(
            f"{entry.path}: the module returns {counted(len(shapes), 'output')}",
            f"the card names {len(entry.card.outputs)}",
            "Fix: correct `outputs` of the card",
        )
    specs = []
    for output, shape in zip(entry.card.outputs, shapes, strict=True):
        bins = shape[-1] if output.kind == "profile" and shape else 1  # `named` tells of an output without axes
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
        return read_tracks(entry.folder, output)
    try:
        return read_names(here(entry.description, remote))
    except FetchError as error:
        current_listener().note(f"{error.what}: the tracks are numbered instead of named")
        return read_tracks(entry.folder, output)


def _probe(entry: Entry, module: Any, loader: SequenceLoader) -> Any:
    """What the module returns for one window of zeros."""
    import torch

    from zoo.models.foreign_python import blame

    window = loader.arrange(torch.zeros(1, 4, loader.length)).to(getattr(torch, loader.dtype))
    what = f"{entry.path}: running the module on a window of {loader.length:,} bp"
    fix = "length and layout (alphabet_axis, dummy_axis) of the dataloader must be what the module takes"
    with blame(what, f"on an input of shape {tuple(window.shape)}", fix), torch.inference_mode():
        return module(window)


def _schema_outputs(description: ModelDescription, result: Any) -> tuple[tuple[OutputSpec, ...], tuple[str, ...]]:
    """Outputs of a bare Kipoi folder, and what it does not say of them."""
    from zoo.models.loaded import as_list

    targets = description.targets
    parts = as_list(result, [OutputSpec(target.place, "scalar", ()) for target in targets])
    shapes = [tuple(part.shape[1:]) for part in parts] if len(parts) == len(targets) else None
    return described_outputs(description, shapes)


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
