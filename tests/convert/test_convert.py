"""``zoo convert``: the tensors that torch and scikit-learn themselves would load, and nothing of a pickle run."""

from __future__ import annotations

import io
import pickle
import random
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zoo.cli import run
from zoo.convert.convert import convert
from zoo.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Couldn.t retrieve source code")

FORMATS = {"zip": {}, "stream": {"_use_new_zipfile_serialization": False}}
HIDDEN = """
import torch


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv1d(4, 3, 5)
        self.register_buffer("wide", torch.arange(4.0).reshape(4, 1).expand(4, 3))
        self.register_buffer("scratch", torch.ones(7), persistent=False)
        self.register_buffer("missing", None)
        self.register_parameter("absent", None)


class Net(torch.nn.Module):
    def __init__(self, width=3, name="toy"):
        super().__init__()
        self.width, self.name, self.callback = width, name, print
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.norm = torch.nn.BatchNorm1d(3)
        self.head = torch.nn.Linear(3, 2).to(torch.bfloat16)
        self.tied = torch.nn.Parameter(self.blocks[0].conv.weight.detach().transpose(0, 1))
        self.seen = torch.nn.Parameter(torch.tensor(5), requires_grad=False)
        self.again = self.blocks[0].conv
"""


@pytest.fixture
def hidden():
    """A module whose class cannot be imported while it is converted."""
    module = types.ModuleType("hidden_architecture")
    exec(HIDDEN, module.__dict__)
    sys.modules[module.__name__] = module
    torch.manual_seed(3)
    yield module.Net()
    sys.modules.pop(module.__name__, None)


def saved(thing, path, **options):
    torch.save(thing, path, **options)
    return path


