"""Batches of one size: no score depends on its neighbours."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from zoo.errors import SystemStateError
from zoo.variants.run.steady import SteadyRunner, remembered, steady_batch_size


class Sums:
    """Gives the sum of A of each sequence; in batches whose size is not in ``good`` the last row gets 1 more."""

    def __init__(self, batch_size, good):
        self.batch_size, self.good, self.sizes = batch_size, good, []
        self.model = SimpleNamespace(name="sums", length=6)

    def forward(self, one_hot):
        self.sizes.append(len(one_hot))
        sums = one_hot[:, 0].sum(1).numpy().copy()
        if len(one_hot) not in self.good:
            sums[-1] += 1
        return {"sum": sums[:, None]}


def a_run(n, length=6):
    one_hot = np.zeros((n, 4, length), np.float32)
    for i in range(n):
        one_hot[i, 0, : i % (length + 1)] = 1
        one_hot[i, 1, i % (length + 1) :] = 1
    return one_hot


@pytest.mark.parametrize(("given", "good", "found"), [(32, {32}, 32), (31, {31, 16, 4}, 16), (31, {4}, 4), (31, (), 1)])
def test_the_largest_size_at_which_the_order_changes_nothing_is_taken(given, good, found):
    assert steady_batch_size(Sums(given, good)) == found


@pytest.mark.parametrize(("given", "tried"), [(32, [32, 16, 8, 4, 2]), (31, [16, 8, 4, 2]), (3, [2]), (1, [])])
def test_sizes_that_are_tried(given, tried):
    runner = Sums(given, ())
    steady_batch_size(runner)
    assert list(dict.fromkeys(runner.sizes)) == tried


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 11])
def test_every_pass_has_one_size_and_every_row_its_own_answer(n):
    runner = Sums(4, {4})
    steady = SteadyRunner(runner)
    runner.sizes.clear()
    got = steady.forward(a_run(n))["sum"][:, 0]
    assert got.tolist() == [i % 7 for i in range(n)]
    assert set(runner.sizes) == {4}


def test_a_batch_that_the_device_halved_is_an_error():
    class Small(Sums):
        def forward(self, one_hot):
            if len(self.sizes) > 48:  # after the trial and one batch
                self.batch_size = 2
            return super().forward(one_hot)

    steady = SteadyRunner(Small(4, {4}))
    steady.forward(a_run(4))
    with pytest.raises(SystemStateError, match="not enough memory for batches of 4") as error:
        steady.forward(a_run(4))
    assert error.value.fix == "Fix: --batch-size 2"


def test_a_convolution_gives_the_same_bits_whatever_stands_beside_a_sequence():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv1d(4, 16, 9, padding=4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(16 * 60, 3)
    )

    class Net(Sums):
        def forward(self, one_hot):
            with torch.inference_mode():
                return {"y": net(one_hot).numpy()}

    runner = Net(13, ())
    runner.model.length = 60
    steady = SteadyRunner(runner)
    bases = np.random.default_rng(1).integers(0, 4, (40, 60))
    one_hot = (bases[:, None] == np.arange(4)[:, None]).astype(np.float32)
    whole = steady.forward(one_hot)["y"]
    for part in ([7], [39, 0, 7], list(range(5, 33)), list(range(40))[::-1]):
        assert np.array_equal(steady.forward(one_hot[part])["y"], whole[part])


def test_a_size_is_tried_once_and_a_damaged_memory_is_no_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    tried = []

    def find():
        tried.append(1)
        return 16

    for made_by, found in (({"model": "a"}, 1), ({"model": "a"}, 1), ({"model": "b"}, 2)):
        assert (remembered(made_by, find), len(tried)) == (16, found)
    for path in (tmp_path / "cache/batches").iterdir():
        path.write_text('{"batch_si')
    assert (remembered({"model": "a"}, find), len(tried)) == (16, 3)
    monkeypatch.setenv("ZOO_CACHE", "/proc/none")  # where nothing can be written
    assert (remembered({"model": "a"}, find), len(tried)) == (16, 4)
