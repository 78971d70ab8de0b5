"""The runner on toys: reverse-complement average, precision, devices, batches."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from toys import KINDS, complement, make_toy_entry, one_hot, random_sequence

import zoo
from zoo.errors import SystemStateError, UsageError
from zoo.models.loaded import LoadedModel, Runner, auto_batch_size
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec


@pytest.fixture
def toy_model(tmp_path):
    def load(kind, **options):
        toy = make_toy_entry(tmp_path / f"toy_{kind}", kind, **options)
        return toy, zoo.load_model(toy.folder, trust=True)

    return load


def windows(toy, n=9, seed=0):
    rng = random.Random(seed)
    sequences = [random_sequence(rng, toy.length, "ACGTAAN") for _ in range(n)]
    return sequences, np.array([one_hot(sequence) for sequence in sequences], dtype=np.float32)


def named(model, result):
    return result if isinstance(result, dict) else {model.outputs[0].name: result}


def average(one, other):
    return [average(a, b) for a, b in zip(one, other, strict=True)] if isinstance(one, list) else (one + other) / 2


def test_rc_average_of_a_profile_flips_the_bins(toy_model):
    toy, model = toy_model("profile")
    sequences, batch = windows(toy)
    got = model.predict(batch, rc_average=True).tolist()
    for sequence, values in zip(sequences, got, strict=True):
        (plain,), (other,) = toy.answer(sequence)["g_per_bin"], toy.answer(complement(sequence))["g_per_bin"]
        assert values == [average(plain, other[::-1])]


def test_rc_average_swaps_stranded_tracks(toy_model):
    toy, model = toy_model("stranded")
    sequences, batch = windows(toy)
    got = model.predict(batch, rc_average=True)
    for i, sequence in enumerate(sequences):
        other = toy.answer(complement(sequence))["counts"]
        mirrored = [other[1][::-1], other[0][::-1]]
        assert got["counts"][i].tolist() == average(toy.answer(sequence)["counts"], mirrored)
        # The toy is built so that the other strand says the same: the average changes nothing.
        assert got["counts"][i].tolist() == toy.answer(sequence)["counts"]
        assert got["total"][i].tolist() == toy.answer(sequence)["total"]


def test_rc_average_without_a_pairing_of_tracks_swaps_none(toy_model):
    output = {key: value for key, value in KINDS["stranded"].outputs[0].items() if key != "strand"}
    toy, model = toy_model("stranded", card={"outputs": [output, KINDS["stranded"].outputs[1]]})
    sequences, batch = windows(toy)
    got = model.predict(batch, rc_average=True)["counts"]
    for sequence, values in zip(sequences, got, strict=True):
        other = [track[::-1] for track in toy.answer(complement(sequence))["counts"]]
        assert values.tolist() == average(toy.answer(sequence)["counts"], other)


@pytest.mark.parametrize("kind", ["gc", "profile"])
def test_rc_average_of_an_output_of_one_strand_is_refused(toy_model, kind):
    _, model = toy_model(kind, card={"outputs": [KINDS[kind].outputs[0] | {"strand": "sense"}]})
    batch = torch.zeros(1, 4, model.length)
    assert np.isfinite(model.predict(batch)).all()
    with pytest.raises(UsageError) as caught:
        model.predict(batch, rc_average=True)
    assert "belongs to the strand that is read" in caught.value.what and "strand: sense" in caught.value.extent


def test_rc_average_of_a_profile_that_is_not_centred_is_refused(toy_model):
    _, model = toy_model("profile", card={"outputs": [KINDS["profile"].outputs[0] | {"offset": 4}]})
    with pytest.raises(UsageError, match="not centred"):
        Runner(model, rc_average=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", [{"alphabet_axis": 1}, {"alphabet": "TGCA"}, {"dummy_axis": 1}])
def test_rc_average_mirrors_before_the_layout_is_made(toy_model, kind, layout):
    """A model that undoes its layout first must answer as one without layout."""
    toy, model = toy_model(kind)
    _, batch = windows(toy)
    expected = named(model, model.predict(batch, rc_average=True))
    undo = {
        "alphabet_axis": "x = x.transpose(1, 2)",
        "alphabet": "x = x[:, [3, 2, 1, 0]]",
        "dummy_axis": "x = x.squeeze(2)",
    }[next(iter(layout))]
    args = layout if "dummy_axis" not in layout else layout | {"alphabet_axis": 0}
    other = make_toy_entry(toy.folder.parent / "laid_out", kind, loader_args=args, card=False)
    source = other.folder / "toy_laid_out.py"
    head = "    def forward(self, x):\n"
    source.write_text(source.read_text().replace(head, f"{head}        {undo}\n"))
    got = zoo.load_model(other.folder, trust=True)
    # Without a card no pairing of strands is known, and scalars need none.
    for name, values in named(got, got.predict(batch, rc_average=kind != "stranded")).items():
        plain = expected if kind != "stranded" else named(model, model.predict(batch))
        assert np.array_equal(values, plain[name])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 2, 4, 9, 100, "auto"])
def test_the_batch_size_changes_nothing(toy_model, kind, batch_size):
    toy, model = toy_model(kind)
    sequences, batch = windows(toy)
    got = named(model, model.predict(batch, batch_size=batch_size))
    for name, values in got.items():
        assert values.tolist() == [toy.answer(sequence)[name] for sequence in sequences]


def test_no_windows_give_empty_arrays(toy_model):
    _, model = toy_model("stranded")
    got = model.predict(np.empty((0, 4, 24), dtype=np.float32))
    assert {name: values.shape for name, values in got.items()} == {"counts": (0, 2, 4), "total": (0, 1)}


def test_a_tensor_and_another_dtype_are_accepted(toy_model):
    toy, model = toy_model("gc")
    _, batch = windows(toy)
    expected = model.predict(batch)
    assert np.array_equal(model.predict(torch.from_numpy(batch)), expected)
    assert np.array_equal(model.predict(batch.astype(np.float64)), expected)


@pytest.mark.parametrize("shape", [(2, 16, 4), (4, 16), (2, 5, 16)])
def test_a_wrong_shape_is_refused(toy_model, shape):
    _, model = toy_model("gc")
    with pytest.raises(UsageError, match="one_hot has shape"):
        model.predict(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_other_precisions_give_float32_near_the_answer(toy_model, precision):
    """Small sums of quarters are exact in 16 bits too, so the toy's answer must not change."""
    toy, model = toy_model("stranded")
    sequences, batch = windows(toy)
    got = model.predict(batch, precision=precision)
    assert {values.dtype for values in got.values()} == {np.dtype(np.float32)}
    for name, values in got.items():
        assert values.tolist() == [toy.answer(sequence)[name] for sequence in sequences]


