"""The whole way on motifs planted at known places of a known genome."""

from __future__ import annotations

import re
import threading

import h5py
import numpy as np
import pytest
from planted import LENGTH, MOTIFS, reverse_complement

ABF1, REB1, MCM1 = (MOTIFS[name][0] for name in ("ABF1", "REB1", "MCM1"))


def named(planted, found):
    """Pattern of each planted motif, by its consensus."""
    by = {}
    for pattern in found.patterns:
        bases = pattern.consensus.upper()
        for name, (motif, _) in MOTIFS.items():
            if any(
                part in text
                for text in (motif, reverse_complement(motif))
                for part in (bases, bases[1:-1], bases[:8], bases[-8:])
            ):
                by[name] = pattern
    return by


def test_each_planted_motif_is_one_pattern_with_the_sign_it_was_given(planted, found):
    by = named(planted, found)
    assert set(by) == {"ABF1", "REB1", "MCM1"}
    assert len(found.patterns) == 3
    assert {name: pattern.positive for name, pattern in by.items()} == {"ABF1": True, "REB1": True, "MCM1": False}


def test_cores_of_seqlets_lie_where_motifs_were_planted(planted, found):
    """Both strands, reversed windows included: the genome's letters there are the pattern's."""
    right = total = 0
    for pattern in found.patterns:
        _, core = found.places(pattern)
        for chrom, start, end, strand in zip(core.chrom, core.start, core.end, core.strand, strict=True):
            bases = planted.genome[chrom][start:end]
            bases = bases if strand == "+" else reverse_complement(bases)
            right += bases == pattern.consensus.upper()
            total += 1
    assert total > 150
    assert right / total > 0.95


def test_hits_recall_and_precision(planted, found):
    from interpret.motifs.pattern import places_of

    hits, by = found.hits, named(planted, found)
    places = places_of(found.regions, hits.sequence, hits.start, hits.end, hits.reverse)
    for name, pattern in by.items():
        mine = hits.pattern == found.patterns.index(pattern)
        spans = set(zip(places.chrom[mine], places.start[mine], places.end[mine], strict=True))
        true = [item for item in planted.instances if item.motif == name]
        met = {
            item
            for item in true
            for chrom, start, end in spans
            if chrom == item.chrom and min(end, item.end) - max(start, item.start) >= 6
        }
        correct = {
            span
            for span in spans
            for item in true
            if span[0] == item.chrom and min(span[2], item.end) - max(span[1], item.start) >= 6
        }
        assert len(met) / len(true) >= 0.9, name
        assert len(correct) / len(spans) >= 0.7, name


def test_patterns_are_those_of_modiscos_own_run(planted, found, tmp_path):
    """Its datasets, one by one, from a run that shares no code with ours but modisco-lite itself."""
    from modiscolite import io, tfmodisco

    with h5py.File(planted.path) as file:
        sequences = file["one_hot"][:].transpose(0, 2, 1).astype("float32")
        hypothetical = file["hypothetical"][:].transpose(0, 2, 1)
    patterns = tfmodisco.TFMoDISco(
        sequences, hypothetical, sliding_window_size=20, flank_size=5, target_seqlet_fdr=0.05, n_leiden_runs=2
    )
    io.save_hdf5(str(tmp_path / "own.h5"), *patterns, LENGTH)
    compared = 0
    with h5py.File(tmp_path / "own.h5") as own, h5py.File(found.path) as ours:

        def compare(name, item):
            nonlocal compared
            if isinstance(item, h5py.Dataset):
                assert np.array_equal(item[()], ours[name][()]), name
                compared += 1

        own.visititems(compare)
    assert compared > 30


def test_abf1_is_recognized(planted, found):
    match = found.matches[named(planted, found)["ABF1"].name][0]
    assert (match.motif.name, match.significant) == ("ABF1", True)
    other = found.matches[named(planted, found)["REB1"].name]
    assert "REB1" in [m.motif.name for m in other if m.significant]


def test_q_values_by_hand():
    from interpret.motifs.databases import benjamini_hochberg

    # Benjamini and Hochberg's step up: p * n / rank, and the running minimum from the largest.
    q = benjamini_hochberg(np.array([0.04, 0.01, 0.03, 0.5]))
    assert q == pytest.approx([0.16 / 3, 0.04, 0.16 / 3, 0.5])


