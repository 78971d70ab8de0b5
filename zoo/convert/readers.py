"""Files that authors publish, as tensors: one reader a kind of file, none of which runs anything of it.

A reader gives tensors by name, as the file has them: nothing is turned, renamed or rounded. What is made of them is
known by `tensors_sha256`, which depends on no library's way of writing files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from zoo.convert.convert import DAMAGED, pickled_tensors
from zoo.convert.frozen_graph import graph_constants
from zoo.convert.keras_h5 import keras_arrays
from zoo.convert.torch_file import state_dict_tensors
from zoo.errors import ModelError

__all__ = ["READERS", "read_tensors", "tensors_sha256"]

READERS: dict[str, Callable[[Path], dict[str, torch.Tensor]]] = {
    "pickle": lambda path: pickled_tensors(path)[0],
    "state-dict": state_dict_tensors,
    "keras-h5": keras_arrays,
    "tensorflow-graph": graph_constants,
}


def read_tensors(path: Path, reader: str) -> dict[str, torch.Tensor]:
    """The tensors of a file by name.

    Args:
        reader: a key of ``READERS``.

    Raises:
        ModelError: it is damaged, of another kind, or holds no tensors; nothing was run.
    """
    try:
        found = READERS[reader](path)
    except (*DAMAGED, OSError) as error:
        detail = (str(error).splitlines() or [""])[0][:160] or type(error).__name__
        raise ModelError(
            f"{path}: cannot be read as {reader}: {detail}",
            "nothing of it was run",
            "Fix: correct `reader` in made_from of the card: a file of that checksum is of another kind",
        ) from None
    if not found:
        what = f"{path}: holds no tensors that the reader {reader} knows"
        raise ModelError(what, "nothing of it was run", "Fix: correct `reader` in made_from of the card")
    return found


def tensors_sha256(tensors: Mapping[str, torch.Tensor]) -> str:
    """Hex sha256 over names, dtypes, shapes and little-endian bytes, in the order of names.

    For each tensor a line of JSON, ``["name","float32",[2,3]]``, then its numbers in C order.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        about = [name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
        digest.update(json.dumps(about, separators=(",", ":")).encode() + b"\n")
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()
