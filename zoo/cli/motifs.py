"""``zoo motifs CONTRIBS -o OUT``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.doctor import check_import_names
from zoo.cli.style import COMMAND

__all__ = ["command"]


@click.command("motifs", cls=COMMAND, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("contribs")
@click.option("-o", "--out", required=True, metavar="OUT.h5", help="Result; text files of the same name lie beside it.")
@click.option("--database", default="jaspar", show_default=True, metavar="NAME|FILE",
              help="Known motifs: jaspar, jaspar:TAXON (fungi, vertebrates, plants, ...), hocomoco-v12, hocomoco-v13, "
                   "or a MEME file.")
@click.option("--window", type=click.IntRange(min=1), metavar="BP", help="Look at the central BP only; default all.")
@click.option("--modisco", "options", multiple=True, metavar="NAME=VALUE",
              help="An option of TF-MoDISco (max_seqlets_per_metacluster=2000); may be repeated.")
@click.option("--hits/--no-hits", default=True, show_default=True, help="Scan for every instance of the patterns.")
@click.option("--effects/--no-effects", default=True, show_default=True,
              help="Insert each pattern into background sequences, with the model that CONTRIBS explain.")
@click.option("--model", metavar="MODEL", help="Where that model is now; default as recorded.")
@click.option("--trust", is_flag=True, help="Run Python files of its folder, if it is not bundled.")
@click.option("--region", "regions", multiple=True, metavar="NAME|CHROM:START-END",
              help="A region that the report must draw; may be repeated.")
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
def command(contribs: str, out: str, database: str, window: int | None, options: tuple[str, ...], hits: bool,
            quiet: bool, **more: Any) -> None:
    """Find the motifs in CONTRIBS, a file of `zoo attribute`, and what they are.

    \b
    zoo motifs contribs.h5 --database jaspar:fungi -o motifs.h5
    writes motifs.h5 (TF-MoDISco's format), motifs.meme, motifs.motifs.tsv, motifs.matrices.tsv,
    motifs.seqlets.bed and motifs.hits.bed, all in genome coordinates
    """
    check_import_names()
    from interpret.motifs.discover import parse_options
    from interpret.motifs.find import find_motifs

    found = find_motifs(
        contribs, out, database=database, window=window, hits=hits,
        modisco=parse_options(options) if options else {}, **more,
        report=(lambda note: None) if quiet else (lambda note: click.echo(f"zoo: {note}", err=True)),
    )
    if not quiet:
        named = sum(any(match.significant for match in found.matches[p.name]) for p in found.patterns)
        hits_text = f", {len(found.hits):,} hits" if found.hits is not None else ""
        click.echo(f"zoo: {len(found.patterns)} patterns, {named} with a known motif{hits_text} -> {out}", err=True)