def test_q_values_are_over_the_whole_database(planted, found):
    """Recomputed by scipy from the p-values of all 193 motifs, none of which is smaller than TOMTOM's."""
    from memelite import tomtom
    from scipy.stats import false_discovery_control

    from interpret.motifs.databases import match_motifs, open_database

    known = open_database("jaspar:fungi")
    assert len(known.motifs) == found.run["database_motifs"]
    queries = [pattern.probability[slice(*pattern.query)] for pattern in found.patterns]
    targets = [np.ascontiguousarray(m.probability.T) for m in known.motifs]
    theirs = tomtom([np.ascontiguousarray(query.T) for query in queries], targets)[0]
    ids = [motif.id for motif in known.motifs]
    for row, every, pattern in zip(theirs, match_motifs(queries, known, keep=193), found.patterns, strict=True):
        p = np.array([match.p for match in every])
        q = dict(zip([match.motif.id for match in every], false_discovery_control(p, method="bh"), strict=True))
        assert len(q) == 193 and all(match.p >= row[ids.index(match.motif.id)] for match in every)
        for match in found.matches[pattern.name]:
            # of motifs that are not among the nearest none is taken to be as near
            assert match.p == every[[m.motif.id for m in every].index(match.motif.id)].p
            assert match.q >= q[match.motif.id] - 1e-12


def test_a_match_above_five_percent_is_never_a_name(found):
    lines = found.path.with_name("motifs.motifs.tsv").read_text().splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    assert len(rows) == 3
    for row in rows:
        assert (row["best_match"] == "no match") == (float(row["q"]) > 0.05) == (row["grade"] == "none")
        assert (row["grade"] == "strong") == (row["reasons"] == ".")


def test_meme_file_is_read_by_memelite_and_by_us(found):
    from memelite.io import read_meme as their_reader

    from interpret.motifs.databases import read_meme

    path = found.path.with_name("motifs.meme")
    theirs, ours = their_reader(str(path)), read_meme(path)
    assert len(theirs) == len(ours) == 3
    for matrix, motif, pattern in zip(theirs.values(), ours, found.patterns, strict=True):
        core = pattern.probability[slice(*pattern.core)]
        np.testing.assert_allclose(matrix.T, core, atol=1e-6)
        np.testing.assert_allclose(motif.probability, core, atol=2e-6)


def test_bed_of_seqlets_names_region_and_place(planted, found):
    lines = found.path.with_name("motifs.seqlets.bed").read_text().splitlines()[1:]
    assert len(lines) == sum(len(pattern.seqlets) for pattern in found.patterns)
    with h5py.File(planted.path) as file:
        windows = dict(zip(file["regions/name"].asstr()[:], file["windows/start"][:], strict=True))
    for line in lines:
        chrom, start, end, _, score, strand, thick, thin, _, region, _ = line.split("\t")
        assert windows[region] <= int(start) <= int(thick) < int(thin) <= int(end) <= windows[region] + LENGTH
        assert chrom in planted.genome and strand in "+-" and 0 <= int(score) <= 1000


def test_the_offset_says_where_the_core_lies_on_the_known_motif(planted, found):
    """At the offset, the core's bases and the known motif's most frequent ones agree."""
    pattern = named(planted, found)["ABF1"]
    match = found.matches[pattern.name][0]
    known = match.motif.probability[::-1, ::-1] if match.reverse else match.motif.probability
    bases = ["ACGT"[i] for i in known.argmax(axis=1)]
    sure = known.max(axis=1) > 0.8
    agree = [
        bases[match.offset + i] == base
        for i, base in enumerate(pattern.consensus.upper())
        if 0 <= match.offset + i < len(known) and sure[match.offset + i]
    ]
    assert len(agree) >= 6 and all(agree)


def test_counts_are_those_of_the_bed(found):
    rows = table(found, "motifs.tsv")
    hits = [line.split("\t") for line in found.path.with_name("motifs.hits.bed").read_text().splitlines()[1:]]
    for row, pattern in zip(rows, found.patterns, strict=True):
        mine = [line for line in hits if line[10] == pattern.name]
        assert int(row["hits"]) == len(mine) > 0
        assert int(row["sequences_with_hits"]) == len({line[9] for line in mine})
        assert int(row["occurrences"]) > 3 * int(row["expected_occurrences"]) and float(row["enrichment_q"]) < 1e-6


def test_subpatterns_of_twenty_seqlets_have_rows(found):
    large = [s for pattern in found.patterns for s in pattern.subpatterns if len(s.seqlets) >= 20]
    rows = table(found, "subpatterns.tsv")
    assert [row["pattern"] for row in rows] == [s.name for s in large] and rows
    for row, subpattern in zip(rows, large, strict=True):
        group, pattern, child = subpattern.name.split(".")
        numbers = [int(part.split("_")[1]) + 1 for part in (pattern, child)]
        assert row["name"] == f"{'+' if group == 'pos_patterns' else '-'}{numbers[0]}.{numbers[1]}"
        assert int(row["seqlets"]) == len(subpattern.seqlets)


