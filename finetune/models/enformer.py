"""Enformer (Avsec et al. 2021, doi:10.1038/s41592-021-01252-x) as a base: gReLU's trunk with published weights.

Weights are those that enformer-pytorch published, or a state_dict of gReLU; a result is a gReLU ``EnformerModel``.

Geometry: seven halvings make positions of 128 bp. A window of 196,608 bp has 1,536 of them, of which 320 are cut away
at either end: 896 bins from 40,960 bp on, so that a base at ``p`` lies in bin ``(p - start) // 128 - 320``. A window of
any other multiple of 128 bp keeps all its positions, from its start.

Positional features: the published model was trained with gamma densities of TensorFlow, which enformer-pytorch holds as
a table for 1,536 positions (``use_tf_gamma``; with any other number it stops). gReLU computes them, for any number, and
so does this base: an export gives the same numbers there. ``use_tf_gamma`` below puts the table in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from finetune.models.parts import Base
from zoo.errors import ModelError, UsageError
from zoo.extras import needs
from zoo.files import sha256_of
from zoo.models.grelu import GreluCheckpoint
from zoo.models.pytorch import load_tensors
from zoo.paths import given_path
from zoo.store.hub import fetch_model
from zoo.words import counted

__all__ = [
    "CROP",
    "LENGTH",
    "PUBLISHED",
    "TRAINED_ON",
    "WEIGHTS",
    "Sizes",
    "crop_of",
    "in_pieces",
    "open_enformer",
    "random_enformer",
    "use_tf_gamma",
]

WEIGHTS = "hf://EleutherAI/enformer-official-rough/pytorch_model.bin"
LENGTH, CROP = 196_608, 320
#: Its training regions lie on all of these: Basenji2's split is by regions, not by chromosomes.
TRAINED_ON = (*(f"chr{i}" for i in range(1, 23)), "chrX")


@dataclass(frozen=True)
class Sizes:
    """Arguments of gReLU's ``EnformerTrunk``; the defaults are the published model's."""

    n_conv: int = 7
    channels: int = 1536
    n_transformers: int = 11
    n_heads: int = 8
    key_len: int = 64

    @property
    def bin_size(self) -> int:
        """bp of a position."""
        return 2**self.n_conv


PUBLISHED = Sizes()


def crop_of(length: int, sizes: Sizes = PUBLISHED) -> int:
    """Positions that are cut away at either end of a window: 320 at the published length, none at any other."""
    return CROP if length == LENGTH and sizes.bin_size == 128 else 0


def open_enformer(name: str, length: int | None = None) -> Base:
    """The base ``enformer``, ``enformer:PATH`` or ``enformer:random``.

    Args:
        length: bp of a window; default 196,608.

    Raises:
        ModelError: weights of something else. UsageError: a length that is no multiple of 128 bp.
        FetchError: not in the cache, and cannot be fetched. SystemStateError: gReLU is not installed.
    """
    what = name.partition(":")[2]
    if what == "random":
        return random_enformer(length or LENGTH)
    if what:
        path, shown = given_path(what, ModelError), name
        if not path.is_file():
            raise ModelError(f"{name}: no such weights file", "", "Fix: check the path after `enformer:`")
        hashes = {path.name: sha256_of(path)}
    else:
        found = fetch_model(WEIGHTS)
        path, shown = found.path, f"enformer ({found.pinned})"
        hashes = {path.name: found.hashes.get(path.resolve()) or sha256_of(path)}
    state, head, head_activation = _named_as_grelu(load_tensors(path), path)
    sizes = _sizes_of(state, path)
    window = length or LENGTH
    with torch.device("meta"):  # no second copy of a gigabyte
        trunk = _trunk(sizes, window, name)
    _fill(trunk, state, path)
    return _base(shown, trunk, sizes, window, path, hashes, head, head_activation, TRAINED_ON)


def random_enformer(length: int = LENGTH, sizes: Sizes = PUBLISHED, seed: int = 0) -> Base:
    """Enformer with random weights, of these sizes: for tests and measurements."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk = _trunk(sizes, length, "enformer:random")
        for part in trunk.modules():
            if hasattr(part, "to_out"):  # zero at the start: attention would do nothing
                part.to_out.reset_parameters()
    return _base("enformer:random", trunk, sizes, length, Path("enformer-random"), {}, None, "softplus", ())


def use_tf_gamma(base: Base, on: bool = True) -> None:
    """Take the gamma densities from enformer-pytorch's table, as its own ``from_pretrained`` does.

    Raises:
        UsageError: the table is for 196,608 bp, and the base has another length.
    """
    if on and base.length != LENGTH:
        raise UsageError(
            f"use_tf_gamma: the table of gamma densities is for {counted(LENGTH // 128, 'position')}",
            f"a window of {base.length:,} bp has {base.length // 128:,}",
            f"Fix: windows of {LENGTH:,} bp, or leave it off: the densities are computed for any length",
        )
    for part in base.trunk.modules():
        if hasattr(part, "use_tf_gamma"):
            part.use_tf_gamma = on


