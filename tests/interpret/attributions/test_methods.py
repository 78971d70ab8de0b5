"""Gradients, integrated gradients, mutagenesis, ablation, marginalization: by hand and by captum."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from toys_attribution import COMPLETE, LENGTH, make_toy

from interpret.methods.ablation import ablation
from interpret.methods.gradients import inputxgradient, saliency
from interpret.methods.integrated_gradients import (
    adaptive_gradients,
    explain_by_integrated_gradients,
    integrated_gradients,
)
from interpret.methods.ism import ism
from interpret.methods.marginalize import marginalize
from interpret.references import References, parse_references, shuffled
from zoo.errors import InputError, MismatchError, UsageError

MOTIF = "TGACTCA"


class CountsMotif(nn.Module):
    """1 for each exact TGACTCA: a convolution that reaches 7 only there, and a ReLU."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 1, len(MOTIF))
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.bias.fill_(1.0 - len(MOTIF))
            for i, letter in enumerate(MOTIF):
                self.conv.weight[0, "ACGT".index(letter), i] = 1

    def forward(self, x):
        return torch.relu(self.conv(x)).sum((1, 2))


def planted(sequences, start=12):
    """A sequence with no G but that of the motif, so that it stands there once."""
    x = sequences(1, 40)
    x[0, :, :] = 0
    x[0, 0, :] = 1
    for i, letter in enumerate(MOTIF):
        x[0, :, start + i] = 0
        x[0, "ACGT".index(letter), start + i] = 1
    return x


def test_linear_models_are_explained_by_their_weights(sequences):
    net = nn.Sequential(nn.Flatten(), nn.Linear(80, 1))
    weight = net[1].weight.detach().numpy().reshape(1, 4, 20)
    centred = np.repeat(weight - weight.mean(1, keepdims=True), 3, 0)
    x = sequences(3, 20)
    uniform = np.full((3, 1, 4, 20), 0.25, np.float32)
    assert inputxgradient(net, x) == pytest.approx(centred, abs=1e-6)
    assert inputxgradient(net, x, corrected=False) == pytest.approx(np.repeat(weight, 3, 0), abs=1e-6)
    assert saliency(net, x) == pytest.approx(np.abs(centred), abs=1e-6)
    assert ism(net, x) == pytest.approx(centred, abs=1e-6)
    assert integrated_gradients(net, x, uniform) == pytest.approx(centred, abs=1e-6)
    assert ablation(net, x, uniform) == pytest.approx(centred * x, abs=1e-6)


def test_a_planted_motif_is_what_mutagenesis_finds(sequences):
    x = planted(sequences)
    found = (ism(CountsMotif(), x) * x).sum(1)[0]
    wanted = np.zeros(40)
    wanted[12:19] = 0.75  # 1 with the base, 0 with the other three
    assert found == pytest.approx(wanted)


def test_a_planted_motif_is_what_ablation_finds_by_stretches(sequences):
    x = planted(sequences, start=14)
    found = ablation(CountsMotif(), x, np.zeros((1, 1, 4, 40), np.float32), width=7)
    assert found.sum(1)[0] == pytest.approx([0] * 14 + [1 / 7] * 7 + [0] * 19)


def test_marginalization_is_what_the_motif_adds(sequences):
    backgrounds = np.zeros((3, 4, 40), np.float32)
    backgrounds[:, 0] = 1
    assert marginalize(CountsMotif(), backgrounds, MOTIF) == pytest.approx([1, 1, 1])
    assert marginalize(CountsMotif(), backgrounds, "TGACTGA") == pytest.approx([0, 0, 0])
    with pytest.raises(UsageError, match="does not fit"):
        marginalize(CountsMotif(), backgrounds, MOTIF, start=36)
    with pytest.raises(UsageError, match="other letters"):
        marginalize(CountsMotif(), backgrounds, "TGARTCA")
    backgrounds[1, :, 19] = 0, 0, 0, 1  # the motif lies at 16 to 22; N leaves A, A and T as they are
    assert marginalize(CountsMotif(), backgrounds, "TGNCTCA") == pytest.approx([1, 1, 1])
    assert marginalize(CountsMotif(), backgrounds, "TGANTCA") == pytest.approx([0, 0, 0])
    backgrounds[2, :, 19] = 0, 1, 0, 0
    assert marginalize(CountsMotif(), backgrounds, "TGANTCA") == pytest.approx([0, 0, 1])
    assert backgrounds[0, 0].all()  # the caller's array is as it was


