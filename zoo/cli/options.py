"""Options that commands share, each written once, in groups that are put on a command as decorators.

A group gives its options in the order in which ``--help`` shows them. The names are those of the keywords of the
Python function that the command calls.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from zoo.errors import UsageError
from zoo.paths import refuse_empty

__all__ = [
    "FilePath",
    "aggregate_option",
    "as_json_option",
    "device_option",
    "edges_option",
    "explain_options",
    "folder_options",
    "force_run_option",
    "format_option",
    "genome_check_options",
    "genome_option",
    "given_options",
    "limit_option",
    "listing_options",
    "model_options",
    "motif_options",
    "no_window_in_bp",
    "options_together",
    "overlap_option",
    "pass_options",
    "quiet_option",
    "rc_average_option",
    "report_window_option",
    "resume_options",
    "run_options",
    "seed_option",
    "set_config_option",
    "strand_options",
    "tracks_option",
    "trust_option",
    "variant_options",
    "window_options",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class FilePath(click.Path):
    """A path of a file or folder. The empty text is refused, of which ``Path`` makes the current folder."""

    def __init__(self, **more: Any) -> None:
        super().__init__(path_type=Path, **more)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A ``Path``.

        Raises:
            UsageError: the empty text.
        """
        option = param.opts[-1] if isinstance(param, click.Option) else ""
        refuse_empty(value, UsageError, option=option, kind="file" if self.file_okay else "folder")
        return super().convert(value, param, ctx)


def _group(*options: Decorator) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


options_together = _group


def given_options(context: click.Context) -> dict[str, Any]:
    """The options that were typed, by name: what was not is left to the defaults of the Python function."""
    default = (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP, None)
    return {name: value for name, value in context.params.items() if context.get_parameter_source(name) not in default}


# ---------------------------------------------------------------- values that several commands read alike


def _names(context: click.Context, parameter: click.Parameter, items: tuple[str, ...]) -> list[str]:
    """Names that are repeated or joined by commas, as one list."""
    names = [name.strip() for item in items for name in item.split(",") if name.strip()]
    if items and not names:
        what = "score" if parameter.name == "score" else "track"
        raise click.BadParameter(f"names no {what} (is a variable of the shell empty?)", context, parameter)
    return names


def _settings(context: click.Context, parameter: click.Parameter, items: tuple[str, ...]) -> dict[str, Any]:
    if not items:
        return {}
    from zoo.models.entry import parse_settings

    return parse_settings(items)


# ---------------------------------------------------------------- regions, genome, model, run

genome_option = click.option(
    "-g",
    "--genome",
    metavar="FASTA",
    help="Genome: a FASTA, plain or compressed, or a name of `zoo genome ls`; default that of the model's card.",
)
genome_check_options = _group(
    click.option("--translate-chroms", is_flag=True, help="Match chromosome names of other styles (chr1, 1, NC_...)."),
    click.option("--any-genome", is_flag=True, help="Accept a FASTA that is not the assembly of the model's card."),
)
WINDOWS = ["center", "summit", "tile"]
edges_option = click.option(
    "--edges",
    type=click.Choice(["pad", "skip", "error"]),
    default="pad",
    show_default=True,
    help="Windows that pass the end of their chromosome: pad with N, skip them, or stop.",
)
strand_options = _group(
    edges_option,
    click.option(
        "--strand",
        type=click.Choice(["auto", "use", "ignore"]),
        default="auto",
        show_default=True,
        help="Whether regions on '-' are reverse-complemented; auto does what the model's dataloader does.",
    ),
)
window_options = _group(
    click.option(
        "--window",
        type=click.Choice(WINDOWS),
        default="center",
        show_default=True,
        help="One window centred on each region or on its summit (column 10 of a narrowPeak), or as many as cover it.",
    ),
    click.option(
        "--stride",
        type=click.IntRange(min=1),
        metavar="BP",
        help="Distance between tiles; default the length that the model predicts.",
    ),
    strand_options,
)
overlap_option = click.option(
    "--overlap",
    type=click.Choice(["mean", "max", "error"]),
    default="mean",
    show_default=True,
    help="Value where windows overlap in a bigWig or bedGraph; error refuses overlaps.",
)
aggregate_option = click.option(
    "--aggregate",
    type=click.Choice(["mean", "sum", "max"]),
    help="How a BED makes one value of the bins in a region: mean over bases (default), sum of bins, max.",
)
rc_average_option = click.option("--rc-average", is_flag=True, help="Average with the prediction for the other strand.")
tracks_option = click.option(
    "--tracks",
    multiple=True,
    callback=_names,
    metavar="NAME",
    help="Only these tracks: name, glob or number (0, 3-7); may be repeated or joined by commas.",
)
trust_option = click.option(
    "--trust", is_flag=True, help="Run Python files of a model folder that is not bundled with the zoo."
)
model_options = _group(
    trust_option,
    click.option(
        "--set",
        "settings",
        multiple=True,
        callback=_settings,
        metavar="NAME=VALUE",
        help="An argument of the model's dataloader; the value is YAML; may be repeated.",
    ),
)
device_option = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda|mps", help="Where to run."
)
limit_option = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N regions.")
pass_options = _group(
    device_option,
    click.option("--batch-size", default="auto", show_default=True, metavar="N", help="Windows in one forward pass."),
    click.option(
        "--precision",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        default="float32",
        show_default=True,
        help="Number format in which the model computes.",
    ),
)
run_options = _group(pass_options, limit_option)
resume_options = _group(
    click.option("--resume", is_flag=True, help="Continue an interrupted run of the same command."),
    click.option("--dry-run", is_flag=True, help="Check everything and say what would be done; write nothing."),
)
format_option = click.option("--format", metavar="FORMAT", help="Output format, where the suffix does not tell.")

