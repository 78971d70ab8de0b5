"""The bundled entries whose weights lie elsewhere: what they say, and that their modules are the published ones."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil

import numpy as np
import pytest
import torch
import yaml

import zoo
from zoo.cards.card import read_card, read_names
from zoo.cards.kipoi import parse_shape, read_model
from zoo.files import verify
from zoo.store.registry import entries, entries_folder
from zoo.store.remote import remote_files

KIPOI = {
    "deepsea-predict": "DeepSEA/predict",
    "deepsea-variant-effects": "DeepSEA/variantEffects",
    "deepsea-beluga": "DeepSEA/beluga",
    "basset": "Basset",
}
REMOTE = [entry for entry in entries() if entry["remote"]]
UNSEEN = [entry["name"] for entry in REMOTE if entry["verification"]["status"] == "unverified"]


def module_of(name):
    model = read_model(entries_folder() / name)
    path = model.folder / model.args["module_file"]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    file = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(file)
    torch.manual_seed(0)
    return getattr(file, model.args["module_class"])().eval()


def one_hot(n, length):
    generator = torch.Generator().manual_seed(1)
    bases = torch.randint(4, (n, length), generator=generator)
    return torch.nn.functional.one_hot(bases, 4).transpose(1, 2).float()


def test_every_file_that_lies_elsewhere_has_a_checksum_or_is_of_a_hub_that_gives_one():
    assert len(REMOTE) > 900
    for entry in REMOTE:
        for file in entry["remote"]:
            assert file["sha256"] or file["md5"] or file["hosts"] == "huggingface.co", entry["name"]


@pytest.mark.parametrize("name", UNSEEN)
def test_an_entry_whose_weights_were_never_seen_says_so(name):
    card = read_card(entries_folder() / name / "README.md").card
    assert "never loaded here" in card.verification.note
    for file in remote_files(read_model(entries_folder() / name), card).values():
        assert file.asks_hub == (not file.sha256 and not file.md5)
        assert all(url.startswith("https://") for url in file.urls)
    for item in card.evaluation:  # we measured nothing
        assert "https://doi.org/" in item.reported_by and item.baseline and item.command is None
    text = (entries_folder() / name / "README.md").read_text()
    assert ("The figure in the front matter" in text) == bool(card.evaluation)


@pytest.mark.shared
@pytest.mark.parametrize("name", KIPOI)
def test_url_checksum_and_layout_are_those_of_kipoi(shared_data, name):
    theirs = yaml.safe_load((shared_data / "d13_kipoi_models_yaml" / KIPOI[name] / "model.yaml").read_text())
    ours = yaml.safe_load((entries_folder() / name / "model.yaml").read_text())
    assert ours["args"]["weights"] == theirs["args"]["weights"]
    assert ours["default_dataloader"] == theirs["default_dataloader"]
    for part in ("inputs", "targets"):
        assert parse_shape(ours["schema"][part]["shape"]) == parse_shape(theirs["schema"][part]["shape"])


@pytest.mark.shared
@pytest.mark.parametrize("name", KIPOI)
def test_the_fetched_names_are_kipois_in_their_order(shared_data, name):
    folder = entries_folder() / name
    remote = remote_files(read_model(folder))["tracks.txt"]
    path = shared_data / "d13_kipoi_models_yaml" / remote.urls[0].partition("b0342a700551/")[2]
    verify(path, remote.sha256)
    assert path.stat().st_size == remote.bytes
    names, published = read_names(path), [line.strip() for line in path.read_text().splitlines()]
    card = read_card(folder / "README.md").card
    assert len(names) == len(set(names)) == card.outputs[0].n_tracks
    assert all(mine == theirs or mine.startswith(theirs + ".") for mine, theirs in zip(names, published, strict=True))


@pytest.mark.shared
def test_every_remote_file_of_kipois_models_is_understood(shared_data):
    folder = shared_data / "d13_kipoi_models_yaml"
    found, urls = {}, 0
    for path in sorted(folder.rglob("model.yaml")):
        urls += json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))["args"]).count('"url": ')
        files = remote_files(read_model(path.parent))
        found |= {(path.parent.relative_to(folder).as_posix(), name): file for name, file in files.items()}
    assert len(found) == urls > 200
    assert all(re.fullmatch("[0-9a-f]{32}", file.md5) for file in found.values())
    # Five models have "md5: md5:<digits>".
    assert found["DeepFlyBrain", "arch"].md5 == "8f432571469dc779e3c5141e33da068a"


# Names and sizes of the published state_dicts, as their users' code loads them.
STATE = {
    "deepsea-predict": {
        "2.0.weight": (320, 4, 1, 8),
        "2.4.weight": (480, 320, 1, 8),
        "2.8.weight": (960, 480, 1, 8),
        "2.12.1.weight": (925, 50880),
        "2.14.1.weight": (919, 925),
    },
    "deepsea-variant-effects": {
        "1.0.weight": (320, 4, 1, 8),
        "1.4.weight": (480, 320, 1, 8),
        "1.8.weight": (960, 480, 1, 8),
        "1.12.1.weight": (925, 50880),
        "1.14.1.weight": (919, 925),
    },
    "deepsea-beluga": {
        "model.0.0.weight": (320, 4, 1, 8),
        "model.0.2.weight": (320, 320, 1, 8),
        "model.0.6.weight": (480, 320, 1, 8),
        "model.0.8.weight": (480, 480, 1, 8),
        "model.0.12.weight": (640, 480, 1, 8),
        "model.0.14.weight": (640, 640, 1, 8),
        "model.1.2.1.weight": (2003, 67840),
        "model.1.4.1.weight": (2002, 2003),
    },
    "basset": {
        "0.weight": (300, 4, 19, 1),
        "1.weight": (300,),
        "4.weight": (200, 300, 11, 1),
        "5.weight": (200,),
        "8.weight": (200, 200, 7, 1),
        "9.weight": (200,),
        "13.1.weight": (1000, 2000),
        "14.weight": (1000,),
        "17.1.weight": (1000, 1000),
        "18.weight": (1000,),
        "21.1.weight": (164, 1000),
    },
}


@pytest.mark.parametrize("name", KIPOI)
def test_weights_have_the_published_names_and_sizes(name):
    with torch.device("meta"):
        state = module_of(name).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items() if key.endswith("weight")} == STATE[name]


def test_deepsea_for_predictions_is_the_mean_of_both_strands_of_the_other():
    both, single = module_of("deepsea-predict"), module_of("deepsea-variant-effects")
    single.load_state_dict({"1" + key[1:]: value for key, value in both.state_dict().items()})
    x = one_hot(2, 1000)[:, :, None]
    with torch.inference_mode():
        # In A C G T the reverse complement is the flip of channels and positions.
        expected = (single(x) + single(x.flip(1, 3))) / 2
        torch.testing.assert_close(both(x), expected, rtol=1e-5, atol=1e-7)
        assert not torch.allclose(single(x), single(x.flip(1, 3)), atol=1e-5)


def test_basset_is_its_layers_written_out():
    """The same network in functions of torch, one-dimensional, by the paper's description."""
    from torch.nn.functional import batch_norm, conv1d, linear, max_pool1d

    net, x = module_of("basset"), one_hot(3, 600)
    generator = torch.Generator().manual_seed(2)
    state = {
        key: torch.rand(value.shape, generator=generator) + 0.5 if value.ndim == 1 else value
        for key, value in net.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    net.load_state_dict(state, strict=False)

    def norm(y, i):
        mean, variance = state[f"{i}.running_mean"], state[f"{i}.running_var"]
        return batch_norm(y, mean, variance, state[f"{i}.weight"], state[f"{i}.bias"])

    y = x
    for i, pool in ((0, 3), (4, 4), (8, 4)):
        y = max_pool1d(norm(conv1d(y, state[f"{i}.weight"][..., 0], state[f"{i}.bias"]), i + 1).relu(), pool)
    y = y.flatten(1)
    for i in (13, 17):
        y = norm(linear(y, state[f"{i}.1.weight"], state[f"{i}.1.bias"]), i + 1).relu()
    expected = linear(y, state["21.1.weight"], state["21.1.bias"]).sigmoid()
    with torch.inference_mode():
        torch.testing.assert_close(net(x[..., None]), expected, rtol=1e-4, atol=1e-6)


def test_old_state_dicts_without_batch_counts_load():
    """PyTorch before 0.4.1 saved no num_batches_tracked."""
    net = module_of("basset")
    old = {key: value for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")}
    net.load_state_dict(old)  # strict


@pytest.mark.parametrize("name", ["basset", "deepsea-variant-effects"])
def test_an_entry_runs_with_weights_of_its_sizes(name, tmp_path):
    """Random weights as PyTorch 0.4 wrote them, in place of the published ones: layout, names and shapes fit."""
    folder = shutil.copytree(entries_folder() / name, tmp_path / name)
    module = module_of(name)
    torch.save(module.state_dict(), folder / "weights.pth", _use_new_zipfile_serialization=False)
    data = yaml.safe_load((folder / "model.yaml").read_text())
    data["args"]["weights"] = "weights.pth"
    (folder / "model.yaml").write_text(yaml.safe_dump(data))
    (folder / "tracks.txt").write_text("".join(f"track {i}\n" for i in range(n_tracks(name))))
    loaded = zoo.load_model(folder, trust=True)
    x = one_hot(2, loaded.length)
    expected = module(x[..., None] if name == "basset" else x[:, :, None]).detach().numpy()
    assert loaded.outputs[0].tracks[1] == "track 1"
    np.testing.assert_allclose(loaded.predict(x.numpy()), expected, rtol=1e-5, atol=1e-7)


def n_tracks(name):
    return read_card(entries_folder() / name / "README.md").card.outputs[0].n_tracks
