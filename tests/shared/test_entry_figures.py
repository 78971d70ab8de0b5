"""Figures of cards that `scripts/evaluate_entries.py` measured come out again."""

from __future__ import annotations

import pytest

from scripts import evaluate_entries
from zoo.store.registry import entries, info

pytestmark = pytest.mark.shared


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mmsplice-acceptor", "mmsplice-donor", "xpresso-human"])
def test_figures_come_out_again(shared_data, name):
    found = evaluate_entries.records(name, shared_data)
    assert found and evaluate_entries.differences(found, evaluate_entries.on_card(name)) == []
    assert all(one["value"] > one["baseline"]["value"] for one in found)


def test_every_family_that_is_measured_has_figures_on_its_cards():
    on_cards = {one["name"]: evaluate_entries.on_card(one["name"]) for one in entries() if one["evaluation"]}
    assert {evaluate_entries.family(name) for name, figures in on_cards.items() if figures} == set(
        evaluate_entries.MEASURED
    )
    for name, figures in on_cards.items():
        for figure in figures:
            assert figure["command"] == f"{evaluate_entries.COMMAND} {name}"
            assert figure["output"] in {out["name"] for out in info(name)["outputs"]}
            low, high = figure.get("ci") or (figure["value"], figure["value"])
            assert low <= figure["value"] <= high