def _trunk(sizes: Sizes, length: int, name: str) -> nn.Module:
    if length < sizes.bin_size or length % sizes.bin_size:
        near = max(1, round(length / sizes.bin_size)) * sizes.bin_size
        raise UsageError(
            f"{name}: a window of {length:,} bp is no multiple of {sizes.bin_size} bp", "", f"Fix: {near:,} bp"
        )
    with needs("grelu", "Enformer"):
        from grelu.model.trunks.enformer import EnformerTrunk
    return in_pieces(EnformerTrunk(**asdict(sizes), crop_len=crop_of(length, sizes)).eval())


class _StemInPieces(nn.Sequential):
    """The first block of convolutions, piece by piece where no gradients are wanted.

    At 196,608 bp each of its tensors takes 0.6 GB, and five or so are alive at once: the peak of a forward pass. All
    that it does is local, so pieces with the convolution's flanks give the same.
    """

    piece = 16_384

    def forward(self, x: Tensor) -> Tensor:
        moving = any(part.training for part in self.modules() if isinstance(part, nn.BatchNorm1d))
        if torch.is_grad_enabled() or moving or x.shape[2] <= self.piece or x.is_meta:
            return super().forward(x)
        first, *rest = self
        flank, parts = first.kernel_size[0] // 2, []
        for start in range(0, x.shape[2], self.piece):
            left = min(start, flank)
            part = first(x[:, :, start - left : start + self.piece + flank])[:, :, left : left + self.piece]
            for layer in rest:
                part = layer(part)
            parts.append(part)
        return torch.cat(parts, 2)


def in_pieces(trunk: nn.Module) -> nn.Module:
    """gReLU's ``EnformerTrunk`` with a first block that takes less memory; names of weights stay."""
    blocks = trunk.conv_tower.blocks
    blocks[0] = _StemInPieces(*blocks[0]).train(blocks[0].training)
    return trunk


def _base(
    name: str,
    trunk: nn.Module,
    sizes: Sizes,
    length: int,
    path: Path,
    hashes: dict[str, str],
    head: tuple[Tensor, Tensor] | None,
    activation: str,
    trained_on: tuple[str, ...],
) -> Base:
    crop, size = crop_of(length, sizes), sizes.bin_size
    layer = _layer(*head) if head is not None else None
    n_tracks = layer.out_channels if layer is not None else 0
    return Base(
        name=name,
        trunk=trunk,
        channels=2 * sizes.channels,
        positions=length // size - 2 * crop,
        length=length,
        bin_size=size,
        offset=crop * size,
        own_bin=size,
        n_value=0.0,
        head=layer,
        activation=activation,
        tracks=tuple(f"human_{i}" for i in range(n_tracks)),
        trained_on=trained_on,
        grelu=_grelu_form(path, sizes, length, crop, n_tracks),
        grelu_keys={key: f"model.embedding.{key}" for key in trunk.state_dict()},
        hashes=hashes,
    )


def _layer(weight: Tensor, bias: Tensor) -> nn.Conv1d:
    layer = nn.Conv1d(weight.shape[1], weight.shape[0], 1, device="meta")
    state = {"weight": weight.reshape(*weight.shape[:2], 1), "bias": bias}
    layer.load_state_dict(state, assign=True)
    return layer.eval()


def _grelu_form(path: Path, sizes: Sizes, length: int, crop: int, n_tracks: int) -> GreluCheckpoint:
    """What gReLU would have written of this model, without weights."""
    params = asdict(sizes) | {"n_tasks": max(1, n_tracks), "crop_len": crop, "final_pool_func": None}
    return GreluCheckpoint(
        path=path,
        model_type="EnformerModel",
        model_params=params,
        recorded_type="EnformerModel",
        task="regression",
        loss="poisson",
        train_params={"task": "regression", "loss": "poisson"},
        data_params={"train": {"seq_len": length, "bin_size": sizes.bin_size}},
        performance={},
        full_state={},
        lightning_version=None,
    )


# ---------------------------------------------------------------- names of weights

