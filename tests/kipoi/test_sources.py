"""Sources: folders and repositories by name, and the index of what they hold."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from kipoi_toys import REGIONS, loader_yaml, model_yaml, write_data, write_folder

import zoo
from zoo.cli import run
from zoo.errors import FetchError, ModelError, TrustError, UsageError
from zoo.models.entry import open_entry
from zoo.store.registry import all_entries, entries, find_entry
from zoo.store.search import search
from zoo.store.source_index import read_source_config
from zoo.store.sources import add_source, find_source, remove_source, sources, split_name, update_source


def folder_of_models(folder):
    info = {"authors": [{"name": "Ada Lovelace"}], "tags": ["DNA accessibility"], "doc": "counts G", "version": "0.3"}
    write_folder(folder / "counts/custom", model_yaml(info=info), loader_yaml())
    write_folder(folder / "torch", model_yaml("Sum"), loader_yaml())
    return folder


def git(folder, *arguments):
    names = ("-c", "user.name=t", "-c", "user.email=t@x.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    folder = folder_of_models(tmp_path / "repository")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    return folder


def test_a_folder_by_name(tmp_path, capsys):
    folder_of_models(tmp_path / "models")
    assert run(["source", "add", "toys", str(tmp_path / "models")]) == 0
    assert "2 models; not trusted" in capsys.readouterr().err
    assert [entry["name"] for entry in entries("toys")] == ["toys/counts/custom", "toys/torch"]
    folder, record = find_entry("toys/counts/custom")
    assert folder == tmp_path / "models/counts/custom"
    assert (record["version"], record["authors"], record["framework"]) == ("0.3", ["Ada Lovelace"], "custom")
    assert run(["list", "--source", "toys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["name", "toys/counts/custom", "toys/torch"]
    assert run(["source", "remove", "toys"]) == 0
    assert sources() == {} and folder.is_dir()


def test_a_changed_folder_is_indexed_anew_and_only_then(tmp_path, monkeypatch):
    folder = folder_of_models(tmp_path / "models")
    add_source("toys", str(folder))
    assert len(entries("toys")) == 2
    built = []
    import zoo.store.source_index as module

    original = module._build
    monkeypatch.setattr(module, "_build", lambda *a: built.append(a) or original(*a))
    entries("toys")
    assert built == []
    write_folder(folder / "third", model_yaml(), loader_yaml())
    assert len(entries("toys")) == 3 and len(built) == 1


def test_a_broken_model_does_not_hide_the_others(tmp_path, capsys):
    folder = folder_of_models(tmp_path / "models")
    (folder / "torch/model.yaml").write_text("defined_as: [\n")
    add_source("toys", str(folder))
    assert run(["list", "--source", "toys"]) == 0
    output = capsys.readouterr()
    assert "toys/counts/custom" in output.out and "1 model cannot be read" in output.err
    with pytest.raises(ModelError, match="does not parse"):
        find_entry("toys/torch")


def test_search_by_field(tmp_path):
    add_source("toys", str(folder_of_models(tmp_path / "models")))
    names = lambda **fields: [entry["name"] for entry in search((), entries("toys"), fields)]  # noqa: E731
    assert names(tag="accessibility") == names(author="lovelace") == ["toys/counts/custom"]
    assert names(framework="pytorch") == names(target="RATIO") == ["toys/torch"]
    assert names(tag="accessibility", framework="pytorch") == []
    assert [entry["name"] for entry in search(["counts", "ada"], all_entries())] == ["toys/counts/custom"]


@pytest.mark.parametrize(
    ("name", "says"), [("toys/cuonts/custom", "counts/custom"), ("toys/counts", "group of 1 model")]
)
def test_a_name_that_the_source_has_not(tmp_path, name, says):
    add_source("toys", str(folder_of_models(tmp_path / "models")))
    with pytest.raises(ModelError) as caught:
        find_entry(name)
    assert says in str(caught.value)


def test_trust_of_a_source(tmp_path):
    pytest.importorskip("kipoi")
    fasta, bed = write_data(tmp_path)
    folder = str(folder_of_models(tmp_path / "models"))
    add_source("careful", folder)
    add_source("trusted", folder, trust=True)
    with pytest.raises(TrustError):
        zoo.predict("careful/torch", bed, fasta, tmp_path / "x.tsv")
    for name, options in (("careful/torch", {"trust": True}), ("trusted/torch", {})):
        assert zoo.predict(name, bed, fasta, tmp_path / "x.tsv", **options).windows == len(REGIONS)


@pytest.mark.parametrize("name", ["a/b", "-x", "", "all", "bundled", "ü", "x" * 65])
def test_names_that_cannot_be(tmp_path, name):
    with pytest.raises(UsageError, match="cannot name a source"):
        add_source(name, str(tmp_path))


def test_the_same_name_twice(tmp_path):
    add_source("toys", str(tmp_path))
    with pytest.raises(UsageError, match="already"):
        add_source("toys", str(tmp_path))
    with pytest.raises(UsageError, match="no source named 'other'"):
        find_source("other")
    assert split_name("other/x") is None and split_name("toys") is None


# Git


def test_a_repository_is_cloned_updated_and_removed(repository, capsys):
    assert run(["source", "add", "toys", f"file://{repository}"]) == 0
    source = find_source("toys")
    assert source.folder != repository and len(entries("toys")) == 2
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    assert source.commit == head.stdout.strip()
    write_folder(repository / "third", model_yaml(), loader_yaml())
    git(repository, "add", ".")
    git(repository, "commit", "-m", "two")
    assert len(entries("toys")) == 2
    capsys.readouterr()
    assert run(["source", "update"]) == 0
    told = capsys.readouterr().err
    assert f"toys: {head.stdout[:12]} -> {source.commit[:12]}" in told and "3 models" in told
    assert [entry["name"] for entry in entries("toys")] == ["toys/counts/custom", "toys/third", "toys/torch"]
    remove_source("toys")
    assert not source.folder.exists() and repository.is_dir()


def test_history_that_was_rewritten_is_followed(repository):
    add_source("toys", f"file://{repository}")
    git(repository, "commit", "--amend", "-m", "another")
    _, before, after = update_source("toys")
    assert before != after and len(entries("toys")) == 2


def test_hooks_and_other_transports_do_not_run(repository, tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    template = tmp_path / "template/hooks"
    template.mkdir(parents=True)
    for hook in ("post-checkout", "post-merge", "reference-transaction"):
        (template / hook).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (template / hook).chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    add_source("toys", f"file://{repository}")
    git(repository, "commit", "--amend", "-m", "another")
    update_source("toys")
    assert not marker.exists()
    for address in (f"ext::sh -c 'touch {marker}'", "git://x.org/y", "http://x.org/y", "--upload-pack=touch x:y"):
        with pytest.raises(UsageError):
            add_source("other", address)
    assert not marker.exists() and list(sources()) == ["toys"]


def test_a_clone_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(FetchError, match="git clone failed"):
        add_source("toys", f"file://{tmp_path}/nowhere")
    assert sources() == {}
    assert list((tmp_path / "cache/sources").iterdir()) == []


def test_offline(repository, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(FetchError, match="not fetched"):
        add_source("toys", "https://example.org/models.git")


# Speed


@pytest.mark.parametrize("arguments", [["list", "--source", "toys"], ["info", "toys/torch"], ["search", "counts"]])
def test_listing_imports_nothing_heavy(tmp_path, arguments):
    add_source("toys", str(folder_of_models(tmp_path / "models")))
    entries("toys")
    code = (
        "import json, sys; from zoo.cli import run; "
        f"status = run({arguments!r}); print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0 and "toys/torch" in done.stdout
    assert not {"torch", "numpy", "pandas", "yaml", "jinja2", "pydantic"} & set(modules)


@pytest.mark.shared
def test_2206_models_are_listed_from_an_index_not_from_their_yaml(shared_data):
    """Processor time beside that of the few bundled models: to read 2,206 files takes many times as long."""
    add_source("kipoi", str(shared_data / "d13_kipoi_models_yaml"))
    few = [str(Path(sys.executable).with_name("zoo")), "list"]
    many = [*few, "--source", "kipoi"]
    assert len(seconds_of(many)[1].splitlines()) == 1 + 2206  # makes the index
    assert min(seconds_of(many)[0] for _ in range(3)) < 4 * min(seconds_of(few)[0] for _ in range(3))


def seconds_of(command):
    """CPU-seconds of a process, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


