"""Known motifs by the databases' own facts, and MEME files against memelite's reader."""

from __future__ import annotations

import gzip
import importlib.util
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpret.motifs.databases import (
    JASPAR_TAXA,
    KnownMotif,
    MotifDatabase,
    benjamini_hochberg,
    match_motifs,
    notes_on,
    open_database,
    read_meme,
)
from zoo.errors import InputError, SystemStateError, UsageError

ROW = "0.25 0.25 0.25 0.25"


def written(tmp_path, text):
    path = tmp_path / "x.meme"
    path.write_text(text)
    return path


def meme(motifs):
    """Text of MEME's minimal format."""
    text = "MEME version 5\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
    for name, matrix in motifs.items():
        text += f"MOTIF {name}\nletter-probability matrix: alength= 4 w= {len(matrix)} nsites= 20 E= 0\n"
        text += "".join(" " + " ".join(f"{value:.6f}" for value in row) + "\n" for row in matrix) + "\n"
    return text


@pytest.fixture(scope="module")
def fungi():
    return open_database("jaspar:fungi")


# Factors of budding yeast with the sites that textbooks give them.
@pytest.mark.parametrize(
    ("factor", "site"),
    [("REB1", "TTACCCG"), ("GAL4", "CGG"), ("ABF1", "CGTNNNNNNNGA"), ("RAP1", "ACACCC"), ("MCM1", "CCNNATNNGG")],
)
def test_a_factor_is_known_by_its_site(fungi, factor, site):
    found = [motif for motif in fungi.motifs if motif.name.upper() == factor]
    assert found
    turned = site[::-1].translate(str.maketrans("ACGT", "TGCA"))

    def fits(motif, bases):
        wanted = ["ACGT".find(base) for base in bases]
        return any(
            all(base < 0 or motif.probability[start + i, base] > 0.4 for i, base in enumerate(wanted))
            for start in range(len(motif.probability) - len(bases) + 1)
        )

    assert any(fits(motif, site) or fits(motif, turned) for motif in found)


def test_every_motif_is_a_matrix_of_frequencies_with_an_id_of_its_own(fungi):
    assert fungi.title == "JASPAR2026 CORE fungi"
    ids = [motif.id for motif in fungi.motifs]
    assert ids == sorted(set(ids)) and all(id.startswith("MA") for id in ids)
    for motif in fungi.motifs:
        assert motif.probability.shape[1] == 4 and motif.probability.min() >= 0
        np.testing.assert_allclose(motif.probability.sum(1), 1, atol=1e-9)


@pytest.mark.parametrize("taxon", ["urochordates", "nematodes", "fungi", pytest.param("", marks=pytest.mark.long)])
def test_motifs_are_those_that_pyjaspar_gives(taxon):
    """Each in its latest version, once, to the last bit: pyjaspar asks for them one by one."""
    from pyjaspar import jaspardb

    found = jaspardb(release="JASPAR2026").fetch_motifs(collection="CORE", **({"tax_group": taxon} if taxon else {}))
    theirs = {motif.matrix_id: motif for motif in found}
    ours = open_database(f"jaspar:{taxon}" if taxon else "jaspar").motifs
    assert [(motif.id, motif.name) for motif in ours] == [(id, theirs[id].name) for id in sorted(theirs)] != []
    for motif in ours:
        counts = np.array([theirs[motif.id].counts[base] for base in "ACGT"]).T
        np.testing.assert_array_equal(motif.probability, counts / counts.sum(1, keepdims=True))


def test_the_choices_that_an_error_names_are_choices():
    with pytest.raises(UsageError) as caught:
        open_database("jasper")
    assert caught.value.exit_code == 2
    offered = caught.value.extent.removeprefix("there are ").split(", ")
    assert {"jaspar", "hocomoco-v12", *(f"jaspar:{taxon}" for taxon in JASPAR_TAXA)} <= set(offered)
    assert open_database("jaspar:urochordates").motifs
    with pytest.raises(UsageError) as caught:
        open_database("jaspar:mammals")
    assert caught.value.extent == f"it has {', '.join(JASPAR_TAXA)}"


