"""Runs that are told of cells: averages that leave the cell out, swaps, and the average cell's exact prediction."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import yaml
from finetune_world import CHROMS, WINDOWS

import finetune
import zoo
from finetune.config_file import load_config
from finetune.data.average import leave_one_out
from finetune.run import Run
from finetune.verdict.sides import Predictor
from zoo.errors import UsageError
from zoo.progress import Notes

CELLS = tuple(f"c{i}" for i in range(8))


@pytest.fixture(scope="module")
def cell_config(world, tmp_path_factory):
    """Eight cells; where GC is high a cell's own activity raises target and ATAC, the ATAC also by chance."""
    folder = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(1)
    activity = rng.gamma(2.0, 1.0, len(CELLS))
    for cell, level in zip(CELLS, activity, strict=True):
        for kind in ("mark", "atac"):
            with gzip.open(folder / f"{cell}.{kind}.bed.gz", "wt") as bed:
                for chrom in CHROMS:
                    high = world.rate[chrom] > np.quantile(world.rate[chrom], 0.7)
                    rate = (2.0 if kind == "mark" else 4.0) + level * (6 if kind == "mark" else 4) * high
                    for bin_number, n in enumerate(rng.poisson(rate)):
                        centre = 128 + 32 * bin_number + 16
                        bed.write(f"{chrom}\t{centre - 10}\t{centre + 10}\n" * n)
    made = {
        "base": "yeast-atac",
        "genome": str(world.genome),
        "targets": [
            {"name": f"{cell}-mark", "files": f"{cell}.mark.bed.gz", "read": "centres", "reduce": "sum", "cell": cell}
            | {"assay": "mark"}
            for cell in CELLS
        ],
        "cell": {
            "input": "atac",
            "average": "offset",
            "tracks": {cell: f"{cell}.atac.bed.gz" for cell in CELLS},
            "read": "centres",
            "transform": "log1p",
        },
        "split": {
            "validation": ["chrE"],
            "test": ["chrF"],
            "cells": {"validation": ["c6"], "test": ["c7"]},
        },
        "mode": "head",
        "train": {"lr": 0.01, "epochs": 2, "batch": 32, "threads": 1},
        "verdict": {"block": 1024, "resamples": 100},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(made, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def cell_run(cell_config, tmp_path_factory):
    return finetune.finetune(cell_config, tmp_path_factory.mktemp("run") / "run")


def test_every_side_is_judged_with_swaps_and_the_model_without_input(cell_run):
    sides = cell_run.verdict.as_dict()["sides"]
    assert list(sides) == ["held-out chromosomes", "held-out cells", "both"]
    for side in sides.values():
        assert "swaps" in side
        assert {"training average", "affine average", "mix of training cells", "nearest training cell"} <= set(
            side["skill"]["over"]
        )
        assert "same model without the cell's input" in side["skill"]["over"]
    assert [track["cell"] for track in sides["both"]["tracks"]] == ["c7"]
    assert len(sides["held-out chromosomes"]["tracks"]) == 6
    assert cell_run.entry is None
    assert "reads tracks" in " ".join(cell_run.notes)


def test_the_model_gains_over_the_average_in_a_new_cell_and_loses_it_with_another_cells_input(cell_run):
    both = cell_run.verdict.as_dict()["sides"]["both"]
    assert both["skill"]["over"]["training average"]["value"] > 0
    assert both["swaps"]["over"]["training average"]["value"] < both["skill"]["over"]["training average"]["value"]


@pytest.fixture
def opened(cell_config):
    return Run(load_config(cell_config), False, Notes())


def test_the_average_cell_gets_exactly_the_average(opened):
    model = opened.adapted()
    with np.errstate(all="ignore"):
        for parameter in model.adapter.parameters():
            parameter.data.uniform_(-0.5, 0.5)
    prepared, batches = opened.sets["main"], opened.batches()["main"]
    rows = prepared.rows("test")
    predicted = Predictor(model, batches, opened.device)(rows, "c7", "")
    average = prepared.targets[:6][:, rows].mean(0, dtype=np.float64).astype(np.float32)
    assert np.array_equal(predicted[:, 0], average)
    changed = Predictor(model, batches, opened.device)(rows, "c7", None)
    assert not np.array_equal(changed, predicted)


def test_a_training_cell_sees_an_average_without_itself(opened):
    prepared, batches = opened.sets["main"], opened.batches()["main"]
    rows = prepared.rows("train")[:5]
    for cell in (0, 3, 7):
        batch = batches.at(np.column_stack([rows, np.full(5, cell)]))
        wanted = leave_one_out(np.asarray(prepared.targets), np.arange(6), cell)[rows]
        assert np.allclose(batch.average[:, 0].numpy(), wanted, atol=1e-6)
        assert np.array_equal(batch.target[:, 0].numpy(), prepared.targets[cell][rows])


def test_what_is_fitted_does_not_change_with_validation_cells_and_test_chromosomes(cell_config, world, tmp_path):
    before = Run(load_config(cell_config), False, Notes())
    folder = tmp_path / "changed"
    folder.mkdir()
    for path in cell_config.parent.iterdir():
        data = path.read_bytes()
        if path.suffix == ".gz":
            # Every second fragment goes: of the held-out cells everywhere, of the others on the test chromosome.
            everywhere = path.name.startswith(("c6", "c7"))
            lines = gzip.decompress(data).decode().splitlines(keepends=True)
            kept = [line for i, line in enumerate(lines) if i % 2 or not (everywhere or line.startswith("chrF"))]
            data = gzip.compress("".join(kept).encode())
        (folder / path.name).write_bytes(data)
    changed = Run(load_config(folder / "run.yaml"), False, Notes())
    assert before.sets["main"].facts["hash"] != changed.sets["main"].facts["hash"]
    rows = before.sets["main"].rows("train")
    a, b = before.cells["main"], changed.cells["main"]
    assert np.array_equal(a.summary[:6], b.summary[:6])
    assert np.array_equal(a.difference[:6][:, rows], b.difference[:6][:, rows])
    assert np.array_equal(before.sets["main"].targets[:6][:, rows], changed.sets["main"].targets[:6][:, rows])
    states = [run.adapted().state_dict() for run in (before, changed)]
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])


