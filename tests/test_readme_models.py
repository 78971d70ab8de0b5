"""The table of models in README.md says what the cards say."""

from __future__ import annotations

from scripts.build_readme import README, fill, models
from scripts.verify_entries import verifiable
from zoo.store.registry import entries

VERIFY = "scripts.verify_entries"


def test_the_table_of_models_is_that_of_the_cards():
    text = README.read_text(encoding="utf-8")
    assert fill(text, "models", models()) == text, "make it again: python scripts/build_readme.py --models"


def test_a_card_that_says_verified_names_a_command_that_is_there():
    compared, checked = set(verifiable()), [one for one in entries() if one.get("verification")]
    commands = {one["name"]: one["verification"].get("command") for one in checked}
    ours = {name: command for name, command in commands.items() if command and VERIFY in command}
    assert len(ours) > 10 and set(ours) <= compared
    for name, command in ours.items():
        assert command == f"python -m {VERIFY} {name}"
    others = [command for command in commands.values() if command and VERIFY not in command]
    assert all((README.parent / word).exists() for command in others for word in command.split() if ".py" in word)
