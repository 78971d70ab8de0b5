"""Matches by chance: noise of any composition has none, motifs find themselves, whatever the database's size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from interpret.motifs.chance import Shuffled, chance_of
from interpret.motifs.databases import KnownMotif, MotifDatabase, how_compared, match_motifs, notes_on, open_database

COMPOSITIONS = {
    "even": [0.25] * 4,
    "GC-rich": [0.1, 0.4, 0.4, 0.1],
    "A-rich": [0.55, 0.15, 0.15, 0.15],
    "poly-A": [0.05, 0.05, 0.05, 0.85],
}


@pytest.fixture(scope="module", params=["jaspar", "hocomoco-v12"])
def database(request):
    return open_database(request.param)


def noise(rng, composition, concentration, width):
    """Columns (width, 4) of a Dirichlet distribution around a composition."""
    return rng.dirichlet(np.array(composition) * concentration, size=width)


def sampled(rng, matrix, sites):
    """The frequencies that so many sites give."""
    return np.array([rng.multinomial(sites, row / row.sum()) / sites for row in matrix])


def test_columns_without_information_match_nothing(database):
    for width in (6, 10, 30):
        (found,) = match_motifs([np.full((width, 4), 0.25)], database)
        assert found[0].q == 1 and not any(match.significant for match in found)


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_noise_matches_at_the_stated_rate(database, composition):
    """TOMTOM alone matches up to all of these."""
    rng = np.random.default_rng(0)
    queries = [
        noise(rng, COMPOSITIONS[composition], concentration, width)
        for width in (6, 8, 12, 20, 30)
        for concentration in (2, 8, 40, 400)
        for _ in range(10)
    ]
    found = match_motifs(queries, database, keep=1)
    assert len(found) == 200 and sum(matches[0].significant for matches in found) <= 10


def test_letters_at_random_match_at_the_stated_rate(database):
    """Columns without doubt, between columns of background, as a pattern has them: noise that is most like a motif."""
    rng = np.random.default_rng(4)
    flank = np.full((2, 4), 0.25)
    queries = [
        np.concatenate([flank, 0.02 + 0.92 * np.eye(4)[rng.integers(0, 4, width)], flank])
        for width in (6, 7, 8, 10)
        for _ in range(50)
    ]
    assert sum(found[0].significant for found in match_motifs(queries, database, keep=1)) <= 10


def test_known_motifs_find_themselves(database):
    """As they are, cut by a column at each end (to 6 and more), beside flat columns, and as of 100 sites."""
    rng = np.random.default_rng(1)
    motifs = [m for m in database.motifs if len(m.probability) >= 8]
    chosen = [motifs[i] for i in rng.choice(len(motifs), 40, replace=False)]
    flat = np.full((5, 4), 0.25)
    for change, least in (
        (lambda matrix: matrix, 39),
        (lambda matrix: matrix[1:-1], 34),
        (lambda matrix: np.concatenate([flat, matrix, flat]), 38),
        (lambda matrix: sampled(rng, matrix, 100)[::-1, ::-1], 34),
    ):
        found = match_motifs([change(motif.probability) for motif in chosen], database)
        assert sum(f[0].significant and f[0].motif.name == m.name for f, m in zip(found, chosen, strict=True)) >= least


def test_short_motifs_find_themselves_in_all_of_jaspar():
    """Six and seven columns: 92.8% of all, and 87.7% where offsets of a column or two count as tries."""
    known = open_database("jaspar")
    short = [motif for motif in known.motifs if len(motif.probability) in (6, 7)][::3]
    found = match_motifs([motif.probability for motif in short], known, keep=30)
    own = [any(match.significant and match.motif.id == m.id for match in f) for f, m in zip(found, short, strict=True)]
    assert len(own) > 200 and np.mean(own) >= 0.91
    (rsc3,) = [motif for motif in known.motifs if motif.name == "RSC3"]  # CGCGC: one in 30 words of its letters
    (matches,) = match_motifs([rsc3.probability], known)
    assert matches[0].motif is rsc3 and not matches[0].significant


@pytest.mark.parametrize("size", [1, 2, 5, 10, 30])
def test_a_database_of_a_few_motifs(size):
    """TOMTOM takes its null distribution from the database; this one is the pattern's own."""
    rng = np.random.default_rng(size)
    motifs = [m for m in open_database("hocomoco-v12").motifs if len(m.probability) >= 8]
    few = MotifDatabase("few.meme", tuple(motifs[i] for i in rng.choice(len(motifs), size, replace=False)))
    own = match_motifs([motif.probability for motif in few.motifs], few)
    assert all(f[0].motif.id == m.id and f[0].significant for f, m in zip(own, few.motifs, strict=True))
    queries = [noise(rng, c, 20, width) for c in COMPOSITIONS.values() for width in (6, 12, 20) for _ in range(10)]
    assert sum(found[0].significant for found in match_motifs(queries, few)) <= 6  # 5% of 120
    assert "too few for TOMTOM's p-values" in how_compared(few) and notes_on(few) == [how_compared(few)]


