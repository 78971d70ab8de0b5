"""``convert``: a pickled model in, its tensors out, nothing run on the way."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.convert.inert_pickle import InertUnpickler, Record, array_of, kind_of, refuse
from zoo.convert.torch_file import MAGIC, ModuleTensors, module_tensors, read_torch_file
from zoo.errors import InputError, ModelError
from zoo.files import sha256_of
from zoo.paths import given_path, near_file
from zoo.results.check_out import check_out
from zoo.results.whole import replacing, sole_writer

__all__ = ["DAMAGED", "Converted", "LinearModel", "convert", "linear_model", "pickled_tensors", "read_pickle"]

SUFFIXES = (".pth", ".pt", ".safetensors")
HDF5 = b"\x89HDF"
# What reading a file that is damaged, or made to do harm, raises.
DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
    RuntimeError,
    UnicodeError,
    struct.error,
    zipfile.BadZipFile,
    NotImplementedError,
)


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        path: the file.
        tensors: name -> shape.
        notes: sentences for the user: what the file held, and what goes with the tensors.
        sha256: of the file that was read.
    """

    path: Path
    tensors: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]
    sha256: str


def convert(source: str | Path, out: str | Path) -> Converted:
    """Write the tensors of a pickled model as data.

    Args:
        source: a whole torch module, a checkpoint or state_dict (``torch.save``), or a linear model of scikit-learn
            (``pickle`` or ``joblib``). No code of it runs, and its classes need not be installed.
        out: ``.safetensors``, or ``.pth``/``.pt``, which loads with ``weights_only=True``.

    Raises:
        UsageError: another suffix, or ``out`` is ``source``. InputError: no such file.
        ModelError: it holds something else than tensors, or is damaged; nothing was run and nothing written.
    """
    source = Path(source)
    out = _check_paths(source, Path(out))
    try:
        tensors, notes = pickled_tensors(source)
    except DAMAGED as error:
        detail = (str(error).splitlines() or [""])[0][:160] or type(error).__name__
        raise ModelError(
            f"{source}: cannot be read as a pickled model: {detail}",
            "nothing of it was run",
            "Fix: fetch it again; a file of another kind cannot be converted",
        ) from None
    _write(tensors, out)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return Converted(out, shapes, tuple(notes), sha256_of(source))


def _check_paths(source: Path, out: Path) -> Path:
    source = given_path(source)
    if not source.is_file():
        raise InputError(
            f"{source}: no such file", near_file(source), "Fix: give the file that holds the pickled model"
        )
    return check_out(out, inputs=[source], suffixes=SUFFIXES, what="tensors")


