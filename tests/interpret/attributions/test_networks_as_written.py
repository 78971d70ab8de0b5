"""Networks as they are written: explained right, or refused by the name of what stands in the way."""

from __future__ import annotations

import copy
import random
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys_networks import (
    BOTH_STRANDS,
    CHANGING,
    CUT,
    FLAT,
    FUNCTIONS,
    LENGTH,
    LOOKS_AT_BATCH,
    ByShape,
    Net,
)

import interpret
from interpret.explanation import relative_error
from interpret.function.check import Stranger, check_function
from interpret.methods.deepliftshap import explain_by_deepliftshap
from interpret.methods.registry import open_method
from interpret.references import References, parse_references
from zoo.errors import MismatchError, ModelError, UsageError
from zoo.genome.encode import random_windows

METHODS = ["saliency", "inputxgradient", "ism", "ablation", "deepliftshap", "integrated_gradients", "marginalize"]
COMPARING = ("ablation", "deepliftshap", "integrated_gradients")
X = random_windows(2, LENGTH, seed=5)


def explain(name, net, x=X):
    """What a method finds, with two references or a motif where it takes them."""
    more = {"references": References(n=2)} if name in COMPARING else {}
    if name == "marginalize":
        more["motif"] = "TGACTCA"
    return getattr(interpret, name)(net, x, **more)


def mutated(net, x):
    """ISM by a naive loop, a sequence and an edit at a time."""
    found = np.zeros_like(x)
    with torch.no_grad():
        for i, sequence in enumerate(x):
            for place in range(x.shape[2]):
                for base in range(4):
                    edited = sequence.copy()
                    edited[:, place] = np.eye(4)[base]
                    found[i, base, place] = float(net(torch.from_numpy(edited)[None]))
    return found - found.mean(1, keepdims=True)


# ---------------------------------------------------------------- functions of one sequence


