"""A gReLU ``LightningModel`` checkpoint as a module, without importing lightning.

Only ``grelu.model.models`` is imported (2.4 s against 9 s for ``grelu.lightning``), and only
tensors, numbers and strings are read from the file.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from zoo.errors import ModelError
from zoo.extras import needs
from zoo.models.grelu_layout import GreluCheckpoint, read_checkpoint
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.models.weights import load_into
from zoo.outputs import OutputSpec

__all__ = ["GreluModule", "activation_name", "build_module", "load_checkpoint", "output_spec"]

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
    output, places_bins = output_spec(module, checkpoint)
    return LoadedModel(
        name=name or str(path),
        module=module,
        loader=SequenceLoader(checkpoint.length, centring="grelu"),
        outputs=(output,),
        folder=path,
        places_bins=places_bins,
        info={"framework": "grelu", "model_type": checkpoint.recorded_type, "task": checkpoint.task},
    )


def build_module(checkpoint: GreluCheckpoint) -> GreluModule:
    """The checkpoint's model with its weights, in eval mode."""
    activation = activation_name(checkpoint)
    module = GreluModule(_architecture(checkpoint), activation)
    load_into(module, checkpoint.state, checkpoint.path)
    return module.eval()


def _architectures(path: Path) -> ModuleType:
    with needs("grelu", f"the gReLU checkpoint {path}"):
        import grelu.model.models as architectures
    return architectures


def _architecture(checkpoint: GreluCheckpoint) -> nn.Module:
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
        return OutputSpec(OUTPUT, "profile", tracks, bins), False
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
