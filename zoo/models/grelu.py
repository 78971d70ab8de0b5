"""A gReLU ``LightningModel`` checkpoint as a module, without importing lightning.

Only ``grelu.model.models`` is imported (2.4 s against 9 s for ``grelu.lightning``), and only
tensors, numbers and strings are read from the file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import nn

from zoo.errors import ModelError
from zoo.extras import needs
from zoo.models.loaded import LoadedModel
from zoo.models.pytorch import load_into, load_tensors
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec

__all__ = [
    "GreluCheckpoint",
    "GreluModule",
    "activation_name",
    "architecture",
    "build_module",
    "load_checkpoint",
    "output_spec",
    "read_checkpoint",
]

OUTPUT = "preds"
ACTIVATIONS = {
    "exp": lambda: _Exp(),
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=1),
}


class GreluModule(nn.Module):
    """gReLU's model and the activation of its task, as ``LightningModel.forward`` applies it.

    ``forward(x)`` takes (N, 4, L) and gives (N, tasks, bins); ``logits(x)`` leaves the activation out.
    """

    zoo_explain: ClassVar = {"logits": "logits"}  # `zoo attribute` explains what this method gives

    def __init__(self, model: nn.Module, activation: str) -> None:
        super().__init__()
        self.model = model
        self.activation = ACTIVATIONS[activation]()

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.model(x))


class _Exp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


def activation_name(checkpoint: GreluCheckpoint) -> str:
    """What ``LightningModel.initialize_activation`` applies after the model: a key of ``ACTIVATIONS``.

    Raises:
        ModelError: a task or loss that gReLU does not know.
    """
    task, loss = checkpoint.task, checkpoint.loss
    if task == "regression":
        found = {"poisson": "exp", "poisson_multinomial": "exp", "mse": "identity"}.get(loss)
    else:
        found = {"binary": "sigmoid", "multiclass": "softmax"}.get(task)
    if found is None:
        raise ModelError(
            f"{checkpoint.path}: no activation is known for task {task!r} with loss {loss!r}",
            "gReLU has regression (poisson, poisson_multinomial, mse), binary and multiclass",
            "Fix: correct hyper_parameters.train_params and save it again",
        )
    return found


def load_checkpoint(path: Path, name: str | None = None) -> LoadedModel:
    """Load a gReLU checkpoint file.

    Raises:
        ModelError: not a gReLU checkpoint, or a pickle that would run code.
        SystemStateError: grelu is not installed.
    """
    checkpoint = read_checkpoint(path)
    module = build_module(checkpoint)
    output, _ = output_spec(module, checkpoint)
    return LoadedModel(
        name=name or str(path),
        module=module,
        loader=SequenceLoader(checkpoint.length, centring="grelu"),
        outputs=(output,),
        folder=path,
        info={"framework": "grelu", "model_type": checkpoint.recorded_type, "task": checkpoint.task},
    )


def build_module(checkpoint: GreluCheckpoint) -> GreluModule:
    """The checkpoint's model with its weights, in eval mode."""
    activation = activation_name(checkpoint)
    module = GreluModule(architecture(checkpoint), activation)
    load_into(module, checkpoint.state, checkpoint.path)
    return module.eval()


def _architectures(path: Path) -> ModuleType:
    with needs("grelu", f"the gReLU checkpoint {path}"):
        import grelu.model.models as architectures
    return architectures


def architecture(checkpoint: GreluCheckpoint) -> nn.Module:
    """The checkpoint's model with weights of its own drawing.

    Raises:
        ModelError: this gReLU has no such model, or builds it otherwise.
    """
    path, model_type = checkpoint.path, checkpoint.model_type
    architectures = _architectures(path)
    found = getattr(architectures, model_type, None)
    # `nn`, `torch` and the building blocks are names of that file too.
    if not (inspect.isclass(found) and issubclass(found, nn.Module) and found.__module__ == architectures.__name__):
        raise ModelError(f"{path}: model type {model_type!r} is not in this gReLU", "", "Fix: pip install -U grelu")
    try:
        return found(**checkpoint.model_params)
    except Exception as error:
        detail = " ".join(str(error).split())
        raise ModelError(
            f"{path}: {model_type} could not be built: {detail}", "", "Fix: use the gReLU it was made with"
        ) from error


def output_spec(module: GreluModule, checkpoint: GreluCheckpoint) -> tuple[OutputSpec, bool]:
    """The output, and whether it is known where its bins lie.

    The shape is computed without numbers (Borzoi on the CPU would take a minute for one window).
    """
    length = checkpoint.length
    shape = _output_shape(module, length, checkpoint.path)
    n_tasks, bins = shape[0], shape[1] if len(shape) > 1 else 1
    tracks = checkpoint.tracks(n_tasks)
    if bins == 1:
        return OutputSpec(OUTPUT, "scalar", tracks), True
    placed = _bins(checkpoint, length, bins)
    if placed is None:
        return OutputSpec(OUTPUT, "profile", tracks, bins, placed=False), False
    return OutputSpec(OUTPUT, "profile", tracks, bins, *placed), True