# ---------------------------------------------------------------- variants


def _scores(context: click.Context, parameter: click.Parameter, items: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_names(context, parameter, items))


def _shifts(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of whole numbers such as -8,0,8", context, parameter) from None


def _number_or_file(context: click.Context, parameter: click.Parameter, text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


variant_options = _group(
    click.option("--regions", metavar="CHR:A-B|BED", help="Only variants in these, found by the index of the VCF."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows."),
    click.option(
        "--ref-mismatch",
        type=click.Choice(["stop", "skip", "as-given"]),
        default="stop",
        show_default=True,
        help="Rows whose REF is not the genome's: stop, give them a status, or write REF into the genome.",
    ),
    click.option("--normalise", is_flag=True, help="Move insertions and deletions as far left as they go."),
    click.option(
        "--max-length", type=click.IntRange(min=1), metavar="BP", help="Score no allele that changes more bases."
    ),
    click.option(
        "--saturate", metavar="BED", help="In place of VARIANTS: all substitutions of these loci, a window a locus."
    ),
    click.option(
        "--score",
        multiple=True,
        callback=_scores,
        metavar="NAME",
        help="diff, log2fc, logit, l2, jsd, max, ref, alt or active; may be repeated or joined by commas; default what "
        "fits the output.",
    ),
    click.option("--span", type=click.IntRange(min=1), metavar="BP", help="Score the bins in so many bp around it."),
    click.option(
        "--genes",
        metavar="FILE",
        help="GTF or BED12: a row for each gene that a variant is in, scored over its exons.",
    ),
    click.option("--splicing", is_flag=True, help="Gain and loss of splice sites, as SpliceAI writes them."),
    click.option(
        "--distance",
        type=click.IntRange(min=0),
        default=50,
        show_default=True,
        metavar="BP",
        help="How far from a variant splice sites are looked for.",
    ),
    click.option("--mask", is_flag=True, help="No gain of sites that are annotated, no loss of others."),
    click.option(
        "--background",
        callback=_number_or_file,
        metavar="N|VCF",
        help="Also quantile, p and q among N variants of the same kind on shuffled flanks, or those of a VCF.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Seed of the shuffled flanks of --background.",
    ),
    click.option("--haplotypes", metavar="SAMPLE", help="Score the phased variants of a window together, too."),
    click.option(
        "--anchor",
        type=click.Choice(["center", "left"]),
        default="center",
        show_default=True,
        help="The base of a window of even length at which a variant stands; left as gReLU, Borzoi and kipoi-veff2.",
    ),
    click.option(
        "--refill",
        type=click.Choice(["right", "left", "both"]),
        default="right",
        show_default=True,
        help="The end at which a window of ALT is refilled or cut; both averages.",
    ),
    click.option(
        "--shifts",
        default="0",
        callback=_shifts,
        metavar="BP,BP,...",
        help="Average predictions of windows that are moved by so much, as in -8,0,8.",
    ),
    click.option(
        "--share-window",
        type=click.IntRange(min=1),
        metavar="BP",
        help="One window for neighbouring variants within so many bp, off its centre.",
    ),
    click.option("--prefix", metavar="NAME", help="What added INFO fields are called; default the model's name."),
    click.option("--store", metavar="DIR", help="Keep scores here, so that no variant is scored twice."),
)

# ---------------------------------------------------------------- contributions and motifs

seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the shuffles; TF-MoDISco has a seed of its own.",
)
explain_options = _group(
    click.option(
        "--method",
        default="deepliftshap",
        show_default=True,
        metavar="METHOD",
        help="deepliftshap, integrated_gradients, ism, ablation or inputxgradient; `zoo attribute` also knows "
        "saliency and marginalize.",
    ),
    click.option("--output", metavar="NAME", help="The output of the model to explain."),
    click.option(
        "--tracks",
        multiple=True,
        callback=_names,
        metavar="NAME",
        help="Tracks to explain, as their sum: name, glob or number; may be repeated or joined by commas.",
    ),
    click.option("--bins", metavar="A:B", help="Bins A to B-1 of the output, counted from 0; default all."),
    click.option(
        "--reduce",
        type=click.Choice(["sum", "max", "profile"]),
        default="sum",
        show_default=True,
        help="How bins become one number; profile weights them as BPNet does.",
    ),
    click.option(
        "--explain",
        type=click.Choice(["logits", "predictions"]),
        default="logits",
        show_default=True,
        help="Explain what enters the model's last activation, or what leaves it.",
    ),
    click.option(
        "--references",
        default="20",
        show_default=True,
        metavar="N|uniform|zeros|FILE.npz",
        help="What windows are compared with: N dinucleotide shuffles of each, or other references.",
    ),
    click.option("--rc-average", is_flag=True, help="Average with the contributions on the other strand."),
    click.option(
        "--fallback",
        type=click.Choice(["ism", "integrated_gradients"]),
        help="Method to use where deepliftshap has no rule for an operation of the model.",
    ),
    click.option("--allow-incomplete", is_flag=True, help="Keep contributions that do not add up."),
)
motif_options = _group(
    click.option(
        "--database",
        default="jaspar",
        show_default=True,
        metavar="NAME|FILE",
        help="Known motifs: jaspar, jaspar:TAXON (fungi, vertebrates, plants, ...), hocomoco-v12, hocomoco-v13, "
        "or a MEME file.",
    ),
    click.option(
        "--central",
        type=click.IntRange(min=1),
        metavar="BP",
        help="Look for motifs in the central BP of each window; default all of it.",
    ),
    click.option(
        "--max-seqlets",
        type=click.IntRange(min=1),
        metavar="N",
        help="At most N seqlets of each sign, the first in the file; default 20,000.",
    ),
    click.option(
        "--seqlet-fdr",
        type=click.FloatRange(0, 1, min_open=True),
        metavar="P",
        help="False discovery rate of seqlets; default 0.05.",
    ),
    click.option(
        "--modisco",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any other option of TF-MoDISco (n_leiden_runs=50); may be repeated.",
    ),
    click.option(
        "--hits/--no-hits", default=True, show_default=True, help="Find every instance of the patterns in the windows."
    ),
    click.option(
        "--effects/--no-effects",
        default=True,
        show_default=True,
        help="Measure what each pattern does when the model sees it inserted into background sequences.",
    ),
    click.option(
        "--region",
        multiple=True,
        metavar="NAME|CHROM:START-END",
        help="A region that the report must draw, and opens on; may be repeated.",
    ),
)


def _answer_window(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    from zoo.doctor import check_import_names

    check_import_names()
    from interpret.contribs.central import no_such_window

    raise no_such_window(value)


class _OneWindow(click.Choice):
    """How windows are laid, where each region has one; the rest is answered as above."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in ("center", "summit"):
            _answer_window(ctx, param, value)
        return super().convert(value, param, ctx)


#: ``--window 500`` of earlier versions: answered with what it is called now.
no_window_in_bp = click.option("--window", hidden=True, expose_value=False, callback=_answer_window)
#: A report has one window a region, and answers all else as above.
report_window_option = click.option(
    "--window",
    default="center",
    show_default=True,
    type=_OneWindow(WINDOWS),
    metavar="center|summit",
    help="One window centred on each region, or on its summit (column 10 of a narrowPeak).",
)

# ---------------------------------------------------------------- fine-tuning

force_run_option = click.option("--force", is_flag=True, help="Replace an older run.")

set_config_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of CONFIG, as in --set train.lr=1e-4; may be repeated.",
)

# ---------------------------------------------------------------- a draft of an entry

folder_options = _group(
    click.option(
        "-o",
        "--out",
        type=FilePath(file_okay=False),
        metavar="DIR",
        show_default="model_cards, where there is one",
        help="Folder in which the folder NAME is made.",
    ),
    click.option(
        "-g",
        "--genome",
        type=FilePath(),
        metavar="FASTA",
        help="Genome that the example is cut from, with --regions; without them it is random sequence.",
    ),
    click.option(
        "--regions",
        type=FilePath(),
        metavar="BED",
        help="Regions of the example; the first few are used.",
    ),
    click.option("--force", is_flag=True, help="Replace an existing entry of that name."),
)

# ---------------------------------------------------------------- for any command

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print all facts as JSON.")
listing_options = _group(
    click.option("--all", is_flag=True, help="On a terminal: leave nothing out."),
    click.option("--plain", is_flag=True, help="Tab-separated lines, as in a pipe."),
    as_json_option,
)
quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="No notes and no progress; only what a licence forbids or asks for.",
)
