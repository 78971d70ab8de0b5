"""Do known motifs find themselves, and does noise find nothing: ``zoo motifs``' q-values beside TOMTOM's alone.

    python -m scripts.bench.known_motifs                                   # all of JASPAR, HOCOMOCO 12 and 13
    python -m scripts.bench.known_motifs --database jaspar:fungi --sites 100

Each motif of a database is asked against the whole database: as it stands, or (``--sites``) as so many sites would give
it with two columns of background on each side, as ``zoo motifs`` compares a pattern. Printed by number of columns: the
share that stand first, that have q at most 0.05, and that have it by TOMTOM alone (memelite, Benjamini-Hochberg over
the same motifs) and an E-value (p times motifs) of 0.05. Then noise: queries of 6 to 30 columns of Dirichlet
distributions, 200 for each composition and database, and 200 of letters at random between columns of background, and
how many match at q 0.05. Exit code 1 where noise matches more often than that, or where fewer motifs find themselves as
they stand than ``LEAST_SHARE`` says.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import dataclass

import numpy as np

from interpret.motifs.databases import MATCHED_AT, KnownMotif, benjamini_hochberg, match_motifs, open_database

DATABASES = ("jaspar", "hocomoco-v12", "hocomoco-v13")
COMPOSITIONS = {
    "even": (0.25, 0.25, 0.25, 0.25),
    "GC-rich": (0.1, 0.4, 0.4, 0.1),
    "AT-rich": (0.4, 0.1, 0.1, 0.4),
    "A-rich": (0.55, 0.15, 0.15, 0.15),
    "poly-A": (0.05, 0.05, 0.05, 0.85),
    "A and C": (0.47, 0.47, 0.03, 0.03),
}
WIDTHS, CONCENTRATIONS = (6, 8, 12, 20, 30), (2, 8, 40, 400)
A_STEP, FLANK = 50, 2
LEAST_SHARE = {"jaspar": 0.96, "hocomoco-v12": 0.99, "hocomoco-v13": 0.99}
GROUPS = ((1, 5), (6, 6), (7, 7), (8, 8), (9, 11), (12, 99))


@dataclass(frozen=True)
class Own:
    """How a motif found itself: columns of it, whether first, and whether its q, TOMTOM's q and E are at most 0.05."""

    columns: int
    first: bool
    found: bool
    tomtom: bool
    e: bool


def tomtom_p(queries: list[np.ndarray], motifs: tuple[KnownMotif, ...]) -> np.ndarray:
    """(queries, motifs) p-values of memelite."""
    from memelite import tomtom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tomtom(
            [np.ascontiguousarray(q.T) for q in queries], [np.ascontiguousarray(m.probability.T) for m in motifs]
        )[0]


def as_sites(rng: np.random.Generator, matrix: np.ndarray, sites: int) -> np.ndarray:
    """Frequencies of so many sites, with background on each side."""
    flank = np.full((FLANK, 4), 0.25)
    rows = np.concatenate([flank, matrix, flank])
    return np.array([rng.multinomial(sites, row / row.sum()) / sites for row in rows])


def own(choice: str, sites: int | None, n: int | None, rng: np.random.Generator) -> list[Own]:
    """Motifs of a database against it; n of them by chance, or all."""
    database = open_database(choice)
    motifs = database.motifs
    chosen = range(len(motifs)) if n is None else rng.choice(len(motifs), min(n, len(motifs)), replace=False)
    found = []
    for first in range(0, len(chosen), A_STEP):
        some = chosen[first : first + A_STEP]
        matrices = [motifs[i].probability for i in some]
        queries = [as_sites(rng, matrix, sites) for matrix in matrices] if sites else matrices
        for i, matches, p in zip(some, match_motifs(queries, database), tomtom_p(queries, motifs), strict=True):
            mine = next((match for match in matches if match.motif.id == motifs[i].id), None)
            found.append(
                Own(
                    len(motifs[i].probability),
                    matches[0].motif.id == motifs[i].id,
                    mine is not None and mine.significant,
                    bool(benjamini_hochberg(p)[i] <= MATCHED_AT),
                    bool(p[i] * len(motifs) <= MATCHED_AT),
                )
            )
    return found


def noise(choice: str, rng: np.random.Generator) -> dict[str, tuple[int, int, int]]:
    """What the noise is -> queries, those that match, those that match by TOMTOM alone."""
    database = open_database(choice)
    flank = np.full((FLANK, 4), 0.25)
    kinds = {
        name: [
            rng.dirichlet(np.array(composition) * concentration, size=width)
            for width in WIDTHS
            for concentration in CONCENTRATIONS
            for _ in range(10)
        ]
        for name, composition in COMPOSITIONS.items()
    }
    kinds["letters"] = [
        np.concatenate([flank, 0.02 + 0.92 * np.eye(4)[rng.integers(0, 4, width)], flank])
        for width in (6, 7, 8, 10)
        for _ in range(50)
    ]
    counts = {}
    for name, queries in kinds.items():
        matched = sum(matches[0].significant for matches in match_motifs(queries, database, keep=1))
        alone = sum(benjamini_hochberg(p).min() <= MATCHED_AT for p in tomtom_p(queries, database.motifs))
        counts[name] = (len(queries), matched, int(alone))
    return counts


def show(choice: str, found: list[Own]) -> None:
    groups = [
        (f"{low}-{high}" if low < high else str(low), [one for one in found if low <= one.columns <= high])
        for low, high in GROUPS
    ]
    print(f"{choice:14} columns      n   first   q 0.05   TOMTOM q 0.05   TOMTOM E 0.05")
    for name, some in [*groups, ("all", found)]:
        if some:
            shares = [np.mean([getattr(one, key) for one in some]) for key in ("first", "found", "tomtom", "e")]
            print(
                f"{'':14} {name:7} {len(some):6,} "
                + "".join(f"{share:{w}.1%}" for share, w in zip(shares, (7, 9, 16, 16), strict=True))
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", action="append", help="default JASPAR, HOCOMOCO 12 and HOCOMOCO 13")
    parser.add_argument("--sites", type=int, help="frequencies as of so many sites, with columns of background beside")
    parser.add_argument("--n", type=int, help="so many motifs by chance; default all")
    parser.add_argument("--no-noise", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, missed = np.random.default_rng(options.seed), []
    for choice in options.database or DATABASES:
        found = own(choice, options.sites, options.n, rng)
        show(choice, found)
        share = np.mean([one.found for one in found])
        if share < LEAST_SHARE.get(choice, 0.9) and not options.sites:
            missed.append(f"{choice}: {share:.1%} of motifs find themselves")
        for name, (n, matched, alone) in ({} if options.no_noise else noise(choice, rng)).items():
            print(f"{'':14} noise {name:8} {matched:3} of {n} match; by TOMTOM alone {alone}", flush=True)
            if matched > MATCHED_AT * n:
                missed.append(f"{choice}: {matched} of {n} queries of noise match ({name})")
    for line in missed:
        print(f"missed: {line}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
