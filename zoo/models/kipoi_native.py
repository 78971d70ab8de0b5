"""Kipoi models that only their own Python can run: custom classes, pickles of scikit-learn, whole torch modules.

They run through kipoi's own classes, in this process, once their source is trusted. For the rest
of the zoo such a model is a torch module whose ``forward`` calls ``predict_on_batch``.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.cards.kipoi import ModelDescription
from zoo.errors import ModelError, TrustError
from zoo.files import sha256_of
from zoo.models.files import here
from zoo.models.foreign_python import blame, import_object, inside, python_file, require_kipoi, require_trust
from zoo.models.sequence_loader import STRING_NAMES
from zoo.store.remote import RemoteFile, remote_files

__all__ = ["NativeModule", "build_module", "files_used", "flat_result", "refuse_tensorflow"]

# Classes of kipoi that read a pickle, and the argument that names it.
PICKLES = {"kipoi.model.SklearnModel": "pkl_file", "kipoi.model.OldPyTorchModel": "weights"}
TENSORFLOW = ("kipoi.model.TensorFlowModel", "kipoi.model.TensorFlow2Model")
_BASES = np.frombuffer(b"ACGTN", dtype=np.uint8)


class NativeModule(torch.nn.Module):
    """A Kipoi model as a torch module.

    Args:
        model: has ``predict_on_batch``.
        letters: give it (N,) texts in place of (N, 4, L) one-hot, as StringSeqIntervalDl does.
        dtype: numpy dtype of what it is given.
    """

    def __init__(self, model: Any, letters: bool = False, dtype: str | None = None) -> None:
        super().__init__()
        self.model, self.letters, self.dtype = model, letters, dtype

    def predict_on_batch(self, inputs: Any) -> Any:
        """What the model itself predicts for arrays, or lists and dicts of them."""
        return self.model.predict_on_batch(inputs)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Outputs by their place in the result's structure."""
        inputs = texts(x) if self.letters else x.cpu().numpy()
        if self.dtype and not self.letters:
            inputs = inputs.astype(self.dtype)
        result = flat_result(self.predict_on_batch(inputs))
        return {place: torch.as_tensor(np.asarray(value, dtype=np.float32)) for place, value in result.items()}


def texts(one_hot: torch.Tensor) -> np.ndarray:
    """(N, 4, L) one-hot -> (N,) texts of A, C, G, T and N."""
    array = one_hot.cpu().numpy()
    highest = array.max(1)
    # kipoiseq's unknown base is 0.25; all zeros is the probe of a model just loaded, which is given A.
    codes = np.where((highest > 0) & (highest < 1), 4, array.argmax(1))
    return np.array([_BASES[row].tobytes().decode() for row in codes])


