"""`hf://` names: from a seeded cache without a network, and the errors of fetching."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import requests

import zoo
from zoo.cli import run
from zoo.entries.add import add
from zoo.errors import FetchError, ModelError, SystemStateError, TrustError, UsageError
from zoo.store import hub as hub_module
from zoo.store.hub import fetch_model, grelu_listing, is_hub_name, refresh_grelu_listing

pytestmark = pytest.mark.filterwarnings("ignore")
COMMIT, OTHER = "c" * 40, "d" * 40


@pytest.fixture
def checkpoint(tmp_path, make_checkpoint):
    make_checkpoint(tmp_path / "x.ckpt")
    return tmp_path / "x.ckpt"


@pytest.mark.parametrize(
    ("asked", "pinned"),
    [
        ("hf://org/repo", f"hf://org/repo@{COMMIT}/model.ckpt"),
        ("hf://org/repo/", f"hf://org/repo@{COMMIT}/model.ckpt"),
        ("hf://org/repo@main/model.ckpt", f"hf://org/repo@{COMMIT}/model.ckpt"),
        (f"hf://org/repo@{COMMIT}", f"hf://org/repo@{COMMIT}/model.ckpt"),
        ("hf://org/repo@v1.2", f"hf://org/repo@{OTHER}/model.ckpt"),
        ("hf://org/repo/deep/human_rep0.ckpt", f"hf://org/repo@{COMMIT}/deep/human_rep0.ckpt"),
    ],
)
def test_names_from_a_seeded_cache(hub, checkpoint, windows, asked, pinned):
    hub("org/repo", {"model.ckpt": checkpoint, "deep/human_rep0.ckpt": checkpoint, "README.md": b"# x"})
    hub("org/repo", {"model.ckpt": checkpoint}, OTHER, "v1.2")
    model = zoo.load_model(asked)
    assert model.name == pinned
    assert list(model.hashes.values()) == [hashlib.sha256(checkpoint.read_bytes()).hexdigest()]
    expected = zoo.load_model(checkpoint).predict(windows(), batch_size=5)
    assert np.array_equal(model.predict(windows(), batch_size=5), expected)
    assert fetch_model(pinned).path == fetch_model(asked).path


def test_the_only_checkpoint_is_the_model(hub, checkpoint):
    hub("org/repo", {"human.ckpt": checkpoint, "data.txt": b""})
    assert fetch_model("hf://org/repo").file == "human.ckpt"


def test_of_several_checkpoints_one_must_be_named(hub, checkpoint):
    hub("org/repo", {"human.ckpt": checkpoint, "mouse.ckpt": checkpoint})
    with pytest.raises(ModelError, match="several checkpoints") as error:
        fetch_model("hf://org/repo")
    assert "hf://org/repo/human.ckpt" in error.value.fix
    hub("org/none", {"README.md": b"# x"})
    with pytest.raises(ModelError, match="holds no model"):
        fetch_model("hf://org/none")


def test_a_repo_with_model_yaml_is_a_folder_whose_python_needs_trust(hub, tmp_path):
    from toys import make_toy_entry

    toy = make_toy_entry(tmp_path / "toy", "gc")
    files = {path.relative_to(toy.folder).as_posix(): path for path in toy.folder.rglob("*") if path.is_file()}
    hub("org/toy", files)
    with pytest.raises(TrustError):
        zoo.load_model("hf://org/toy")
    model = zoo.load_model("hf://org/toy", trust=True)
    assert model.name == f"hf://org/toy@{COMMIT}" and model.card.name == "toy"


def test_run_records_name_the_commit(hub, checkpoint, genome, tmp_path):
    hub("org/repo", {"model.ckpt": checkpoint})
    fasta, bed = genome
    command = ["predict", "hf://org/repo", bed, "-g", fasta, "-o", tmp_path / "out.h5", "--any-genome"]
    assert run([str(word) for word in command]) == 0
    record = json.loads((tmp_path / "out.h5.run.json").read_text())
    assert record["model"]["name"] == f"hf://org/repo@{COMMIT}/model.ckpt"
    assert list(record["model"]["sha256"].values()) == [hashlib.sha256(checkpoint.read_bytes()).hexdigest()]


def test_a_repo_becomes_an_entry(hub, checkpoint, tmp_path, windows):
    hub("org/repo", {"model.ckpt": checkpoint})
    folder = add("hf://org/repo", "theirs", tmp_path / "out")
    assert f"Drafted by `zoo new` from hf://org/repo@{COMMIT}/model.ckpt." in (folder / "README.md").read_text()
    expected = zoo.load_model(checkpoint).predict(windows(), batch_size=5)
    assert np.array_equal(zoo.load_model(folder, trust=True).predict(windows(), batch_size=5), expected)


def test_blobs_are_verified_before_use(hub, checkpoint):
    content = checkpoint.read_bytes()
    snapshot = hub("org/repo", {"model.ckpt": checkpoint, "small.ckpt": checkpoint})
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir()
    names = {
        "model.ckpt": hashlib.sha256(content).hexdigest(),
        "small.ckpt": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
    }
    for file, name in names.items():
        (blobs / name).write_bytes(content)
        (snapshot / file).unlink()
        (snapshot / file).symlink_to(f"../../blobs/{name}")
        assert zoo.load_model(f"hf://org/repo/{file}").length == 64
        (blobs / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(FetchError, match="is not what Hugging Face holds"):
            zoo.load_model(f"hf://org/repo/{file}")


@pytest.mark.parametrize(
    "name", ["hf://org/absent", "hf://org/repo@v9", "hf://org/repo/other.ckpt", f"hf://org/repo@{OTHER}"]
)
@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "ZOO_OFFLINE"])
def test_offline_and_not_cached(hub, checkpoint, monkeypatch, name, variable):
    hub("org/repo", {"model.ckpt": checkpoint})
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv(variable, "1")
    with pytest.raises(FetchError, match="is not in the cache") as error:
        zoo.load_model(name)
    assert name in error.value.what and "OFFLINE" in error.value.extent and error.value.fix.startswith("Fix: ")


@pytest.mark.parametrize(
    "name", ["hf://", "hf://org", "hf:///repo", "hf://org/re po", "hf://org/repo@", "hf://org/a..b"]
)
def test_names_that_are_none(hub, name):
    with pytest.raises(UsageError):
        fetch_model(name)


def hub_error(kind, status):
    from huggingface_hub import errors

    response = requests.Response()
    response.status_code = status
    return getattr(errors, kind)("server said no", response=response)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (lambda: hub_error("RepositoryNotFoundError", 404), "no such repo"),
        (lambda: hub_error("GatedRepoError", 403), "access is limited"),
        (lambda: hub_error("RevisionNotFoundError", 404), "no revision 'v1'"),
        (lambda: hub_error("EntryNotFoundError", 404), "no file 'a.ckpt'"),
        (lambda: hub_error("HfHubHTTPError", 503), "cannot be reached"),
        (lambda: requests.ConnectionError("Name or service not known"), "cannot be reached"),
        (lambda: requests.Timeout("read timed out"), "cannot be reached"),
    ],
)
def test_what_goes_wrong_online_is_explained(hub, monkeypatch, error, said):
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def fail(*arguments, **options):
        assert options["local_files_only"] is False and options["revision"] == "v1"
        raise error()

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(FetchError) as found:
        fetch_model("hf://org/repo@v1/a.ckpt")
    assert said in str(found.value) and "hf://org/repo@v1/a.ckpt" in found.value.what
    assert found.value.fix.startswith("Fix: ") and found.value.exit_code == 5


def test_a_cached_repo_serves_while_the_connection_is_lost(hub, checkpoint, monkeypatch):
    hub("org/repo", {"model.ckpt": checkpoint})
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def fail(*arguments, **options):
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", fail)
    monkeypatch.setattr("requests.sessions.Session.request", fail)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # huggingface_hub waits between its attempts
    assert fetch_model("hf://org/repo").commit == COMMIT
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch_model("hf://org/absent")


def test_without_the_package(hub, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SystemStateError) as error:
        fetch_model("hf://org/repo")
    assert error.value.fix == "Fix: pip install 'seqzoo[hub]'"


def test_the_listing_has_the_keys_of_the_index():
    index = zoo.entries()[0]
    listing = grelu_listing()
    assert len(listing) == len({entry["name"] for entry in listing}) >= 10
    for entry in listing:
        assert index.keys() <= entry.keys() and entry["summary"] and entry["sources"]
        assert entry["path"].startswith("hf://Genentech/") and is_hub_name(entry["name"])
        assert entry["input_length"] in (None, 200, 196608, 524288)


def test_names_of_the_listing_load(hub, checkpoint):
    hub("Genentech/human-atac-catlas-model", {"model.ckpt": checkpoint})
    hub("Genentech/enformer-model", {"human.ckpt": checkpoint, "mouse.ckpt": checkpoint})
    assert zoo.load_model("grelu/human-atac-catlas").name.startswith("hf://Genentech/human-atac-catlas-model@")
    assert fetch_model("grelu/enformer/mouse").file == "mouse.ckpt"
    with pytest.raises(ModelError, match="no model named") as error:
        fetch_model("grelu/enformer")
    assert "grelu/enformer/human" in error.value.extent


def test_the_listing_is_refreshed_from_the_collection(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FetchError):
        refresh_grelu_listing()
    shipped = json.loads(hub_module.LISTING.read_text())["entries"]
    assert [entry["name"] for entry in grelu_listing()] == [entry["name"] for entry in shipped]
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def model_info(repo):
        files = ["model.ckpt"] if "catlas" in repo else ["a.ckpt", "b.ckpt", "README.md"]
        card = SimpleNamespace(to_dict=lambda: {"license": "mit", "tags": ["genomics"]})
        siblings = [SimpleNamespace(rfilename=file) for file in files]
        return SimpleNamespace(id=repo, sha="0123456789", siblings=siblings, card_data=card)

    kinds = {"human-atac-catlas-model": "model", "new-model": "model", "x-data": "dataset"}
    items = [SimpleNamespace(item_id=f"Genentech/{name}", item_type=kind) for name, kind in kinds.items()]
    collections = {hub_module.COLLECTION: SimpleNamespace(items=items)}
    api = SimpleNamespace(get_collection=collections.get, model_info=model_info)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: api)
    refresh_grelu_listing()
    found = {entry["name"]: entry for entry in grelu_listing()}
    assert list(found) == ["grelu/human-atac-catlas", "grelu/new/a", "grelu/new/b"]
    assert found["grelu/human-atac-catlas"]["assembly"] == "hg38"  # known before
    assert found["grelu/new/b"]["path"] == "hf://Genentech/new-model/b.ckpt"
    assert found["grelu/human-atac-catlas"]["version"] == "0123456"
    assert found["grelu/new/b"]["assembly"] is None and found["grelu/new/b"]["license"] == "mit"


def test_importing_the_module_imports_no_huggingface_hub():
    code = (
        "import sys, zoo.store.hub as h; h.grelu_listing(); "
        "print([m for m in ('huggingface_hub', 'torch', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], text=True, capture_output=True).stdout.strip() == "[]"


def test_the_listing_at_the_command_line(hub, capsys):
    def zoo(*words):
        code = run([*words])
        return code, *capsys.readouterr()

    code, listed, _ = zoo("list", "--source", "grelu")
    assert code == 0 and "grelu/human-atac-catlas\tmain\thg38\t200\t\tunverified\t" in listed
    assert len(listed.splitlines()) == 1 + len(grelu_listing())
    code, told, _ = zoo("info", "grelu/human-atac-catlas")
    assert code == 0 and "folder     hf://Genentech/human-atac-catlas-model\n" in told
    code, _, typo = zoo("info", "grelu/enform/human")
    assert code == 4 and "near names: grelu/enformer/human" in typo
    code, _, refused = zoo("source", "update", "grelu")
    assert code == 5 and len(refused.splitlines()) == 3 and "Fix: " in refused


def test_a_folder_whose_readme_is_hugging_faces_own(hub, tmp_path):
    from toys import make_toy_entry

    toy = make_toy_entry(tmp_path / "toy", "gc", card=False)
    (toy.folder / "README.md").write_text("---\nlicense: mit\nlibrary_name: pytorch\n---\n# A model\n")
    files = {path.relative_to(toy.folder).as_posix(): path for path in toy.folder.rglob("*") if path.is_file()}
    hub("org/toy", files)
    assert zoo.load_model("hf://org/toy", trust=True).card is None
    assert run(["pull", "hf://org/toy"]) == 0