@pytest.mark.parametrize("name", CHANGING)
def test_what_is_no_function_of_one_sequence_is_refused_by_name(name):
    make, words = CHANGING[name]
    with pytest.raises(ModelError, match=words) as caught:
        check_function(make(), X)
    one, other = re.findall(r"-?[\d.]+(?:e-?\d+)?", caught.value.extent)[:2]
    assert one != other
    # What Python or numpy draw, and whole rows that change places, no operation of torch shows.
    assert (
        "toys_networks.py:" in caught.value.what
        or name in ("layer-drop", "permuted", "turned-about")
        or ("draws from" in caught.value.what)
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", ["F.dropout", "F.batch_norm", "counts"])
def test_every_method_refuses_it(name, kind):
    with pytest.raises(ModelError, match=r"the model gives another number each time|the others in its batch"):
        explain(name, CHANGING[kind][0]())


@pytest.mark.parametrize("name", CHANGING)
def test_a_short_mutagenesis_refuses_them_all(name):
    """It asks by a window that rides along, and by windows of their own only where that shows something."""
    make, words = CHANGING[name]
    for n in (1, 2):
        with pytest.raises(ModelError, match=words):
            explain("ism", make(), X[:n])


def test_what_an_earlier_batch_was_given_is_given_to_no_other():
    for name in ("saliency", "deepliftshap", "ablation"):
        with pytest.raises(ModelError, match="on what it was asked before"):
            explain(name, ByShape())
    with pytest.raises(ModelError, match="on what it was asked before"):
        explain("ism", ByShape(), random_windows(3, LENGTH))  # of which the third has as many edits as the second


def test_generators_are_as_they_were():
    """Python's and numpy's draw numbers near 0 and near 1 while a module is asked; not afterwards."""
    own = random.Random(3)
    net = Net(lambda h: h + 0 * own.random() + 0 * np.random.rand() + 0 * random.random())
    check_function(net, X)
    assert all(1e-4 < one.random() < 1 - 1e-4 for one in (own, random) for _ in range(20))
    assert (np.abs(np.random.rand(20) - 0.5) < 0.5 - 1e-4).all()


class Keeps(Net):
    """Positions of each length, once: as an attribute, in a dictionary, as a pair in a list, as a buffer."""

    def __init__(self, how):
        super().__init__(self._placed)
        self.how, self.one, self.by_length, self.pairs = how, None, {}, []
        self.register_buffer("buffer", None)

    def _placed(self, h):
        made = torch.arange(h.shape[2]).mul(0.1).cos()
        if self.how == "attribute":
            self.one = made if self.one is None else self.one
            return h * self.one
        if self.how == "dictionary":
            return h * self.by_length.setdefault(h.shape[2], made)
        if self.how == "pair":
            self.pairs = self.pairs or [(made, made + 1)]
            return h * self.pairs[0][0] + self.pairs[0][1]
        self.buffer = made if self.buffer is None else self.buffer
        return h * self.buffer


@pytest.mark.parametrize("how", ["attribute", "dictionary", "pair", "buffer"])
def test_what_a_pass_without_gradients_has_kept_takes_one_afterwards(how):
    anew, net = Keeps(how), Keeps(how)
    usual = explain("saliency", anew)
    with torch.inference_mode():  # as load_model and predict do
        net(torch.from_numpy(X))
    np.testing.assert_array_equal(explain("saliency", net), usual)
    net = Keeps(how)
    explain("ism", net)
    np.testing.assert_array_equal(explain("saliency", net), usual)
    net = Keeps(how)
    explain("ism", net)
    net(torch.from_numpy(X)).sum().backward()
    assert net.stem.weight.grad.abs().max() > 0


def test_a_module_that_was_made_in_inference_mode_is_explained_as_itself():
    """Its parameters stay parameters, and those that a recurrent layer keeps in a list are the same."""

    class Layers(Net):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layers = nn.LSTM(4, 5, batch_first=True)

        def forward(self, x):
            return self.layers(x.transpose(1, 2))[0].mean((1, 2))

    with torch.inference_mode():
        net = Layers()
    for name in METHODS:
        np.testing.assert_array_equal(explain(name, net), explain(name, Layers()))
    weights = list(net.layers.parameters())
    assert all(isinstance(one, nn.Parameter) and not one.is_inference() for one in net.parameters())
    assert all(one is other for one, other in zip(net.layers._flat_weights, weights, strict=True))


@pytest.mark.parametrize(
    "effects",
    [
        [9.0, -1, -2, -1, -3, -2, -1, -4],  # of which the stranger's alone is positive, and the largest
        [-9.0, 1, 2, 1, 3, 2, 1, 4],
        [0.0] * 8,
        [float("nan")] * 8,
        [float("inf"), 1, float("nan"), 0, 0, 0, 0, 0],
        [1.0],
    ],
)
def test_a_row_to_ask_about_is_found_whatever_the_effects(effects):
    x = torch.from_numpy(random_windows(1 + len(effects), LENGTH))
    stranger = Stranger(Net(), x[:1])
    given = torch.tensor([0.0, *effects], dtype=torch.float64)
    stranger.again(lambda: 0.0, x, given)
    company, row = stranger.company
    assert company is x and 1 <= row < len(x)
    answers = Net()(x).detach().double()
    assert not stranger.differs(answers) and stranger.differs(answers + 1)


class Counted(nn.Module):
    """A net whose passes are counted: rows of each."""

    def __init__(self):
        super().__init__()
        self.net, self.rows = Net(), []

    def forward(self, x):
        self.rows.append(len(x))
        return self.net(x)


def test_a_short_mutagenesis_takes_one_pass_more_than_its_own():
    counted = Counted()
    found = explain("ism", counted, X[:1])
    np.testing.assert_allclose(found, mutated(counted.net, X[:1]), atol=1e-6)
    # The sequence itself, the window that rides along, the edits; then some of these among others.
    assert counted.rows == [3 * LENGTH + 2, 7]


@pytest.mark.parametrize("method", ["saliency", "ism", "ablation", "deepliftshap", "integrated_gradients"])
def test_the_methods_of_the_command_refuse_it_when_they_are_opened(method):
    with pytest.raises(ModelError, match="another number each time"):
        open_method(method, CHANGING["F.dropout"][0](), LENGTH, parse_references("2"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rounding_and_what_is_off_in_eval_mode_are_no_reason_to_refuse(name):
    net = FUNCTIONS[name]()
    modes = [part.training for part in net.modules()]
    check_function(net, X)
    assert [part.training for part in net.modules()] == modes


def test_windows_that_are_long_are_asked_about_as_short_ones():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(4, 16, 15), nn.GELU(), nn.AdaptiveMaxPool1d(8), nn.Flatten(), nn.Linear(128, 1)
    ).eval()
    x = random_windows(1, 20_000)
    check_function(net, x)
    with pytest.raises(ModelError, match="the others in its batch"):
        check_function(nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False), net).eval(), x)


