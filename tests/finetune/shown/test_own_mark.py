"""The own mark is found where it was put, and nothing of a new cell's target is looked at without its blocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.finetune.own_mark import (
    BLOCK,
    ENDING,
    FEW,
    MARK,
    REDUCE,
    SCALES,
    TARGET,
    Cells,
    Row,
    few_blocks,
    judge,
    no_block,
    read,
    running_means,
    spaced,
    table,
)


def made(own: float, blocks: int = 64, seed: int = 0, bins: int = 100) -> Cells:
    """Four cells whose targets share a part; ``own`` of a cell's own mark is added."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(1, blocks, bins))
    mark = rng.normal(size=(4, blocks, bins)).astype(np.float32)
    target = shared + own * mark + 0.5 * rng.normal(size=mark.shape)
    return Cells(("A", "B", "C", "D"), target.astype(np.float32), mark)


def write(folder: Path, name: str, mark: str, values: np.ndarray) -> None:
    np.savez(folder / f"{name}.{mark}.{ENDING}", values.astype(np.float32))


def test_cells_are_those_with_both_files(tmp_path: Path) -> None:
    n = 2 * BLOCK * REDUCE + 17
    for i, name in enumerate(("E9", "E1", "E5")):
        write(tmp_path, name, TARGET, np.full(n, i))
        write(tmp_path, name, MARK, np.arange(n))
    write(tmp_path, "E7", TARGET, np.zeros(n))
    cells = read(tmp_path)
    assert cells.names == ("E1", "E5", "E9") and cells.target.shape == (3, 2, BLOCK)
    assert cells.target[:, 0, 0].tolist() == [1, 2, 0]
    np.testing.assert_allclose(cells.mark[0].ravel()[:3], [3.5, 11.5, 19.5])
    (tmp_path / f"E1.{MARK}.{ENDING}").unlink()
    with pytest.raises(SystemExit, match="at least 3"):
        read(tmp_path)


def test_running_means_cross_the_ends_of_blocks() -> None:
    track = np.random.default_rng(0).normal(size=(3, BLOCK)).astype(np.float32)
    found, flat = running_means(track), track.ravel()
    assert found.shape == (3, len(SCALES), BLOCK)
    for i, width in enumerate(SCALES):
        at = BLOCK + 7  # the eighth bin of the second block
        low, high = max(0, at - width // 2), at + width // 2 + 1
        assert found[1, i, 7] == pytest.approx(flat[low:high].mean(), abs=1e-4)


def test_blocks_lie_in_even_steps_and_differ_between_seeds() -> None:
    assert spaced(100, 4, 0).tolist() == [12, 37, 62, 87]
    for n, few in ((281, 50), (64, 50), (50, 50)):
        for seed in range(20):
            rows = spaced(n, few, seed)
            assert len(set(rows.tolist())) == few and rows.min() >= 0 and rows.max() < n
            assert set(np.diff(rows).tolist()) <= {n // few, -(-n // few)}
    assert not set(spaced(281, 50, 0)) & set(spaced(281, 50, 1))


def test_an_own_mark_that_tells_is_found_and_one_that_does_not_is_not() -> None:
    tells = judge(made(1.0), 0, 0, FEW, models=1)
    assert tells.alone[1] > 0.3 and tells.beside[0] > 0.5 and tells.beside[1] > 0.3 and tells.gain[0] > 0.3
    silent = judge(made(0.0), 0, 0, FEW, models=1)
    assert silent.alone[0] < 0.02 and silent.beside[0] < 0.02


def test_blocks_that_are_tested_are_not_trained_on() -> None:
    cells, rows = made(1.0), np.arange(FEW)
    before = few_blocks(cells, 1, rows, True, 0, 1)
    changed = replace(cells, target=cells.target.copy())
    changed.target[1, FEW:] += 100
    assert np.array_equal(before, few_blocks(changed, 1, rows, True, 0, 1))


@pytest.mark.parametrize("others", [False, True])
def test_marks_are_seen_by_whom_the_text_says(others: bool) -> None:
    cells, rows = made(1.0, bins=20), np.arange(FEW)

    def differs(cell: int, own: bool) -> bool:
        """Whether predictions of cell 1 change with the mark of a cell."""
        changed = replace(cells, mark=cells.mark.copy())
        changed.mark[cell] = np.random.default_rng(1).normal(size=changed.mark[cell].shape)
        before, after = (few_blocks(one, 1, rows, own, 0, 1, others) for one in (cells, changed))
        return not np.array_equal(before, after)

    assert differs(1, own=True) and not differs(1, own=False)
    assert [differs(2, own) for own in (True, False)] == [others, others]


def test_without_blocks_nothing_of_the_new_cells_target_is_seen() -> None:
    cells = made(1.0)
    before = no_block(cells, 1, True, 0, 1)
    changed = replace(cells, target=cells.target.copy())
    changed.target[1] = 100
    assert np.array_equal(before, no_block(changed, 1, True, 0, 1))


def test_what_misses_its_limit_is_marked() -> None:
    good = Row("E1", 0, FEW, "average", (0.12, 0.1, 0.14), (0.05, 0.01, 0.09), (0.02, -0.01, 0.05))
    bad = replace(good, gain=(0.09, 0.08, 0.1), alone=(0.05, -0.01, 0.1))
    lines = table([good, bad, replace(bad, blocks=0, alone=None)]).splitlines()[2:]
    assert [line.count("!") for line in lines] == [0, 2, 0]
    assert lines[0] == (
        "| E1 | 0 | 50 | average | +0.120 [+0.100, +0.140] | +0.050 [+0.010, +0.090] | +0.020 [-0.010, +0.050] |"
    )
    assert lines[2].endswith("| +0.090 [+0.080, +0.100] |  | +0.020 [-0.010, +0.050] |")
