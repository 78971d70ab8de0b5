"""Runs of other shapes: several heads, two species, bigWig, labels, wider bins, synthetic examples, logs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
import torch
from finetune_world import CHROMS, LENGTH, WINDOWS, make_world

import finetune
import zoo
from finetune.config_file import load_config
from finetune.run import Run
from zoo.errors import UsageError
from zoo.progress import Notes

#: Where it is of no matter how much is learnt: a few windows of each chromosome.
FEW = {"choose": "tiles", "most": 36}


def target(name, files, **changes):
    return {"name": name, "files": str(files)} | changes


@pytest.fixture(scope="module")
def bigwig(world, tmp_path_factory):
    """The expected counts as a bigWig of 32-bp steps."""
    path = tmp_path_factory.mktemp("bigwig") / "rate.bw"
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([(chrom, LENGTH) for chrom in CHROMS])
        for chrom in CHROMS:
            values = world.rate[chrom]
            starts = 128 + 32 * np.arange(len(values))
            file.addEntries([chrom] * len(values), starts.tolist(), ends=(starts + 32).tolist(), values=values.tolist())
    return path


def entry_of(run):
    return next((run.folder / "entry").iterdir())


def test_a_stranger_with_one_bigwig(world, bigwig, tmp_path):
    """Five lines of configuration; what can be known is known: the target is made of no chance."""
    config = world.write("one.yaml", targets=[target("mine", bigwig)], train={"epochs": 10, "lr": 0.03})
    run = finetune.finetune(config, tmp_path / "run")
    side = run.verdict.as_dict()["sides"]["held-out chromosomes"]
    assert side["skill"]["over"]["constant"]["value"] > 0.5
    assert side["skill"]["over"]["frozen base"]["value"] > 0


def test_the_mean_of_a_bin_is_the_bigwigs(world, bigwig):
    run = Run(load_config(world.write("mean.yaml", targets=[target("mine", bigwig, bin=64)])), False, Notes())
    prepared = run.sets["main"]
    assert prepared.geometry.n_bins == 16
    row = int(np.flatnonzero((prepared.windows.chrom == "chrC") & (prepared.windows.start == 1024))[0])
    wanted = world.rate["chrC"][32:64].reshape(16, 2).mean(1)
    assert np.allclose(prepared.targets[0, row], wanted, rtol=1e-5)


def test_wider_bins_become_an_entry_that_predicts_what_was_trained(world, bigwig, tmp_path):
    config = world.write("wide.yaml", targets=[target("mine", bigwig, bin=128)], regions=FEW, train={"epochs": 1})
    run = finetune.finetune(config, tmp_path / "run")
    model = zoo.load_model(entry_of(run), trust=True)
    assert model.outputs[0].bin_size == 128 and model.outputs[0].n_bins == 8
    assert (entry_of(run) / "base" / "model.yaml").is_file()


def test_two_heads_of_two_assays_and_a_second_species(world, bigwig, tmp_path):
    (tmp_path / "other").mkdir()
    other = make_world(tmp_path / "other", seed=7)
    counts = world.config()["targets"][0] | {"name": "counts", "head": "counts"}
    foreign = world.config()["targets"][0] | {"name": "foreign", "head": "foreign", "files": str(other.fragments)}
    config = world.write(
        "heads.yaml",
        targets=[counts, target("level", bigwig, head="level", transform="log1p"), foreign],
        heads=[
            {"name": "counts"},
            {"name": "level", "loss": "mse", "weight": 0.5},
            {"name": "foreign", "genome": str(other.genome)},
        ],
        mode="last-1",
        train={"epochs": 2, "lr": 0.003},
    )
    run = finetune.finetune(config, tmp_path / "run")
    assert list(run.prepared) == ["counts", "level", "foreign"]
    assert {track["track"] for track in run.verdict.as_dict()["sides"]["held-out chromosomes"]["tracks"]} == {
        "counts",
        "level",
        "foreign",
    }
    model = zoo.load_model(entry_of(run), trust=True)
    assert [output.name for output in model.outputs] == ["counts", "level", "foreign"]
    history = (run.folder / "history.csv").read_text().splitlines()[0]
    assert {"val_loss_counts", "val_loss_level", "val_loss_foreign"} <= set(history.split(","))


def test_labels_under_bce_keep_the_natural_ratio_on_the_test_side(world, tmp_path):
    peaks = tmp_path / "peaks.narrowPeak.gz"
    with gzip.open(peaks, "wt") as file:
        for chrom in CHROMS:
            for bin_number in np.flatnonzero(world.rate[chrom] > np.quantile(world.rate[chrom], 0.95)):
                start = 128 + 32 * int(bin_number)
                file.write(f"{chrom}\t{start}\t{start + 32}\t.\t0\t.\t1\t1\t1\t16\n")
    config = world.write(
        "labels.yaml",
        targets=[target("peak", peaks, read="labels")],
        train={"loss": "bce", "epochs": 4, "lr": 0.03},
        sampling={"positive_weight": "balanced"},
    )
    run = finetune.finetune(config, tmp_path / "run")
    track = run.verdict.as_dict()["sides"]["held-out chromosomes"]["tracks"][0]
    metrics = track["resolutions"]["32"]["metrics"]
    assert metrics["auprc"]["prevalence"] == pytest.approx(0.05, abs=0.02)
    assert metrics["auroc"]["value"] > 0.7
    text = (entry_of(run) / "model.yaml").read_text()
    assert zoo.load_model(entry_of(run), trust=True).predict(["ACGT" * 320]).max() <= 1, text


def test_logs_by_flag(world, tmp_path):
    config = world.write("logs.yaml", regions=FEW, train={"epochs": 1, "log": ["csv", "tensorboard"]})
    run = finetune.finetune(config, tmp_path / "run")
    assert list((run.folder / "tensorboard").iterdir())


def test_random_oversampling_changes_training_alone(world, tmp_path):
    peaks = tmp_path / "peaks.bed"
    peaks.write_text("".join(f"{chrom}\t2000\t2400\n" for chrom in CHROMS))
    config = world.write(
        "over.yaml",
        targets=[target("peak", peaks, read="labels")],
        train={"loss": "bce", "epochs": 1},
        sampling={"resample": "over"},
    )
    run = Run(load_config(config), False, Notes())
    batches = run.batches()["main"]
    assert len(batches.items("train")) > len(run.sets["main"].rows("train")) == 4 * WINDOWS
    assert len(batches.items("test")) == WINDOWS


def test_a_shift_moves_input_and_target_together(world):
    """Against the plain reading of genome and fragments at the moved place."""
    run = Run(load_config(world.write("shift.yaml", mode="full", augment={"shift": 100})), False, Notes())
    prepared, batches = run.sets["main"], run.batches()["main"]
    centres = {}
    with gzip.open(world.fragments, "rt") as lines:
        for chrom, start, end in map(str.split, lines):
            centres.setdefault(chrom, []).append((int(start) + int(end)) // 2)
    letters = {}
    for record in world.genome.read_text().split(">")[1:]:
        name, _, bases = record.partition("\n")
        letters[name] = bases.replace("\n", "")
    seen = 0
    for batch in batches.train(3):
        for row, x, y in zip(batch.rows.tolist(), batch.inputs, batch.target, strict=True):
            found = "".join("ACGT"[i] for i in x.argmax(0).tolist())
            other = found[::-1].translate(str.maketrans("ACGT", "TGCA"))
            chrom, near = prepared.windows.chrom[row], int(prepared.windows.start[row])
            for text, turned in ((found, False), (other, True)):
                at = letters[chrom].find(text[300:900], max(near - 100, 0))
                if at >= 0:
                    start, flipped = at - 300, turned
                    break
            assert abs(start - near) <= 100
            inside = np.array(centres[chrom]) - start - 128
            counts = np.bincount(inside[(inside >= 0) & (inside < 1024)] // 32, minlength=32)
            known = ~torch.isnan(y[0]).numpy()
            assert np.array_equal((counts[::-1] if flipped else counts)[known], y[0].numpy()[known])
            seen += start != near
    assert seen > 50


def test_cached_embeddings_of_the_other_strand_belong_to_the_mirrored_target(world):
    """The head's prediction from cached embeddings is that of sequence, on both strands."""
    run = Run(load_config(world.write("cached.yaml")), False, Notes())
    model = run.adapted().eval()
    torch.nn.init.normal_(model.heads["main"].conv.weight, std=0.1)
    cached, read = run.batches(run.embeddings())["main"], run.batches()["main"]
    with torch.inference_mode():
        for one, other in zip(cached.train(0), read.train(0), strict=True):
            assert torch.equal(one.rows, other.rows) and torch.equal(one.target, other.target)
            assert torch.allclose(model(one), model(other), atol=2e-2)