# ---------------------------------------------------------------- normalizations of what is 0 at one end


def rare(h):
    """All filters are 0 at some positions of a sequence, or of its references."""
    return F.relu(h - 0.25)


def over(h, scale):
    return h / scale


#: Each is 0 / 1e-12, or so, where all filters are 0.
DEAD = {
    "F.normalize": lambda h: F.normalize(h, dim=1),
    "along-positions": lambda h: F.normalize(h, dim=2),
    "by-sum": lambda h: over(h, h.sum(1, keepdim=True) + 1e-9),
    "by-max": lambda h: over(h, h.amax(1, keepdim=True).clamp_min(1e-10)),
    "reciprocal": lambda h: h * h.sum(1, keepdim=True).clamp(min=1e-9).reciprocal(),
    "power": lambda h: h * (h.sum(1, keepdim=True) + 1e-9) ** -1,
    "root-mean-square": lambda h: h * torch.rsqrt(h.square().mean(1, keepdim=True) + 1e-14),
    "addcdiv": lambda h: torch.addcdiv(h, h, h.sum(1, keepdim=True) + 1e-9),
    "cosine": lambda h: h * F.cosine_similarity(h[:, :4], h[:, 4:], dim=1)[:, None],
    "twice": lambda h: F.normalize(F.normalize(h, dim=1), dim=2),
}


@pytest.mark.parametrize("kind", DEAD)
def test_what_is_nothing_over_nothing_contributes_no_more_than_the_rest(kind):
    net = Net(lambda h: DEAD[kind](rare(h)))
    references = random_windows(4, LENGTH, seed=9).reshape(2, 2, 4, LENGTH)
    with torch.no_grad():
        hidden = [rare(F.relu(net.stem(torch.from_numpy(x)))).sum(1) for x in (X, references.reshape(-1, 4, LENGTH))]
        y, y_of_references = net(torch.from_numpy(X)), net(torch.from_numpy(references.reshape(-1, 4, LENGTH)))
    assert all((one == 0).any() and (one > 0).any() for one in hidden)
    found = interpret.deepliftshap(net, X, references=references)
    wanted = y - y_of_references.view(2, 2).mean(1)
    np.testing.assert_allclose((found * X).sum((1, 2)), wanted, atol=2e-6)
    assert np.abs(found).max() < 2


def test_contributions_that_take_one_another_back_are_no_rounding():
    """10,000,000 - 10,000,000.03 where 0.01 is right: of float32 that is rounding, but it explains nothing."""
    error = relative_error(*(torch.tensor(value, dtype=torch.float64) for value in (0.04, 0.01, 0.3, 2e7)))
    assert error > 1
    usual = relative_error(*(torch.tensor(value, dtype=torch.float64) for value in (1e-8, 2e-8, 0.3, 0.5)))
    assert usual < 1e-3


# ---------------------------------------------------------------- Python that looks at the batch


@pytest.fixture(scope="module")
def usual():
    """DeepLIFT/SHAP of the net without its middle."""
    return explain_by_deepliftshap(Net(), X, References(n=2))


@pytest.mark.parametrize("name", LOOKS_AT_BATCH)
def test_a_net_whose_python_looks_at_the_batch_is_explained_as_one_that_does_not(name, usual):
    found = explain_by_deepliftshap(Net(LOOKS_AT_BATCH[name]), X, References(n=2))
    np.testing.assert_allclose(found.hypothetical, usual.hypothetical, atol=1e-6)
    np.testing.assert_allclose(found.prediction, usual.prediction, rtol=1e-6)


def test_rows_that_are_computed_one_by_one_are_refused_by_the_operation():
    with pytest.raises(ModelError, match=r"no rule for aten\.mul.*the axis of the batch is not clear"):
        explain("deepliftshap", Net(lambda h: torch.stack([row * row for row in h])))


@pytest.mark.parametrize("name", BOTH_STRANDS)
def test_both_strands_in_one_batch_are_followed(name):
    """As the same function in two passes; complete against the net's own predictions."""
    together, twice = (make() for make in BOTH_STRANDS[name])
    references = References(n=2).of(X)
    found, expected = (explain_by_deepliftshap(net, X, references) for net in (together, twice))
    np.testing.assert_allclose(found.hypothetical, expected.hypothetical, atol=1e-6)
    with torch.no_grad():
        base = together(torch.from_numpy(references.reshape(-1, 4, LENGTH))).view(2, 2).mean(1)
        difference = (together(torch.from_numpy(X)) - base).numpy()
    np.testing.assert_allclose((found.hypothetical * X).sum((1, 2)), difference, atol=1e-6)
    assert np.abs(difference).max() > 1e-4


