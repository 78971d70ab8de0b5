"""``zoo motifs CONTRIBS -o OUT``."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from zoo.cli.doctor import check_import_names
from zoo.cli.style import COMMAND
from zoo.progress import CLEAR, rewritten

__all__ = ["command"]


@click.command("motifs", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("contribs")
@click.option("-o", "--out", required=True, metavar="OUT.h5", help="Result; text files of the same name lie beside it.")
@click.option(
    "--database",
    default="jaspar",
    show_default=True,
    metavar="NAME|FILE",
    help="Known motifs: jaspar, jaspar:TAXON (fungi, vertebrates, plants, ...), hocomoco-v12, hocomoco-v13, "
    "or a MEME file.",
)
@click.option("--window", type=click.IntRange(min=1), metavar="BP", help="Look at the central BP only; default all.")
@click.option(
    "--max-seqlets",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N seqlets of each sign, the first in the file; default 20,000.",
)
@click.option(
    "--seqlet-fdr",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="P",
    help="False discovery rate of seqlets; default 0.05.",
)
@click.option(
    "--modisco",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other option of TF-MoDISco (n_leiden_runs=50); may be repeated.",
)
@click.option("--hits/--no-hits", default=True, show_default=True, help="Scan for every instance of the patterns.")
@click.option(
    "--effects/--no-effects",
    default=True,
    show_default=True,
    help="Insert each pattern into background sequences, with the model that CONTRIBS explain.",
)
@click.option("--model", metavar="MODEL", help="Where that model is now; default as recorded.")
@click.option("--trust", is_flag=True, help="Run Python files of its folder, if it is not bundled.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="NAME|CHROM:START-END",
    help="A region that the report must draw; may be repeated.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the shuffles that occurrences are compared with; TF-MoDISco seeds itself.",
)
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
def command(
    contribs: str,
    out: str,
    database: str,
    window: int | None,
    max_seqlets: int | None,
    seqlet_fdr: float | None,
    options: tuple[str, ...],
    hits: bool,
    seed: int,
    quiet: bool,
    **more: Any,
) -> None:
    """Find the motifs in CONTRIBS, a file of `zoo attribute`, and what they are.

    \b
    zoo motifs contribs.h5 --database jaspar:fungi -o motifs.h5
    writes motifs.h5 (TF-MoDISco's format), tables motifs.motifs.tsv, .subpatterns.tsv, .partners.tsv, .matrices.tsv,
    matrices .meme (frequencies), .cwm.meme, .hcwm.meme, and .seqlets.bed, .hits.bed in genome coordinates
    """
    check_import_names()
    from interpret.motifs.discover import parse_options
    from interpret.motifs.find import find_motifs

    terminal = sys.stderr.isatty() and not quiet

    def say(note: str) -> None:
        click.echo(f"{CLEAR if terminal else ''}zoo: {note}", err=True)

    named = {"max_seqlets_per_metacluster": max_seqlets, "target_seqlet_fdr": seqlet_fdr}
    given = {name: value for name, value in named.items() if value is not None}
    found = find_motifs(
        contribs,
        out,
        database=database,
        window=window,
        hits=hits,
        seed=seed,
        modisco=given | (parse_options(options) if options else {}),
        **more,
        progress=_rewrite if terminal else None,
        report=(lambda note: None)
        if quiet
        else (lambda note: click.echo(f"{CLEAR if terminal else ''}zoo: {note}", err=True)),
    )
    if not quiet:
        named = sum(any(match.significant for match in found.matches[p.name]) for p in found.patterns)
        hits_text = f", {len(found.hits):,} hits" if found.hits is not None else ""
        click.echo(f"zoo: {len(found.patterns)} patterns, {named} with a known motif{hits_text} -> {out}", err=True)


def _rewrite(line: str) -> None:
    """Put a line in the place of the last one; by the file descriptor, since TF-MoDISco forks meanwhile."""
    os.write(2, rewritten(line).encode())
