"""A model given as a file, without a folder: what is read of Keras's, and what is answered to all others.

The file of a Keras model says what its layers are and how long its input is. It does not say the order of the bases,
what an unknown base is, what its tracks are called or where its bins lie: that is assumed or not known, and said.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from zoo.cards.kipoi import SEQUENCE_LOADER, LoaderDescription, ModelDescription
from zoo.cards.kipoi_layout import implied_loader_args, shape_text
from zoo.cards.kipoi_schema import ArraySchema
from zoo.cards.yaml_lines import YamlDocument
from zoo.errors import ModelError

__all__ = ["describe_file", "no_model_in"]

HDF5 = b"\x89HDF\r\n\x1a\n"
PICKLED = (".pt", ".pth", ".torch", ".pkl", ".pickle", ".joblib")
TENSORFLOW = (".pb", ".pbtxt", ".tflite", ".index", ".meta")
REGIONS = (".bed", ".narrowpeak", ".broadpeak", ".vcf", ".fa", ".fasta", ".bw", ".bigwig")
PACKED = (".gz", ".zip", ".tar", ".tgz", ".bz2", ".xz")
SAVE = "in TensorFlow, model.save('model.h5') of the Keras model, whose file is read here"


def describe_file(path: Path) -> ModelDescription:
    """What the file of a Keras model says: HDF5 of ``model.save()``, or a ``.keras`` archive.

    Raises:
        ModelError: weights alone, several inputs, an input that is not one-hot sequence, or another kind of file, with
            what to do about it.
    """
    text = _architecture(path)
    try:
        data = json.loads(text)
        inputs, outputs = _ends(data)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ModelError(
            f"{path}: holds no architecture of Keras ({type(error).__name__}: {error})", "", "Fix: save the model again"
        ) from None
    args = implied_loader_args(inputs)
    if args is None:
        described = ", ".join(f"{one.name} {shape_text(one.shape)}" for one in inputs)
        raise ModelError(
            f"{path}: its inputs are not one-hot sequence alone",
            f"inputs: {described or 'of no known shape'}",
            f"Fix: give a folder whose model.yaml names {path.name}, with the dataloader that makes these inputs",
        )
    note = (
        f"{path.name} has no model.yaml: its input {shape_text(inputs[0].shape)} is taken for one-hot sequence, "
        "channels A C G T (else --set alphabet=...), unknown bases 0.25, and its tracks have numbers for names"
    )
    loader = LoaderDescription(SEQUENCE_LOADER, args, {}, folder=path.parent, path=path, notes=(note,))
    return ModelDescription(
        folder=path.parent,
        defined_as="kipoi.model.KerasModel",
        args={"weights": path.name},
        info={},
        inputs=inputs,
        targets=outputs,
        loader=loader,
        expect=None,
        document=YamlDocument({}, path, None),
        is_file=True,
    )


# ---------------------------------------------------------------- what the file says


def _architecture(path: Path) -> str:
    from zoo.models.keras.files import read_file  # torch, a second's import, which a list of entries does not need

    with path.open("rb") as handle:
        is_hdf5 = handle.read(8) == HDF5
    if not is_hdf5 and not (path.suffix.lower() == ".keras" and zipfile.is_zipfile(path)):
        raise _other_kind(path)
    text = read_file(path).architecture
    if text is None:
        raise _no_architecture(path)
    return text


def _no_architecture(path: Path) -> ModelError:
    import h5py

    with h5py.File(path, "r") as handle:
        weights = "layer_names" in handle.attrs or any(name in handle for name in ("layers", "model_weights"))
    if not weights:
        return ModelError(f"{path}: is HDF5, but holds no model of Keras", "", "Fix: give the file of model.save()")
    return ModelError(
        f"{path}: holds weights of Keras but no architecture",
        "weights alone do not say what the model is",
        "Fix: save the whole model (model.save('model.h5')); or give a folder whose model.yaml has "
        f"`type: keras` and `args: {{arch: model.json, weights: {path.name}}}`, with the JSON of model.to_json()",
    )


def _ends(data: dict[str, Any]) -> tuple[tuple[ArraySchema, ...], tuple[ArraySchema, ...]]:
    """Inputs with their shapes and outputs by name; shapes of outputs are known once the model ran."""
    config = data["config"]
    if data["class_name"] == "Sequential":
        layers = config if isinstance(config, list) else config["layers"]
        first = _shape(data) or _shape(layers[0])
        inputs = () if first is None else (ArraySchema(_name(layers[0]), first),)
        return inputs, (ArraySchema(_name(layers[-1]), ()),)
    shapes = {_name(layer): _shape(layer) for layer in config["layers"]}
    inputs = [ArraySchema(name, shapes[name] or ()) for name in _names(config["input_layers"])]
    return tuple(inputs), tuple(ArraySchema(name, ()) for name in dict.fromkeys(_names(config["output_layers"])))


def _name(layer: dict[str, Any]) -> str:
    config = layer["config"] if isinstance(layer["config"], dict) else {}
    return str(layer.get("name") or config.get("name") or layer["class_name"].lower())


def _names(references: Any) -> list[str]:
    """Keras 3 writes one reference without the list around it; a dict has names of its own."""
    if isinstance(references, dict):
        references = list(references.values())
    if references and isinstance(references[0], str):
        references = [references]
    return [str(reference[0]) for reference in references]


def _shape(layer: dict[str, Any]) -> tuple[int | None, ...] | None:
    """The shape of what a layer takes, without the batch axis, as any version of Keras writes it."""
    config = layer["config"] if isinstance(layer["config"], dict) else {}
    whole = config.get("batch_shape") or config.get("batch_input_shape") or config.get("build_input_shape")
    if whole is not None and not isinstance(whole, dict):
        return tuple(whole[1:])
    if layer["class_name"] in ("Sequential", "Model", "Functional"):
        inner = layer["config"] if isinstance(layer["config"], list) else config["layers"]
        return _shape(inner[0])
    return None


# ---------------------------------------------------------------- what is not read


def _other_kind(path: Path) -> ModelError:
    """The error for a file that is there: weights alone, another framework's, or no model."""
    suffix, name = path.suffix.lower(), path.name
    alone = f"{path}: is a file, and no gReLU checkpoint (.ckpt)"
    why = "nor a Keras model (.h5, .keras); weights alone do not say what a model is"
    if suffix in PICKLED:
        return ModelError(
            alone,
            why,
            f"Fix: give a folder whose model.yaml names {name} among its args; of a whole module or a linear model "
            f"`zoo convert {path} -o weights.pth` takes the tensors",
        )
    if suffix == ".onnx":
        return ModelError(
            f"{path}: models of ONNX do not run here",
            "",
            f"Fix: give what it was made of: a folder with model.yaml; or {SAVE}",
        )
    if suffix in TENSORFLOW:
        return ModelError(f"{path}: graphs of TensorFlow do not run here", "", f"Fix: {SAVE}")
    if suffix == ".json":
        return ModelError(
            f"{path}: is no model but, at most, the architecture of one",
            "it holds no weights",
            f"Fix: give a folder whose model.yaml has `type: keras` and `args: {{arch: {name}, weights: weights.h5}}`",
        )
    if suffix in REGIONS:
        return ModelError(f"{path}: is no model", "", "Fix: the model comes first: zoo predict MODEL REGIONS -g FASTA")
    if suffix in PACKED:
        return ModelError(f"{path}: is packed", "", "Fix: unpack it, and give the folder or file in it")
    fix = f"Fix: give a folder whose model.yaml names {name} among its args"
    return ModelError(alone, why, fix)


def no_model_in(folder: Path) -> ModelError:
    """The error for a folder without ``model.yaml``, by what is in it."""
    what = f"{folder}: no model.yaml in this folder"
    if (folder / "saved_model.pb").is_file():
        return ModelError(f"{folder}: is a SavedModel of TensorFlow, which does not run here", "", f"Fix: {SAVE}")
    found = [path for path in sorted(folder.glob("*")) if path.suffix.lower() in (".ckpt", ".h5", ".hdf5", ".keras")]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return ModelError(what, f"it holds {found[0].name}{more}", f"Fix: give the file: {found[0]}")
    return ModelError(what, "", "Fix: give the folder that holds model.yaml")
