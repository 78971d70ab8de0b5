"""Cuts, bins, masks and splits of the yeast ATAC data, with values known by hand."""

import gzip
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "d09_yeast"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")


@pytest.fixture(scope="module")
def yeast():
    return importlib.import_module("scripts.yeast_atac.data")


@pytest.fixture(scope="module")
def evaluation():
    return importlib.import_module("scripts.yeast_atac.evaluate")


def chromosome(yeast, length, cuts=(), masked=()):
    """A chromosome of A with cuts at bases and masked intervals."""
    mask = np.zeros(length, dtype=bool)
    for start, end in masked:
        mask[start:end] = True
    counts = yeast.count_cuts(np.array(cuts, dtype=int), length)
    return yeast.Chromosome("chrT", np.zeros(length, dtype=np.uint8), counts, mask)


def test_both_ends_of_one_tn5_site_are_one_base(yeast):
    # Tn5 duplicates bases 100-108: one fragment starts at 100, its neighbour ends with base
    # 108, which is end 109 when half-open. The central base of the nine is 104.
    right, left = [100, 180], [40, 109]
    cuts = yeast.cut_positions(np.array([right, left]))
    assert cuts.tolist() == [104, 44, 175, 104]


def test_cuts_outside_the_chromosome_are_dropped(yeast):
    # The fragment 0-3 has its cuts at 4 and -2; 18-30 has them at 22 and 25, past the end.
    cuts = yeast.cut_positions(np.array([[0, 3], [18, 30]]))
    assert yeast.count_cuts(cuts, 20).nonzero()[0].tolist() == [4]


def test_fragment_length_decides_what_is_nucleosome_free(yeast):
    fragments = np.array([[0, 129], [0, 130], [10, 500]])
    assert yeast.select_fragments(fragments, "nfr").tolist() == [[0, 129]]
    assert len(yeast.select_fragments(fragments, "all")) == 3
    with pytest.raises(ValueError, match="nfr"):
        yeast.select_fragments(fragments, "mono")


def test_bins_hold_their_own_bases(yeast):
    cuts = np.zeros(200, dtype=int)
    cuts[[31, 32, 63, 64, 95]] = [1, 2, 3, 4, 5]
    assert yeast.bin_cuts(cuts, 0, 3).tolist() == [1, 5, 9]
    assert yeast.bin_cuts(cuts, 32, 2).tolist() == [5, 9]
    assert yeast.bin_cuts(cuts, 1, 2).tolist() == [3, 7]
    with pytest.raises(ValueError, match="past"):
        yeast.bin_cuts(cuts, 150, 2)


def test_windows_sum_the_same_bins(yeast):
    chrom = chromosome(yeast, 300, cuts=[40, 40, 71, 72, 103, 104])
    _, whole = yeast.window_arrays(chrom, np.array([8]), 128, 128)
    assert whole.tolist() == [[0, 3, 2, 1]]
    _, middle = yeast.window_arrays(chrom, np.array([8]), 128, 64)
    assert middle.tolist() == [[3, 2]]


def test_tiles_stay_on_the_chromosome_and_off_the_mask(yeast):
    chrom = chromosome(yeast, 520, masked=[(255, 257)])
    assert yeast.tile_starts(chrom, 128, 128).tolist() == [0, 384]
    assert yeast.tile_starts(chrom, 128, 64).tolist() == [0, 64, 320, 384]


def test_letters_become_channels(yeast):
    encoded = yeast.one_hot(yeast.encode("ACgtN"))
    assert encoded.shape == (4, 5) and encoded.dtype == np.float32
    assert encoded[:, :4].tolist() == np.eye(4).tolist()
    assert encoded[:, 4].tolist() == [0.25] * 4


def test_reads_fragments_and_fasta(yeast, tmp_path):
    with gzip.open(tmp_path / "f.gz", "wt") as out:
        out.write("chrI\t5\t9\nchrII\t1\t4\nchrI\t7\t20\n")
    assert yeast.read_fragments(tmp_path / "f.gz")["chrI"].tolist() == [[5, 9], [7, 20]]
    (tmp_path / "g.fa").write_text(">chrI some text\nACGT\nAC\n>chrII\nTT\n")
    assert yeast.read_fasta(tmp_path / "g.fa") == {"chrI": "ACGTAC", "chrII": "TT"}


def test_split_shares_no_chromosome(yeast):
    parts = [yeast.TRAIN_CHROMS, yeast.VALIDATION_CHROMS, yeast.TEST_CHROMS, yeast.EXCLUDED_CHROMS]
    names = [chrom for part in parts for chrom in part]
    assert len(names) == len(set(names)) == 17
    assert set(yeast.TEST_CHROMS) == {"chrI", "chrVIII"}
    assert {"chrV", "chrX", "chrM"} == set(yeast.EXCLUDED_CHROMS)