def test_a_package_that_is_missing_is_named_with_another_way(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyjaspar", None)
    with pytest.raises(SystemStateError, match="package pyjaspar, which is not installed") as caught:
        open_database("jaspar:fungi")
    assert "pip install 'seqzoo[interpret]'" in caught.value.fix and "--database" in caught.value.fix
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemStateError, match="package grelu, which is not installed") as caught:
        open_database("hocomoco-v12")
    assert "pip install 'seqzoo[finetune]'" in caught.value.fix and caught.value.exit_code == 7


# MEME files


matrices = st.lists(
    st.lists(st.integers(1, 9), min_size=4, max_size=4).map(lambda row: [value / sum(row) for value in row]),
    min_size=1,
    max_size=12,
)


@settings(max_examples=30)
@given(st.lists(matrices, min_size=1, max_size=4))
def test_a_file_is_read_as_memelite_reads_it(tmp_path_factory, motifs):
    reader = pytest.importorskip("memelite.io").read_meme
    named = {f"M{i} factor{i}": matrix for i, matrix in enumerate(motifs)}
    path = written(tmp_path_factory.mktemp("meme"), meme(named))
    ours, theirs = read_meme(path), reader(str(path))
    assert [(motif.id, motif.name) for motif in ours] == [tuple(name.split()) for name in named]
    for motif, other, matrix in zip(ours, theirs.values(), motifs, strict=True):
        np.testing.assert_allclose(motif.probability, np.array(matrix), atol=2e-6)
        np.testing.assert_allclose(motif.probability, np.asarray(other).T, atol=2e-6)


def test_what_stands_between_motifs_is_left_aside(tmp_path):
    """URLs, log-odds matrices and sites, as MEME's own output has them."""
    path = written(
        tmp_path,
        f"MEME version 5\n\nMOTIF MA0001.3 AGL3\nlog-odds matrix: alength= 4 w= 1\n 5 -5 -5 -5\n\n"
        f"letter-probability matrix: alength= 4 w=2 nsites= 5\n{ROW}\n\n 1 0 0 0\nURL http://jaspar.elixir.no/MA0001.3\n\n"
        f"MOTIF second.1\nletter-probability matrix: w= 1\n 0.5 0.5 0 0\n",
    )
    first, second = read_meme(path)
    assert (first.id, first.name, first.probability.tolist()) == ("MA0001.3", "AGL3", [[0.25] * 4, [1, 0, 0, 0]])
    assert (second.id, second.name) == ("second.1", "second"), "the name without its version where none is given"


def test_rows_are_scaled_to_one_where_rounding_left_something(tmp_path):
    path = written(tmp_path, "MOTIF a\nletter-probability matrix: w= 1\n0.333 0.333 0.333 0.0\n")
    assert read_meme(path)[0].probability[0] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


@pytest.mark.parametrize(
    "row", ["0.5 0.5", "0.2 0.2 0.2 0.2 0.2", "1.2 -0.2 0 0", "nan 0.5 0.5 0", "A 0.5 0.5 0", "inf 0 0 0", "0 0 0 0"]
)
def test_rows_that_are_no_probabilities_have_a_line(tmp_path, row):
    path = written(tmp_path, f"MEME version 4\nMOTIF a\nletter-probability matrix: w= 2\n{ROW}\n{row}\n")
    with pytest.raises(InputError) as caught:
        read_meme(path)
    assert caught.value.what == f"{path}:5: not four probabilities that sum to 1"
    assert caught.value.fix == "Fix: DNA motifs, rows A C G T" and caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ("alength= 4 w= 0", "w= 0 is no number of rows"),
        ("alength= 4 w = 0 nsites= 9", "w= 0 is no number of rows"),
        ("w= -2", "w= -2 is no number of rows"),
        ("w= x", "w= x is no number of rows"),
        ("w= 2.5 E= 0", "w= 2.5 is no number of rows"),
        ("alength= 4 w=", "w= without the number of rows"),
        ("alength= 4 w= nsites= 20", "w= without the number of rows"),
        ("alength= 0 w= 1", "alength= 0 is no number of letters"),
    ],
)
def test_numbers_of_a_matrix_that_are_none_are_told_for_what_they_are(tmp_path, keys, what):
    path = written(tmp_path, f"MOTIF a\nletter-probability matrix: {keys}\n{ROW}\n")
    with pytest.raises(InputError) as caught:
        read_meme(path)
    assert caught.value.what == f"{path}:2: {what}" and caught.value.fix.endswith(", or leave it out")


