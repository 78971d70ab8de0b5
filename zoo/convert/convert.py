"""``convert``: a pickled model in, its tensors out, nothing run on the way."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from zoo.convert.inert_pickle import refuse
from zoo.convert.linear_model import linear_model, read_pickle
from zoo.convert.torch_file import MAGIC, ModuleTensors, module_tensors, read_torch_file
from zoo.errors import InputError, ModelError
from zoo.files import sha256_of
from zoo.results import check_out, replacing, sole_writer

__all__ = ["Converted", "convert"]

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
        tensors, notes = _read(source)
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
    if not source.is_file():
        raise InputError(f"{source}: no such file", "", "Fix: give the file that holds the pickled model")
    return check_out(out, inputs=[source], suffixes=SUFFIXES, what="tensors")


def _read(source: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
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