def test_precision_reaches_the_layers(toy_model):
    toy, model = toy_model("gc")
    seen = []

    class Spy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv1d(4, 1, 16)

        def forward(self, x):
            y = self.layer(x)
            seen.append(y.dtype)
            return y.flatten(1)

    model.module = Spy()
    for precision in ("float32", "bfloat16"):
        model.predict(windows(toy)[1], precision=precision)
    assert seen == [torch.float32, torch.bfloat16]


def test_an_unknown_precision_is_refused(toy_model):
    _, model = toy_model("gc")
    with pytest.raises(UsageError, match="float8"):
        Runner(model, precision="float8")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_absent_cuda_is_said(toy_model, device):
    _, model = toy_model("gc")
    with pytest.raises(SystemStateError) as caught:
        Runner(model, device=device)
    assert f"--device {device}" in caught.value.what and caught.value.exit_code == 7


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has MPS")
def test_absent_mps_is_said(toy_model):
    _, model = toy_model("gc")
    with pytest.raises(SystemStateError, match="--device mps"):
        Runner(model, device="mps")


@pytest.mark.parametrize("device", ["gpu", "", "cpu:x"])
def test_an_unknown_device_is_refused(toy_model, device):
    _, model = toy_model("gc")
    with pytest.raises(UsageError, match="no such device"):
        Runner(model, device=device)


def test_prediction_uses_eval_mode_and_records_no_gradients(toy_model):
    toy, model = toy_model("gc")
    state = []

    class Spy(torch.nn.Module):
        def forward(self, x):
            state.append((self.training, torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
            return torch.nn.functional.dropout(x, 0.5, self.training).mean((1, 2)).unsqueeze(1)

    model.module = Spy().train()
    batch = windows(toy)[1]
    assert np.array_equal(model.predict(batch), model.predict(batch))
    assert set(state) == {(False, False, True)}


@pytest.mark.parametrize(("length", "size"), [(1, 512), (128, 512), (1024, 64), (65_536, 1), (10**6, 1)])
def test_automatic_batches_on_a_cpu_hold_about_64_kb(length, size):
    assert auto_batch_size(length, torch.device("cpu")) == size


def test_out_of_memory_halves_the_batch(toy_model):
    toy, model = toy_model("gc")
    sequences, batch = windows(toy, n=16)
    inner, sizes = model.module, []

    class Small(torch.nn.Module):
        def forward(self, x):
            sizes.append(len(x))
            if len(x) > 4:
                raise torch.OutOfMemoryError("full")
            return inner(x)

    model.module = Small()
    runner = Runner(model, batch_size=16)
    got = runner.forward(batch)["gc"]
    assert got.tolist() == [toy.answer(sequence)["gc"] for sequence in sequences]
    assert (sizes[0], runner.batch_size) == (16, 4)


def test_out_of_memory_with_one_window_is_said(toy_model):
    toy, model = toy_model("gc")

    class Never(torch.nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("full")

    model.module = Never()
    with pytest.raises(SystemStateError, match="not enough memory for one window"):
        model.predict(windows(toy)[1])


def test_float32_is_float32_after_somebody_lowered_matrix_products():
    """gReLU's predict_on_dataset sets "medium" for the whole process; on a CPU with bfloat16 that costs 1e-3."""
    length = 64
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4 * length, 64)).eval()
    spec = OutputSpec("scores", "scalar", tuple(f"t{i}" for i in range(64)))
    model = LoadedModel("linear", module, SequenceLoader(length), (spec,))
    batch = torch.nn.functional.one_hot(torch.randint(0, 4, (128, length)), 4).transpose(1, 2).float()
    weight, bias = module[1].weight.detach().double(), module[1].bias.detach().double()
    expected = batch.flatten(1).double() @ weight.T + bias
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        scores = Runner(model, "cpu").predict_array(batch)
        assert torch.get_float32_matmul_precision() == "medium"  # the caller's setting is put back
    finally:
        torch.set_float32_matmul_precision(before)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