# What else a source can hold


def test_config_yaml_of_a_source(tmp_path, capsys):
    folder = folder_of_models(tmp_path / "models")
    text = "test:\n  constraints:\n    torch:\n      batch_size: 2\ndependencies:\n  pip:\n    kipoi>=0.6.17\n"
    (folder / "config.yaml").write_text(text)
    config = read_source_config(folder)
    assert config.dependencies == ("kipoi>=0.6.17",) and config.batch_sizes == {"torch": 2}
    assert run(["source", "add", "toys", str(folder)]) == 0
    assert "need kipoi>=0.6.17" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: b: c\n", 1),
        ("- a\n", 1),
        ("test: x\n", 1),
        ("x: 1\ndependencies:\n  pip: {a: 1}\n", 3),
        ("test:\n  constraints:\n    a:\n      batch_size: two\n", 4),
        ("test:\n  constraints: [a]\n", 2),
    ],
)
def test_config_yaml_that_is_wrong_names_its_line_and_hides_no_model(tmp_path, text, line):
    folder = folder_of_models(tmp_path / "models")
    (folder / "config.yaml").write_text(text)
    with pytest.raises(ModelError) as caught:
        read_source_config(folder)
    assert caught.value.what.startswith(f"{folder}/config.yaml:{line}: ")
    add_source("toys", str(folder))
    assert len(entries("toys")) == 2


