"""The table of supported layers: what builds each kind, which arrays it has, what it makes of a mask.

A new kind of layer is a line in ``KINDS``, with a test against TensorFlow (``tests/keras/test_tensorflow.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from zoo.errors import ModelError
from zoo.models.keras import attention, convolutions, joins, layers, masks, norms, recurrent, sequence_layers, shapes
from zoo.models.keras.activations import activation_layer, lambda_module
from zoo.models.keras.arrays import LayerArrays
from zoo.models.keras.config import GraphConfig, LayerConfig
from zoo.models.keras.operations import operation
from zoo.models.keras.published_lambdas import FrameSlices
from zoo.words import counted

__all__ = ["KINDS", "LayerKind", "build_layer", "check_kinds", "roles"]

Builder = Callable[[LayerConfig, LayerArrays], nn.Module]
#: Names of a layer's arrays in Keras's order: the trainable ones, the fixed ones.
Roles = tuple[list[str], list[str]]


@dataclass(frozen=True)
class LayerKind:
    """What the zoo knows of a kind of layer.

    Attributes:
        build: its config and arrays -> a module in Keras's layout.
        arrays: its config -> the names of its arrays.
        mask: what becomes of a mask that comes in (``masks.after``): ``passes``, ``ends`` (as in Keras, whose
            layers without masks drop it), ``used``, ``made`` or ``refused``.
        not_supported: options of the layer that are refused, for the table of the documentation.
        keys: options that the layer's own class always writes: classes of the same name by others lack some.
        source: the package of its class.
    """

    build: Builder
    arrays: Callable[[LayerConfig], Roles] = lambda layer: ([], [])
    mask: str = "refused"
    not_supported: str = ""
    keys: tuple[str, ...] = ()
    source: str = "keras"


def time_distributed(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """TimeDistributed; a Dense works on the last axis anyway.

    Raises:
        ModelError: the inner layer makes a mask.
    """
    if layer.wrapped.kind == "Masking" or layer.wrapped.options.get("mask_zero"):
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) around {layer.wrapped.kind}, which makes a mask, is not supported",
            "",
            "Fix: save the model without the mask",
        )
    inner = build_layer(layer.wrapped, arrays)
    return inner if layer.wrapped.kind in ("Dense", "Activation") else shapes.FoldTime(inner)


def bidirectional(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Bidirectional LSTM, GRU or SimpleRNN."""
    recurrent.check_both_ways(layer)
    sides = [
        build_layer(layer.wrapped, {role.split("/")[1]: a for role, a in arrays.items() if role.startswith(side)})
        for side in ("forward", "backward")
    ]
    return recurrent.BothWays(*sides, layer.options.get("merge_mode", "concat"))


# ---------------------------------------------------------------- the arrays of each kind


def _with_bias(*names: str, unless_said: bool = True) -> Callable[[LayerConfig], Roles]:
    """Kernels and, where ``use_bias`` says so, a bias."""
    return lambda layer: ([*names, *(["bias"] if layer.options.get("use_bias", unless_said) else [])], [])


def _where(*names: tuple[str, str, bool], fixed: tuple[str, ...] = ()) -> Callable[[LayerConfig], Roles]:
    """Arrays that are there where an option is set: (name, option, whether it is set unless the file says)."""
    return lambda layer: ([name for name, key, usual in names if layer.options.get(key, usual)], list(fixed))


def _always(*names: str) -> Callable[[LayerConfig], Roles]:
    return lambda layer: (list(names), [])


SCALED = (("gamma", "scale", True), ("beta", "center", True))


def _layer_norm_roles(layer: LayerConfig) -> Roles:
    """With ``rms_scaling`` Keras makes no beta; without this its refusal would be of arrays that lack."""
    return (["gamma"], []) if layer.options.get("rms_scaling") else _where(*SCALED)(layer)


def _of_both_sides(layer: LayerConfig) -> Roles:
    trainable, _ = roles(layer.wrapped)
    return [f"{side}/{role}" for side in ("forward", "backward") for role in trainable], []


# ---------------------------------------------------------------- the table


def _each(names: str, *row: object, **more: object) -> dict[str, LayerKind]:
    return dict.fromkeys(names.split(), LayerKind(*row, **more))  # type: ignore[arg-type]