def test_gradients_are_captums(sequences):
    from captum.attr import InputXGradient, Saliency

    net, x = make_toy(*COMPLETE["F.gelu"]), sequences(4, LENGTH)
    inputs = torch.from_numpy(x).requires_grad_(True)
    theirs = Saliency(net).attribute(inputs).numpy()
    assert saliency(net, x, corrected=False) == pytest.approx(theirs, abs=1e-6)
    theirs = InputXGradient(net).attribute(inputs).detach().numpy()
    assert inputxgradient(net, x, corrected=False) * x == pytest.approx(theirs, abs=1e-6)
    assert inputxgradient(net, x).sum(1) == pytest.approx(np.zeros((4, LENGTH)), abs=1e-5)


def test_mutagenesis_is_tangermemes(sequences):
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    net, x = make_toy(*COMPLETE["F.max_pool1d"]), sequences(2, LENGTH)

    class Column(nn.Module):
        def forward(self, x):
            return net(x)[:, None]

    raw = saturation_mutagenesis(Column(), torch.from_numpy(x), raw_outputs=True, device="cpu")
    theirs = raw[1].reshape(2, 4, LENGTH).numpy()
    assert ism(net, x) == pytest.approx(theirs - theirs.mean(1, keepdims=True), abs=1e-5)


def test_mutagenesis_by_windows_and_by_full_passes_agree(sequences):
    """Fixed weights are those of the observed sequence; an unknown base takes the full way."""

    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = make_toy(*COMPLETE["F.gelu"])

        zoo_explain: ClassVar = {"fixed": "weights"}

        def weights(self, x):
            return x[:, 0].sum(1)

        def forward(self, x, weights=None):
            return self.net(x) * (self.weights(x) if weights is None else weights)

    net, x = Weighted(), sequences(3, LENGTH)
    x[1, :, 5] = 0.25
    quick, full = ism(net, x), ism(net, x, fast=False)
    assert quick == pytest.approx(full, abs=1e-5)
    with torch.no_grad():
        edited = torch.from_numpy(x[:1]).clone()
        values = []
        for base in range(4):
            edited[0, :, 9] = torch.eye(4)[base]
            values.append(float(net.net(edited)) * x[0, 0].sum())
    assert full[0, :, 9] == pytest.approx(np.array(values) - np.mean(values), abs=1e-5)
    assert np.abs(full).max() > 0.1


def test_integrated_gradients_take_the_steps_they_need(sequences):
    net, x = make_toy(*COMPLETE["cube"]), sequences(2, LENGTH)
    found = explain_by_integrated_gradients(net, x, References(n=3))
    assert found.pair_error.max() < 1e-3

    class Step(nn.Module):  # 0 or 1: no gradient anywhere
        def forward(self, x):
            return (x[:, 0].sum(1) > x[:, 1].sum(1)).float() + 0 * x.sum((1, 2))

    apart = np.zeros((1, 1, 4, LENGTH), np.float32)
    apart[:, :, 1] = 1
    mostly_a = np.zeros((1, 4, LENGTH), np.float32)
    mostly_a[:, 0] = 1
    with pytest.raises(MismatchError, match="not complete"):
        integrated_gradients(Step(), mostly_a, apart, steps=16)
    assert not integrated_gradients(Step(), mostly_a, apart, steps=16, allow_incomplete=True).any()


KINKED = ("F.relu", "log1p", "maximum", "F.max_pool1d", "max-over-length", "amin", "adaptive-max-pool", "group-norm")


@pytest.mark.parametrize("name", KINKED)
def test_integrated_gradients_close_in_on_kinks(name, sequences):
    """Complete against shuffles, where 256 of captum's points leave errors of up to 2%."""
    net, x = make_toy(*COMPLETE[name]), sequences(2, LENGTH, seed=4)
    references = References(n=3, seed=3).of(x)
    assert explain_by_integrated_gradients(net, x, references, steps=64).pair_error.max() > 1e-3
    found = explain_by_integrated_gradients(net, x, references)
    assert found.pair_error.max() < 1e-3
    with torch.no_grad():
        base = net(torch.from_numpy(references.reshape(-1, 4, LENGTH))).view(2, 3).mean(1)
        difference = net(torch.from_numpy(x)) - base
    assert (found.hypothetical * x).sum((1, 2)) == pytest.approx(difference.numpy(), rel=2e-2)
    assert found.prediction - found.reference_prediction == pytest.approx(difference.numpy(), abs=1e-6)


def test_points_at_kinks_give_what_very_many_of_captums_do(sequences):
    from captum.attr import IntegratedGradients

    net, x = make_toy(*COMPLETE["F.max_pool1d"]), torch.from_numpy(sequences(1, LENGTH, seed=4))
    reference = torch.from_numpy(References(n=1, seed=3).of(x.numpy())[:, 0])
    found = adaptive_gradients(net, x[0], reference[0], (), enough=1e-5)
    theirs = IntegratedGradients(net, multiply_by_inputs=False).attribute(
        x, reference, n_steps=20_000, method="riemann_middle", internal_batch_size=1000
    )[0]
    assert 33 < found.points < 2000
    assert found.error <= 1e-5
    assert np.abs((found.gradients - theirs).numpy()).max() < 2e-3 * float(theirs.abs().max())