def _output_shape(module: nn.Module, length: int, path: Path) -> tuple[int, ...]:
    """Shape of the output for one window, without the batch axis, on torch's meta device."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    window = torch.zeros(1, 4, length, device="meta")
    try:
        with torch.inference_mode():
            state = {name: tensor.to("meta") for name, tensor in tensors}
            return tuple(torch.func.functional_call(module, state, (window,)).shape[1:])
    except NotImplementedError:  # an operation that cannot do without numbers
        with torch.inference_mode():
            return tuple(module(torch.zeros(1, 4, length)).shape[1:])
    except Exception as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ModelError(
            f"{path}: the model fails on a window of {length:,} bp: {detail}",
            "",
            "Fix: data_params and model_params of the checkpoint must belong together",
        ) from error


def _bins(checkpoint: GreluCheckpoint, length: int, bins: int) -> tuple[int, int] | None:
    """Bin size and offset in bp, as ``LightningModel.output_bin_to_input_coord`` has them, or None.

    ``crop_len`` counts bins. gReLU's own function takes it as given; here bins that do not fill the
    window are said to have no known place rather than a wrong one.
    """
    architectures = _architectures(checkpoint.path)
    default = inspect.signature(getattr(architectures, checkpoint.model_type)).parameters.get("crop_len")
    crop = checkpoint.model_params.get("crop_len", default.default if default else 0)
    bin_size = checkpoint.data_number("bin_size")
    if not isinstance(crop, int):  # "auto" of DilatedConvModel, which does not pool: bins of one base, centred
        return (1, (length - bins) // 2) if bin_size in (None, 1) and bins <= length else None
    total = bins + 2 * crop
    if bin_size is None:
        return (length // total, crop * (length // total)) if length % total == 0 else None
    return (bin_size, crop * bin_size) if length // bin_size == total else None


# ---------------- what a checkpoint says of itself, whichever gReLU wrote it


# LightningModel's defaults for what train_params leaves out.
DEFAULT_TASK, DEFAULT_LOSS = "binary", "bce"
PARTS = ("train", "val", "test", "predict")

# Fine-tunes of downloaded models are rebuilt without their base weights: the state_dict has them all.
# The sizes are those that grelu/model/models.py (1.1.0) writes into the two classes.
PRETRAINED: dict[str, tuple[str, dict[str, Any]]] = {
    "EnformerPretrainedModel": (
        "EnformerModel",
        {
            "n_conv": 7,
            "channels": 1536,
            "n_transformers": 11,
            "n_heads": 8,
            "key_len": 64,
            "attn_dropout": 0.05,
            "pos_dropout": 0.01,
            "ff_dropout": 0.4,
            "crop_len": 0,
            "final_act_func": None,
            "final_pool_func": "avg",
        },
    ),
    "BorzoiPretrainedModel": (
        "BorzoiModel",
        {
            "stem_channels": 512,
            "stem_kernel_size": 15,
            "init_channels": 608,
            "channels": 1536,
            "n_conv": 7,
            "kernel_size": 5,
            "n_transformers": 8,
            "key_len": 64,
            "value_len": 192,
            "pos_dropout": 0.01,
            "attn_dropout": 0.05,
            "ff_dropout": 0.2,
            "n_heads": 8,
            "n_pos_features": 32,
            "crop_len": 0,
            "final_act_func": None,
            "final_pool_func": "avg",
        },
    ),
}
# Until 1.0.6 Borzoi was built with the exact GELU and batch norm's own epsilon; 1.0.7 and later
# have other defaults, which would silently change the predictions of an old checkpoint.
OLD_BORZOI = {"act_func": "gelu", "norm_kwargs": {"eps": 1e-5}}


@dataclass(frozen=True)
class GreluCheckpoint:
    """A gReLU checkpoint file, read.

    Attributes:
        path: the file.
        model_type, model_params: the class of ``grelu.model.models`` and its arguments, such that
            building it needs no download.
        recorded_type: the class that the file names.
        task, loss: of the training, lower case.
        train_params: as recorded.
        data_params: nested: ``{"tasks": ..., "train": {...}, ...}``.
        performance: split -> metric -> value or values by task.
        full_state: the state_dict of LightningModel.
        lightning_version: of the trainer, or None.
    """

    path: Path
    model_type: str
    model_params: dict[str, Any]
    recorded_type: str
    task: str
    loss: str
    train_params: dict[str, Any]
    data_params: dict[str, Any]
    performance: dict[str, Any]
    full_state: dict[str, Any]
    lightning_version: str | None

    @property
    def state(self) -> dict[str, Any]:
        """The model's weights: keys ``model.*``, without those of losses and metrics."""
        return {key: value for key, value in self.full_state.items() if key.startswith("model.")}

    def data_number(self, key: str) -> int | None:
        """A positive whole number of ``data_params``, of the first part that has it."""
        for part in PARTS:
            value = self.data_params.get(part, {}).get(key)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
        return None

    def data_text(self, key: str) -> str | None:
        """A text of ``data_params``, of the first part that has it."""
        for part in PARTS:
            value = self.data_params.get(part, {}).get(key)
            if isinstance(value, str) and value:
                return value
        return None

    @property
    def assembly(self) -> str | None:
        """The genome as the data name it; None where they name a file."""
        genome = self.data_text("genome")
        return None if genome is None or re.search(r"[/\\]", genome) else genome

    @property
    def length(self) -> int:
        """bp that the model was trained on.

        Raises:
            ModelError: the file does not say.
        """
        own = self.model_params.get("seq_len")  # ConvMLPModel takes no other length
        length = own if isinstance(own, int) else self.data_number("seq_len") or self.data_number("padded_seq_len")
        if length is None:
            raise ModelError(
                f"{self.path}: the checkpoint does not say its input length",
                "data_params lacks train.seq_len",
                "Fix: set model.data_params['train'] = {'seq_len': ...} and save it again",
            )
        return length

    @property
    def task_names(self) -> list[str]:
        """Names of the tasks as recorded; none where the file has none."""
        return _task_names(self.data_params.get("tasks"))

    def tracks(self, n: int) -> tuple[str, ...]:
        """Names of the ``n`` tasks; a name that occurs twice gets its number, one not known is ``task_<i>``."""
        names = self.task_names
        if len(names) != n:
            return tuple(f"task_{i}" for i in range(n))
        twice = {name for name in names if names.count(name) > 1} if len(set(names)) < n else set()
        return tuple(f"{name}_{i}" if name in twice else name for i, name in enumerate(names))


