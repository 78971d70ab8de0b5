"""Figures of logos: what logomaker was given, and what a vector file holds."""

from __future__ import annotations

import numpy as np
import pytest

from interpret.report import figures
from interpret.report.figures import save_figures
from zoo.cli import run
from zoo.errors import UsageError


def test_one_file_a_pattern_and_letters_of_the_core(found, tmp_path, monkeypatch):
    drawn = []
    original = figures._draw

    def draw(heights, axes, label, top=None):
        drawn.append((label, heights))
        original(heights, axes, label, top)

    monkeypatch.setattr(figures, "_draw", draw)
    paths = save_figures(found, tmp_path / "new" / "folder", "svg")
    assert [path.name for path in paths] == [f"{pattern.name}.svg" for pattern in found.patterns]
    assert all(path.read_text().lstrip().startswith("<?xml") for path in paths)
    assert not list((tmp_path / "new" / "folder").glob("*.partial"))
    first = found.patterns[0]
    (label, contribution), (bits_label, bits) = drawn[:2]
    assert (label, bits_label) == ("contribution", "bits")
    np.testing.assert_array_equal(contribution, first.contribution[slice(*first.core)])
    # Information of a column: 2 bits less its entropy, by another way than the page's.
    p = first.probability[slice(*first.core)] + 1e-3
    p /= p.sum(1, keepdims=True)
    np.testing.assert_allclose(bits.sum(1), 2 + (p * np.log2(p)).sum(1), atol=0.01)


def test_from_the_command_line(found, tmp_path, capsys):
    page, folder = tmp_path / "r.html", tmp_path / "logos"
    assert run(["report", str(found.path), "-o", str(page), "--figures", str(folder), "--figure-format", "png"]) == 0
    assert "3 figures" in capsys.readouterr().err and page.is_file()
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())
    assert len(list(folder.iterdir())) == 3


def test_mistakes(found, tmp_path):
    with pytest.raises(UsageError, match="not known"):
        save_figures(found, tmp_path, "gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        save_figures(found, tmp_path / "file")
