"""Whole runs: what they write, that they repeat, resume, and say the truth."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from finetune_world import WINDOWS

import finetune
import zoo
import zoo.cli
from finetune.config_file import load_config
from finetune.models.freeze import frozen_hash
from finetune.run import Run
from zoo.errors import UsageError
from zoo.progress import Notes

ROOT = Path(__file__).resolve().parents[2]
#: Where it is of no matter how much is learnt: a few windows of each chromosome.
FEW = {"choose": "tiles", "most": 36}


@pytest.fixture(scope="module")
def head_run(world, tmp_path_factory):
    """A head, trained for some epochs, by the command; what it printed comes last."""
    folder = tmp_path_factory.mktemp("head")
    config = world.write("head.yaml", train={"epochs": 8, "lr": 0.03})
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert zoo.cli.run(["finetune", str(config), "-o", str(folder / "run")]) == 0
    return config, folder / "run", printed.getvalue()


def test_a_run_writes_verdict_page_history_and_entry(head_run):
    _, folder, printed = head_run
    assert printed.startswith("On held-out chromosomes: ")
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["sentence"] == printed.strip()
    assert (folder / "history.csv").read_text().count("\n") == 9
    assert "<html" in (folder / "verdict.html").read_text()
    assert not list(folder.rglob("*.partial"))
    record = json.loads((folder / "run.run.json").read_text())
    assert record["config"]["train"]["lr"] == 0.03


def test_the_head_gains_over_the_frozen_base_what_the_base_does_not_know(head_run):
    verdict = json.loads((head_run[1] / "verdict.json").read_text())
    skill = verdict["sides"]["held-out chromosomes"]["skill"]
    assert skill["value"] > 0
    assert {"constant", "mean profile of training windows", "frozen base"} <= skill["over"].keys()


def test_the_entry_passes_its_test_and_predicts_what_was_judged(head_run, world):
    _, folder, _ = head_run
    entry = next((folder / "entry").iterdir())
    assert zoo.cli.run(["test", str(entry), "--trust"]) == 0
    predicted = zoo.load_model(entry, trust=True).predict_regions([("chrF", 128, 128 + 1024 * WINDOWS)], world.genome)
    assert predicted.values["preds"].shape[1:] == (1, 32)


def test_evaluate_repeats_the_verdict_of_a_run(head_run):
    config, folder, _ = head_run
    verdict = finetune.evaluate(folder, config)
    before = json.loads((folder / "verdict.json").read_text())
    # In another process the last bit of a sum may differ.
    found, wanted = (one["sides"]["held-out chromosomes"] for one in (verdict.as_dict(), before))
    assert found["sentence"] == wanted["sentence"]
    for name, skill in wanted["skill"]["over"].items():
        assert found["skill"]["over"][name]["value"] == pytest.approx(skill["value"], abs=1e-5)
        assert found["skill"]["over"][name]["ci"] == pytest.approx(skill["ci"], abs=1e-4)


def test_evaluate_judges_the_entry_like_the_run(head_run):
    config, folder, _ = head_run
    entry = next((folder / "entry").iterdir())
    skill = finetune.evaluate(entry, config, trust=True).as_dict()["sides"]["held-out chromosomes"]["skill"]
    before = json.loads((folder / "verdict.json").read_text())["sides"]["held-out chromosomes"]["skill"]
    assert skill["value"] == pytest.approx(before["value"], abs=1e-5)


def test_evaluate_prints_a_table_that_a_pipe_takes(head_run, tmp_path, capsys):
    config, folder, _ = head_run
    assert zoo.cli.run(["evaluate", str(folder), str(config), "-o", str(tmp_path / "page.html")]) == 0
    said = capsys.readouterr()
    header, *rows = (line.split("\t") for line in said.out.splitlines())
    assert {len(row) for row in rows} == {len(header)} == {8}
    assert {row[2] for row in rows} >= {"skill_32bp", "pearson_32bp"}
    assert json.loads((tmp_path / "page.json").read_text())["sentence"] in said.err
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_evaluate_judges_any_model_and_the_base_gains_nothing_over_itself(head_run):
    config, _, _ = head_run
    verdict = finetune.evaluate("yeast-atac", config)
    assert not verdict.gained


@pytest.mark.parametrize("mode", ["lora", "last-2", "full", "scratch"])
def test_every_mode_ends_at_the_same_weights_for_the_same_seed(world, tmp_path, mode):
    config = world.write(f"{mode}.yaml", mode=mode, regions=FEW, train={"epochs": 1, "lr": 0.001})
    runs = [finetune.finetune(config, tmp_path / name) for name in ("a", "b")]
    assert runs[0].weights_hash == runs[1].weights_hash
    states = [torch.load(next((run.folder / "entry").iterdir()) / "weights.pth", weights_only=True) for run in runs]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    base = torch.load(ROOT / "model_cards/yeast-atac/weights.pth", weights_only=True)
    changed = [key for key in base if not torch.equal(base[key], states[0][key])]
    assert any("stem" in key for key in changed) == (mode in ("lora", "full", "scratch"))


def test_an_interrupted_run_resumes_to_the_same_weights(world, tmp_path):
    config = world.write("whole.yaml", mode="lora", regions=FEW, train={"epochs": 3, "lr": 0.003, "average": 0.9})
    whole = finetune.finetune(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        finetune.finetune(config, tmp_path / "part", report=_stopping_after("epoch 2"))
    assert not (tmp_path / "part" / "verdict.json").exists()
    part = finetune.finetune(config, tmp_path / "part", resume=True)
    assert part.weights_hash == whole.weights_hash


def _stopping_after(text):
    def report(note):
        if note.startswith(text):
            raise KeyboardInterrupt

    return report


def test_a_run_of_other_data_does_not_resume(world, tmp_path):
    config = world.write("other.yaml", train={"epochs": 1})
    finetune.finetune(config, tmp_path / "run")
    changed = world.write(
        "other.yaml", train={"epochs": 1}, regions={"choose": "tiles", "chromosomes": ["chrA", "chrE", "chrF"]}
    )
    with pytest.raises(UsageError, match="the data changed since the run began"):
        finetune.finetune(changed, tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match="holds a run already"):
        finetune.finetune(changed, tmp_path / "run")


def test_prepared_data_are_found_again_and_change_with_an_option(world, tmp_path):
    config = world.write("prepared.yaml")
    first = finetune.finetune(config, tmp_path / "run", prepare_only=True)
    again = finetune.finetune(config, tmp_path / "run", prepare_only=True)
    other = finetune.finetune(config, tmp_path / "run", sets=("augment.shift=32", "mode=lora"), prepare_only=True)
    assert first.prepared == again.prepared != other.prepared
    assert not (tmp_path / "run").exists()
    targets = np.load(first.prepared["main"] / "targets.npy")
    assert targets.shape == (1, 6 * WINDOWS, 32)


def test_prepared_targets_are_the_counts_of_the_fragments(world):
    run = Run(load_config(world.write("counts.yaml")), False, Notes())
    prepared = run.sets["main"]
    assert len(prepared) == 6 * WINDOWS
    rows = [row for row in range(6 * WINDOWS) if prepared.windows.chrom[row] == "chrB"]
    import gzip

    counts = np.zeros(WINDOWS * 32)
    with gzip.open(world.fragments, "rt") as lines:
        for chrom, start, end in map(str.split, lines):
            place = (int(start) + int(end)) // 2 - 128
            if chrom == "chrB" and 0 <= place < WINDOWS * 1024:
                counts[place // 32] += 1
    assert np.array_equal(prepared.targets[0, rows].ravel(), counts)


def test_frozen_is_frozen_in_a_head(world):
    run = Run(load_config(world.write("frozen.yaml")), False, Notes())
    model = run.adapted()
    before = frozen_hash(model)
    model.set_training()
    for batch in run.batches()["main"].train(0):
        model(batch).sum().backward()
    assert frozen_hash(model) == before
    assert [name for name, p in model.named_parameters() if p.requires_grad] == [
        "heads.main.conv.weight",
        "heads.main.conv.bias",
    ]


def test_thirty_lines_of_python_give_the_same_verdict(world, tmp_path):
    from scripts.finetune.thirty_lines import main

    config = world.write("lines.yaml", mode="last-1", regions=FEW, train={"epochs": 1, "lr": 0.001})
    sentence = main(str(config), str(tmp_path / "lines"))
    assert finetune.finetune(config, tmp_path / "run").sentence == sentence


def test_two_runs_at_once_share_what_is_prepared(world, zoo_program, tmp_path):
    config = world.write("twice.yaml", train={"epochs": 1}, regions=FEW)
    words = [zoo_program, "finetune", str(config)]
    running = [
        subprocess.Popen([*words, "-o", str(tmp_path / name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
        for name in ("a", "b")
    ]
    told = [process.communicate()[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    hashes = [json.loads((tmp_path / name / "run.run.json").read_text())["weights"] for name in ("a", "b")]
    assert hashes[0] == hashes[1]


def test_the_example_is_of_the_genome_that_was_found_by_name(world, tmp_path, monkeypatch):
    """No `genome:` and one of the base's assembly at hand: windows of the test chromosome, letter by letter."""
    monkeypatch.setenv("ZOO_GENOMES", str(tmp_path))
    (tmp_path / "sacCer3.fa").symlink_to(world.genome)
    monkeypatch.setattr("finetune.data.prepare._check_assembly", lambda base, genome: None)  # of made-up letters
    config = world.write("named.yaml", genome=None, regions=FEW, train={"epochs": 1})
    run = finetune.finetune(config, tmp_path / "run")
    card = (run.entry / "README.md").read_text()
    assert "Example: test windows of sacCer3.fa." in card
    letters = {}
    for part in world.genome.read_text().split(">")[1:]:
        name, _, rest = part.partition("\n")
        letters[name] = rest.replace("\n", "")
    contigs = (run.entry / "example/genome.fa").read_text().split(">")[1:]
    assert len(contigs) > 1
    assert all(one.partition("\n")[2].replace("\n", "") in letters["chrF"] for one in contigs)


@pytest.mark.parametrize(
    ("page", "mode", "read"), [("README.md", "last-2", ["centres"]), ("docs/finetune.md", "lora", [None, "centres"])]
)
def test_the_configurations_of_the_pages_are_ones(tmp_path, monkeypatch, page, mode, read):
    (tmp_path / "sacCer3.fa").write_text(">chrI\nA\n")
    monkeypatch.setenv("ZOO_GENOMES", str(tmp_path))
    text = (ROOT / page).read_text()
    block = next(part for part in text.split("```yaml\n")[1:] if part.startswith("base:")).split("```")[0]
    (tmp_path / "run.yaml").write_text(block)
    config = load_config(tmp_path / "run.yaml")
    assert config.mode == mode and [target.read for target in config.targets] == read