def same(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_a_whole_module_becomes_its_state_dict(tmp_path, hidden, options, suffix):
    expected = hidden.state_dict()
    path = saved(hidden, tmp_path / "model.torch", **options)
    del sys.modules["hidden_architecture"]
    done = convert(path, tmp_path / f"weights{suffix}")
    assert "hidden_architecture" not in sys.modules
    if suffix == ".safetensors":
        found = load_file(done.path)
        same({name: found[name] for name in expected}, expected)
        assert len(found) == len(expected)
    else:
        same(torch.load(done.path, weights_only=True), expected)
    text = "\n".join(done.notes)
    assert "hidden_architecture.Net: 17 tensors" in text and "2 x hidden_architecture.Block" in text
    assert "width=3, name='toy'" in text and "architecture is no part" in text
    assert {path.name for path in tmp_path.iterdir()} == {"model.torch", f"weights{suffix}"}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_that_torch_can_save_with(tmp_path, hidden, protocol):
    path = saved(hidden, tmp_path / "model.torch", pickle_protocol=protocol)
    same(torch.load(convert(path, tmp_path / "w.pth").path, weights_only=True), hidden.state_dict())


def test_an_ordered_dict_of_python_2(tmp_path):
    """It is a call with a list of pairs."""
    pairs = [["a", torch.ones(2)], ["b", torch.zeros(3)]]
    done = convert(saved(Call(OrderedDict, pairs), tmp_path / "x.pt"), tmp_path / "w.pth")
    same(torch.load(done.path, weights_only=True), dict(pairs))


def test_one_model_in_a_checkpoint(tmp_path, hidden):
    state = hidden.state_dict()
    thing = {"epoch": 3, "state_dict": state, "args": types.SimpleNamespace(lr=0.1), "optimizer": {"state": {}}}
    done = convert(saved(thing, tmp_path / "c.pt"), tmp_path / "w.pth")
    same(torch.load(done.path, weights_only=True), state)
    assert done.notes[0] == "state_dict under 'state_dict': 17 tensors"
    whole = convert(saved({"model": hidden, "epoch": 3}, tmp_path / "m.pt"), tmp_path / "w.pth")
    assert whole.notes[0] == "hidden_architecture.Net under 'model': 17 tensors"
    with pytest.raises(ModelError, match="holds 2 sets of tensors") as caught:
        convert(saved({"model": hidden, "average": state}, tmp_path / "two.pt"), tmp_path / "w2.pth")
    assert "model (hidden_architecture.Net, 17 tensors)" in caught.value.extent
    assert not (tmp_path / "w2.pth").exists()


# Nothing runs


class Call:
    """Its pickle calls a function when it is read."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


class Stateful:
    """Its pickle gives a state to what a call returned."""

    def __init__(self, made, state):
        self.made, self.state = made, state

    def __reduce__(self):
        return (*self.made, self.state)


def attacks(marker):
    """Objects whose pickles would make the file ``marker``."""
    import os

    program = f"open({str(marker)!r}, 'w')"
    touch = f"touch '{marker}'"
    yield Call(os.system, touch)
    yield Call(eval, program)
    yield Call(exec, program)
    yield Call(open, str(marker), "w")
    yield Call(getattr(__builtins__, "__import__", __import__), "no_such_module_at_all")
    yield Stateful((types.SimpleNamespace, ()), {"run": Call(os.system, touch)})
    yield {Call(os.system, touch): 1}
    yield [(Call(getattr, "text", "upper"),), Call(os.system, touch)]


# By hand: INST, OBJ with a list of arguments, GLOBAL + REDUCE, NEWOBJ, a call of what a call returned.
WRITTEN = [
    b"(S'touch {0}'\nios\nsystem\n.",
    b"(cos\nsystem\nS'touch {0}'\no.",
    b"cos\nsystem\n(S'touch {0}'\ntR.",
    b"\x80\x02cos\nsystem\n(S'touch {0}'\nt\x81.",
    b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(S'os'\ntRS'system'\ntR(S'touch {0}'\ntR.",
    b"ccopyreg\n_reconstructor\n(cos\nsystem\nS'touch {0}'\nNtR.",
    b"cos\nsystem\n}S'touch {0}'\nNsb.",
]


@pytest.mark.parametrize("attack", range(8))
@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_nothing_in_a_torch_file_runs(tmp_path, attack, options):
    marker = tmp_path / "marker"
    evil = list(attacks(marker))[attack]
    module = torch.nn.Linear(2, 2)
    module.evil = evil
    done = convert(saved(module, tmp_path / "evil.pt", **options), tmp_path / "w.pth")
    same(torch.load(done.path, weights_only=True), module.state_dict())
    with pytest.raises(ModelError) as caught:
        convert(saved(evil, tmp_path / "evil.pt", **options), tmp_path / "w2.pth")
    assert "Fix: " in caught.value.fix and not (tmp_path / "w2.pth").exists()
    assert not marker.exists()


@pytest.mark.parametrize("written", WRITTEN, ids=range(len(WRITTEN)))
def test_nothing_in_a_pickle_runs(tmp_path, written):
    marker = tmp_path / "marker"
    data = written.replace(b"{0}", str(marker).encode())
    (tmp_path / "evil.pkl").write_bytes(data)
    with pytest.raises(ModelError):
        convert(tmp_path / "evil.pkl", tmp_path / "w.pth")
    assert not marker.exists()
    if written is WRITTEN[2]:  # the marker is what running it would leave
        pickle.loads(data)
        assert marker.exists()


def test_a_parameter_that_is_a_call_is_named(tmp_path):
    module = torch.nn.Linear(2, 2)
    buffer = io.BytesIO()
    module._buffers["gain"] = Call(ord, "h")  # not print, in whose place Ray puts its own for a process
    torch.save(module, buffer)
    (tmp_path / "evil.pt").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match=r"gain is (builtins|__builtin__)\.ord, not a tensor"):
        convert(tmp_path / "evil.pt", tmp_path / "w.pth")


def test_damaged_files_are_refused_and_none_crashes(tmp_path, hidden):
    """Bytes changed in the pickle of a module: a state_dict or a ModelError, nothing else."""
    saved(hidden, tmp_path / "model.torch")
    with zipfile.ZipFile(tmp_path / "model.torch") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    rng, refused = random.Random(4), 0
    for i in range(150):
        data = bytearray(members["model/data.pkl"])
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if i % 10 == 0:
            del data[rng.randrange(len(data)) :]
        with zipfile.ZipFile(tmp_path / "m.torch", "w") as archive:
            for name, content in members.items():
                archive.writestr(name, bytes(data) if name == "model/data.pkl" else content)
        try:
            convert(tmp_path / "m.torch", tmp_path / "w.pth")
        except ModelError:
            refused += 1
    assert refused > 20
    whole = (tmp_path / "model.torch").read_bytes()
    for cut in (3, 40, len(whole) // 2, len(whole) - 5):
        (tmp_path / "cut.torch").write_bytes(whole[:cut])
        with pytest.raises(ModelError):
            convert(tmp_path / "cut.torch", tmp_path / "w3.pth")


@pytest.mark.parametrize(
    ("offset", "size", "stride"), [(0, 9, 1), (0, 2, 8), (7, 2, 1), (4, 4, -1), (0, 10**9, 0), (-1, 2, 1)]
)
def test_a_tensor_that_leaves_its_storage_is_refused(tmp_path, offset, size, stride):
    path = saved({"x": torch.arange(8.0)}, tmp_path / "x.pt")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    before = b"K\x00K\x08\x85q\x08K\x01\x85q\t"  # offset 0, size (8,), stride (1,)
    assert before in members["x/data.pkl"]
    numbers = [b"J" + n.to_bytes(4, "little", signed=True) for n in (offset, size, stride)]
    after = numbers[0] + numbers[1] + b"\x85q\x08" + numbers[2] + b"\x85q\t"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(before, after))
    with pytest.raises(ModelError, match="storage"):
        convert(path, tmp_path / "w.pth")


# scikit-learn


def estimators():
    linear = pytest.importorskip("sklearn.linear_model")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 5)) * [1, 10, 0.1, 3, 1] + [0, 5, 1, 0, -3]
    y = x @ [1, -0.2, 5, 0, 2] + rng.normal(size=60)
    classes = np.digitize(y, [-1, 5])
    yield x, linear.LinearRegression().fit(x, y), "predict"
    yield x, linear.Ridge(fit_intercept=False).fit(x, y), "predict"
    yield x, linear.HuberRegressor(max_iter=1000).fit(x, y), "predict"
    yield x, linear.LinearRegression().fit(x, np.stack([y, -y, y * 2], 1)), "predict"
    yield x, linear.LogisticRegression(max_iter=5000).fit(x, y > 0), "decision_function"
    yield x, make_pipeline(StandardScaler(), linear.LogisticRegression()).fit(x, classes), "decision_function"
    yield x, make_pipeline(StandardScaler(with_mean=False), LinearSVC()).fit(x, y > 0), "decision_function"
    yield x, make_pipeline(StandardScaler(with_std=False), StandardScaler(), linear.Ridge()).fit(x, y), "predict"


@pytest.mark.parametrize("how", ["pickle0", "pickle2", "pickle5", "joblib"])
@pytest.mark.parametrize("number", range(8))
def test_a_linear_model_is_its_layer(tmp_path, number, how):
    x, fitted, method = list(estimators())[number]
    path = tmp_path / "model.pkl"
    if how == "joblib":
        pytest.importorskip("joblib").dump(fitted, path)
    else:
        path.write_bytes(pickle.dumps(fitted, protocol=int(how[-1])))
    done = convert(path, tmp_path / "w.safetensors")
    state = load_file(done.path)
    layer = torch.nn.Linear(*reversed(state["weight"].shape), dtype=torch.float64)
    layer.load_state_dict(state)
    expected = getattr(fitted, method)(x)
    found = layer(torch.from_numpy(x)).detach().numpy()
    assert np.allclose(found.reshape(expected.shape), expected, rtol=1e-9, atol=1e-9)
    assert f"its {method} is torch.nn.Linear" in done.notes[0]
    if number == 4:
        probability = torch.sigmoid(layer(torch.from_numpy(x)))[:, 0].detach().numpy()
        assert np.allclose(probability, fitted.predict_proba(x)[:, 1]) and "sigmoid" in done.notes[1]


def test_other_estimators_are_refused_by_name(tmp_path):
    tree = pytest.importorskip("sklearn.tree").DecisionTreeRegressor().fit([[0.0], [1.0]], [0, 1])
    (tmp_path / "tree.pkl").write_bytes(pickle.dumps(tree))
    with pytest.raises(ModelError, match=r"sklearn\.tree\._classes\.DecisionTreeRegressor.*no linear model") as caught:
        convert(tmp_path / "tree.pkl", tmp_path / "w.pth")
    assert "--trust" in caught.value.fix
    from sklearn.linear_model import Ridge

    (tmp_path / "new.pkl").write_bytes(pickle.dumps(Ridge()))
    with pytest.raises(ModelError, match="has no coef_"):
        convert(tmp_path / "new.pkl", tmp_path / "w.pth")


def test_a_compressed_file_of_joblib_says_so(tmp_path):
    joblib = pytest.importorskip("joblib")
    joblib.dump({"a": np.zeros(1000)}, tmp_path / "m.joblib", compress=3)
    with pytest.raises(ModelError, match="is compressed"):
        convert(tmp_path / "m.joblib", tmp_path / "w.pth")


# The command


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(torch.nn.Linear(3, 1), "model.torch")
    assert run(["convert", "model.torch", "-o", "w.pth"]) == 0
    said = capsys.readouterr()
    assert said.out == "w.pth\n"
    assert "sha256" in said.err and "torch.nn.modules.linear.Linear: 2 tensors" in said.err
    assert "in_features=3, out_features=1" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["model.torch"], 2, "Missing option"),
        (["model.torch", "-o", "w.txt"], 2, "-o w.pth"),
        (["no.torch", "-o", "w.pth"], 3, "no such file"),
        (["model.pth", "-o", "model.pth"], 2, "is an input of this command"),
        (["keras.h5", "-o", "w.pth"], 4, "needs no conversion"),
        (["script.pt", "-o", "w.pth"], 4, "is TorchScript"),
        (["text.pkl", "-o", "w.pth"], 4, "cannot be read"),
        (["empty.pkl", "-o", "w.pth"], 4, "cannot be read"),
        (["relu.torch", "-o", "w.pth"], 4, "no parameters"),
        (["model.torch", "-o", "no/such/w.pth"], 2, "no/such"),
        (["model.torch", "-o", "folder.pth"], 2, "is a folder"),
    ],
)
def test_what_cannot_be_converted(tmp_path, capsys, monkeypatch, arguments, code, says):
    monkeypatch.chdir(tmp_path)
    saved(torch.nn.Linear(3, 1), "model.torch")
    saved(torch.nn.Linear(3, 1), "model.pth")
    saved(torch.nn.ReLU(), "relu.torch")
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 1)), "script.pt")
    Path("keras.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    Path("text.pkl").write_text("<html>not found</html>")
    Path("empty.pkl").touch()
    Path("folder.pth").mkdir()
    before = {path.name for path in tmp_path.iterdir()}
    assert run(["convert", *arguments]) == code
    said = capsys.readouterr()
    assert says in said.err and len(said.err.splitlines()) == 3 and said.out == ""
    assert {path.name for path in tmp_path.iterdir()} == before
