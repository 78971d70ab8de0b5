"""One layer of Keras run on numpy arrays: what the tests of layers share."""

from __future__ import annotations

import numpy as np
import torch

from zoo.models.keras.config import Call, LayerConfig, TensorRef
from zoo.models.keras.registry import build_layer

RNG = np.random.default_rng(7)


def array(*shape):
    """Random float32 numbers."""
    return RNG.normal(size=shape).astype(np.float32)


def layer_of(kind, options=None, n_inputs=1, version=2, arguments=None, **more):
    """The config of one layer that is called once."""
    call = Call(tuple(TensorRef(f"in{i}") for i in range(n_inputs)), arguments or {})
    return LayerConfig("odd_3", kind, options or {}, version, (call,), **more)


def run(kind, options, arrays, *inputs, **more):
    """What the layer makes of arrays in Keras's layout."""
    module = build_layer(layer_of(kind, options, len(inputs), **more), arrays).eval()
    with torch.no_grad():
        return module(*[torch.from_numpy(part) for part in inputs]).numpy()


def close(ours, expected, atol=1e-5):
    """Equal up to the rounding of float32, shapes included."""
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=0, atol=atol * max(1.0, np.abs(expected).max()))