SITES = {
    "AP1": "TGACTCA",
    "CRE": "TGACGTCA",
    "MAF": "TGCTGACTCAGCA",
    "EBOX": "CACGTG",
    "MYOD": "CAGCTG",
    "REB1": "TTACCCGG",
}


@pytest.mark.parametrize("names", [["REB1"], ["AP1", "CRE"], ["EBOX", "MYOD"], ["CRE", "MAF", "REB1"], list(SITES)])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_few_motifs_are_told_apart(names, turn):
    """Alone, and in 40 columns of background, where offset and strand are where the site was put."""
    rng = np.random.default_rng(len(names))
    few = MotifDatabase("few", tuple(KnownMotif(name, name, 0.04 + 0.84 * one_hot(SITES[name])) for name in names))
    for motif in few.motifs:
        flanks = [rng.dirichlet([100] * 4, size=n) for n in (25, 15)]
        beside = np.concatenate([flanks[0], motif.probability, flanks[1]])[::turn, ::turn]
        for query, offset in ((motif.probability[::turn, ::turn], 0), (beside, -25 if turn == 1 else -15)):
            (found,) = match_motifs([query], few)
            assert found[0].motif is motif and found[0].significant
            palindrome = np.allclose(motif.probability, motif.probability[::-1, ::-1])
            assert palindrome or found[0].reverse == (turn < 0)
            assert found[0].offset == offset and found[0].overlap == len(motif.probability)


def test_a_few_motifs_and_queries_of_other_lengths():
    rng = np.random.default_rng(3)
    few = MotifDatabase("few", tuple(KnownMotif(name, name, one_hot(site)) for name, site in SITES.items()))
    short = [one_hot(text) for text in ("T", "TG", "CAC")]
    long = [noise(rng, COMPOSITIONS[name], 20, width) for name in COMPOSITIONS for width in (40, 80)]
    for query in (*short, *long, *(np.full((width, 4), 0.25) for width in (1, 4, 50))):
        (found,) = match_motifs([query], few)
        assert len(found) == len(SITES) and not any(match.significant for match in found)
    (found,) = match_motifs([one_hot("TTACCCGG")], MotifDatabase("one", (KnownMotif("1", "T", one_hot("T")),)))
    assert not found[0].significant


def test_of_motifs_that_tomtom_takes_for_equal_the_less_likely_by_chance_is_first():
    """Tx and nau: equal by TOMTOM, whose order would have nau, the longer one, first."""
    known = open_database("jaspar")
    (tx,) = [motif for motif in known.motifs if motif.id == "MA2321.1"]
    (found,) = match_motifs([tx.probability], known)
    assert found[0].motif is tx and found[1].p > found[0].p


def test_a_large_database_needs_no_note(database):
    assert notes_on(database) == [] and "the larger of TOMTOM's" in how_compared(database)


