"""``zoo motifs CONTRIBS -o OUT``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import as_json_option, motif_options, no_window_in_bp, quiet_option, seed_option, trust_option
from zoo.cli.shared import COMMAND, CONTEXT, lines_unless, note, notes_unless
from zoo.cli.tables import print_json
from zoo.doctor import check_import_names

__all__ = ["command"]


@click.command("motifs", cls=COMMAND, context_settings=CONTEXT)
@click.argument("contribs")
@click.option("-o", "--out", required=True, metavar="OUT.h5", help="Result; text files of the same name lie beside it.")
@motif_options
@click.option("--model", metavar="MODEL", help="Where the model that CONTRIBS explains is now; default as recorded.")
@trust_option
@seed_option
@no_window_in_bp
@as_json_option
@quiet_option
def command(contribs: str, out: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Find the motifs in CONTRIBS, a file of `zoo attribute`, and name those that are known.

    \b
    zoo motifs contribs.h5 --database jaspar:fungi -o motifs.h5

    Beside motifs.h5, which is in TF-MoDISco's format, it writes tables (motifs.motifs.tsv, .subpatterns.tsv,
    .partners.tsv, .matrices.tsv), matrices (.meme with frequencies, .cwm.meme, .hcwm.meme), and places in the genome
    (.seqlets.bed, .hits.bed).
    """
    check_import_names()
    from interpret.motifs.find import find_motifs
    from interpret.report.ending import ending, facts_of

    found = find_motifs(contribs, out, report=notes_unless(quiet), progress=lines_unless(quiet), **options)
    if as_json:
        print_json(facts_of(found))
    for line in () if quiet else ending(found):
        note(line)
