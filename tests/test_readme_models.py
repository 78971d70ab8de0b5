"""The table of models in docs/models.md says what the cards say."""

from __future__ import annotations

import h5py

from scripts.build_readme import README, models, page_of
from scripts.verify_entries import verifiable
from zoo.store.registry import entries

VERIFY = "scripts.verify_entries"


def test_each_row_of_the_table_of_models_is_that_of_its_card():
    """A new entry may be missing: a pull request with a model touches its folder alone, and the table is made later."""
    text = page_of("models").read_text(encoding="utf-8")
    shown = text.split("<!-- begin models -->\n")[1].split("\n<!-- end models -->")[0].splitlines()
    rows = models().splitlines()
    assert len(shown) > 20 and shown[:2] == rows[:2]
    assert [row for row in rows if row in shown] == shown, "make it again: python scripts/build_readme.py --models"


def test_a_card_that_says_verified_names_a_command_that_is_there():
    compared, checked = set(verifiable()), [one for one in entries() if one.get("verification")]
    commands = {one["name"]: one["verification"].get("command") for one in checked}
    ours = {name: command for name, command in commands.items() if command and VERIFY in command}
    assert len(ours) > 10 and set(ours) <= compared
    for name, command in ours.items():
        assert command == f"python -m {VERIFY} {name}"
    others = [command for command in commands.values() if command and VERIFY not in command]
    assert all((README.parent / word).exists() for command in others for word in command.split() if ".py" in word)


def test_examples_are_small_and_kipoi_is_told_of_whole_predictions_alone():
    """Together under 2 MB; ``test.expect`` names no selection, of which Kipoi knows nothing."""
    cards = README.parent / "model_cards"
    files = [path for folder in cards.glob("*/example") for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 50 and sum(path.stat().st_size for path in files) < 2_000_000
    selections = []
    for path in (path for path in files if path.suffix == ".h5"):
        with h5py.File(path) as handle:
            handle.visititems(lambda _, item, path=path: selections.append(path) if "kept_bins" in item.attrs else None)
    assert selections
    for path in selections:
        assert "expect" not in (path.parents[1] / "model.yaml").read_text(), path
