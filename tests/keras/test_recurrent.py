"""LSTM, GRU and SimpleRNN of Keras against torch's own, whose gates lie in another order; both directions and modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from keras_layers import array, close, layer_of, run

from zoo.errors import ModelError
from zoo.models.keras.config import LayerConfig
from zoo.models.keras.registry import build_layer

N, LENGTH, CHANNELS, UNITS = 3, 9, 4, 5
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
# Where torch has the gates of Keras: Keras's GRU is update, reset, candidate and torch's reset, update, new.
ORDER = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2), "SimpleRNN": (0,)}
OPTIONS = {
    "LSTM": {"recurrent_activation": "sigmoid"},
    "GRU": {"recurrent_activation": "sigmoid", "reset_after": True},
    "SimpleRNN": {},
}
TORCH = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "SimpleRNN": torch.nn.RNN}


def arrays_of(kind):
    """Arrays as Keras keeps them: (in, gates * units), (units, gates * units), a bias for each side."""
    gates = GATES[kind]
    bias = array(2, gates * UNITS) if kind == "GRU" else array(gates * UNITS)
    return {"kernel": array(CHANNELS, gates * UNITS), "recurrent_kernel": array(UNITS, gates * UNITS), "bias": bias}


def torchs(kind, arrays, x):
    """(states (N, L, units), last state) by torch.nn.LSTM, GRU or RNN with the same numbers."""

    def reordered(rows):
        parts = np.split(rows, GATES[kind], axis=0)
        return torch.from_numpy(np.concatenate([parts[i] for i in ORDER[kind]], axis=0).copy())

    theirs = TORCH[kind](CHANNELS, UNITS, batch_first=True)
    first, second = arrays["bias"] if kind == "GRU" else (arrays["bias"], np.zeros_like(arrays["bias"]))
    state = {
        "weight_ih_l0": reordered(arrays["kernel"].T),
        "weight_hh_l0": reordered(arrays["recurrent_kernel"].T),
        "bias_ih_l0": reordered(first),
        "bias_hh_l0": reordered(second),
    }
    theirs.load_state_dict(state)
    with torch.no_grad():
        states = theirs(torch.from_numpy(x.copy()))[0].numpy()
    return states, states[:, -1]


@pytest.mark.parametrize("kind", GATES)
def test_the_last_state_and_all_states_equal_torchs(kind):
    x, arrays = array(N, LENGTH, CHANNELS), arrays_of(kind)
    states, last = torchs(kind, arrays, x)
    close(run(kind, OPTIONS[kind], arrays, x), last)
    close(run(kind, OPTIONS[kind] | {"return_sequences": True}, arrays, x), states)


@pytest.mark.parametrize("kind", GATES)
def test_going_backwards_reads_from_the_end_and_lists_states_in_that_order(kind):
    x, arrays = array(N, LENGTH, CHANNELS), arrays_of(kind)
    states, last = torchs(kind, arrays, x[:, ::-1])
    backwards = OPTIONS[kind] | {"go_backwards": True}
    close(run(kind, backwards, arrays, x), last)
    close(run(kind, backwards | {"return_sequences": True}, arrays, x), states)


@pytest.mark.parametrize("kind", GATES)
def test_a_layer_without_bias_is_one_whose_bias_is_zero(kind):
    x, arrays = array(N, LENGTH, CHANNELS), arrays_of(kind)
    without = {role: values for role, values in arrays.items() if role != "bias"}
    _, last = torchs(kind, without | {"bias": np.zeros_like(arrays["bias"])}, x)
    close(run(kind, OPTIONS[kind], without, x), last)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
def test_both_ways(kind, sequences, mode):
    x, one, other = array(N, LENGTH, CHANNELS), arrays_of(kind), arrays_of(kind)
    forward = torchs(kind, one, x)[0 if sequences else 1]
    backward = torchs(kind, other, x[:, ::-1])[0 if sequences else 1]
    if sequences:  # each state stands at the position that it was made at
        backward = backward[:, ::-1]
    expected = {
        "concat": lambda: np.concatenate([forward, backward], axis=-1),
        "sum": lambda: forward + backward,
        "mul": lambda: forward * backward,
        "ave": lambda: (forward + backward) / 2,
    }[mode]()
    sides = {f"forward/{role}": values for role, values in one.items()}
    sides |= {f"backward/{role}": values for role, values in other.items()}
    inner = layer_of(kind, OPTIONS[kind] | {"return_sequences": sequences})
    close(run("Bidirectional", {"merge_mode": mode}, sides, x, wrapped=inner), expected)


def test_an_unknown_way_to_join_both_sides_is_refused():
    sides = {f"{side}/{role}": values for side in ("forward", "backward") for role, values in arrays_of("GRU").items()}
    with pytest.raises(ModelError, match=r"layer 'odd_3' \(Bidirectional\) cannot be built.*merge_mode None"):
        build_layer(layer_of("Bidirectional", {"merge_mode": None}, wrapped=layer_of("GRU")), sides)


@pytest.mark.parametrize("option", ["stateful", "return_state"])
@pytest.mark.parametrize("kind", GATES)
def test_layers_that_keep_or_return_their_state_are_refused(kind, option):
    with pytest.raises(ModelError) as caught:
        build_layer(layer_of(kind, {option: True}), arrays_of(kind))
    assert caught.value.what == f"layer 'odd_3' ({kind}) keeps or returns its state: not supported"
    assert caught.value.fix == "Fix: save the model without stateful and return_state"
    assert caught.value.exit_code == 4


def test_one_step_of_an_lstm_by_hand():
    """All gates see 0 but the cell's input: sigmoid(0) = 1/2, so c = tanh(x) / 2 and h = tanh(c) / 2."""
    kernel = np.zeros((1, 4), np.float32)
    kernel[0, 2] = 1  # input, forget, cell, output
    arrays = {"kernel": kernel, "recurrent_kernel": np.zeros((1, 4), np.float32)}
    x = np.float32([[[0.7]]])
    expected = np.tanh(np.tanh(0.7) / 2) / 2
    assert run("LSTM", OPTIONS["LSTM"], arrays, x)[0, 0] == pytest.approx(expected, abs=1e-7)


def test_the_activation_of_a_simple_rnn_is_tanh_unless_it_says_otherwise():
    kernel, recurrent = np.float32([[1.0]]), np.float32([[0.5]])
    x = np.float32([[[2.0], [-3.0]]])
    arrays = {"kernel": kernel, "recurrent_kernel": recurrent}
    assert run("SimpleRNN", {}, arrays, x)[0, 0] == pytest.approx(np.tanh(-3 + np.tanh(2) / 2), abs=1e-6)
    assert run("SimpleRNN", {"activation": "relu"}, arrays, x)[0, 0] == 0
    assert run("SimpleRNN", {"activation": "linear"}, arrays, x)[0, 0] == -2


@pytest.mark.parametrize("kind", ["Dense", "Activation", "Conv1D", "Flatten"])
def test_time_distributed_works_on_each_position_by_itself(kind):
    x = array(2, 3, 6, 4)
    options = {
        "Dense": {"use_bias": False},
        "Activation": {"activation": "softmax"},
        "Conv1D": {"use_bias": False, "padding": "same"},
        "Flatten": {},
    }[kind]
    kernel = {"Dense": array(4, 2), "Conv1D": array(3, 4, 2)}.get(kind)
    arrays = {} if kernel is None else {"kernel": kernel}
    inner = LayerConfig("inner", kind, options)
    expected = np.stack([run(kind, options, arrays, x[:, step]) for step in range(3)], axis=1)
    close(run("TimeDistributed", {}, arrays, x, wrapped=inner), expected)