def pickled_tensors(source: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The tensors of a module, a checkpoint or a linear model by name, and notes on what the file holds.

    Raises:
        ModelError: it holds something else. Those of ``DAMAGED``: it is damaged.
    """
    with source.open("rb") as handle:
        head = handle.read(32)
    if head.startswith(HDF5):
        raise ModelError(
            f"{source}: is HDF5, which needs no conversion",
            "Keras models run as they are, without TensorFlow",
            "Fix: name it as `args.weights` of kipoi.model.KerasModel in a model.yaml",
        )
    if head.startswith(b"PK") or MAGIC.to_bytes(10, "little") in head:
        found = module_tensors(read_torch_file(source), str(source))
        return found.tensors, _notes(found)
    model = linear_model(read_pickle(source), str(source))
    outputs, features = model.weight.shape
    notes = [
        f"{' -> '.join(model.kinds)}: its {model.method} is torch.nn.Linear({features}, {outputs}) with these tensors",
    ]
    if model.kinds[-1].rpartition(".")[2].startswith("LogisticRegression") and outputs == 1:
        notes.append("its predict_proba for the second class is the sigmoid of that")
    return {"weight": torch.from_numpy(model.weight), "bias": torch.from_numpy(model.bias)}, notes


def _notes(found: ModuleTensors) -> list[str]:
    where = f" under {found.where!r}" if found.where else ""
    notes = [f"{found.kind}{where}: {len(found.tensors)} tensors"]
    if found.kinds:
        notes.append("made of " + ", ".join(f"{n} x {kind}" if n > 1 else kind for kind, n in found.kinds.items()))
    if found.settings:
        notes.append("its own settings: " + ", ".join(f"{key}={value!r}" for key, value in found.settings.items()))
    if found.kinds:
        notes.append(
            "the architecture is no part of the tensors: name a Python file with it (module_file, "
            "module_class) beside these weights in model.yaml"
        )
    return notes


def _write(tensors: dict[str, torch.Tensor], out: Path) -> None:
    if not tensors:
        raise refuse(f"{out}: nothing to write: the module has no parameters and no buffers")
    if out.suffix.lower() == ".safetensors":
        from safetensors.torch import save

        data = save(tensors)
    else:
        torch.save(tensors, buffer := io.BytesIO())
        data = buffer.getvalue()
    with sole_writer(out), replacing(out) as partial:
        partial.write_bytes(data)


# ---------------- linear models of scikit-learn: weight and bias of one layer


REGRESSORS = (
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "ElasticNet",
    "ElasticNetCV",
    "HuberRegressor",
    "BayesianRidge",
    "ARDRegression",
    "SGDRegressor",
    "TheilSenRegressor",
    "Lars",
    "LassoLars",
    "LinearSVR",
)
CLASSIFIERS = (
    "LogisticRegression",
    "LogisticRegressionCV",
    "SGDClassifier",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "Perceptron",
    "LinearSVC",
)
COMPRESSED = (b"\x1f\x8b", b"BZ", b"\xfd7", b"x\x9c", b"x\x01", b"x\xda", b"x^", b'\x04"', b"ZF")


@dataclass(frozen=True)
class LinearModel:
    """``x @ weight.T + bias``.

    Attributes:
        kinds: the estimators, first to last.
        weight: (outputs, features) float64, scaling folded in.
        bias: (outputs,) float64.
        method: the method of the estimator that this is.
    """

    kinds: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    method: str


def read_pickle(path: Path) -> Record:
    """The records of a pickle or of an uncompressed file of joblib.

    Raises:
        ModelError: compressed. ValueError, EOFError, pickle.UnpicklingError and others: damaged.
    """
    with path.open("rb") as handle:
        if handle.read(2) in COMPRESSED:
            raise refuse(f"{path}: is compressed, which is not read here", "decompress it, then convert it")
        handle.seek(0)
        return InertUnpickler(handle).load()


def linear_model(content: Any, name: str) -> LinearModel:
    """The linear model that a pickle holds.

    Raises:
        ModelError: another kind of estimator, by its name, or one that was never fitted.
    """
    steps = _steps(content)
    *scalers, last = steps
    short = kind_of(last).rpartition(".")[2]
    others = [kind_of(one) for one in scalers if kind_of(one).rpartition(".")[2] != "StandardScaler"]
    known = kind_of(last).startswith("sklearn.") and short in REGRESSORS + CLASSIFIERS
    if others or not known:
        what = others[0] if others else kind_of(last)
        raise refuse(
            f"{name}: holds {what}, which is no linear model",
            "linear models (and a StandardScaler before them) can be converted; nothing of the file was run",
        )
    weight, bias = _number(last, "coef_", name), _number(last, "intercept_", name)
    weight = weight.reshape(-1, weight.shape[-1])
    bias = np.broadcast_to(bias.reshape(-1), weight.shape[:1]).copy()
    for scaler in reversed(scalers):
        mean, scale = _scaling(scaler, name)
        weight = weight / scale
        bias = bias - weight @ np.broadcast_to(mean, weight.shape[1:])
    method = "decision_function" if short in CLASSIFIERS else "predict"
    return LinearModel(tuple(kind_of(one) for one in steps), weight, bias, method)


def _steps(content: Any) -> list[Any]:
    if kind_of(content) != "sklearn.pipeline.Pipeline":
        return [content]
    return [step for _, one in content.attributes()["steps"] for step in _steps(one)]


def _scaling(scaler: Record, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale; 0 and 1 where the scaler was told to leave them."""
    about = scaler.attributes()
    scale = "scale_" if "scale_" in about else "std_"  # before scikit-learn 0.17
    return (
        _number(scaler, "mean_", name) if about.get("with_mean", True) else np.zeros(1),
        _number(scaler, scale, name) if about.get("with_std", True) else np.ones(1),
    )


def _number(estimator: Record, attribute: str, name: str) -> np.ndarray:
    array = array_of(estimator.attributes().get(attribute))
    if array is None:
        raise refuse(f"{name}: {kind_of(estimator)} has no {attribute}", "it was not fitted, or is of another version")
    return array.astype(np.float64)
