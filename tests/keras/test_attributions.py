"""What Keras's layers are to attributions: contributions add up or are refused, mutations by windows are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from keras_layers import layer_of
from torch import nn

from interpret.methods.deepliftshap import deepliftshap
from interpret.methods.ism import ism
from interpret.references import References
from zoo.errors import ModelError
from zoo.models.keras.registry import build_layer

LENGTH, CHANNELS = 12, 6
RNG = np.random.default_rng(11)


def array(*shape):
    return RNG.normal(scale=0.5, size=shape).astype(np.float32)


HEADS = {f"{side}/kernel": array(CHANNELS, 2, 3) for side in ("query", "key", "value")} | {
    "attention_output/kernel": array(2, 3, 5)
}
SCALED = {"gamma": array(CHANNELS), "beta": array(CHANNELS)}
WHOLE = {"gamma": array(LENGTH, CHANNELS), "beta": array(LENGTH, CHANNELS)}
# Kind, options, arrays, how many times the layer takes the tensor.
COMPLETE = {
    "group norm": ("GroupNormalization", {"groups": 2}, SCALED, 1),
    "layer norm of axes": ("LayerNormalization", {"axis": [1, 2]}, WHOLE, 1),
    "unit norm": ("UnitNormalization", {"axis": -1}, {}, 1),
    "log softmax": ("Activation", {"activation": "log_softmax"}, {}, 1),
    "heads": ("MultiHeadAttention", {"use_bias": False}, HEADS, 2),
    "attention concat": (
        "Attention",
        {"use_scale": False, "score_mode": "concat"},
        {"concat_score_weight": array()},
        2,
    ),
    "causal": ("Attention", {"use_scale": False, "causal": True}, {}, 2),
    "dot of unit length": ("Dot", {"axes": 1, "normalize": True}, {}, 2),
    "transposed with gaps": ("Conv1DTranspose", {"strides": 3}, {"kernel": array(2, 2, CHANNELS), "bias": array(2)}, 1),
    "kernels of their own": ("LocallyConnected1D", {"kernel_size": 3}, {"kernel": array(10, 3 * CHANNELS, 2)}, 1),
}


# Of which each position of the result needs others than a window around it, or other windows than a convolution's.
MIXING = ["group norm", "heads", "transposed with gaps", "kernels of their own"]
KERNEL, WEIGHTS = array(3, 4, CHANNELS), array(LENGTH * LENGTH * CHANNELS)


class Net(nn.Module):
    """A convolution in Keras's layout, the layer, and a weighted sum of all it gives."""

    def __init__(self, name: str) -> None:
        super().__init__()
        kind, options, arrays, self.times = COMPLETE[name]
        first = layer_of("Conv1D", {"padding": "same", "activation": "tanh"})
        self.first = build_layer(first, {"kernel": KERNEL})
        self.layer = build_layer(layer_of(kind, options, self.times), arrays)
        with torch.no_grad():
            shape = self.layer(*[torch.zeros(1, LENGTH, CHANNELS)] * self.times).shape[1:]
        self.register_buffer("weights", torch.from_numpy(WEIGHTS[: shape.numel()]).reshape(shape))

    def forward(self, x):
        found = self.layer(*[self.first(x.transpose(1, 2))] * self.times)
        return (found * self.weights).flatten(1).sum(1)


def windows(n):
    return np.eye(4, dtype=np.float32)[np.random.default_rng(3).integers(0, 4, (n, LENGTH))].transpose(0, 2, 1).copy()


@pytest.mark.parametrize("name", COMPLETE)
def test_contributions_of_a_layer_add_up(name):
    net, x = Net(name).eval(), windows(2)
    references = References(n=2, seed=3).of(x)
    found = deepliftshap(net, x, references)
    with torch.no_grad():
        y = net(torch.from_numpy(x)).numpy()
        base = net(torch.from_numpy(references.reshape(-1, 4, LENGTH))).numpy().reshape(2, 2).mean(1)
    assert np.abs(y - base).max() > 1e-3
    assert (found * x).sum((1, 2)) == pytest.approx(y - base, abs=1e-3 * float(np.abs(y - base).max()))


@pytest.mark.parametrize("name", MIXING)
def test_mutations_by_windows_are_those_of_full_passes(name):
    net, x = Net(name).eval(), windows(1)
    found = ism(net, x)[0]
    with torch.no_grad():
        y = net(torch.from_numpy(x)).item()
        changes = np.zeros((4, LENGTH), np.float32)
        for base in range(4):
            for position in range(LENGTH):
                changed = x.copy()
                changed[0, :, position] = np.eye(4)[base]
                changes[base, position] = net(torch.from_numpy(changed)).item() - y
    expected = changes - changes.mean(0)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_a_mask_that_depends_on_the_sequence_is_refused_by_deeplift_and_not_by_ism():
    """A step from skipped to counted has no slope. By ism: the mean of the A over the positions that are not C."""

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.masking = build_layer(layer_of("Masking", {"mask_value": 0.0}), {})
            self.mean = build_layer(layer_of("GlobalAveragePooling1D"), {})

        def forward(self, x):
            kept, mask = self.masking(x[:, [0, 2, 3]].transpose(1, 2))
            return self.mean(kept, mask=mask)[:, 0]

    x = np.eye(4, dtype=np.float32)[:, [0, 1, 1, 2]][None]  # A C C G: 1 of 2
    with pytest.raises(ModelError, match="has no rule for"):
        deepliftshap(Masked().eval(), x)
    changes = np.float32([[0, 1 / 6, 1 / 6, 1 / 2], [-1 / 2, 0, 0, 1 / 2], [-1 / 2, -1 / 6, -1 / 6, 0]])
    changes = np.concatenate([changes, changes[2:]])  # T is as G
    np.testing.assert_allclose(ism(Masked().eval(), x)[0], changes - changes.mean(0), atol=1e-6)