@pytest.mark.parametrize(
    "after",
    [
        "",
        "A C G T\n",
        "URL http://x\n",
        "log-odds matrix: w= 3\n1 0 0 0\n",
        f"MOTIF b\nletter-probability matrix: w= 1\n{ROW}\n",
    ],
)
def test_a_matrix_that_ends_early_counts_its_rows(tmp_path, after):
    path = written(tmp_path, f"MOTIF MA7 LOST\nletter-probability matrix: w= 3\n{ROW}\n{ROW}\n{after}")
    with pytest.raises(InputError, match="the matrix of motif MA7 LOST ends early") as caught:
        read_meme(path)
    assert caught.value.extent == "2 of 3 rows"


def test_a_file_of_the_users_is_called_by_its_name(tmp_path):
    path = written(tmp_path, meme({"MA1 ONE": [[1, 0, 0, 0]]}))
    database = open_database(str(path))
    assert database.title == "x.meme" and [motif.name for motif in database.motifs] == ["ONE"]


HEAD, FIRST, SECOND = "letter-probability matrix: alength= 4 w= 2 nsites= 9 E= 0", "0.7 0.1 0.1 0.1", "0.1 0.2 0.3 0.4"


@pytest.mark.parametrize(
    "text",
    [
        f"MOTIF a\nletter-probability matrix:\n{FIRST}\n{SECOND}\nURL http://x\n",
        f"MOTIF a\nletter-probability matrix: nsites= 9\n{FIRST}\n{SECOND}\n\nSUMMARY\nMOTIF b\n",
        f"  MOTIF a\n\t {HEAD}\n   {FIRST}\n\t{SECOND}\t\n",
        f"\ufeffMEME version 5\r\n\r\nALPHABET= ACGT\r\n\r\nstrands: +\r\n\r\n"
        f"MOTIF a\r\n{HEAD}\r\n{FIRST}\r\n{SECOND}\r\n",
        f"ALPHABET= TGCA\nMOTIF a\n{HEAD}\n0.1 0.1 0.1 0.7\n0.4 0.3 0.2 0.1\n",
        f"ALPHABET=cgta\nMOTIF a\n{HEAD}\n0.1 0.1 0.1 0.7\n0.2 0.3 0.4 0.1\n",
        'ALPHABET "DNA" DNA-LIKE\nA "Adenine" CC0000 ~ T "Thymine" 008000\nC "Cytosine" ~ G "Guanine"\n'
        f'N "Any base" = ACGT\nEND ALPHABET\nMOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n',
        f"MOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\nlog-odds matrix: alength= 4 w= 2\n 9 -5 -5 -5\n -5 9 -5 -5\n",
        f"MOTIF a\nletter-probability matrix:\n{FIRST}\n{SECOND}\nlog-odds matrix: w= 2\n 0 0 0 0\n 1 0 0 0\n",
        f"MOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\nURL http://x\n\nlog-odds matrix: w= 1\n 1 0 0 0\n",
        f"MOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n2 columns, as they were found\n",
        f"motif a\nletter-probability matrix: alength = 4 w = 2 nsites = 9\n{FIRST}\n{SECOND}\n",
        "MOTIF a\nLETTER-PROBABILITY MATRIX: ALENGTH= 4 W= 2\n7e-1 .1 1.0E-01 1e-1\n1e-1 2e-1 3e-1 4e-1\n",
        "MOTIF\ta\nletter-probability matrix:\talength=\t4\tw=\t2\n0.7\t0.1\t0.1\t0.1\n0.1\t0.2\t0.3\t0.4\n \t\n\n",
        f"MEME version 5\rALPHABET= ACGT\rMOTIF a\r{HEAD}\r{FIRST}\r{SECOND}\r",
        f"alphabet= tgca\nMOTIF a\n{HEAD}\n0.1 0.1 0.1 0.7\n0.4 0.3 0.2 0.1\n",
        f"ALPHABET = T G C A\nMOTIF a\n{HEAD}\n0.1 0.1 0.1 0.7\n0.4 0.3 0.2 0.1\n",
        f"ALPHABET DNA-LIKE\nA ~ T\nC ~ G\nEND ALPHABET\nMOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n",
        "Background letter frequencies (from uniform):\nA 0.25 C 0.25 G 0.25 T 0.25\n"
        f"MOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_the_format_leaves_open(tmp_path, text, packed):
    path = tmp_path / ("x.meme.gz" if packed else "x.meme")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    (motif,) = read_meme(path)
    np.testing.assert_allclose(motif.probability, [[0.7, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]], atol=1e-12)


def test_files_in_one_have_an_alphabet_each(tmp_path):
    head, tgca = "MEME version 5\n\n", "ALPHABET= TGCA\n"
    one, other = f"MOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n", f"MOTIF b\n{HEAD}\n{FIRST}\n{SECOND}\n"
    wanted = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]])
    for text, turns in ((head + one + head + tgca + other, (1, -1)), (head + tgca + one + head + other, (-1, 1))):
        found = read_meme(written(tmp_path, text))
        for motif, turn in zip(found, turns, strict=True):
            np.testing.assert_allclose(motif.probability, wanted[:, ::turn])