KINDS: dict[str, LayerKind] = {
    **_each("InputLayer", layers.identity, mask="passes"),
    **_each("Dense", layers.dense, _with_bias("kernel"), "passes"),
    **_each("EinsumDense", layers.einsum_dense, lambda layer: layers.einsum_roles(layer)),
    **_each("Embedding", layers.embedding, _always("embeddings"), "made"),
    **_each("Conv1D Conv2D", convolutions.conv, _with_bias("kernel"), "ends"),
    **_each("ConvDNA ConvSequence", convolutions.conv, _with_bias("kernel"), source="concise"),
    **_each(
        "SeparableConv1D SeparableConv2D",
        convolutions.separable_conv,
        _with_bias("depthwise_kernel", "pointwise_kernel"),
        "ends",
    ),
    **_each("DepthwiseConv1D DepthwiseConv2D", convolutions.depthwise_conv, _with_bias("kernel"), "ends"),
    **_each("Conv1DTranspose Conv2DTranspose", convolutions.transposed_conv, _with_bias("kernel"), "ends"),
    **_each(
        "LocallyConnected1D",
        convolutions.locally_connected,
        _with_bias("kernel"),
        "ends",
        "padding `same`, `implementation=3`, channels first",
    ),
    **_each(
        "LocallyConnected2D",
        convolutions.locally_connected_2d,
        _with_bias("kernel"),
        "ends",
        "padding `same`, `implementation` 2 and 3, channels first",
    ),
    **_each(
        "BatchNormalization SyncBatchNormalization",
        norms.batch_norm,
        _where(*SCALED, fixed=("moving_mean", "moving_variance")),
        "passes",
        "several axes, `renorm`, mode 1 of Keras 1",
    ),
    **_each("LayerNormalization", norms.layer_norm, _layer_norm_roles, "passes", "`rms_scaling`", ("axis", "epsilon")),
    **_each("GroupNormalization", norms.group_norm, _where(*SCALED), keys=("groups", "axis", "epsilon")),
    **_each("UnitNormalization", norms.unit_norm, mask="passes", keys=("axis",)),
    **_each("Normalization", norms.normalization, norms.normalization_roles),
    **_each("Rescaling", norms.rescaling),
    **_each("PReLU", layers.prelu, _always("alpha"), "passes"),
    **_each("Dropout SpatialDropout1D SpatialDropout2D", layers.dropout, mask="passes"),
    **_each(
        "ActivityRegularization GaussianNoise GaussianDropout AlphaDropout Identity", layers.identity, mask="passes"
    ),
    **_each(
        "Activation ReLU LeakyReLU ELU ThresholdedReLU", lambda layer, arrays: activation_layer(layer), mask="passes"
    ),
    **_each("Softmax", lambda layer, arrays: activation_layer(layer)),
    **_each("MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D", shapes.pool, mask="ends"),
    **_each("GlobalMaxPooling1D GlobalMaxPooling2D GlobalAveragePooling2D", shapes.global_pool, mask="ends"),
    **_each("GlobalAveragePooling1D", shapes.global_pool, mask="used"),
    **_each("Flatten", shapes.flatten, mask="ends"),
    **_each("Cropping1D Cropping2D", shapes.crop, mask="ends"),
    **_each("ZeroPadding1D ZeroPadding2D", shapes.pad, mask="ends"),
    **_each("UpSampling1D", shapes.upsample, mask="ends"),
    **_each("UpSampling2D", shapes.upsample, mask="ends", not_supported="`interpolation` but `nearest`"),
    **_each("RepeatVector", shapes.repeat, mask="ends"),
    **_each("Reshape", shapes.reshape, mask="ends"),
    **_each("Permute", shapes.permute, mask="ends"),
    **_each("Add Subtract Multiply Average Maximum Minimum Concatenate", joins.merge, mask="passes"),
    **_each("Dot", joins.dot),
    **_each("Masking", masks.masking, mask="made"),
    **_each("TimeDistributed", time_distributed, lambda layer: roles(layer.wrapped)),
    **_each(
        "Bidirectional", bidirectional, _of_both_sides, "used", "`merge_mode=None`, a `backward_layer` that differs"
    ),
    **_each(
        "LSTM GRU SimpleRNN",
        recurrent.recurrent,
        _with_bias("kernel", "recurrent_kernel"),
        "used",
        "`stateful`, `return_state`, `time_major`, an initial state",
    ),
    **_each(
        "CuDNNLSTM CuDNNGRU",
        recurrent.cudnn,
        _always("kernel", "recurrent_kernel", "bias"),
        not_supported="`stateful`, `return_state`, an initial state",
    ),
    **_each(
        "MultiHeadAttention",
        attention.multi_head,
        attention.multi_head_roles,
        not_supported="`attention_axes` that are not all, `use_gate`, `sliding_window`, `attention_mask`, "
        "`return_attention_scores`",
        keys=("num_heads", "key_dim"),
    ),
    **_each(
        "Attention",
        attention.dot_attention,
        attention.dot_roles,
        not_supported="`return_attention_scores`, a mask as an argument",
        keys=("use_scale",),
    ),
    **_each(
        "AdditiveAttention",
        attention.additive_attention,
        _where(("scale", "use_scale", True)),
        not_supported="`return_attention_scores`, a mask as an argument",
        keys=("use_scale",),
    ),
    **_each("Lambda", lambda layer, arrays: lambda_module(layer), not_supported="code whose hash is not known"),
    **_each("TFOpLambda SlicingOpLambda", lambda layer, arrays: operation(layer, layer.calls[0])),
    **_each("GlobalAveragePooling1D_Mask0", lambda layer, arrays: shapes.MaskedAverage(), source="concise"),
    **_each("FrameSliceLayer", lambda layer, arrays: FrameSlices(), source="FramePool"),
    **_each(
        "SplineWeight1D",
        sequence_layers.spline_weight,
        _with_bias("kernel", unless_said=False),
        source="concise",
    ),
    **_each(
        "MultiheadAttention", sequence_layers.relative_attention, sequence_layers.relative_roles, source="baskerville"
    ),
    **_each("StochasticShift", layers.identity, source="baskerville"),
    **_each(
        "StochasticReverseComplement",
        lambda layer, arrays: sequence_layers.StochasticReverseComplement(),
        source="baskerville",
    ),
    **_each("SwitchReverse", lambda layer, arrays: sequence_layers.SwitchReverse(), source="baskerville"),
}