def flat_result(result: Any, path: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Arrays of a nested result by place (``a/0``), as Kipoi's HDF5 writer names them; a lone array is ``""``."""
    if isinstance(result, Mapping):
        parts = [flat_result(value, (*path, str(key))) for key, value in result.items()]
    elif isinstance(result, list | tuple) and not _is_numbers(result):
        parts = [flat_result(value, (*path, str(i))) for i, value in enumerate(result)]
    else:
        return {"/".join(path): result}
    return {place: value for part in parts for place, value in part.items()}


def _is_numbers(result: Any) -> bool:
    return all(np.isscalar(value) for value in result)


def files_used(model: ModelDescription, trusted: bool) -> tuple[Path, ...]:
    """The Python file and the files among the arguments; remote ones are fetched into the cache.

    Raises:
        TrustError: not trusted; a pickle is named with its checksum. ModelError: a kind that does not run.
    """
    refuse_tensorflow(model)
    source, _ = python_file(model.defined_as, model.folder)
    if model.defined_as in PICKLES:
        _require_pickle_trust(model, trusted)
    require_trust(source or model.document.path, trusted, model.component)
    arguments = _arguments(model)
    local = [value for value in arguments.values() if isinstance(value, Path)]
    return (*([source] if source else []), *local)


def refuse_tensorflow(model: ModelDescription) -> None:
    """Raise ModelError for the classes of Kipoi that need TensorFlow."""
    if model.defined_as in TENSORFLOW:
        raise model.document.error(
            ("defined_as",),
            "models of TensorFlow (checkpoints, SavedModel) do not run here",
            "PyTorch, Keras, scikit-learn and custom classes run; save a Keras model as HDF5",
        )


def _require_pickle_trust(model: ModelDescription, trusted: bool) -> None:
    if trusted:
        return
    key = PICKLES[model.defined_as]
    value = model.args.get(key)
    path = model.folder / value if isinstance(value, str) else None
    remote = remote_files(model).get(key)
    if path is not None and path.is_file():
        known = f"sha256 {sha256_of(path)}"
    else:
        known = f"md5 {remote.md5}, from {remote.hosts}" if isinstance(remote, RemoteFile) else "it was not found"
    raise TrustError(
        f"{path or key}: is a pickle, and reading a pickle runs the code in it; it was not read",
        known,
        f"Fix: {_way_out(model, path)}; or compare the checksum with what its authors publish, then add --trust",
    )


def _way_out(model: ModelDescription, path: Path | None) -> str:
    """What needs no trust: the tensors of a module, or the layer that a linear model of scikit-learn is."""
    here = path is not None and path.is_file()
    file, first = (path, "") if here else ("FILE", f"`zoo pull {model.component}` fetches it, and ")
    kind = " (where it is a linear model)" if model.defined_as == "kipoi.model.SklearnModel" else ""
    return f"{first}`zoo convert {file} -o weights.pth` takes the tensors out without running it{kind}"


def build_module(model: ModelDescription, trusted: bool) -> NativeModule:
    """Make the model object, in its folder, with remote files replaced by fetched ones.

    Raises:
        TrustError: not trusted. SystemStateError: kipoi or a package of the model is missing.
        ModelError: its Python failed.
    """
    files_used(model, trusted)
    require_kipoi(f"{model.component}: {model.defined_as}")
    logging.getLogger("kipoi").setLevel(logging.ERROR)
    fault = f"{model.document.path}:{model.document.line(('defined_as',))}"
    arguments = {key: str(value) if isinstance(value, Path) else value for key, value in _arguments(model).items()}
    if model.defined_as == "kipoi.model.OldPyTorchModel":
        native: Any = _whole_module(model, arguments)
    else:
        found = import_object(model.defined_as, model.folder, fault)
        source, _ = python_file(model.defined_as, model.folder)
        with blame(f"{fault}: making {model.defined_as}"), inside(model.folder, source):
            native = found() if "::" in model.defined_as else found(**arguments)
    if not callable(getattr(native, "predict_on_batch", None)):
        what = f"{fault}: {model.defined_as} has no predict_on_batch"
        raise ModelError(what, "", "Fix: inherit from BaseModel of kipoi")
    loader = model.loader
    letters = loader.defined_as in STRING_NAMES
    # kipoiseq's arrays are float64 where no dtype is asked for.
    return NativeModule(native, letters, "float64" if loader.args.get("dtype") is None else None)


def _whole_module(model: ModelDescription, arguments: dict[str, Any]) -> Any:
    """A pickled torch module behind kipoi's ``predict_on_batch``; the pickle runs code, and was trusted."""
    with blame(f"{arguments['weights']}: reading the pickled module"), inside(model.folder):
        module = torch.load(arguments["weights"], map_location="cpu", weights_only=False)
    kipoi_model = importlib.import_module("kipoi.model")
    native = kipoi_model.PyTorchModel.__new__(kipoi_model.PyTorchModel)
    native.model, native.use_cuda, native.grad_hooks = module.eval(), False, []
    return native


def _arguments(model: ModelDescription) -> dict[str, Any]:
    """The arguments: fetched files and files of the folder as paths, all else as written."""
    if "::" in model.defined_as:
        return {}
    remote = remote_files(model)
    out: dict[str, Any] = {}
    for key, value in model.args.items():
        nested = [name for name in remote if name.startswith(f"{key}.")]
        if key in remote:
            out[key] = here(model, remote[key])
        elif nested:
            out[key] = {name.removeprefix(f"{key}."): str(here(model, remote[name])) for name in nested}
        elif isinstance(value, str) and value and (model.folder / value).is_file():
            out[key] = (model.folder / value).resolve()
        else:
            out[key] = value
    return out