@pytest.mark.parametrize(
    ("header", "id", "name"),
    [
        ("1 width = 2 sites = 9", "1", "1"),
        ("1 MEME width = 2 sites = 9 E-value = 1e-9", "1", "1"),
        ("TTGC MEME-1 width = 2 sites = 9", "TTGC", "MEME-1"),
        ("1 width", "1", "width"),
        ("MA0001.3 MEME", "MA0001.3", "MEME"),
        ("MA0099.2 FOS::JUN", "MA0099.2", "FOS::JUN"),
        ("FOXA1.H12CORE.0.P.B", "FOXA1.H12CORE.0.P.B", "FOXA1"),
    ],
)
def test_the_name_in_memes_own_text(tmp_path, header, id, name):
    text = f"MOTIF {header}\n-----\n\tMotif 1 position-specific probability matrix\n{HEAD}\n{FIRST}\n{SECOND}\n-----\n"
    (motif,) = read_meme(written(tmp_path, text + "\tMotif 1 regular expression\nA[TG]\nTime 0.25 secs.\n"))
    assert (motif.id, motif.name, len(motif.probability)) == (id, name, 2)


@pytest.mark.parametrize("width", ["", "w= 2", "w= 3"])
@pytest.mark.parametrize(
    "row", ["O.1 0.2 0.3 0.4", "0,1 0.2 0.3 0.4", "0,1 0,2 0,3 0,4", "C 0.1 0.2 0.3 0.4", "0.1_0 0.2 0.3 0.4"]
)
def test_a_row_that_cannot_be_read_ends_no_matrix(tmp_path, width, row):
    path = written(tmp_path, f"MOTIF a\nletter-probability matrix: {width}\n{FIRST}\n{row}\n{SECOND}\n")
    with pytest.raises(InputError) as caught:
        read_meme(path)
    assert caught.value.what == f"{path}:4: not four probabilities that sum to 1"


@pytest.mark.parametrize(("width", "what"), [("", "goes on after its end"), ("w= 2", "has more rows than it says")])
@pytest.mark.parametrize("between", ["# others", "# others\n\n", "URL http://x"])
def test_rows_after_the_end_of_a_matrix_are_not_dropped(tmp_path, width, what, between):
    path = written(tmp_path, f"MOTIF a\nletter-probability matrix: {width}\n{FIRST}\n{FIRST}\n{between}\n{SECOND}\n")
    with pytest.raises(InputError, match=f"the matrix of motif a {what}"):
        read_meme(path)


def test_a_file_without_a_line_of_motif_says_so(tmp_path):
    with pytest.raises(InputError, match="no motif") as caught:
        read_meme(written(tmp_path, "MEME version 5\n"))
    assert caught.value.extent == "no line begins with MOTIF"


