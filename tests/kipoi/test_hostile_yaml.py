"""YAML of strangers that is made to crash or to fill the memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zoo.cards.yaml_lines import load_yaml
from zoo.errors import ModelError

DOUBLED = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 64))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "nested more than 200 deep"),
        ("{a: " * 100_000, "nested more than 200 deep"),
        ("- " * 100_000, "nested more than 200 deep"),
        ("? " * 100_000, "nested more than 200 deep"),
        ("".join(" " * i + "a:\n" for i in range(2000)), "nested more than 200 deep"),
        (DOUBLED, "unfold without end"),
        ("a: &a [*a]\n", "unfold without end"),
        ("a: &a {b: *a}\n", "unfold without end"),
        ("a: 2020-13-45\n", "month must be in 1..12"),
    ],
)
@pytest.mark.timeout(120)  # what unfolds without end would never come back
def test_refused_at_once_and_without_a_crash(tmp_path, text, says):
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(ModelError) as caught:
        load_yaml(path)
    assert says in caught.value.what and caught.value.what.startswith(str(path))


def test_the_parser_would_crash_without_our_look_at_it():
    """The reason for the check; when this fails, it is no longer needed."""
    code = "import yaml; yaml.compose('[' * 100_000, Loader=yaml.CSafeLoader)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize(
    "text", ["a: &a {x: 1}\nb: *a\n", "a: &a {x: 1}\nb: {<<: *a, y: 2}\n", "a: &a [1]\nb: [*a, *a]\n"]
)
def test_ordinary_aliases_are_read(tmp_path, text):
    path = tmp_path / "model.yaml"
    path.write_text(text)
    assert "b" in load_yaml(path).data


def test_long_lists_are_read(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_text("labels:\n" + "  - [a, {b: c}]\n" * 5000)
    assert len(load_yaml(path).data["labels"]) == 5000
