"""The table of the nucleosome runs, its promises, and that each run is one of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.config_file import load_config
from scripts.finetune.nucleosomes import HERE, SETTINGS, SHARES, Row, changes, missed, table


def row(mode, fine, share=10):
    metric = {"value": fine, "ci": (fine - 0.01, fine + 0.01), "difference": 0.02, "difference_ci": (0.01, 0.03)}
    return Row(share, 900, mode, 0.5, metric, metric, 12.0, "abc")


def test_what_is_promised_is_told_apart():
    good = [row("head", 0.43), row("lora", 0.48), row("full", 0.46), row("scratch", 0.36)]
    assert missed(good) == []
    assert [line.split(":")[0] for line in missed([row("head", 0.41), *good[1:]])] == ["head at 10%"]
    assert "less than 0.08 below" in missed([*good[:3], row("scratch", 0.40)])[0]
    assert missed([row("head", 0.1, share=30)]) == []


def test_the_table_is_markdown_of_a_row_a_run():
    header, line, *rows = table([row("head", 0.43)]).splitlines()
    assert header.count("|") == line.count("|") == rows[0].count("|")
    assert "0.430 (0.420 to 0.440)" in rows[0]


@pytest.mark.parametrize("mode", SETTINGS)
@pytest.mark.parametrize("share", SHARES)
def test_each_run_is_one_of_the_configuration(mode, share):
    config = load_config(HERE / "run.yaml", changes(share, mode))
    assert config.mode == mode and config.split.train == SHARES[share]
    assert Path(config.regions.blacklist[0]).name == "mask.bed"
    assert not set(config.split.train) & {*config.split.validation, *config.split.test}


def test_shares_are_shares_of_the_training_chromosomes():
    lengths = {"chrII": 813, "chrIII": 317, "chrIV": 1532, "chrVI": 270, "chrVII": 1091, "chrXI": 667, "chrXII": 1078}
    lengths |= {"chrXIII": 924, "chrXIV": 784, "chrXV": 1091, "chrXVI": 948}
    total = sum(lengths.values())
    for share, chroms in SHARES.items():
        assert sum(map(lengths.__getitem__, chroms)) / total == pytest.approx(share / 100, abs=0.03)
