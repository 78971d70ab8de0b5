"""`zoo push`: an entry goes to the stand-in for Hugging Face and runs from there; what may not be shared is refused."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from hub_server import COMMIT, HubServer
from toys import make_toy_entry

from zoo.entries.export import hub_metadata, known_licence
from zoo.entries.push import check_metadata, check_redistribution, push
from zoo.errors import ModelError, UsageError
from zoo.models.entry import open_entry

huggingface_hub = pytest.importorskip("huggingface_hub")
ROOT = Path(__file__).resolve().parents[2]
TOKEN = "hf_a_token_of_this_test"


@pytest.fixture
def server():
    server = HubServer({"org/there": {"other.txt": b"stays"}}, token=TOKEN)
    yield server
    server.close()


@pytest.fixture
def zoo(tmp_path, server, zoo_program):
    """``zoo(*arguments, token=...)`` in a process of its own, which reads the server's address when it starts."""

    def run(*arguments, token=TOKEN):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        env = kept | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        env |= {"HF_HUB_DISABLE_TELEMETRY": "1", "ZOO_CACHE": str(tmp_path / "cache"), "no_proxy": "*"}
        env |= {"HF_TOKEN": token} if token else {}
        command = [zoo_program, *map(str, arguments)]
        return subprocess.run(command, env=env, text=True, capture_output=True, timeout=300, cwd=ROOT)

    return run


@pytest.fixture
def toy(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    described(toy.folder, license="MIT")
    return toy


def described(folder, **info):
    path = folder / "model.yaml"
    data = yaml.safe_load(path.read_text())
    data["info"] |= info
    path.write_text(yaml.safe_dump(data, sort_keys=False))


def noted(folder, note):
    path = folder / "README.md"
    path.write_text(path.read_text().replace("schema_version: 1\n", f"schema_version: 1\nlicence_note: {note}\n"))


def test_what_was_pushed_predicts(zoo, server, toy, tmp_path):
    done = zoo("push", toy.folder, "hf://org/new", "--trust")
    assert (done.returncode, done.stdout) == (0, f"hf://org/new@{COMMIT}\n"), done.stderr
    assert server.commits == ["toy 1.0.0"]
    sent = server.repos["org/new"]
    assert sent["weights.pth"] == (toy.folder / "weights.pth").read_bytes()
    assert {"README.md", "model.yaml", "dataloader.yaml", "example/expected.h5"} <= set(sent)
    front = yaml.safe_load(sent["README.md"].decode().split("---\n")[1])
    assert front["license"] == "mit" and front["library_name"] == "pytorch" and front["seqzoo"]["name"] == "toy"
    there = zoo("predict", "hf://org/new", toy.regions, "-g", toy.genome, "-o", tmp_path / "there.tsv", "--trust")
    assert there.returncode == 0, there.stderr
    here = zoo("predict", toy.folder, toy.regions, "-g", toy.genome, "-o", tmp_path / "here.tsv", "--trust")
    assert here.returncode == 0 and (tmp_path / "there.tsv").read_text() == (tmp_path / "here.tsv").read_text()
    record = json.loads((tmp_path / "there.tsv.run.json").read_text())["model"]
    assert record["name"] == f"hf://org/new@{COMMIT}" and record["version"] == "1.0.0"


def test_a_repo_that_is_there_is_written_to(zoo, server, toy):
    done = zoo("push", toy.folder, "hf://org/there", "--trust", "--json")
    assert json.loads(done.stdout)["commit"] == COMMIT, done.stderr
    assert server.repos["org/there"]["other.txt"] == b"stays" and "model.yaml" in server.repos["org/there"]


def test_a_dry_run_lists_and_sends_nothing(zoo, server, toy):
    done = zoo("push", toy.folder, "hf://org/new", "--dry-run", token=None)
    assert done.returncode == 0 and "org/new" not in server.repos, done.stderr
    size = (toy.folder / "weights.pth").stat().st_size
    assert f"{size:>12,}  weights.pth" in done.stdout and "nothing was sent" in done.stderr


@pytest.mark.parametrize("token", [None, "hf_wrong"])
def test_without_a_token_that_may_write(zoo, server, toy, token):
    done = zoo("push", toy.folder, "hf://org/new", token=token)
    assert done.returncode == 5 and "Fix: `hf auth login`" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "org/new" not in server.repos


@pytest.mark.parametrize("name", ["org/new", "hf://new", "hf://org/new@main", "hf://org/new/file", "hf://", "hf:///x"])
def test_what_is_no_repo(toy, name):
    with pytest.raises(UsageError, match="no name of a repository to push to"):
        push(toy.folder, name)


# ---------------------------------------------------------------- licences


@pytest.mark.parametrize("licence", ["unknown", "", None, "non-commercial", "ask the authors"])
def test_weights_of_no_known_licence_are_not_given_away(toy, licence):
    described(toy.folder, license=licence)
    with pytest.raises(ModelError, match="none that permits sharing") as error:
        push(toy.folder, "hf://org/new", dry_run=True)
    assert "weights.pth would be sent" in error.value.extent


@pytest.mark.parametrize("note", ["do not redistribute", "weights must not be shared", "no redistribution of weights"])
def test_what_the_card_forbids_is_refused_with_its_words(toy, note):
    noted(toy.folder, note)
    with pytest.raises(ModelError, match=note):
        push(toy.folder, "hf://org/new", dry_run=True)


@pytest.mark.parametrize("note", ["not for commercial use", "attribute Strauch et al. 2022"])
def test_other_conditions_do_not_forbid_it(toy, note):
    noted(toy.folder, note)
    described(toy.folder, license="CC-BY-NC-4.0")
    assert "weights.pth" in push(toy.folder, "hf://org/new", dry_run=True).files


def test_weights_that_lie_elsewhere_are_not_sent():
    for name in ("spliceai", "mmsplice-donor", "pangolin"):
        check_redistribution(open_entry(name))
        files = push(name, "hf://org/new", dry_run=True).files
        assert not any(path.endswith((".h5", ".safetensors", ".pth")) for path in files if "example" not in path), name


# ---------------------------------------------------------------- metadata


def test_metadata_are_those_of_the_hub(toy):
    written = "---\nlicense: mit\ntags: [a]\nlibrary_name: pytorch\n---\nx\n"
    check_metadata(written)
    for wrong, says in (
        (written.replace("mit", "MIT License"), "is no identifier"),
        (written.replace("mit", "other"), "license_name is missing"),
        (written.replace("[a]", "[1]"), "tags"),
        (written.replace("library_name: pytorch\n", ""), "library_name"),
        (written.replace("tags", "model-index: [{name: x}]\ntags"), "not what Hugging Face takes"),
    ):
        with pytest.raises(ModelError, match=says):
            check_metadata(wrong)


@pytest.mark.parametrize(
    ("licence", "known"),
    [("MIT", "mit"), ("BSD 3-Clause", "bsd-3-clause"), ("CC-BY 3.0", "cc-by-3.0"), (None, "unknown"), ("own", None)],
)
def test_licences_by_the_identifiers_of_the_hub(licence, known):
    assert known_licence(licence) == known
    found = hub_metadata({}, {"license": licence}, "pytorch")
    assert found["license"] == (known or "other") and ("license_name" in found) == (known is None)


def test_an_entry_without_a_card_is_not_pushed(toy):
    with pytest.raises(ModelError, match="has no card"):
        (toy.folder / "README.md").unlink()
        push(toy.folder, "hf://org/new", dry_run=True)