def test_rows_in_another_order_are_refused_by_the_operation():
    class Reversed(Net):
        def forward(self, x):
            return super().forward(x.flip(0)).flip(0)

    check_function(Reversed(), X)  # it is a function all the same
    with pytest.raises(ModelError, match=r"no rule for aten\.relu.*its rows are in another order"):
        explain("deepliftshap", Reversed())
    np.testing.assert_allclose(explain("ism", Reversed()), explain("ism", Net()), atol=1e-6)


# ---------------------------------------------------------------- roots of 0, rounding


@pytest.mark.parametrize("name", FLAT)
def test_a_dead_filter_under_a_root_contributes_nothing(name):
    net = FLAT[name]()
    references = References(n=2).of(X)
    found = explain_by_deepliftshap(net, X, references)
    assert np.isfinite(found.hypothetical).all() and found.pair_error.max() < 1e-4
    with torch.no_grad():
        base = net(torch.from_numpy(references.reshape(-1, 4, LENGTH))).view(2, 2).mean(1)
        difference = (net(torch.from_numpy(X)) - base).numpy()
    np.testing.assert_allclose((found.hypothetical * X).sum((1, 2)), difference, atol=1e-5)
    # Dead filters may as well be absent: their weights do not matter.
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.stem.weight[:4] *= 0.5
    np.testing.assert_allclose(
        explain_by_deepliftshap(other, X, references).hypothetical, found.hypothetical, atol=1e-6
    )


def test_a_slope_that_is_not_finite_is_no_number():
    class Root(nn.Module):
        def forward(self, x):
            return (x[:, 0].sum(1) * 0).sqrt() + x[:, 1].sum(1)

    with pytest.raises(ModelError, match="saliency finds values that are not finite") as caught:
        explain("saliency", Root())
    assert caught.value.extent.startswith("2 of 2 sequences")
    assert np.isfinite(explain("ism", Root())).all()


class Scaled(Net):
    def __init__(self, scale, shift):
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x):
        return super().forward(x) * self.scale + self.shift


@pytest.mark.parametrize("method", ["deepliftshap", "integrated_gradients"])
@pytest.mark.parametrize(("scale", "shift"), [(1e-8, 0.5), (1e-6, 1.0), (1e-3, 1000.0), (1e-12, 0.0), (1e6, 0.0)])
def test_differences_of_the_size_of_rounding_are_complete(method, scale, shift):
    found = explain(method, Scaled(scale, shift))
    # The gradients of a sum that rounds are those of its parts; a path among steps of rounding is found less well.
    atol = 1e-5 if method == "deepliftshap" else 1e-3
    np.testing.assert_allclose(found / scale, explain(method, Net()), atol=atol)


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e-20])
def test_what_is_incomplete_is_refused_in_any_unit(scale):
    class Stepped(nn.Module):  # no gradient but that of a hundredth of it
        def forward(self, x):
            return scale * ((x[:, 0].sum(1) > x[:, 1].sum(1)).float() + 0.01 * x[:, 0].sum(1))

    x = np.zeros((1, 4, LENGTH), np.float32)
    x[:, 0] = 1
    references = x[:, None, [1, 0, 2, 3]]
    with pytest.raises(MismatchError, match="not complete"):
        interpret.integrated_gradients(Stepped(), x, references, steps=8)


# ---------------------------------------------------------------- outputs without a gradient, constants


@pytest.mark.parametrize("method", ["saliency", "inputxgradient", "integrated_gradients"])
@pytest.mark.parametrize("name", CUT)
def test_an_output_without_a_gradient_is_refused_where_the_gradient_ends(method, name):
    make, words = CUT[name]
    with pytest.raises(ModelError, match=f"no gradient: it ends at .*{words}.*toys_networks.py") as caught:
        explain(method, make())
    assert "--method ism" in caught.value.fix and "integrated" not in caught.value.fix
    with pytest.raises(ModelError, match="no gradient"):
        open_method(method, make(), LENGTH, parse_references("2") if method in COMPARING else parse_references("20"))