def read_checkpoint(path: Path) -> GreluCheckpoint:
    """Read a checkpoint file as data.

    Raises:
        ModelError: not a gReLU checkpoint, damaged, or a pickle that would run code.
    """
    raw = load_tensors(path, allow_numpy=True)
    hyper = raw.get("hyper_parameters") if isinstance(raw, Mapping) else None
    if not isinstance(hyper, Mapping) or not isinstance(hyper.get("model_params"), Mapping) or "state_dict" not in raw:
        raise ModelError(
            f"{path}: is not a gReLU checkpoint",
            "it lacks hyper_parameters.model_params or state_dict",
            "Fix: save it with gReLU's LightningModel (trainer.save_checkpoint)",
        )
    recorded = str(hyper["model_params"].get("model_type"))
    train = dict(hyper.get("train_params") or {})
    model_type, params = _without_download(recorded, dict(hyper["model_params"]), _is_old(raw, train))
    return GreluCheckpoint(
        path=path,
        model_type=model_type,
        model_params=params,
        recorded_type=recorded,
        task=str(train.get("task", DEFAULT_TASK)).lower(),
        loss=str(train.get("loss", DEFAULT_LOSS)).lower(),
        train_params=train,
        data_params=_nested(raw.get("data_params") or hyper.get("data_params") or {}),
        performance=dict(raw.get("performance") or {}),
        full_state=dict(raw["state_dict"]),
        lightning_version=raw.get("pytorch-lightning_version"),
    )


def _is_old(raw: Mapping[str, Any], train: Mapping[str, Any]) -> bool:
    """Whether a gReLU before 1.0.7 wrote the file; unknown is new."""
    version = train.get("grelu_version")
    if version is None:
        return "data_params" not in raw and "data_params" in raw["hyper_parameters"]
    numbers = [int(part) if part.isdigit() else 0 for part in str(version).split(".")[:3]]
    return numbers < [1, 0, 7]


def _without_download(recorded: str, params: dict[str, Any], old: bool) -> tuple[str, dict[str, Any]]:
    params.pop("model_type", None)
    params.pop("device", None)  # where it was trained says nothing of where it runs
    if old and recorded in ("BorzoiModel", "BorzoiPretrainedModel"):
        params = OLD_BORZOI | params
    if recorded not in PRETRAINED:
        return recorded, params
    params.pop("fold", None)  # which base weights were downloaded
    model_type, sizes = PRETRAINED[recorded]
    return model_type, sizes | params


def _nested(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data_params`` with one mapping a part, whether it was written nested or flat."""
    nested: dict[str, Any] = {part: {} for part in PARTS}
    for key, value in data.items():
        part, _, rest = str(key).partition("_")
        if part in PARTS and rest:
            nested[part].setdefault(rest, value)
        elif key in PARTS and isinstance(value, Mapping):
            nested[key] |= value
        else:
            nested[key] = value
    return {key: value for key, value in nested.items() if value or key not in PARTS}


def _task_names(tasks: Any) -> list[str]:
    if isinstance(tasks, Mapping):
        tasks = tasks.get("name")
    if not isinstance(tasks, Sequence) or isinstance(tasks, str):
        return []
    return [str(task.get("name")) if isinstance(task, Mapping) else str(task) for task in tasks]
