"""Enformer: weights by path, from a cache, by a download; the same numbers as enformer-pytorch; where its bins lie."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from store.hub_server import COMMIT, HubServer
from torch import nn

from finetune.models.base import open_base
from finetune.models.enformer import (
    LENGTH,
    PUBLISHED,
    TRAINED_ON,
    Sizes,
    crop_of,
    open_enformer,
    random_enformer,
    use_tf_gamma,
)
from scripts.finetune import enformer_memory
from zoo.errors import FetchError, ModelError, UsageError

REPO = "EleutherAI/enformer-official-rough"
BP = 4096


@pytest.fixture(scope="module")
def theirs():
    """enformer-pytorch's model, small, with all its weights and buffers drawn."""
    from enformer_pytorch import Enformer

    torch.manual_seed(0)
    heads = {"human": 5, "mouse": 3}
    model = Enformer.from_hparams(dim=384, depth=2, heads=8, target_length=-1, output_heads=heads).eval()
    for part in model.modules():
        if hasattr(part, "to_out"):
            part.to_out.reset_parameters()
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return model


@pytest.fixture(scope="module")
def weights(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("enformer") / "pytorch_model.bin"
    torch.save(theirs.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def x():
    letters = torch.randint(4, (1, BP), generator=torch.Generator().manual_seed(1))
    return nn.functional.one_hot(letters, 4).transpose(1, 2).float()


def check(base, theirs, x):
    with torch.no_grad():
        embedding = theirs(x.transpose(1, 2), return_only_embeddings=True).transpose(1, 2)
        torch.testing.assert_close(base.trunk(x), embedding, rtol=1e-5, atol=1e-5)
        human = theirs(x.transpose(1, 2))["human"].transpose(1, 2)
        torch.testing.assert_close(base.predict(x), human, rtol=1e-5, atol=1e-6)


def test_by_path_it_gives_what_enformer_pytorch_gives(theirs, weights, x):
    base = open_base(f"enformer:{weights}", length=BP)
    check(base, theirs, x)
    assert (base.channels, base.positions, base.bin_size, base.offset) == (768, 32, 128, 0)
    assert (base.activation, base.tracks[-1], base.trained_on) == ("softplus", "human_4", TRAINED_ON)
    assert list(base.hashes) == ["pytorch_model.bin"] and base.n_value == 0.0
    assert all(parameter.requires_grad for parameter in base.trunk.parameters())


def test_names_with_the_trunk_alone(theirs, tmp_path, x):
    """A file of enformer-pytorch that drops what its trunk repeats, or keeps only that."""
    state = theirs.state_dict()
    for keeps in (lambda key: not key.startswith("_trunk."), lambda key: key.startswith(("_trunk.", "_heads."))):
        torch.save({key: value for key, value in state.items() if keeps(key)}, tmp_path / "w.bin")
        check(open_enformer(f"enformer:{tmp_path / 'w.bin'}", BP), theirs, x)


def test_the_state_that_it_says_is_grelus_loads_in_grelu(weights, tmp_path, x):
    from grelu.model.models import EnformerModel

    base = open_enformer(f"enformer:{weights}", BP)
    model = EnformerModel(**base.grelu.model_params).eval()
    state = {base.grelu_keys[key].removeprefix("model."): value for key, value in base.trunk.state_dict().items()}
    state |= {f"head.channel_transform.conv.layer.{key}": value for key, value in base.head.state_dict().items()}
    model.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(model.embedding(x), base.trunk(x))
        torch.testing.assert_close(nn.functional.softplus(model(x)), base.predict(x))
    torch.save(model.state_dict(), tmp_path / "state.pt")
    again = open_enformer(f"enformer:{tmp_path / 'state.pt'}", BP)
    with torch.no_grad():
        assert torch.equal(again.trunk(x), base.trunk(x))


def hub_cache(folder, weights):
    """What huggingface_hub would have left of a download."""
    import hashlib
    import shutil

    root = folder / ("models--" + REPO.replace("/", "--"))
    snapshot = root / "snapshots" / COMMIT
    for part in (root / "blobs", root / "refs", snapshot):
        part.mkdir(parents=True)
    blob = root / "blobs" / hashlib.sha256(weights.read_bytes()).hexdigest()
    shutil.copy(weights, blob)
    (root / "refs" / "main").write_text(COMMIT)
    (snapshot / weights.name).symlink_to(blob)


def test_from_a_seeded_cache_without_a_connection(theirs, weights, x, tmp_path, monkeypatch):
    hub_cache(tmp_path, weights)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    base = open_base("enformer", length=BP)
    check(base, theirs, x)
    assert COMMIT in base.name and len(base.hashes["pytorch_model.bin"]) == 64


def test_without_a_connection_and_without_a_cache_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError, match="not in the cache"):
        open_base("enformer", length=BP)


FETCH = """
import sys, torch
from finetune.models.base import open_base
base = open_base("enformer", length=4096)
with torch.no_grad():
    torch.save((base.name, base.trunk(torch.load(sys.argv[1])), base.predict(torch.load(sys.argv[1]))), sys.argv[2])
"""


@pytest.mark.slow
def test_by_download(theirs, weights, x, tmp_path):
    """In a process of its own: huggingface_hub reads its address when it is imported."""
    server = HubServer({REPO: {"pytorch_model.bin": weights.read_bytes(), "config.json": b"{}"}})
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env = kept | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    env |= {"HF_HUB_DISABLE_TELEMETRY": "1", "no_proxy": "*", "PYTHONPATH": os.pathsep.join(sys.path)}
    torch.save(x, tmp_path / "x.pt")
    try:
        command = [sys.executable, "-c", FETCH, str(tmp_path / "x.pt"), str(tmp_path / "out.pt")]
        done = subprocess.run(command, env=env, text=True, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr
    finally:
        server.close()
    name, embedding, predicted = torch.load(tmp_path / "out.pt")
    with torch.no_grad():
        wanted = theirs(x.transpose(1, 2), return_only_embeddings=True).transpose(1, 2)
        torch.testing.assert_close(embedding, wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(predicted, theirs(x.transpose(1, 2))["human"].transpose(1, 2))
    assert name == f"enformer (hf://{REPO}@{COMMIT}/pytorch_model.bin)"


def test_weights_of_something_else_are_named(tmp_path):
    for state, told in (
        ({"layer.weight": torch.zeros(2)}, "'layer.weight'"),
        ({"stem.0.weight": torch.zeros(2)}, "pointwise"),
        ([1, 2], "state_dict"),
    ):
        torch.save(state, tmp_path / "w.bin")
        with pytest.raises(ModelError, match="is not the weights of an Enformer") as raised:
            open_enformer(f"enformer:{tmp_path / 'w.bin'}", BP)
        assert told in raised.value.extent
    with pytest.raises(ModelError, match="no such weights file"):
        open_enformer("enformer:/nowhere/w.bin", BP)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Runs:
        def __reduce__(self):
            return (print, ("run",))

    buffer = io.BytesIO()
    torch.save({"stem.0.weight": Runs()}, buffer, pickle_module=pickle)
    (tmp_path / "w.bin").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match="more than tensors"):
        open_enformer(f"enformer:{tmp_path / 'w.bin'}", BP)


def test_a_missing_tensor_is_counted(weights, tmp_path):
    state = torch.load(weights, weights_only=True)
    state = {key: value for key, value in state.items() if not key.startswith("_trunk.")}
    del state["stem.0.bias"]
    torch.save(state, tmp_path / "w.bin")
    with pytest.raises(ModelError) as raised:
        open_enformer(f"enformer:{tmp_path / 'w.bin'}", BP)
    assert raised.value.extent.startswith("1 missing, 0 surplus, 0 of another shape")


def test_geometry_of_the_published_model():
    with torch.device("meta"):
        base = random_enformer(LENGTH)
    assert (base.channels, base.positions, base.bin_size, base.offset) == (3072, 896, 128, 40_960)
    with torch.inference_mode():
        assert base.trunk(torch.zeros(1, 4, LENGTH, device="meta")).shape == (1, 3072, 896)
    assert base.grelu.model_params["crop_len"] == 320 and base.trained_on == ()
    rng = np.random.default_rng(0)
    start = 1_000_000
    for p in rng.integers(start + 40_960, start + 40_960 + 896 * 128, 1000):
        bin_number = (p - start - base.offset) // base.bin_size
        assert bin_number == (p - start) // 128 - 320
        # on the other strand the window is read backwards: base p is the one LENGTH - 1 - (p - start) from its start
        other = (LENGTH - 1 - (p - start) - base.offset) // base.bin_size
        assert other == 895 - bin_number


def test_the_first_block_in_pieces_gives_the_same():
    trunk = random_enformer(1024, Sizes(n_conv=3, channels=384, n_transformers=1)).trunk
    stem = trunk.conv_tower.blocks[0]
    x = torch.nn.functional.one_hot(torch.randint(4, (2, 1000)), 4).transpose(1, 2).float()
    wanted = stem(x).detach()  # with gradients: in one piece
    for stem.piece in (128, 1000, 2):
        with torch.no_grad():
            torch.testing.assert_close(stem(x), wanted, rtol=1e-6, atol=1e-6)
    stem.piece = 128
    stem.train()
    with torch.no_grad():  # batch norm that moves sees the whole window
        torch.testing.assert_close(stem(x), nn.Sequential(*stem)(x))


def test_other_lengths_keep_all_their_positions():
    small = Sizes(channels=384, n_transformers=1)
    base = random_enformer(24_576, small)
    assert (base.positions, base.offset, crop_of(24_576), crop_of(LENGTH)) == (192, 0, 0, 320)
    with torch.no_grad():
        assert base.trunk(torch.zeros(1, 4, 24_576)).shape == (1, 768, 192)
    with pytest.raises(UsageError, match="no multiple of 128 bp") as raised:
        random_enformer(24_600, small)
    assert raised.value.fix == "Fix: 24,576 bp"


def test_a_base_at_p_moves_the_bin_of_p_most():
    """The convolutions alone (attention sees everything): a changed base in the middle of a bin is felt there."""
    base = random_enformer(BP, Sizes(channels=384, n_transformers=0))
    x = torch.zeros(1, 4, BP)
    x[:, 0] = 1
    with torch.no_grad():
        flat = base.trunk(x)
        for p in (64, 1000, 2111, 4032):
            changed = x.clone()
            changed[0, :, p] = torch.tensor([0.0, 0, 1, 0])
            assert (base.trunk(changed) - flat).abs().sum(1).argmax() == p // 128


def test_tf_gamma_is_for_the_published_length():
    assert "1536" in enformer_memory.tf_gamma_at(1024)
    base = random_enformer(1024, Sizes(channels=384, n_transformers=1))
    with pytest.raises(UsageError, match="1,536 positions"):
        use_tf_gamma(base)
    use_tf_gamma(base, on=False)
    with torch.device("meta"):
        full = random_enformer(LENGTH, Sizes(channels=384, n_transformers=1))
    use_tf_gamma(full)
    assert full.trunk.transformer_tower.blocks[0].mha.use_tf_gamma


def test_attention_works_at_the_start():
    base = random_enformer(1024, Sizes(channels=384, n_transformers=1))
    x = torch.zeros(1, 4, 1024)
    x[:, 0] = 1
    other = x.clone()
    other[0, :, 10] = torch.tensor([0.0, 1, 0, 0])
    with torch.no_grad():
        assert bool(((base.trunk(x) - base.trunk(other)).abs()[..., -1] > 0).any())


def test_the_published_sizes_are_grelus_own():
    from grelu.model.trunks.enformer import EnformerTrunk

    with torch.device("meta"):
        assert sum(p.numel() for p in EnformerTrunk().parameters()) == sum(
            p.numel() for p in random_enformer(LENGTH, PUBLISHED).trunk.parameters()
        )


def test_the_table_of_memory(monkeypatch):
    row = {"peak_gb": 1.94, "seconds": 3.2, "trainable": 0.0019, "shape": [1, 10, 192]}
    text = enformer_memory.table({"lora": row}, "fails: x")
    assert "| lora step | 24,576 | 1.9 | 2.5 | 3 | 0.19% |" in text and text.endswith("at 24,576 bp fails: x.")
    monkeypatch.setattr(enformer_memory, "run_apart", lambda what: row | {"peak_gb": 9.0})
    monkeypatch.setattr(enformer_memory, "tf_gamma_at", lambda length: "fails")
    written = []
    assert enformer_memory.main(["--only", "lora"], written.append) == 1
    monkeypatch.setattr(enformer_memory, "measure", lambda what: row)
    assert enformer_memory.main(["--one", "lora"], written.append) == 0
    assert json.loads(written[-1]) == row
