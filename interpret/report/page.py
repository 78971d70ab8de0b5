"""``motifs.h5`` -> one HTML file that needs nothing else: no network, no fonts, no other file.

Python computes, the templates in ``assets/`` write: whatever a BED, a card or a foreign file calls its things is
escaped by them. The script and the style of the page stand beside them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from interpret.motifs.exports import meme, motifs_tsv, seqlets_bed
from interpret.motifs.grades import RULE, grade_patterns
from interpret.motifs.hits import Partner, partners
from interpret.motifs.motifs_file import MotifsFile, read_motifs
from interpret.report.card import ModelCard, blocks_of, find_card
from interpret.report.drawing import GLYPHS, PATHS
from interpret.report.genes import Gene, read_genes
from interpret.report.head import head_of, made_of
from interpret.report.numbers import Row, enriched, number, order_of, q_text, row_of
from interpret.report.record import file_name
from interpret.report.regions import opening_of, view_data
from interpret.report.section import FARTHEST, section_of
from interpret.report.table import table_rows
from zoo.results.check_out import check_out
from zoo.results.whole import replacing, sole_writer
from zoo.words import counted, counted_of

__all__ = ["BED_ROWS", "check_page_out", "render", "report_text", "templates", "write_report"]

SUFFIXES = (".html", ".htm")
BED_ROWS = 20_000


def check_page_out(
    out: str | Path, inputs: Sequence[str | Path | None], beside: Callable[[Path], Iterable[Path]] | None = None
) -> Path:
    """``check_out`` for a page, and for what one command makes beside it."""
    return check_out(out, inputs=inputs, suffixes=SUFFIXES, beside=beside, what="the page", stdout=True)


def write_report(
    motifs: str | Path | MotifsFile,
    out: str | Path,
    genes: str | Path | None = None,
    look_for: Sequence[str] = (),
    named: bool = False,
) -> Path:
    """Write the report of a file of motifs; returns its path.

    Args:
        motifs: file of ``zoo motifs``, or what ``read_motifs`` returned.
        genes: BED6, BED12, GTF or GFF3 for the view of regions.
        look_for: names of known motifs, or bases, of which the head says whether they came out.
        named: whether the first region that the file draws was asked for by name; the view opens on it then.

    Raises:
        InputError: not a file of motifs or of genes. UsageError: the place to write is wrong.
    """
    out = check_page_out(out, [motifs.path if isinstance(motifs, MotifsFile) else motifs, genes])
    with sole_writer(out), replacing(out) as partial:
        partial.write_text(report_text(motifs, genes, look_for, named), encoding="utf-8")
    return out


def report_text(
    motifs: str | Path | MotifsFile,
    genes: str | Path | None = None,
    look_for: Sequence[str] = (),
    named: bool = False,
) -> str:
    """The report of a file of motifs as text, with the model's card if it is on this machine."""
    found = motifs if isinstance(motifs, MotifsFile) else read_motifs(motifs)
    return render(found, find_card(found.run["contributions"]), read_genes(genes) if genes else (), look_for, named)


def render(
    motifs: MotifsFile,
    card: ModelCard | None = None,
    genes: Sequence[Gene] = (),
    look_for: Sequence[str] = (),
    named: bool = False,
) -> str:
    """The page as text."""
    rows = [row_of(motifs, index, name) for index, name in enumerate(grade_patterns(motifs))]
    counted, order = enriched(motifs), order_of(rows)
    views = view_data(motifs, genes, [row.turned for row in rows])
    head = head_of(motifs, rows, card, look_for)
    together: Sequence[list[Partner] | None] = [None] * len(motifs.patterns)
    if motifs.hits is not None:
        together = partners(motifs.hits, len(motifs.patterns), len(motifs.regions))
    return (
        templates()
        .get_template("page.html")
        .render(
            motifs=motifs,
            card=card,
            prose=blocks_of(card.prose) if card else [],
            head=head,
            made=made_of(motifs, card, sys.argv),
            table=table_rows(motifs, rows, counted),
            backgrounds=max((len(row.effect.values) for row in rows if row.effect), default=0),
            sections=[section_of(motifs, i, rows, len(views), counted[i], together[i]) for i in order],
            rule=RULE,
            farthest=FARTHEST,
            views=views,
            genes=bool(genes),
            data=_data(motifs, rows, views, head.units, named),
            files=_files(motifs),
            glyphs=GLYPHS,
            shapes=PATHS,
        )
    )


@cache
def templates() -> Environment:
    """The templates of the page: what they are given is escaped, and a name that is not given is an error."""
    made = Environment(
        loader=PackageLoader("interpret.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    made.filters |= {
        "anchor": _anchor,
        "counted": counted,
        "grouped": _grouped,
        "minus": _minus,
        "number": number,
        "q_text": q_text,
    }
    made.filters |= {"file_name": file_name, "words": _words}
    # Markup: the style and the script are ours, and a browser does not unescape inside of them.
    made.globals["asset"] = lambda name: Markup(made.loader.get_source(made, name)[0])
    return made


def _anchor(name: str) -> str:
    """The id of a pattern's section."""
    return name.replace(".", "-")


def _grouped(value: float) -> str:
    """A whole number with a comma at the thousands."""
    return f"{value:,.0f}"


def _minus(text: str) -> str:
    """With a real minus sign."""
    return text.replace("-", "−")


def _words(text: str) -> str:
    """``pearson_log1p_32bp`` with spaces: where a line may break."""
    return re.sub("_+", " ", text).strip()


def _data(
    motifs: MotifsFile, rows: Sequence[Row], views: list[dict[str, Any]], units: str, named: bool
) -> dict[str, Any]:
    """What the view of regions reads: the views, what to open, and of each pattern the label that it has earned."""
    patterns = [
        {
            "name": row.name.match.motif.name if row.name.known and row.name.match else pattern.short_name,
            "known": row.name.known,
            "raises": pattern.positive,
        }
        for pattern, row in zip(motifs.patterns, rows, strict=True)
    ]
    order = sorted(order_of(rows), key=lambda i: not rows[i].name.known)
    opening = opening_of(views[:1] if named else views, order)
    return {"patterns": patterns, "views": views, "units": units, "opening": vars(opening) if opening else None}


def _files(motifs: MotifsFile) -> dict[str, str]:
    """The files that the page lets its reader save: MEME, TSV and BED."""
    total = sum(len(pattern.seqlets) for pattern in motifs.patterns)
    bed = list(islice(seqlets_bed(motifs), BED_ROWS + 1))
    if total > BED_ROWS:
        bed.insert(
            0, f"# {counted_of(BED_ROWS, total, 'seqlet')}; all are in the .seqlets.bed beside {motifs.path.name}\n"
        )
    texts = {"meme": meme(motifs), "tsv": motifs_tsv(motifs), "bed": bed}
    return {key: "".join(lines) for key, lines in texts.items()}
