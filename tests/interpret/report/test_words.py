"""What an output is called, and its units, by the card and the record; nothing is guessed."""

from __future__ import annotations

import pytest

from interpret.report.card import ModelCard
from interpret.report.words import called, units
from zoo.cards.schema import Output


def card(*tags, unit=None, kind="scalar", logit_units=None):
    output = Output(name="out", kind=kind, tracks=["t"], units=unit)
    return ModelCard("1", "", (), (), "", tags, (output,), logit_units)


@pytest.mark.parametrize(
    "run, of, expected",
    [
        ({"output": "atac"}, card("DNA accessibility"), "predicted accessibility"),
        ({"output": "out"}, card("RNA expression", "Gene expression"), "predicted expression"),
        ({"output": "out"}, card("DNA binding", "DNA accessibility"), "the predicted out"),
        ({"output": "out", "tracks": ["CTCF"]}, card("mine"), "the predicted CTCF"),
        ({"output": "out", "tracks": ["a", "b"]}, None, "the predicted out"),
        ({"output": "out", "tracks": ["out"]}, None, "the predicted out"),
        ({"output": "score", "tracks": "all"}, None, "the predicted score"),
        ({"output": "out", "tracks": ["TODO_name_of_track_0"]}, None, "the predicted out"),  # as `zoo new` drafts it
        ({"output": "prediction", "tracks": ["prediction"]}, None, "the model's prediction"),
        ({}, None, "the model's prediction"),
    ],
)
def test_what_is_predicted(run, of, expected):
    assert called(run, of) == expected


LOGITS = {"output": "out", "explained": "logits", "reduction": "sum"}


RAW = LOGITS | {"explained": "predictions"}


@pytest.mark.parametrize(
    "run, of, bins, expected",
    [
        (LOGITS, card(unit="cuts", kind="profile", logit_units="log cuts"), 32, "log cuts, summed over 32 bins"),
        (LOGITS, card(unit="cuts", logit_units="log cuts"), None, "log cuts"),
        (LOGITS, card(unit="cuts", kind="profile"), 32, "logits of cuts, summed over 32 bins"),
        (LOGITS | {"notes": ["the values before the model's last exp are explained"]}, card(unit="reads"), 0,
         "log reads"),
        (LOGITS | {"notes": "the values before the model's last sigmoid are explained"}, card(unit="p"), 0, "log odds"),
        (LOGITS | {"notes": ["the values before the model's last softplus are explained"]}, card(unit="reads"), 0,
         "reads before the softplus"),
        (LOGITS | {"notes": ["no last activation was found: predictions are explained as they are"]},
         card(unit="log reads"), 0, "log reads"),
        ({"output": "out", "explained": "predictions", "reduction": "max"}, card(unit="cuts", kind="profile"), 8,
         "cuts, the largest of 8 bins"),
        ({"output": "out", "explained": "predictions", "reduction": "sum"}, card(kind="profile"), 8, ""),
        (LOGITS | {"bins": [2, 5]}, card(unit="cuts", kind="profile", logit_units="log cuts"), 32,
         "log cuts, summed over 3 bins"),
        (LOGITS | {"bins": [2, 3]}, card(unit="cuts", kind="profile", logit_units="log cuts"), 32, "log cuts"),
        (LOGITS | {"tracks": ["a", "b"]}, card(unit="cuts", logit_units="log cuts"), None,
         "log cuts, added over 2 tracks"),
        (LOGITS, None, None, "logits, summed over bins"),
        ({"output": "out"}, card(unit="cuts"), None, ""),
        (RAW, card(unit="TODO: what a value counts"), None, ""),
        (LOGITS, card(unit="TODO: what a value counts"), None, "logits"),
        (LOGITS, card(unit="cuts", logit_units="TODO: say it"), None, "logits of cuts"),
    ],
)  # fmt: skip
def test_units(run, of, bins, expected):
    assert units(run, of, bins) == expected