def one_hot(text):
    return np.eye(4)[["ACGT".index(letter) for letter in text]]


def test_the_chance_of_certain_letters_by_hand():
    """Columns of one letter each are turned to any of four, as often as the pattern has them."""
    pattern = one_hot("ACGT")
    once = (1 / 4) ** 4
    # where fewer than four columns meet, nothing is as improbable: one offset of seven, on either strand
    assert chance_of(pattern, Shuffled.of(pattern), pattern, 0) == pytest.approx(1 - (1 - once) ** 2)
    # laid two columns further only AC of GTAC and of ACGT meet: two to four columns meet at five offsets of seven
    assert chance_of(pattern, Shuffled.of(pattern), one_hot("GTAC"), 2) == pytest.approx(1 - (15 / 16) ** 10)
    # of A and C alone no column fits the other strand
    both = one_hot("ACCA")
    assert chance_of(both, Shuffled.of(both), both, 0) == pytest.approx((1 / 2) ** 4)
    assert chance_of(both, Shuffled.of(both), both, 9) == 1, "no column lies on another"
    # between two columns without letters: a third of the columns drawn have none, ACGT meets all four at three offsets,
    # and a run of four could stand at three places of six
    run = np.concatenate([[[0.25] * 4], pattern, [[0.25] * 4]])
    assert chance_of(run, Shuffled.of(run), pattern, -1) == pytest.approx(1 - (1 - (1 / 6) ** 4) ** (2 * 3 * 3))
    same = one_hot("AAAA")
    assert chance_of(same, Shuffled.of(same), same, 0) == 1, "every order of its columns is the same"


@pytest.mark.parametrize(
    ("word", "target"), [("ACGT", "ACGT"), ("ACCA", "ACCA"), ("AACG", "TTAACGCC"), ("GATC", "ATC")]
)
def test_the_chance_holds_over_all_words(word, target):
    """Every word of four letters as a query with the word's composition: as good a fit anywhere is no more probable."""
    pattern, known = one_hot(word), one_hot(target)
    drawn = Shuffled.of(pattern)

    def best(query):
        """The smallest chance of a perfect run over all offsets and both strands, 1 where letters differ."""
        smallest = 1.0
        for letters, known in ((query, target), (query, turned(target))):
            for offset in range(1 - len(letters), len(known)):
                pairs = [(a, known[i + offset]) for i, a in enumerate(letters) if 0 <= i + offset < len(known)]
                if all(a == b for a, b in pairs):
                    smallest = min(smallest, float(np.prod([share(b) for _, b in pairs])))
        return smallest

    def turned(text):
        return text[::-1].translate(str.maketrans("ACGT", "TGCA"))

    def share(letter):
        return word.count(letter) / len(word)

    words = ["".join(letters) for letters in itertools.product("ACGT", repeat=4)]
    weights = np.array([np.prod([share(letter) for letter in one]) for one in words])
    offset = target.find(word) if word in target else -word.find(target)
    p = chance_of(pattern, drawn, known, offset)
    as_good = np.array([best(one) <= best(word) + 1e-12 for one in words])
    assert weights[as_good].sum() <= p + 1e-9 <= 8 * weights[as_good].sum()


def test_drawn_columns_are_the_patterns_where_they_are_weak():
    weak = np.array([[0.3, 0.2, 0.3, 0.2], [0.2, 0.3, 0.25, 0.25]])
    drawn = Shuffled.of(weak)
    assert drawn.columns.tolist() == weak.tolist() and drawn.weights.tolist() == [0.5, 0.5]
    assert Shuffled.of(one_hot("ACGT")).weights.sum() == pytest.approx(1)


def test_an_empty_logo_has_no_motif_of_two():
    known = MotifDatabase("two", (KnownMotif("1", "A", one_hot("ACGTTGCA")), KnownMotif("2", "B", one_hot("GGATCC"))))
    (found,) = match_motifs([np.full((8, 4), 0.25)], known)
    assert [match.p for match in found] == [1, 1]
