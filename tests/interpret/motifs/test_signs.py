"""A site that lowers the prediction, among seqlets that raise it: it lowers, and stands once."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from planted import one_hot, reverse_complement, write_contribs

from interpret.motifs.find import find_motifs

SITE, N, LENGTH = "GATTACGTCA", 240, 160


def plant_a_lowering_site(path, alone):
    """One site a window, -7.5 in all; but in a share ``alone`` of the windows 16 bases beside it give 16."""
    rng = np.random.default_rng(0)
    sequences, values = [], []
    for i in range(N):
        letters, start = list(rng.choice(list("ACGT"), LENGTH)), int(rng.integers(40, 110))
        end = start + len(SITE)
        letters[start:end] = SITE if i % 2 else reverse_complement(SITE)
        hot, value = one_hot("".join(letters)), rng.normal(0, 0.01, (4, LENGTH))
        value[:, start:end] -= hot[:, start:end] - 0.25
        if rng.random() >= alone:
            for beside in (slice(start - 8, start), slice(end, end + 8)):
                value[:, beside] += hot[:, beside]
        sequences.append(hot), values.append(value)
    starts = np.arange(N) * 300 + 50
    write_contribs(path, np.array(sequences), np.array(values), ["chr1"] * N, starts, np.zeros(N, bool))


@pytest.mark.parametrize(("alone", "group"), [(0, "pos_patterns"), (0.5, "neg_patterns")])
def test_a_lowering_site_lowers_and_stands_once(tmp_path, alone, group):
    plant_a_lowering_site(tmp_path / "contribs.h5", alone)
    notes = []
    out = tmp_path / "motifs.h5"
    found = find_motifs(tmp_path / "contribs.h5", out, database="jaspar:fungi", effects=False, report=notes.append)
    sites = [p for p in found.patterns if p.consensus.upper() in (SITE, reverse_complement(SITE))]
    (pattern,) = sites
    assert pattern.name.startswith(group) and not pattern.positive and pattern.short_name == "-1"
    assert pattern.turned == (group == "pos_patterns")
    with h5py.File(out) as file:
        aside = list(file["repeated/pos_patterns"]) if "repeated" in file else []
    assert len(aside) == (group == "neg_patterns")
    assert any(("is left out" if aside else "is called -1") in note for note in notes)
    mine = found.hits.pattern == found.patterns.index(pattern)
    assert mine.sum() > 0.9 * N and len(np.unique(found.hits.sequence[mine])) == mine.sum()
    for index, other in enumerate(found.patterns):
        signs = np.sign(found.hits.contribution[found.hits.pattern == index])
        assert set(signs) <= {1.0 if other.positive else -1.0}
    row = out.with_name("motifs.motifs.tsv").read_text().splitlines()[1 + found.patterns.index(pattern)].split("\t")
    assert row[1] == "-1" and float(row[4]) < 0