def test_the_record_of_a_run_names_what_it_was_made_of(world, tmp_path):
    run = finetune.finetune(world.write("record.yaml", train={"epochs": 1}), tmp_path / "run")
    record = json.loads(Path(f"{run.folder}/run.run.json").read_text())
    assert record["weights"] == run.weights_hash
    assert record["prepared"]["main"]["counts"]["laid"] == 6 * WINDOWS
    assert record["base"]["hashes"]


def test_a_grelu_checkpoint_is_a_base_and_stock_grelu_loads_what_comes_out(world, bigwig, tmp_path):
    checkpoint = Path(__file__).resolve().parents[2] / "model_cards" / "yeast-atac" / "grelu.ckpt"
    config = world.write(
        "grelu.yaml",
        base=str(checkpoint),
        targets=[target("a", bigwig), target("b", bigwig, transform="scale:2")],
        regions=FEW,
        split={"validation": ["chrE"], "test": ["chrF"], "base_overlap": "note"},
        train={"epochs": 1},
    )
    run = finetune.finetune(config, tmp_path / "run")
    made = entry_of(run) / "grelu.ckpt"
    from grelu.lightning import LightningModel

    model = LightningModel.load_from_checkpoint(made, map_location="cpu").eval()
    x = torch.nn.functional.one_hot(torch.randint(4, (2, 1280)), 4).transpose(1, 2).float()
    with torch.inference_mode():
        theirs = model(x).numpy()
    assert theirs.shape == (2, 2, 32)
    assert np.allclose(theirs, zoo.load_model(entry_of(run), trust=True).predict(x.numpy()), rtol=1e-4, atol=1e-6)


