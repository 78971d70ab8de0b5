"""Every bundled entry: its own example from published files, and the program that it came from."""

from __future__ import annotations

import pytest
import torch

from scripts import verify_entries
from zoo.cli import run
from zoo.entries.check_many import check_examples, failure_among
from zoo.store.registry import entries

pytestmark = pytest.mark.shared
#: Their weights lie in wheels, and not in the data folder.
ON_PYPI = {"ci-spliceai", "spliceai"}
#: Of a group of hundreds, as many are run here, evenly spaced.
OF_A_GROUP = 8


@pytest.fixture(autouse=True)
def _one_thread():
    """The models are small: to share one among busy cores takes longer than to run it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def chosen():
    """Names of the bundled entries; of a large group, some."""
    groups = {}
    for one in entries():
        groups.setdefault(one["group"] or one["name"], []).append(one["name"])
    return [name for names in groups.values() for name in names[:: max(1, len(names) // OF_A_GROUP)]]


def test_every_entry_agrees_with_its_example():
    """From a cache that was seeded by checksum: no address is asked."""
    results = check_examples(sorted(set(chosen()) - ON_PYPI))
    unverified = {one.model for one in results if one.status == "nothing to test"}
    assert {one["name"] for one in entries() if (one["verification"] or {}).get("status") == "unverified"} >= unverified
    assert failure_among(results) is None
    assert sum(one.status == "agrees" for one in results) >= 20


@pytest.mark.parametrize("name", sorted({name for name in chosen() if verify_entries.family(name)} - ON_PYPI))
def test_predictions_are_those_of_the_original_program(shared_data, name):
    card = next(one["verification"] for one in entries() if one["name"] == name)
    found = dict(verify_entries.verify([name], shared_data)).get(name)
    if found is None:  # the original's predictions were not kept for all of a large group
        assert card["status"] == "unverified"
        return
    assert verify_entries.agrees(found), verify_entries.described(name, found)
    # What the card records was measured on one machine: another rounds otherwise.
    assert card["status"] in ("verified", "partly")
    assert found.difference <= max(3 * card["largest_difference"], 2e-6 * found.scale)


@pytest.mark.pypi
@pytest.mark.parametrize("name", ["mmsplice-donor", "mtsplice", *sorted(ON_PYPI)])
def test_weights_in_wheels_are_fetched_and_predict(package_index, shared_data, tmp_path, monkeypatch, capsys, name):
    """From an empty cache, and nothing else."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_OFFLINE")
    code, said = run(["test", name]), capsys.readouterr()
    assert code == 0, said.err
    assert f"zoo: {name}: fetching" in said.err and "the wheel of" in said.err and "elements agree" in said.out
    assert all(verify_entries.agrees(found) for _, found in verify_entries.verify([name], shared_data))