def test_a_readme_with_other_front_matter_is_no_card(tmp_path):
    folder = folder_of_models(tmp_path / "models")
    (folder / "torch/README.md").write_text("---\nlicense: mit\ntags: [dna]\n---\n# A model\n")
    add_source("toys", str(folder))
    assert find_entry("toys/torch")[1]["summary"] == "counts"
    assert open_entry("toys/torch").card is None


def test_a_pointer_of_git_lfs_is_told_apart_from_weights(tmp_path):
    pytest.importorskip("kipoi")
    fasta, bed = write_data(tmp_path)
    folder = folder_of_models(tmp_path / "models")
    (folder / "torch/weights.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    add_source("toys", str(folder), trust=True)
    with pytest.raises(ModelError, match="is a Git LFS pointer"):
        zoo.predict("toys/torch", bed, fasta)


def test_a_name_without_its_source_and_a_source_that_was_not_added(tmp_path):
    with pytest.raises(ModelError) as caught:
        find_entry("kipoi/Basset")
    assert caught.value.fix == "Fix: zoo source add kipoi https://github.com/kipoi/models"
    add_source("toys", str(folder_of_models(tmp_path / "models")))
    with pytest.raises(ModelError) as caught:
        find_entry("counts/custom")
    assert caught.value.extent == "near names: toys/counts/custom"
    with pytest.raises(ModelError) as caught:
        find_entry("tyos/counts/custom")
    assert caught.value.extent == "near names: toys/counts/custom"


def test_a_source_that_was_added_while_another_was_cloned_is_kept(repository, tmp_path, monkeypatch):
    """A clone takes minutes; what is written after it must not be what was read before it."""
    from zoo.store import sources as module

    clone = module._clone

    def slowly(source):
        clone(source)
        add_source("meanwhile", str(tmp_path))

    monkeypatch.setattr(module, "_clone", slowly)
    add_source("cloned", f"file://{repository}")
    assert set(sources()) == {"meanwhile", "cloned"}


def test_a_repository_that_is_cloned_again_and_fails_keeps_what_was_there(repository, monkeypatch):
    source = add_source("kept", f"file://{repository}")
    (source.folder / ".git").rename(source.folder / "not-git")  # so that an update clones
    monkeypatch.setattr("zoo.store.sources._git", lambda *args, **more: (_ for _ in ()).throw(FetchError("gone")))
    with pytest.raises(FetchError):
        update_source("kept")
    assert (source.folder / "counts/custom/model.yaml").is_file()
    assert [path.name for path in source.folder.parent.iterdir() if not path.name.endswith(".json")] == ["kept"]