def test_a_small_enformer_by_path_at_another_length(world, bigwig, tmp_path):
    from enformer_pytorch import Enformer

    torch.manual_seed(0)
    hparams = {"dim": 384, "depth": 1, "heads": 8, "target_length": -1, "output_heads": {"human": 5}}
    torch.save(Enformer.from_hparams(**hparams).state_dict(), tmp_path / "weights.bin")
    config = world.write(
        "enformer.yaml",
        base=f"enformer:{tmp_path / 'weights.bin'}",
        length=1024,
        targets=[target("mine", bigwig, bin=128)],
        regions=FEW,
        mode="lora",
        train={"epochs": 1, "lr": 0.001, "batch": 8},
        split={"validation": ["chrE"], "test": ["chrF"], "base_overlap": "note"},
    )
    run = finetune.finetune(config, tmp_path / "run")
    assert any("to_q" in note for note in run.notes)
    model = zoo.load_model(entry_of(run), trust=True)
    assert model.length == 1024 and model.outputs[0].n_bins == 8


@pytest.mark.long
@pytest.mark.slow
def test_settings_are_searched_on_validation_and_the_best_is_judged_once(world, tmp_path):
    config = world.write("tuned.yaml", train={"epochs": 2, "lr": 0.01})
    run = finetune.tune(config, tmp_path / "tuned", trials=3, space=("train.lr=1e-3,1e-2,1e9",))
    record = json.loads((run.folder / "tuning.json").read_text())
    assert len(record["trials"]) == 3
    told = run.as_dict()  # what --json prints
    assert told["tuning"]["best"] == record["best"] and told["sentence"] == run.sentence and told["evaluation"]
    good = [row for row in record["trials"] if row["state"] != "failed"]
    # At a rate of 1e9 the loss is no number: that trial fails, and ends nothing.
    assert {row["train.lr"] for row in good} == {1e-3, 1e-2} and record["failed"] == 1
    best = min(good, key=lambda row: row["val_loss"])
    assert record["best"]["train.lr"] == best["train.lr"]
    config = json.loads((run.folder / "run.run.json").read_text())["config"]
    assert config["train"]["lr"] == pytest.approx(best["train.lr"])
    assert (run.folder / "verdict.json").is_file()


def test_a_head_does_not_test_where_another_trains(world, bigwig, tmp_path):
    config = world.write(
        "leak.yaml",
        targets=[target("a", bigwig, head="a"), target("b", bigwig, head="b")],
        heads=[{"name": "a"}, {"name": "b", "split": {"validation": ["chrE"], "test": ["chrA"]}}],
    )
    with pytest.raises(UsageError, match="window"):
        finetune.finetune(config, tmp_path / "run")


def test_flanks_are_for_one_label_a_window(world, tmp_path):
    with pytest.raises(UsageError, match="32 bins would lie 100 bp off"):
        finetune.finetune(world.write("flank.yaml", mode="full", augment={"flank": 100}), tmp_path / "run")