def roles(layer: LayerConfig) -> Roles:
    """Names of a layer's arrays in Keras's order: the trainable ones, the fixed ones.

    Raises:
        ModelError: the kind is not supported.
    """
    return ([], []) if layer.operation is not None else _kind(layer).arrays(layer)


def build_layer(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """The torch module of a layer.

    Raises:
        ModelError: the kind is not supported, or its options or arrays do not fit.
    """
    kind = _kind(layer)
    try:
        return kind.build(layer, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) cannot be built: {type(error).__name__}: {error}",
            "",
            "Fix: its options in the architecture are damaged or of an unknown form",
        ) from error


def check_kinds(config: GraphConfig, where: str = "") -> None:
    """Refuse an architecture with layers that are not supported before any array is looked at.

    Raises:
        ModelError: all such layers are named.
    """
    layers_of_all = _all_layers(config)
    if unknown := [layer for layer in layers_of_all if layer.kind not in KINDS]:
        raise _not_supported(unknown, where)
    for layer in layers_of_all:
        if whose := _not_its_own(layer):
            raise ModelError(
                f"{where}: layer {layer.name!r} ({layer.kind}) is not supported: {whose}".removeprefix(": "),
                "it has the name of a layer that is, and may compute something else",
                "Fix: rebuild the model with the layer of Keras; custom_objects of a model folder are not run",
            )


def _not_its_own(layer: LayerConfig) -> str | None:
    """Why a layer's class is not the one that the table means by its name."""
    kind = KINDS[layer.kind]
    if layer.package and kind.source == "keras":
        return f"its class is {layer.package}'s own"
    lacking = [key for key in kind.keys if key not in layer.options]
    return f"its config lacks {', '.join(lacking)}, which Keras's own has" if lacking else None


def _kind(layer: LayerConfig) -> LayerKind:
    if layer.kind not in KINDS:
        raise _not_supported([layer])
    return KINDS[layer.kind]


def _all_layers(config: GraphConfig) -> list[LayerConfig]:
    """Those of inner models and the layers inside wrappers included; models themselves are no kind of layer."""
    found = []
    for layer in config.layers:
        while layer is not None:
            if layer.graph is not None:
                found += _all_layers(layer.graph)
            elif layer.operation is None:
                found.append(layer)
            layer = layer.wrapped
    return found


def _not_supported(unknown: list[LayerConfig], where: str = "") -> ModelError:
    named = ", ".join(f"{layer.name!r} ({layer.kind})" for layer in unknown[:8])
    more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
    verb = "is" if len(unknown) == 1 else "are"
    return ModelError(
        f"{where}: layer {named}{more} {verb} not supported".removeprefix(": "),
        f"{counted(len(unknown), 'layer')}; supported are {', '.join(sorted(KINDS))}",
        "Fix: rebuild the model with these layers and save it again; custom_objects of a model folder are not run",
    )