def test_partners_are_those_with_which_a_pattern_was_planted(planted, found):
    """Two different motifs in each window or the same twice: none is there more often than by chance with another."""
    for row in table(found, "partners.tsv"):
        assert row["pattern"] != row["partner"] and float(row["q"]) <= 0.05
        assert int(row["sequences_with_both"]) > float(row["expected"])


@pytest.mark.parametrize(("kind", "suffix"), [("CWM", "cwm"), ("hCWM", "hcwm")])
def test_contributions_as_meme_hold_what_modisco_writes(found, tmp_path, kind, suffix):
    import shutil

    from modiscolite.io import write_meme_from_h5
    from modiscolite.util import MemeDataType

    shutil.copy(found.path, tmp_path / "m.h5")
    write_meme_from_h5(str(tmp_path / "m.h5"), MemeDataType(kind), str(tmp_path / "theirs.meme"), True)
    theirs = matrices(tmp_path / "theirs.meme")
    ours = matrices(found.path.with_name(f"motifs.{suffix}.meme"))
    assert set(ours) == {pattern.name for pattern in found.patterns} == set(theirs)
    for pattern in found.patterns:
        np.testing.assert_allclose(ours[pattern.name], theirs[pattern.name][slice(*pattern.core)], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_flags_reach_modisco_and_the_same_run_gives_the_same_bytes(planted, found, tmp_path):
    from interpret.motifs.motifs_file import read_motifs
    from zoo.cli import run

    for name in ("a", "b"):
        assert (
            run(
                [
                    "motifs",
                    str(planted.path),
                    "--database",
                    "jaspar:fungi",
                    "--max-seqlets",
                    "300",
                    "--seqlet-fdr",
                    "0.1",
                    "--central",
                    "150",
                    "-o",
                    str(tmp_path / f"{name}.h5"),
                    "-q",
                ]
            )
            == 0
        )
    again = read_motifs(tmp_path / "a.h5")
    options = again.run["modisco"]
    assert (options["max_seqlets_per_metacluster"], options["target_seqlet_fdr"]) == (300, 0.1)
    assert (again.window, again.window_offset, again.length) == (150, 5, LENGTH)
    texts = sorted(path.name[1:] for path in tmp_path.glob("a.*") if path.suffix != ".h5")
    assert len(texts) == 9
    for name in texts:
        assert (tmp_path / f"a{name}").read_bytes() == (tmp_path / f"b{name}").read_bytes()


def test_minutes_gone_are_said():
    from interpret.motifs.discover import saying

    lines, first, with_step = [], threading.Event(), threading.Event()

    def tell(line):
        lines.append(line)
        (with_step if "Using" in line else first).set()

    with saying("TF-MoDISco", tell, seconds=0.01) as said:
        assert first.wait(60)
        said.write("Using 7 positive seqlets\n")
        assert with_step.wait(60)
    assert re.fullmatch(r"TF-MoDISco, \d:\d\d", lines[0])
    assert re.fullmatch(r"TF-MoDISco, \d:\d\d: Using 7 positive seqlets", lines[-1])


def table(found, suffix):
    lines = found.path.with_name(f"motifs.{suffix}").read_text().splitlines()
    return [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]


def matrices(path):
    """Rows of numbers below each MOTIF, the last of a name: modisco-lite's writer adds to what it wrote before."""
    found, rows = {}, []
    for line in path.read_text().splitlines():
        if line.startswith("MOTIF"):
            rows = found[line.split()[1]] = []
        elif found and line.strip() and line.lstrip(" -")[0].isdigit():
            rows.append([float(word) for word in line.split()])
    return {name: np.array(rows) for name, rows in found.items()}


def test_what_numba_compiles_is_kept_for_the_next_process(monkeypatch):
    """modisco-lite keeps it where it may fork alone, which no process with a second thread may."""
    from modiscolite.precompile import _kernels
    from numba.core.caching import NullCache

    from interpret.motifs.discover import keep_compiled

    kernels = [kernel for group in _kernels() for kernel, _ in group]
    for kernel in kernels:
        monkeypatch.setattr(kernel, "_cache", NullCache())
    assert not any(kernel.stats.cache_path for kernel in kernels)
    keep_compiled()
    assert all(kernel.stats.cache_path for kernel in kernels) and len(kernels) > 10
