"""What inserting a pattern does, and predicted tracks, on a model whose answers are known by hand."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from planted import MOTIFS, plant, reverse_complement

from interpret.contribs.central import read_contributions
from interpret.motifs.effects import load_again, measure_effects
from interpret.motifs.find import find_motifs
from interpret.motifs.motifs_file import regions_named
from zoo.errors import ModelError, TrustError, UsageError

LENGTH, BINS = 160, 10
MODEL = '''
import torch

class Counts(torch.nn.Module):
    """10 bins of 16 bp; in each: 3 x the ABF1 sites that begin in it, less 2 x the MCM1 sites, on either strand."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        found = 0
        for letters, weight in (("CGTATAAAGTGA", 3.0), ("TCACTTTATACG", 3.0), ("CCTAATTAGG", -2.0)):
            kernel = torch.zeros(1, 4, len(letters))
            for i, base in enumerate(letters):
                kernel[0, "ACGT".index(base), i] = 1
            match = torch.relu(torch.nn.functional.conv1d(x, kernel) - (len(letters) - 1))
            match = torch.nn.functional.pad(match, (0, 160 - match.shape[2]))
            found = found + weight * torch.nn.functional.avg_pool1d(match, 16) * 16
        return found * self.scale
'''
CARD = """---
schema_version: 1
name: counts-toy
version: 1.0.0
summary: counts sites
genome: {assembly: toy, chrom_style: ucsc}
input: {length: 160}
outputs:
  - {name: counts, kind: profile, tracks: [sites], bin_size: 16, offset: 0, units: sites, strand: unstranded}
training: {data: [{name: none, licence: none}]}
evaluation: []
---
"""


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    """A folder whose model counts the sites that ``planted.py`` plants."""
    folder = tmp_path_factory.mktemp("entry") / "counts-toy"
    folder.mkdir()
    (folder / "counts_toy_model.py").write_text(MODEL)
    torch.save({"scale": torch.ones(1)}, folder / "weights.pth")
    (folder / "model.yaml").write_text(
        "defined_as: kipoi.model.PyTorchModel\n"
        "args: {module_file: counts_toy_model.py, module_class: Counts, weights: weights.pth}\n"
        "default_dataloader:\n  defined_as: kipoiseq.dataloaders.SeqIntervalDl\n"
        "  default_args: {auto_resize_len: 160, alphabet_axis: 0, dtype: np.float32}\n"
        "schema:\n  inputs: {name: seq, shape: '(4, 160)', special_type: DNASeq, doc: DNA}\n"
        "  targets: {name: counts, shape: '(1, 10)', doc: sites}\n"
        "info: {authors: [{name: nobody}], doc: counts sites}\n"
    )
    (folder / "README.md").write_text(CARD)
    return folder


@pytest.fixture(scope="module")
def contribs(entry, tmp_path_factory):
    import zoo

    path = plant(tmp_path_factory.mktemp("effects")).path
    loaded = zoo.load_model(entry, trust=True)
    with h5py.File(path, "r+") as file:
        run = json.loads(file.attrs["run"])
        run |= {
            "model": {"name": str(entry), "sha256": loaded.hashes},
            "output": "counts",
            "tracks": ["sites"],
            "bins": None,
            "reduction": "sum",
            "explained": "predictions",
            "one_hot_n_value": 0.25,
        }
        file.attrs["run"] = json.dumps(run)
    return path


@pytest.fixture(scope="module")
def found(contribs):
    return find_motifs(
        contribs, contribs.with_name("m.h5"), database="jaspar:fungi", trust=True, hits=False, region=["region7"]
    )


def test_effects_are_the_models_weights(found):
    """A site raises the sum by 3, one of MCM1 lowers it by 2, and REB1, which the model ignores, does nothing."""
    wanted = {"ABF1": 3, "MCM1": -2, "REB1": 0}
    seen = {}
    for effect in found.effects.values():
        letters = effect.consensus.upper()
        names = [
            name for name, (motif, _) in MOTIFS.items() if motif in letters or reverse_complement(motif) in letters
        ]
        assert len(names) == 1
        # A background can hold a site by chance, or lose one where the motif is put: rare with random bases.
        seen[names[0]] = float(np.median(effect.values))
        assert len(effect.values) == 100
    assert seen == wanted


def test_effects_are_in_the_table(found):
    head, *rows = found.path.with_name("m.motifs.tsv").read_text().splitlines()
    for pattern, row in zip(found.patterns, rows, strict=True):
        cells = dict(zip(head.split("\t"), row.split("\t"), strict=True))
        values = found.effects[pattern.name].values.astype(float)
        assert float(cells["effect"]) == pytest.approx(values.mean(), rel=1e-5)
        assert float(cells["effect_standard_error"]) == pytest.approx(values.std(ddof=1) / 10, rel=5e-3)
        assert cells["backgrounds"] == "100"


def test_tracks_are_the_models_profile_and_named_regions_come_first(found, contribs, entry):
    import zoo

    assert found.views.sequence[0] == 7
    with h5py.File(contribs) as file:
        seen = file["one_hot"][:][found.views.sequence].astype(np.float32)
    wanted = zoo.load_model(entry, trust=True).predict(seen)
    assert found.views.track.shape == (len(found.views.sequence), BINS)
    np.testing.assert_array_equal(found.views.track, wanted[:, 0])
    assert (found.views.track_bin, found.views.track_offset) == (16, 0)
    assert found.views.track_name == "counts, sites"


def test_a_recorded_model_is_not_trusted_by_the_record(contribs, monkeypatch, tmp_path):
    run = read_contributions(contribs).run
    with pytest.raises(TrustError):
        load_again(run, LENGTH)
    notes = []
    monkeypatch.chdir(tmp_path)
    found = find_motifs(
        contribs,
        tmp_path / "m.h5",
        database="jaspar:fungi",
        hits=False,
        report=notes.append,
        modisco={"max_seqlets_per_metacluster": 100},
    )
    assert found.effects is None and found.views.track is None
    assert any("effects of patterns are not measured" in note for note in notes)
    with pytest.raises(TrustError):  # asked for by name: an error, before minutes of work
        find_motifs(contribs, tmp_path / "n.h5", database="jaspar:fungi", model=run["model"]["name"])
    assert not list(tmp_path.glob("n.*"))


def test_another_model_is_refused(contribs, entry, tmp_path):
    other = tmp_path / "counts-toy"
    shutil.copytree(entry, other)
    torch.save({"scale": torch.zeros(1)}, other / "weights.pth")
    with pytest.raises(ModelError, match="not the model that was explained"):
        load_again(read_contributions(contribs).run, LENGTH, str(other), trust=True)


def test_unknown_bases_are_given_as_the_model_was_given_them(contribs):
    explained = load_again(read_contributions(contribs).run, LENGTH, trust=True)
    one_hot = np.zeros((1, 4, LENGTH), np.uint8)
    one_hot[0, 2, 1:] = 1
    seen = explained.as_seen(one_hot)
    assert seen.dtype == np.float32
    assert seen[0, :, 0].tolist() == [0.25] * 4 and seen[0, :, 1].tolist() == [0, 0, 1, 0]


def test_views_are_the_named_then_the_strongest_by_rank(found):
    ranked = [[int(pattern.seqlets.sequence[i]) for i in pattern.strongest[:3]] for pattern in found.patterns]
    wanted = dict.fromkeys([7, *(places[rank] for rank in range(3) for places in ranked)])
    assert found.views.sequence[: len(wanted)].tolist() == list(wanted)
    assert len(found.views.sequence) == 50 == len(set(found.views.sequence.tolist()))


def test_regions_by_name_and_place(found):
    regions = found.regions
    chrom, start = str(regions.chrom[4]), int(regions.window_start[4])
    assert regions_named(regions, [f"{chrom}:{start + 5:,}-{start + 6:,}"]) == [4]
    assert regions_named(regions, ["region3", "region3"]) == [3]
    with pytest.raises(UsageError, match="no region of that name"):
        regions_named(regions, ["region3000"])
    with pytest.raises(UsageError, match="regions are there"):
        regions_named(regions, [f"{chrom}:0-1000000"])


def test_backgrounds_are_predicted_once_for_all_patterns():
    """40 of them and 40 with each of three patterns: 160 sequences; none without a pattern. The number is of A."""
    seen = []

    class CountsA(torch.nn.Module):
        def forward(self, x):
            seen.append(len(x))
            return x[:, 0].sum(1)

    one_hot = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(1, 4, (40, 60))].transpose(0, 2, 1)
    target = SimpleNamespace(bins=None)
    explained = SimpleNamespace(module=CountsA(), target=target, n_value=0.0, as_seen=lambda x: x)
    patterns = [SimpleNamespace(name=letters, consensus=letters) for letters in ("AAAAA", "AAACC", "CCCCC")]
    found = measure_effects(explained, patterns, one_hot)
    assert sum(seen) == 160
    # Backgrounds have no A; every second insertion is the other strand's, which brings none.
    assert {name: set(effect.values.tolist()) for name, effect in found.items()} == {
        "AAAAA": {5.0, 0.0},
        "AAACC": {3.0, 0.0},
        "CCCCC": {0.0},
    }
    seen.clear()
    assert measure_effects(explained, [], one_hot) == {} and not seen