def test_a_motif_without_a_matrix_is_left_out_and_named(tmp_path):
    text = f"MOTIF a x\nMOTIF b y\n{HEAD}\n{FIRST}\n{SECOND}\nMOTIF c\nlog-odds matrix: w= 1\n1 2 3 4\n"
    database = open_database(str(written(tmp_path, text)))
    assert [motif.id for motif in database.motifs] == ["b"] and database.left_out == ("a", "c")
    assert notes_on(database)[0] == "x.meme: 2 motifs without a letter-probability matrix left out: a, c"
    with pytest.raises(InputError, match="no motif") as caught:
        read_meme(written(tmp_path, "MOTIF a\nMOTIF b\n"))
    assert caught.value.extent == "2 lines of MOTIF without a letter-probability matrix: a, b"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"MOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n{FIRST}\n", ":5: the matrix of motif a has more rows than it says"),
        (f"MOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n\n{FIRST}\n", ":6: the matrix of motif a has more rows than it says"),
        (f"ALPHABET= ACGU\nMOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n", ":1: the alphabet ACGU is RNA"),
        ("ALPHABET= ACDEFGHIKLMNPQRSTVWY\n", ":1: the alphabet ACDEFGHIKLMNPQRSTVWY is protein"),
        (f"ALPHABET= ACGTN\nMOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n", ":1: the alphabet ACGTN is not DNA"),
        ("MOTIF a\nletter-probability matrix: alength= 20 w= 1\n", ":2: the matrix is of protein, not of DNA"),
        (f"{HEAD}\n{FIRST}\n{SECOND}\n", ":1: a matrix without a line of MOTIF"),
        (f"MOTIF a\n{HEAD}\n{FIRST}\n{SECOND}\n{HEAD}\n{FIRST}\n{SECOND}\n", ":5: a matrix without a line of MOTIF"),
        ("MOTIF\n", ":1: MOTIF without a name"),
    ],
)
def test_what_is_no_motif_of_dna_has_a_line(tmp_path, text, what):
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_meme(path)
    assert caught.value.what == f"{path}{what}"


def test_a_packed_file_that_ends_early_is_damaged(tmp_path):
    path = tmp_path / "x.meme.gz"
    path.write_bytes(gzip.compress(meme({"a": [[1, 0, 0, 0]] * 40}).encode())[:-9])
    with pytest.raises(InputError, match="damaged gzip"):
        read_meme(path)


# Matches


def exact(bases):
    """A motif without doubt: 0.97 at each base."""
    matrix = np.full((len(bases), 4), 0.01)
    matrix[np.arange(len(bases)), ["ACGT".index(base) for base in bases]] = 0.97
    return matrix


SITES = {"ABF1": "CGTATAAAGTGA", "REB1": "TTACCCGG", "MCM1": "CCTAATTAGG", "RAP1": "ACACCCATACAT"}
DATABASE = MotifDatabase(
    "four", tuple(KnownMotif(f"M{i}", name, exact(site)) for i, (name, site) in enumerate(SITES.items()))
)


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("turned", [False, True])
def test_a_motif_matches_itself_first_on_either_strand(name, turned):
    query = exact(SITES[name])[::-1, ::-1] if turned else exact(SITES[name])
    (found,) = match_motifs([query], DATABASE)
    assert found[0].motif.name == name and found[0].overlap == len(query)
    assert found[0].p < 1e-3 and found[0].significant and found[0].p <= min(match.p for match in found)
    palindrome = SITES[name] == "CCTAATTAGG"
    assert palindrome or found[0].reverse == turned
    assert found[0].offset == 0


def test_a_part_of_a_motif_lies_where_it_was_cut_out():
    (found,) = match_motifs([exact(SITES["RAP1"][3:11])], DATABASE, keep=2)
    assert len(found) == 2
    assert (found[0].motif.name, found[0].offset, found[0].overlap, found[0].reverse) == ("RAP1", 3, 8, False)


def test_no_query_has_no_match():
    assert match_motifs([], DATABASE) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_q_values_are_scipys(p):
    control = pytest.importorskip("scipy.stats").false_discovery_control
    q = benjamini_hochberg(np.array(p))
    np.testing.assert_allclose(q, control(p, method="bh"), rtol=1e-12)
    assert (q >= np.array(p) - 1e-15).all() and q.max() <= 1
