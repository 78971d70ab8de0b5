"""A gReLU ``LightningModel`` checkpoint (gReLU 1.x) as a module, without importing lightning.

Only ``grelu.model.models`` is imported (2.4 s against 9 s for ``grelu.lightning``), and only
tensors, numbers and strings are read from the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from zoo.errors import ModelError, SystemStateError
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.models.weights import load_into, load_tensors
from zoo.writers.base import OutputSpec

__all__ = ["GreluModule", "load_checkpoint"]

# Fine-tunes of downloaded models are rebuilt without their base weights: the state_dict has them all.
WITHOUT_DOWNLOAD = {"EnformerPretrainedModel": "EnformerModel", "BorzoiPretrainedModel": "BorzoiModel"}


class GreluModule(torch.nn.Module):
    """gReLU's model and the activation of its task, as ``LightningModel.forward`` applies it.

    ``forward(x)`` takes (N, 4, L) and gives (N, tasks, bins); ``logits(x)`` leaves the activation out.
    """

    def __init__(self, model: torch.nn.Module, task: str, loss: str) -> None:
        super().__init__()
        self.model = model
        self.activation = _activation(task, loss)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.model(x))


class _Exp(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


def _activation(task: str, loss: str) -> torch.nn.Module:
    if task == "regression":
        return torch.nn.Identity() if loss == "mse" else _Exp()
    return torch.nn.Sigmoid() if task == "binary" else torch.nn.Softmax(dim=1)


def load_checkpoint(path: Path, name: str | None = None) -> LoadedModel:
    """Load a gReLU checkpoint file.

    Raises:
        ModelError: not a gReLU checkpoint, or a pickle that would run code.
        SystemStateError: grelu is not installed.
    """
    raw = load_tensors(path, allow_numpy=True)
    hyper = raw.get("hyper_parameters") if isinstance(raw, Mapping) else None
    if not isinstance(hyper, Mapping) or "model_params" not in hyper or "state_dict" not in raw:
        raise ModelError(
            f"{path}: is not a gReLU checkpoint", "it lacks hyper_parameters.model_params or state_dict",
            "Fix: save it with gReLU's LightningModel (trainer.save_checkpoint)",
        )
    train = dict(hyper.get("train_params") or {})
    data = dict(raw.get("data_params") or {})
    module = GreluModule(
        _architecture(dict(hyper["model_params"]), path), train.get("task", "binary"), train.get("loss", "bce")
    )
    state = {key: value for key, value in raw["state_dict"].items() if key.startswith("model.")}
    load_into(module, state, path)
    module.eval()
    length = _sequence_length(data, path)
    output, places_bins = _output_spec(module, length, data)
    return LoadedModel(
        name=name or str(path), module=module, loader=SequenceLoader(length=length), outputs=(output,), folder=path,
        places_bins=places_bins,
        info={"framework": "grelu", "model_type": hyper["model_params"].get("model_type"), "task": train.get("task")},
    )


def _architecture(params: dict[str, Any], path: Path) -> torch.nn.Module:
    try:
        import grelu.model.models as architectures
    except ImportError:
        raise SystemStateError(
            f"{path}: gReLU checkpoints need the package grelu", "", "Fix: pip install 'seqzoo[finetune]'"
        ) from None
    model_type = params.pop("model_type", None)
    model_type = WITHOUT_DOWNLOAD.get(model_type, model_type)
    if not hasattr(architectures, str(model_type)):
        raise ModelError(f"{path}: model type {model_type!r} is not in this gReLU", "", "Fix: pip install -U grelu")
    try:
        return getattr(architectures, model_type)(**params)
    except Exception as error:
        raise ModelError(f"{path}: {model_type} could not be built: {error}", "", "Fix: use the gReLU it was made with") from error


def _data_value(data: Mapping[str, Any], key: str) -> int | None:
    """A number of ``data_params``: ``data["train"]["seq_len"]`` (gReLU 1.x) or ``data["train_seq_len"]`` (older)."""
    for part in ("train", "val", "test", "predict"):
        nested = data.get(part)
        for value in (nested.get(key) if isinstance(nested, Mapping) else None, data.get(f"{part}_{key}")):
            if isinstance(value, int) and value > 0:
                return value
    return None


def _sequence_length(data: Mapping[str, Any], path: Path) -> int:
    length = _data_value(data, "seq_len") or _data_value(data, "padded_seq_len")
    if length is None:
        raise ModelError(
            f"{path}: the checkpoint does not say its input length", "data_params lacks train.seq_len",
            "Fix: set model.data_params['train'] = {'seq_len': ...} and save it again",
        )
    return length


def _output_spec(module: torch.nn.Module, length: int, data: Mapping[str, Any]) -> tuple[OutputSpec, bool]:
    """The output, and whether it is known where its bins lie."""
    with torch.inference_mode():
        shape = tuple(module(torch.zeros(1, 4, length)).shape[1:])
    n_tasks, bins = shape[0], shape[1] if len(shape) > 1 else 1
    tasks = data.get("tasks")
    names = tasks.get("name") if isinstance(tasks, Mapping) else None
    tracks = tuple(map(str, names)) if names and len(names) == n_tasks else tuple(f"task_{i}" for i in range(n_tasks))
    if bins == 1:
        return OutputSpec("preds", "scalar", tracks), True
    bin_size = _data_value(data, "bin_size")
    if bin_size is None or bins * bin_size > length:
        return OutputSpec("preds", "profile", tracks, bins), False
    # gReLU crops the same number of bins from both ends, so that the output is centred.
    return OutputSpec("preds", "profile", tracks, bins, bin_size, (length - bins * bin_size) // 2), True
