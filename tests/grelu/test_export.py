"""`zoo export`: gReLU, Hugging Face and Kipoi use what we give them, and adding it again loses nothing."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from toys import make_toy_entry

import zoo
from zoo.cards.card import read_card
from zoo.entries.add import add
from zoo.entries.check import check_example
from zoo.entries.export import export
from zoo.errors import ModelError, TrustError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore")
YEAST = Path(__file__).parents[2] / "model_cards" / "yeast-atac"
LOAD = """
import sys, torch, warnings
warnings.filterwarnings("ignore")
import grelu.resources
for repo, batch in torch.load(sys.argv[1]).items():
    model = grelu.resources.load_model(repo).eval()
    with torch.inference_mode():
        torch.save(model(batch), f"{repo.partition('/')[2]}.pt")
"""


def stock_grelu_predicts(batches, folder):
    """Repo -> predictions of `grelu.resources.load_model(repo)`, default arguments, in a process without a network."""
    torch.save(batches, folder / "batches.pt")
    command = [sys.executable, "-c", LOAD, "batches.pt"]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return {repo: torch.load(folder / f"{repo.partition('/')[2]}.pt").numpy() for repo in batches}


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def front_matter(path):
    return yaml.safe_load(path.read_text().split("---\n")[1])


def entries(tmp_path, make_checkpoint):
    """Two entries: the bundled one, and one drafted from a checkpoint."""
    make_checkpoint(tmp_path / "x.ckpt")
    return [YEAST, add(tmp_path / "x.ckpt", "drafted", tmp_path / "made")]


@pytest.mark.slow
def test_stock_grelu_loads_the_exports_with_default_arguments(tmp_path, hub, make_checkpoint, windows):
    yeast, drafted = entries(tmp_path, make_checkpoint)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "x.ckpt", weights_only=True)  # numpy in `performance`: not so for a raw checkpoint
    given = {
        "org/yeast-grelu": (yeast, "grelu"),
        "org/yeast-hf": (yeast, "hf"),
        "org/drafted-hf": (drafted, "hf"),
        "org/drafted-grelu": (drafted, "grelu"),
        "org/raw": (tmp_path / "x.ckpt", "grelu"),
    }
    batches, expected = {}, {}
    for repo, (model, to) in given.items():
        folder = export(model, to, tmp_path / repo, trust=True)
        hub(repo, files_of(folder))
        ours = zoo.load_model(model, trust=True)
        batches[repo] = windows(3, ours.length)
        expected[repo] = ours.predict(batches[repo], batch_size=3)
    for repo, theirs in stock_grelu_predicts(batches, tmp_path).items():
        assert np.ptp(theirs) > 0
        # Another process may add up in another order: as many threads as it likes.
        np.testing.assert_allclose(theirs, expected[repo].reshape(theirs.shape), rtol=2e-6, err_msg=repo)


def test_the_export_keeps_what_the_checkpoint_knows_of_its_data(tmp_path, make_checkpoint):
    make_checkpoint(tmp_path / "x.ckpt")
    folder = export(tmp_path / "x.ckpt", "grelu", tmp_path / "given")
    content = torch.load(folder / "model.ckpt", weights_only=True)
    assert content["data_params"]["train"]["intervals"]["chrom"] == ["chr1", "chr2", "chr2"]
    assert content["performance"]["test"]["test_pearson"] == [0.75, 0.5, 0.25]


def test_hugging_face_reads_the_card(tmp_path):
    from huggingface_hub import ModelCard

    card = ModelCard.load(export(YEAST, "hf", tmp_path / "out") / "README.md")
    ours = read_card(YEAST / "README.md")
    data = card.data
    assert (data.license, data.library_name, data.model_name) == ("mit", "pytorch-lightning", "yeast-atac")
    assert {"biology", "genomics", "seqzoo", "dna-accessibility"} <= set(data.tags)
    assert len(data.eval_results) == len(ours.card.evaluation) > 0
    for theirs, line in zip(data.eval_results, ours.card.evaluation, strict=True):
        assert (theirs.metric_type, theirs.metric_value, theirs.dataset_split) == (line.metric, line.value, line.split)
        assert theirs.dataset_name == ours.card.training.data[0].name and theirs.dataset_type == "SRR1822137"
        assert theirs.metric_args["baseline"] == line.baseline.model_dump()
    assert card.text.strip() == ours.prose.strip()


@pytest.mark.parametrize(
    ("licence", "found", "name"),
    [
        ("MIT", "mit", None),
        ("Apache-2.0", "apache-2.0", None),
        ("CC-BY-4.0", "cc-by-4.0", None),
        (None, "unknown", None),
        ("Academic use only", "other", "Academic use only"),
    ],
)
def test_licences(tmp_path, licence, found, name):
    from zoo.entries.export import hub_metadata

    metadata = hub_metadata({"name": "x"}, {"license": licence}, "pytorch")
    assert (metadata["license"], metadata.get("license_name")) == (found, name)


@pytest.mark.parametrize("to", ["grelu", "hf", "kipoi"])
def test_exported_and_added_again_nothing_is_lost(tmp_path, make_checkpoint, windows, to):
    for number, entry in enumerate(entries(tmp_path, make_checkpoint)):
        folder = export(entry, to, tmp_path / f"export{number}", trust=True)
        again = add(folder, "again", tmp_path / f"added{number}")
        before, after = front_matter(entry / "README.md"), front_matter(again / "README.md")
        assert after.keys() == before.keys()
        for key in before.keys() - {"name", "files"}:
            assert after[key] == before[key], key
        assert after["name"] == "again"
        own_code = to == "grelu"  # the module is then gReLU's architecture instead of the entry's Python
        if not own_code:
            assert after["files"] == before["files"]
        for item in after["files"]:
            assert len((again / item["path"]).read_bytes()) == item["bytes"]
        assert read_card(again / "README.md").prose.strip() == read_card(entry / "README.md").prose.strip()
        models = [yaml.safe_load((path / "model.yaml").read_text()) for path in (entry, again)]
        assert models[1]["info"] == {"authors": []} | models[0]["info"]
        if not own_code:
            assert models[1] == models[0]
        assert models[1]["schema"]["targets"]["name"] == models[0]["schema"]["targets"]["name"]
        ours, theirs = (zoo.load_model(path, trust=True) for path in (entry, again))
        batch = windows(3, ours.length)
        assert np.array_equal(ours.predict(batch, batch_size=3), theirs.predict(batch, batch_size=3))
        assert ours.outputs == theirs.outputs
        check_example(again, trust=True)


def test_the_exports_are_models_here_too(tmp_path, windows):
    expected = zoo.load_model(YEAST).predict(windows(2, 1280), batch_size=2)
    for to in ("hf", "kipoi"):
        model = zoo.load_model(export(YEAST, to, tmp_path / to), trust=True)
        assert np.array_equal(model.predict(windows(2, 1280), batch_size=2), expected)
        assert model.card.name == "yeast-atac" and model.outputs[0].bin_size == 32
    # Of the gReLU export the checkpoint is the model; it says less than the card, but not otherwise.
    model = zoo.load_model(export(YEAST, "grelu", tmp_path / "grelu") / "model.ckpt")
    assert np.array_equal(model.predict(windows(2, 1280), batch_size=2), expected)


def test_an_error_in_an_exported_card_is_found_at_its_line(tmp_path):
    readme = export(YEAST, "hf", tmp_path / "out") / "README.md"
    lines = readme.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == "length: 1280")
    lines[at] = lines[at].replace("1280", "none")
    readme.write_text("\n".join(lines))
    with pytest.raises(ModelError, match=rf"README.md:{at + 1}: `input.length`"):
        read_card(readme)


def test_what_is_not_of_grelus_architectures_is_refused_for_grelu(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    with pytest.raises(ModelError, match="gReLU cannot load this model") as error:
        export(toy.folder, "grelu", tmp_path / "out", trust=True)
    assert "GcContent" in error.value.extent and "--to kipoi or --to hf" in error.value.fix
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".zoo*"))
    again = add(export(toy.folder, "hf", tmp_path / "out", trust=True), "again", tmp_path / "made")
    assert front_matter(again / "README.md") == front_matter(toy.folder / "README.md") | {"name": "again"}


def test_an_entry_that_is_a_checkpoint(tmp_path, make_checkpoint, windows):
    theirs = make_checkpoint(tmp_path / "x.ckpt")
    entry = add(tmp_path / "x.ckpt", "m", tmp_path)
    (entry / "grelu.ckpt").rename(entry / "human.ckpt")
    description = yaml.safe_load((entry / "model.yaml").read_text())
    description |= {"defined_as": "grelu.lightning.LightningModel", "args": {"checkpoint": "human.ckpt"}}
    (entry / "model.yaml").write_text(yaml.safe_dump(description))
    model = zoo.load_model(export(entry, "grelu", tmp_path / "out") / "model.ckpt")
    with torch.inference_mode():
        assert np.array_equal(model.predict(windows(3), batch_size=3), theirs(windows(3)).numpy())


def test_a_checkpoint_of_other_weights_is_not_given_away_as_the_model(tmp_path, make_checkpoint):
    make_checkpoint(tmp_path / "x.ckpt")
    entry = add(tmp_path / "x.ckpt", "m", tmp_path)
    content = torch.load(entry / "grelu.ckpt", weights_only=True)
    content["state_dict"]["model.head.channel_transform.conv.layer.bias"] += 0.01
    torch.save(content, entry / "grelu.ckpt")
    with pytest.raises(ModelError, match="does not predict what the entry's module does"):
        export(entry, "grelu", tmp_path / "out", trust=True)
    with pytest.raises(TrustError):
        export(entry, "grelu", tmp_path / "out")


def test_a_folder_without_a_card_has_only_the_kipoi_form(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc", card=False)
    with pytest.raises(ModelError, match="has no card"):
        export(toy.folder, "hf", tmp_path / "hf")
    assert files_of(export(toy.folder, "kipoi", tmp_path / "kipoi")).keys() == files_of(toy.folder).keys()


def test_a_fine_tune_leaves_with_a_class_that_needs_no_download(tmp_path):
    from zoo.entries.grelu import slim_checkpoint
    from zoo.models.grelu import read_checkpoint

    hyper = {"model_params": {"model_type": "BorzoiPretrainedModel", "n_tasks": 4, "fold": 1}, "train_params": {}}
    torch.save({"state_dict": {}, "hyper_parameters": hyper, "data_params": {}}, tmp_path / "x.ckpt")
    params = slim_checkpoint(read_checkpoint(tmp_path / "x.ckpt"))["hyper_parameters"]["model_params"]
    assert params["model_type"] == "BorzoiModel" and params["n_tasks"] == 4 and "fold" not in params
    assert params["crop_len"] == 0  # BorzoiModel's own default is 16


def test_at_the_command_line(zoo_program, tmp_path):
    command = [zoo_program, "export", "yeast-atac", "--to", "kipoi", "given"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0 and done.stdout.strip() == "given", done.stderr
    again = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=300)
    assert again.returncode == 2 and "given exists" in again.stderr
    with pytest.raises(UsageError):
        export("yeast-atac", "kipoi", tmp_path / "given")
    assert export("yeast-atac", "kipoi", tmp_path / "given", force=True).name == "given"
    assert "model.ckpt" not in files_of(tmp_path / "given")
