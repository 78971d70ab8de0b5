"""Which kinds of layers are supported, and the function that builds each."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras import layers, recurrent, sequence_layers, shapes
from zoo.models.keras.activations import activation_layer
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.lambdas import lambda_module
from zoo.models.keras.weights import LayerArrays

__all__ = ["BUILDERS", "build_layer"]

Builder = Callable[[LayerConfig, LayerArrays], nn.Module]


class FoldTime(nn.Module):
    """TimeDistributed: the inner module sees every position as an item of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def time_distributed(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """TimeDistributed; a Dense works on the last axis anyway."""
    inner = build_layer(layer.wrapped, arrays)
    return inner if layer.wrapped.kind in ("Dense", "Activation") else FoldTime(inner)


def bidirectional(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Bidirectional LSTM, GRU or SimpleRNN."""
    sides = [
        build_layer(layer.wrapped, {role.split("/")[1]: a for role, a in arrays.items() if role.startswith(side)})
        for side in ("forward", "backward")
    ]
    return recurrent.BothWays(*sides, layer.options.get("merge_mode", "concat"))


def _each(names: str, builder: Builder) -> dict[str, Builder]:
    return dict.fromkeys(names.split(), builder)


BUILDERS: dict[str, Builder] = {
    **_each("Dense", layers.dense),
    **_each("Conv1D Conv2D ConvDNA ConvSequence", layers.conv),
    **_each("SeparableConv1D", layers.separable_conv),
    **_each("BatchNormalization SyncBatchNormalization", layers.batch_norm),
    **_each("LayerNormalization", layers.layer_norm),
    **_each("PReLU", layers.prelu),
    **_each("Dropout SpatialDropout1D SpatialDropout2D", layers.dropout),
    **_each("InputLayer ActivityRegularization GaussianNoise GaussianDropout AlphaDropout", layers.identity),
    **_each("Activation ReLU LeakyReLU ELU ThresholdedReLU Softmax", lambda layer, arrays: activation_layer(layer)),
    **_each("MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D", shapes.pool),
    **_each("GlobalMaxPooling1D GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D", shapes.global_pool),
    **_each("Flatten", shapes.flatten),
    **_each("Cropping1D", shapes.crop),
    **_each("ZeroPadding1D ZeroPadding2D", shapes.pad),
    **_each("UpSampling1D", shapes.upsample),
    **_each("RepeatVector", shapes.repeat),
    **_each("Reshape", shapes.reshape),
    **_each("Permute", shapes.permute),
    **_each("Add Subtract Multiply Average Maximum Minimum Concatenate", shapes.merge),
    **_each("TimeDistributed", time_distributed),
    **_each("Bidirectional", bidirectional),
    **_each("LSTM GRU SimpleRNN", recurrent.recurrent),
    **_each("Lambda", lambda layer, arrays: lambda_module(layer)),
    **_each("TFOpLambda", sequence_layers.tensorflow_operation),
    **_each("GlobalAveragePooling1D_Mask0", lambda layer, arrays: shapes.MaskedAverage()),
    **_each("SplineWeight1D", sequence_layers.spline_weight),
    **_each("MultiheadAttention", sequence_layers.relative_attention),
    **_each("StochasticShift", layers.identity),
    **_each("StochasticReverseComplement", lambda layer, arrays: sequence_layers.StochasticReverseComplement()),
    **_each("SwitchReverse", lambda layer, arrays: sequence_layers.SwitchReverse()),
}


def build_layer(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """The torch module of a layer.

    Raises:
        ModelError: the kind is not supported, or its options or arrays do not fit.
    """
    if layer.kind not in BUILDERS:
        raise ModelError(
            f"layer {layer.name!r} is of kind {layer.kind!r}, which is not supported",
            f"supported are {', '.join(sorted(BUILDERS))}",
            "Fix: rebuild the model with these layers; custom_objects of a model folder are not run",
        )
    try:
        return BUILDERS[layer.kind](layer, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) cannot be built: {type(error).__name__}: {error}",
            "",
            "Fix: its options in the architecture are damaged or of an unknown form",
        ) from error