def test_one_training_cell_is_refused_where_an_average_is_asked(cell_config, tmp_path):
    sets = ("split.cells={validation: [c6], test: [c1, c2, c3, c4, c5, c7]}",)
    with pytest.raises(UsageError, match="leaves out the cell"):
        finetune.finetune(cell_config, tmp_path / "run", sets=sets)


def test_a_track_is_not_predicted_from_itself(cell_config, tmp_path):
    sets = tuple(f"cell.tracks.{cell}={cell_config.parent / f'{cell}.mark.bed.gz'}" for cell in CELLS)
    with pytest.raises(Exception, match="itself"):
        finetune.finetune(cell_config, tmp_path / "run", sets=(*sets, "cell.transform=none"))


def test_windows_are_those_of_the_world(opened):
    assert len(opened.sets["main"]) == len(CHROMS) * WINDOWS


@pytest.mark.slow
def test_a_cells_head_is_baked_into_an_entry_of_sequence_alone(cell_config, tmp_path):
    sets = ("cell.average=none", "cell.bake=[c7, c1]", "name=baked")
    run = finetune.finetune(cell_config, tmp_path / "run", sets=sets)
    model = zoo.load_model(run.entry, trust=True)
    assert model.outputs[0].tracks == ("c7", "c1")
    found = model.predict(["ACGTTGCA" * 160])
    assert found.shape == (1, 2, 32)
    assert not np.allclose(found[:, 0], found[:, 1])
    card = zoo.load_model(run.entry, trust=True).card
    assert {line.metric for line in card.evaluation} >= {"skill_32bp"}


def test_what_needs_the_average_track_is_not_baked(cell_config, tmp_path):
    with pytest.raises(UsageError, match="no track to read"):
        finetune.finetune(cell_config, tmp_path / "run", sets=("cell.bake=[c7]",))


def test_weights_of_cells_are_those_of_their_tracks(cell_config):
    run = Run(load_config(cell_config, ("sampling.cell_weights=equal",)), False, Notes())
    prepared, batches = run.sets["main"], run.batches()["main"]
    rows = prepared.rows("train")
    variance = np.array([prepared.targets[i][rows].astype(float).var() for i in range(6)])
    wanted = 1 / variance / np.mean(1 / variance)
    batch = batches.at(np.array([[rows[0], cell] for cell in range(6)]))
    assert np.allclose(batch.weight[:, 0].numpy(), wanted, rtol=1e-4)


@pytest.mark.parametrize("average", ["offset", "both"])
def test_one_new_cell_from_the_average_of_others(cell_config, tmp_path, average):
    """Only c7 trains, and the average is made of others: what c7 has of its own is learnt where it has data."""
    sets = (
        f"cell={{average: {average}}}",
        "split.cells={train: [c7], reference: [c0, c1, c2, c3, c4, c5]}",
        "train.epochs=6",
    )
    run = finetune.finetune(cell_config, tmp_path / "run", sets=sets)
    side = run.verdict.as_dict()["sides"]["held-out chromosomes"]
    assert [track["cell"] for track in side["tracks"]] == ["c7"]
    assert {"training average", "mix of training cells"} <= set(side["skill"]["over"])
    assert side["skill"]["over"]["training average"]["value"] > 0


def test_a_reference_cell_is_no_target(cell_config):
    sets = ("cell={average: offset}", "split.cells={train: [c7], reference: [c0, c1]}")
    run = Run(load_config(cell_config, sets), False, Notes())
    prepared, batches = run.sets["main"], run.batches()["main"]
    assert set(batches.items("train")[:, 1]) == {batches.cells.names.index("c7")}
    rows = prepared.rows("test")
    batch = batches.at(np.column_stack([rows, np.full(len(rows), batches.cells.names.index("c7"))]))
    wanted = prepared.of_cells("mark", ["c0", "c1"])[:, rows].mean(0)
    assert np.allclose(batch.average[:, 0].numpy(), wanted)
    model = run.adapted()
    from finetune.verdict.sides import Predictor

    assert np.allclose(Predictor(model, batches, run.device)(rows, "c7")[:, 0], wanted, atol=1e-6)


def test_a_track_of_a_cell_without_targets_is_a_typo(cell_config, tmp_path):
    with pytest.raises(UsageError, match="no target has the cell 'c77'"):
        finetune.finetune(
            cell_config, tmp_path / "run", sets=(f"cell.tracks.c77={cell_config.parent / 'c7.atac.bed.gz'}",)
        )