def test_tokens_are_explained_by_mutagenesis_and_that_is_what_is_advised():
    net = CUT["tokens"][0]()
    np.testing.assert_allclose(explain("ism", net), mutated(net, X), atol=1e-6)
    with pytest.raises(ModelError, match=r"no rule for aten\.argmax") as caught:
        explain("deepliftshap", net)
    assert caught.value.fix == "Fix: --method ism, which needs none"
    with pytest.raises(ModelError, match="no gradient"):
        open_method("deepliftshap", net, LENGTH, parse_references("2"), fallback="integrated_gradients")
    opened = open_method("deepliftshap", net, LENGTH, parse_references("2"), fallback="ism")
    np.testing.assert_allclose(opened.explain(X, 0).hypothetical, mutated(net, X), atol=1e-6)


def test_a_derivative_that_torch_leaves_out_is_no_contribution_of_nothing():
    """That of a norm of order 0 is not defined at all; that of a step is an error of torch's own."""
    for name in ("saliency", "integrated_gradients"):
        with pytest.raises(ModelError, match=r"the model's output has no gradient: it ends at .*norm.*\.py:\d"):
            explain(name, Net(lambda h: torch.linalg.vector_norm(h - 0.3, 0, dim=2, keepdim=True).expand_as(h)))
        with pytest.raises(
            ModelError, match=r"gradient of the module failed at .*floordiv.*\.py:\d+\): .*floor_divide"
        ):
            explain(name, Net(lambda h: h // 0.1))


class Constant(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, self.bias = kind, nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        return {"ones": torch.ones(len(x)), "times 0": x.sum((1, 2)) * 0 + 3}[self.kind]


@pytest.mark.parametrize("kind", ["ones", "times 0"])
@pytest.mark.parametrize("name", METHODS)
def test_nothing_drives_a_constant(name, kind):
    assert not explain(name, Constant(kind)).any()


# ---------------------------------------------------------------- modules in Python


@pytest.fixture(scope="module")
def plain():
    return {name: explain(name, Net()) for name in METHODS}


def backward_hook(net):
    net.stem.register_full_backward_hook(lambda module, given, made: (given[0] * 5,))
    return net


def frozen(net):
    return net.requires_grad_(False)


def compiled_in_place(net):
    net.compile()
    return net


VARIANTS = {
    "double": lambda net: net.double(),
    "training": lambda net: net.train(),
    "frozen": frozen,
    "backward-hook": backward_hook,
    "compiled": torch.compile,
    "compiled-in-place": compiled_in_place,
    "data-parallel": nn.DataParallel,
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", METHODS)
def test_a_module_in_another_dress_is_explained_as_itself(name, variant, plain):
    net = VARIANTS[variant](Net())
    modes = [part.training for part in net.modules()]
    np.testing.assert_allclose(explain(name, net), plain[name], atol=2e-6)
    assert [part.training for part in net.modules()] == modes
    assert not net._forward_pre_hooks


class Plain(nn.Module):
    """`Net` in one line of operations, which scripts and graphs can be made of."""

    def __init__(self):
        super().__init__()
        net = Net()
        self.stem, self.body, self.head = net.stem, net.body, net.head

    def forward(self, x):
        return self.head(torch.relu(self.body(torch.relu(self.stem(x)))).mean(2))[:, 0]


@pytest.mark.parametrize("name", METHODS)
def test_scripts_are_explained_as_what_they_were_made_of(name, plain):
    traced = torch.jit.trace(Plain().eval(), torch.from_numpy(X))
    np.testing.assert_allclose(explain(name, traced), plain[name], atol=2e-6)
    np.testing.assert_allclose(explain(name, torch.jit.freeze(traced)), plain[name], atol=2e-6)


@pytest.mark.parametrize("name", METHODS)
def test_a_graph_of_fx_is_explained_as_what_it_was_made_of(name, plain):
    """In float64, too, which sequences become in a hook: export passes the hooks of a graph by."""

    for dtype in (torch.float32, torch.float64):
        traced = torch.fx.symbolic_trace(Plain().eval().to(dtype))
        np.testing.assert_allclose(explain(name, traced), plain[name], atol=2e-6)


def test_autocast_around_the_call_changes_nothing(plain):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(explain("saliency", Net()), plain["saliency"])


def test_tensors_that_want_a_gradient_are_sequences(plain):
    np.testing.assert_array_equal(explain("saliency", Net(), torch.from_numpy(X).requires_grad_()), plain["saliency"])


@pytest.mark.parametrize("name", [name for name in METHODS if name != "deepliftshap"])
def test_a_module_may_change_its_own_input(name):
    class Doubles(Net):
        def forward(self, x):
            x *= 2
            x[:, 0] -= 1
            return super().forward(x)

    class Apart(Net):
        def forward(self, x):
            return super().forward(2 * x - torch.tensor([1.0, 0, 0, 0])[:, None])

    x = X.copy()
    np.testing.assert_allclose(explain(name, Doubles(), x), explain(name, Apart()), atol=1e-6)
    np.testing.assert_array_equal(x, X)


class Returns(Net):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(super().forward(x))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda y: {"y": y}, "the module returns dict for"),
        (lambda y: (y, y), "the module returns tuple for"),
        (lambda y: None, "the module returns NoneType for"),
        (lambda y: y.sum(), r"the module returns \(\) for"),
        (lambda y: torch.stack([y.sum(), y.mean()]), r"the module returns \(2,\) for"),
        (lambda y: y.to(torch.complex64), r"the module returns complex \(\d+,\) for"),
        (lambda y: y.to_sparse(), r"the module returns sparse \(\d+,\) for"),
        (lambda y: torch.nested.nested_tensor([y.detach()]), "the module returns nested tensors for"),
    ],
    ids=["dict", "tuple", "none", "sum", "two-numbers", "complex", "sparse", "nested"],
)
def test_what_is_not_one_number_a_sequence_is_refused(name, change, what):
    with pytest.raises(UsageError, match=what):
        explain(name, Returns(change))


@pytest.mark.parametrize("name", METHODS)
def test_a_module_that_wants_more_inputs_is_refused_in_a_sentence(name):
    class Two(Net):
        def forward(self, x, track):
            return super().forward(x) * track

    with pytest.raises(ModelError, match=r"the module failed: TypeError: .*missing 1 required positional argument"):
        explain(name, Two())


@pytest.mark.parametrize("name", METHODS)
def test_a_module_whose_eval_fails_is_refused(name):
    def trains(mode=True):
        raise RuntimeError("trains only")

    net = Net()
    net.eval = trains
    with pytest.raises(ModelError, match=r"eval\(\) of the module failed: RuntimeError: trains only"):
        explain(name, net)


def test_a_module_that_takes_no_attributes_any_more(plain):
    class Frozen(Net):
        def __setattr__(self, name, value):
            if "made" in vars(self) and name != "training":
                raise AttributeError(name)
            super().__setattr__(name, value)

    net = Frozen()
    net.made = True
    np.testing.assert_array_equal(explain("saliency", net), plain["saliency"])


def test_a_module_that_takes_whole_bases_only_is_told_what_does():
    class Whole(Net):
        def forward(self, x):
            assert bool((x.amax(1) == 1).all()), "no bases"
            return super().forward(x)

    with pytest.raises(ModelError, match=r"no bases.*between a reference and a sequence") as caught:
        explain("integrated_gradients", Whole())
    assert caught.value.fix == "Fix: --method ism, which asks of whole bases only"
    np.testing.assert_allclose(explain("ism", Whole()), mutated(Net(), X), atol=1e-6)


@pytest.mark.parametrize(("dtype", "name"), [(torch.float16, "saliency"), (torch.bfloat16, "ism")])
def test_modules_of_few_bits_are_refused(dtype, name):
    with pytest.raises(ModelError, match=f"the module computes in {dtype}"):
        explain(name, Net().to(dtype))


@pytest.mark.parametrize("name", METHODS)
def test_numbers_of_few_bits_are_refused(name):
    """In bfloat16 100.2 is 100: effects of 0.2 would be 0 or 0.5."""
    with pytest.raises(ModelError, match=r"the module computes in torch\.bfloat16") as caught:
        explain(name, Returns(lambda y: (y + 100).bfloat16()))
    assert caught.value.fix == "Fix: let its forward compute and return float32"
    assert np.isfinite(explain(name, Returns(lambda y: (y + 100).float()))).all()


def test_a_module_without_weights_is_refused():
    with pytest.raises(ModelError, match="torch's device `meta`"):
        explain("saliency", Net().to("meta"))