def test_shuffles_keep_dinucleotides_and_depend_on_seed_and_number_only(sequences):
    x = sequences(3, 60)
    x[1, :, 20:25] = 0.25

    def pairs(one_hot):
        letters = np.where(one_hot.max(0) > 0.5, one_hot.argmax(0), 4)
        return np.bincount(letters[:-1] * 5 + letters[1:], minlength=25)

    found = shuffled(x, 4, seed=7, n_value=0.25)
    assert found.shape == (3, 4, 4, 60)
    for i in range(3):
        for shuffle in found[i]:
            assert (pairs(shuffle) == pairs(x[i])).all()
    assert not np.array_equal(found[0, 0], x[0])
    assert np.array_equal(shuffled(x[2:], 4, seed=7, first=2, n_value=0.25), found[2:])
    assert not np.array_equal(shuffled(x, 4, seed=8, n_value=0.25), found)


def test_a_window_with_a_single_shuffle_is_its_own_reference(sequences):
    """tangermeme refuses the whole batch; others in it are shuffled as they are without it."""
    x = sequences(3, 60)
    x[1] = 0.25
    x[2] = np.eye(4, dtype=np.float32)[0][:, None]
    found = shuffled(x, 3, seed=7, n_value=0.25)
    assert np.array_equal(found[1:], np.repeat(x[1:, None], 3, 1))
    assert np.array_equal(found[:1], shuffled(x[:1], 3, seed=7))
    assert not np.array_equal(found[0, 0], x[0])
    net = make_toy(*COMPLETE["F.gelu"])
    explained = explain_by_integrated_gradients(net, x[1:, :, :LENGTH], found[1:, :, :, :LENGTH])
    assert explained.pair_error.max() < 1e-3  # of a difference that is rounding


def test_references_by_name_and_file(sequences, tmp_path):
    x = sequences(2, 20)
    assert (parse_references("uniform").of(x) == 0.25).all()
    assert (parse_references("zeros").of(x) == 0).all()
    assert parse_references("5", seed=3).of(x).shape == (2, 5, 4, 20)
    given = sequences(3, 20, seed=5)
    np.savez(tmp_path / "r.npz", references=given)
    assert np.array_equal(parse_references(str(tmp_path / "r.npz")).of(x), np.stack([given, given]))
    np.savez(tmp_path / "s.npz", references=given[:, :, :10])
    with pytest.raises(InputError, match="10 bp long"):
        parse_references(str(tmp_path / "s.npz")).of(x)
    np.savez(tmp_path / "t.npz", references=given.transpose(0, 2, 1))
    with pytest.raises(InputError, match=r"\(3, 20, 4\)"):
        parse_references(str(tmp_path / "t.npz"))
    (tmp_path / "u.npz").write_text("no")
    with pytest.raises(InputError, match="cannot be read"):
        parse_references(str(tmp_path / "u.npz"))
    with pytest.raises(UsageError, match="--references shuffle"):
        parse_references("shuffle")


def test_wrong_arrays_are_errors(sequences):
    net = nn.Sequential(nn.Flatten(), nn.Linear(80, 1))
    with pytest.raises(UsageError, match=r"\(2, 20, 4\)"):
        saliency(net, sequences(2, 20).transpose(0, 2, 1))
    x = sequences(2, 20)
    x[1, 0, 3] = np.nan
    with pytest.raises(InputError, match="1 of 2"):
        ism(net, x)


def test_every_method_leaves_the_module_as_it_was(sequences):
    """Eval mode is set, so that dropout does nothing, and each part's own mode is put back; no gradient is left."""
    parts = nn.Conv1d(4, 4, 3), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(72, 1)
    net = nn.Sequential(*parts)
    net.train()
    net[2].eval()
    x, state = sequences(2, 20), {name: value.clone() for name, value in net.state_dict().items()}
    references = References(n=2)
    calls = {
        "saliency": lambda: saliency(net, x),
        "inputxgradient": lambda: inputxgradient(net, x),
        "integrated_gradients": lambda: integrated_gradients(net, x, references, allow_incomplete=True),
        "ism": lambda: ism(net, x),
        "ablation": lambda: ablation(net, x, references),
        "marginalize": lambda: marginalize(net, x, "ACGT"),
    }
    for name, call in calls.items():
        with torch.no_grad():
            first, again = call(), call()
        assert first == pytest.approx(again, abs=1e-7), name
        assert np.abs(first).max() > 0, name
        assert [part.training for part in net] == [True, True, False, True, True, True], name
        assert net.training
        assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items()), name
        assert all(p.requires_grad and p.grad is None for p in net.parameters()), name