#: Places in enformer-pytorch's ``_trunk``, which repeats all weights under other names.
_TRUNK = {
    "_trunk.1.": "stem.",
    "_trunk.2.": "conv_tower.",
    "_trunk.4.": "transformer.",
    "_trunk.6.": "final_pointwise.",
}
#: Within a block: place in enformer-pytorch -> name in gReLU.
_STEM = {"0.": "0.", "1.fn.0.": "1.norm.layer.", "1.fn.2.": "1.conv.", "2.": "1.pool.layer."}
_TOWER = {
    "0.0.": "0.norm.layer.",
    "0.2.": "0.conv.",
    "1.fn.0.": "1.norm.layer.",
    "1.fn.2.": "1.conv.",
    "2.": "1.pool.layer.",
}
_TRANSFORMER = {
    "0.fn.0.": "norm.layer.",
    "0.fn.1.": "mha.",
    "1.fn.0.": "ffn.dense1.norm.layer.",
    "1.fn.1.": "ffn.dense1.linear.",
    "1.fn.4.": "ffn.dense2.linear.",
}
_POINTWISE = {"1.0.": "norm.layer.", "1.2.": "conv."}
_GRELU_HEAD = "head.channel_transform.conv.layer."


def _named_as_grelu(loaded: object, path: Path) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor] | None, str]:
    """The trunk's state by gReLU's names; the human head's weight and bias, if any, and its activation.

    Raises:
        ModelError: neither enformer-pytorch's names nor gReLU's.
    """
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise _not_enformer(path, "it is no state_dict")
    state = {str(key).removeprefix("enformer.").removeprefix("model."): value for key, value in loaded.items()}
    if any(key.startswith("embedding.") for key in state):
        trunk = {key.removeprefix("embedding."): v for key, v in state.items() if key.startswith("embedding.")}
        return trunk, _head(state, _GRELU_HEAD), "exp"
    trunk, unknown = {}, []
    for key, value in state.items():
        for place, name in _TRUNK.items():
            key = name + key.removeprefix(place) if key.startswith(place) else key
        if key.startswith("_heads."):
            continue
        renamed = _renamed(key)
        if renamed is None:
            unknown.append(key)
        else:
            trunk[renamed] = value
    if unknown or not trunk:
        raise _not_enformer(
            path,
            f"{counted(len(unknown), 'name is', 'names are')} unknown, the first {unknown[0]!r}"
            if unknown
            else "empty",
        )
    heads = sorted({key.split(".")[1] for key in state if key.startswith("_heads.")})
    chosen = "human" if "human" in heads else heads[0] if heads else None
    return trunk, _head(state, f"_heads.{chosen}.0.") if chosen else None, "softplus"


def _head(state: Mapping[str, Tensor], prefix: str) -> tuple[Tensor, Tensor] | None:
    weight, bias = state.get(f"{prefix}weight"), state.get(f"{prefix}bias")
    return None if weight is None or bias is None else (weight, bias)


def _renamed(key: str) -> str | None:
    """gReLU's name of a tensor of enformer-pytorch."""
    part, _, rest = key.partition(".")
    if part == "stem":
        return _within(rest, _STEM, "conv_tower.blocks.0.")
    if part == "final_pointwise":
        return _within(rest, _POINTWISE, "pointwise_conv.")
    number, _, rest = rest.partition(".")
    if not number.isdigit():
        return None
    if part == "conv_tower":
        return _within(rest, _TOWER, f"conv_tower.blocks.{int(number) + 1}.")
    return _within(rest, _TRANSFORMER, f"transformer_tower.blocks.{number}.") if part == "transformer" else None


def _within(rest: str, names: Mapping[str, str], prefix: str) -> str | None:
    return next((prefix + new + rest.removeprefix(old) for old, new in names.items() if rest.startswith(old)), None)


def _sizes_of(state: Mapping[str, Tensor], path: Path) -> Sizes:
    def count(prefix: str) -> int:
        return len({key.removeprefix(prefix).partition(".")[0] for key in state if key.startswith(prefix)})

    pointwise = state.get("pointwise_conv.conv.weight")
    bias = state.get("transformer_tower.blocks.0.mha.rel_content_bias")
    if pointwise is None or bias is None or pointwise.ndim != 3 or bias.ndim != 4:
        raise _not_enformer(path, "it lacks the pointwise convolution or the first transformer")
    return Sizes(
        n_conv=count("conv_tower.blocks."),
        channels=int(pointwise.shape[1]),
        n_transformers=count("transformer_tower.blocks."),
        n_heads=int(bias.shape[1]),
        key_len=int(bias.shape[3]),
    )


def _fill(trunk: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Put the tensors themselves in the places of the module's, strictly."""
    wanted = trunk.state_dict()
    missing, surplus = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    other = sorted(key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape)
    if missing or surplus or other:
        first = (missing + surplus + other)[0]
        raise _not_enformer(
            path, f"{len(missing)} missing, {len(surplus)} surplus, {len(other)} of another shape, first {first!r}"
        )
    trunk.load_state_dict(state, assign=True)
    for parameter in trunk.parameters():
        parameter.requires_grad_(True)


def _not_enformer(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path}: is not the weights of an Enformer",
        why,
        "Fix: give the state_dict of enformer-pytorch (pytorch_model.bin) or of gReLU's EnformerModel",
    )