def test_chromosomes_without_data_are_refused(yeast, tmp_path):
    with pytest.raises(ValueError, match="chrV"):
        yeast.load_chromosomes(tmp_path, ("chrII", "chrV"), "nfr")


def test_log_pearson(yeast):
    # log1p of 0, 1, 3, 7 is 0, 1, 2, 3 times log 2.
    assert yeast.log_pearson(np.array([0, 1, 3, 7]), np.array([7, 3, 1, 0])) == pytest.approx(-1)
    assert yeast.log_pearson(np.array([0, 1, 3]), np.array([0, 3, 15])) == pytest.approx(1)


def test_composition_of_a_known_window(evaluation):
    # CGCG...: every base is G or C; CG and GC take turns as dinucleotides.
    codes = np.tile(np.array([1, 2], dtype=np.uint8), 64)[None]
    features = evaluation.composition(codes, np.array([16, 48, 80, 112]), 32)
    assert features.shape == (1, 4, 4 * 17)
    local = features[0, 1, :17]
    assert local[16] == 1
    assert local[[1 * 4 + 2, 2 * 4 + 1]].tolist() == [0.5, 0.5]
    assert local[:16].sum() == pytest.approx(1)


def test_bootstrap_resamples_blocks_not_bins(evaluation):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 32))
    y = x + rng.normal(size=x.shape)
    r = evaluation.pearson(x, y)
    same = evaluation.bootstrap(x, y, np.zeros_like(x, dtype=int))
    assert same == pytest.approx((r, r))
    low, high = evaluation.bootstrap(x, y, np.repeat(np.arange(40)[:, None], 32, axis=1))
    assert r - 0.1 < low < r < high < r + 0.1


def test_card_update_changes_figures_and_checksums_only(evaluation, tmp_path):
    entry = Path(shutil.copytree(ROOT / "model_cards" / "yeast-atac", tmp_path / "entry"))
    before = (entry / "README.md").read_text()
    records = yaml.safe_load(before.split("---\n")[1])["evaluation"]
    evaluation.update_card(entry, records)
    assert (entry / "README.md").read_text() == before
    records[0]["value"] = 0.5
    evaluation.update_card(entry, records)
    after = (entry / "README.md").read_text()
    assert yaml.safe_load(after.split("---\n")[1])["evaluation"][0]["value"] == 0.5
    assert after.split("---\n", 2)[2] == before.split("---\n", 2)[2]


@pytest.mark.shared
@needs_data
def test_rdna_is_masked_and_its_flanks_are_ordinary(yeast):
    (chrom,) = yeast.load_chromosomes(DATA, ("chrXII",), "nfr")
    kilobases = yeast.bin_cuts(chrom.cuts, 0, chrom.length // 1000, 1000)
    masked = yeast.bin_cuts(chrom.masked.astype(int), 0, chrom.length // 1000, 1000) > 0
    typical = np.median(kilobases[~masked])
    assert kilobases[masked].sum() > 0.8 * kilobases.sum()
    assert kilobases[451:469].min() > 100 * typical
    assert np.median(np.r_[kilobases[430:450], kilobases[491:511]]) < 3 * typical
    starts = yeast.tile_starts(chrom, 1024, 1024)
    assert all(end <= 450_000 or start >= 491_000 for start, end in zip(starts, starts + 1024, strict=True))


@pytest.mark.shared
@needs_data
def test_opposite_ends_of_a_site_meet_in_the_data(yeast):
    # Ends lie 9 bp right of starts more often than at any other distance: the +4/-5 rule.
    pairs = yeast.read_fragments(DATA / yeast.FRAGMENTS_FILE)["chrIV"]
    length = pairs.max() + 20
    starts = np.bincount(pairs[:, 0], minlength=length)
    ends = np.bincount(pairs[:, 1], minlength=length)
    together = [int((starts[: length - 20] * ends[d : length - 20 + d]).sum()) for d in range(20)]
    assert np.argmax(together) == 9


@pytest.mark.long
@pytest.mark.shared
@needs_data
@pytest.mark.slow
def test_same_seed_gives_the_same_weights(tmp_path):
    pytest.importorskip("grelu")
    assert _train_briefly(tmp_path / "first", 7) == _train_briefly(tmp_path / "second", 7)


def _train_briefly(out: Path, seed: int) -> str:
    """Weights hash after one epoch on 64 windows."""
    out.mkdir()
    for name in ("model.yaml", "yeast_atac_model.py"):
        shutil.copy(ROOT / "model_cards" / "yeast-atac" / name, out)
    options = {"--data": DATA, "--out": out, "--seed": seed, "--max-epochs": 1, "--limit": 64}
    command = [sys.executable, "-m", "scripts.yeast_atac.train", *(part for pair in options.items() for part in pair)]
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]
