"""What may be typed next: models, tracks, genomes, results and the rest, by the names of parameters.

A command needs nothing for it: a parameter called ``model`` is completed with models wherever it stands. All of it
reads the index and file names alone, since a shell asks at each TAB; what goes wrong completes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

__all__ = ["COMPLETERS", "RESULTS", "add_completers"]

#: Formats that a command writes, as suffixes; the first stands for what most people want.
RESULTS = {
    "predict": (".tsv", ".tsv.gz", ".bed", ".bedgraph", ".bw", ".h5", ".zarr", ".parquet"),
    "variants": (".tsv", ".tsv.gz", ".vcf", ".vcf.gz", ".bcf", ".parquet", ".h5"),
    "attribute": (".h5", ".npz", ".bw", ".tsv"),
    "motifs": (".h5",),
    "report": (".html",),
    "evaluate": (".html",),
    "convert": (".safetensors", ".pth"),
}
FASTA = (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz", ".fna.gz", ".fa.bgz")
REGIONS = (".bed", ".bed.gz", ".narrowPeak", ".narrowPeak.gz", ".broadPeak", ".gff", ".tsv")
VARIANTS = (".vcf", ".vcf.gz", ".bcf", ".tsv", ".tsv.gz")
SCORES = ("diff", "log2fc", "logit", "l2", "jsd", "max", "ref", "alt", "active")
METHODS = (
    *("deepliftshap", "integrated_gradients", "ism", "ablation", "inputxgradient"),
    *("saliency", "marginalize"),
)
DATABASES = ("jaspar", "jaspar:fungi", "jaspar:vertebrates", "jaspar:plants", "hocomoco-v12", "hocomoco-v13")
SHOWN = 2000  # more are no help

Values = Iterable[str]
Completer = Callable[[click.Context, str], Values]


def _models(context: click.Context, typed: str) -> Iterator[str]:
    """Names of models, with versions once ``@`` is typed; a group of many up to its ``/``."""
    from zoo.store.registry import entries
    from zoo.store.sources import sources

    bare, at, _ = typed.partition("@")
    first = typed.partition("/")[0]
    for source in sources():
        if source.startswith(typed):
            yield f"{source}/"
    where = first if "/" in typed and (first == "grelu" or first in sources()) else None
    for one in entries(where):
        name, group = one["name"], one.get("group")
        if at:
            if name == bare and one.get("version"):
                yield f"{name}@{one['version']}"
        elif group and not typed.startswith(f"{group}/"):
            yield f"{group}/"
        else:
            yield name


def _tracks(context: click.Context, typed: str) -> Iterator[str]:
    """Tracks and outputs of the model that stands before; of several joined by commas the last is completed."""
    from zoo.store.registry import info

    model = context.params.get("model") or next(iter(context.params.get("source") or ()), None)
    if not model:
        return
    before = typed[: typed.rfind(",") + 1]
    outputs = info(model)["outputs"]
    for out in outputs:
        yield from (f"{before}{name}" for name in out["tracks"])
        if len(outputs) > 1:
            yield f"{before}{out['name']}/"


def _outputs(context: click.Context, typed: str) -> Values:
    from zoo.store.registry import info

    model = context.params.get("model")
    return [out["name"] for out in info(model)["outputs"]] if model else ()


def _genomes(context: click.Context, typed: str) -> Iterator[str]:
    """Assemblies by name, and FASTA files."""
    yield from _assemblies(context, typed)
    yield from _files(FASTA, context, typed)


def _assemblies(context: click.Context, typed: str) -> Values:
    from zoo.genome.assembly import known_assemblies

    return known_assemblies()


def _kept_genomes(context: click.Context, typed: str) -> list[str]:
    from zoo.genome.library import genomes

    return [one.assembly for one in genomes()]


def _files(suffixes: tuple[str, ...], context: click.Context, typed: str) -> Iterator[str]:
    """Files with one of the suffixes, and folders, beside what was typed."""
    folder, begun = os.path.split(typed)
    place = os.path.expanduser(folder) or "."
    if os.path.isdir(place):
        for one in sorted(os.scandir(place), key=lambda found: found.name):
            if one.name.startswith(begun) and (begun.startswith(".") or not one.name.startswith(".")):
                path = os.path.join(folder, one.name)
                if one.is_dir():
                    yield f"{path}/"
                elif one.name.lower().endswith(tuple(map(str.lower, suffixes))):
                    yield path


def _model_or_file(context: click.Context, typed: str) -> Iterator[str]:
    if not typed.startswith((".", "/", "~")):
        yield from _models(context, typed)
    yield from _files((".ckpt", ".h5", ".keras"), context, typed) if typed else ()


def _sources_of_report(context: click.Context, typed: str) -> Iterator[str]:
    """Of `zoo report`: files of motifs, or a model and then its regions."""
    given = context.params.get("source") or ()
    yield from _files((".h5",) if not given else (".h5", *REGIONS), context, typed)
    if not given:
        yield from _models(context, typed)


def _result(context: click.Context, typed: str) -> Values:
    """What was typed with each suffix that the command writes."""
    suffixes = RESULTS.get(context.info_name or "", ())
    stem = typed
    for suffix in sorted(suffixes, key=len, reverse=True):
        whole = next((suffix[:n] for n in range(len(suffix), 0, -1) if typed.endswith(suffix[:n])), "")
        if whole and len(typed) > len(whole):
            stem = typed.removesuffix(whole)
            break
    if not os.path.basename(stem):
        stem += Path(str(context.params.get("regions") or context.params.get("variants") or "result")).name.partition(
            "."
        )[0]
    return [f"{stem}{suffix}" for suffix in suffixes]


def _formats(context: click.Context, typed: str) -> Values:
    return [suffix.lstrip(".") for suffix in RESULTS.get(context.info_name or "", ())]


def _source_names(context: click.Context, typed: str) -> Values:
    from zoo.store.sources import sources

    return ["bundled", "grelu", "all", *sources()]


def _settled(values: Values) -> Completer:
    return lambda context, typed: values


#: Name of a parameter -> what may stand there.
COMPLETERS: dict[str, Completer] = {
    "model": _model_or_file,
    "models": _model_or_file,
    "group": _models,
    "tracks": _tracks,
    "output": _outputs,
    "genome": _genomes,
    "assembly": _assemblies,
    "regions": partial(_files, REGIONS),
    "variants": partial(_files, VARIANTS),
    "saturate": partial(_files, REGIONS),
    "background": partial(_files, VARIANTS),
    "score": _settled(SCORES),
    "config": partial(_files, (".yaml", ".yml")),
    "contribs": partial(_files, (".h5",)),
    "genes": partial(_files, (".bed", ".gtf", ".gff", ".gff3", ".bed.gz", ".gtf.gz", ".gff3.gz")),
    "out": _result,
    "format": _formats,
    "device": _settled(("auto", "cpu", "cuda", "mps")),
    "method": _settled(METHODS),
    "database": _settled(DATABASES),
    "references": _settled(("20", "uniform", "zeros")),
}
#: The same of one command.
OF_COMMAND = {
    ("report", "source"): _sources_of_report,
    ("list", "source"): _source_names,
    ("search", "source"): _source_names,
    ("path", "assembly"): _kept_genomes,
    ("remove", "assembly"): _kept_genomes,
    ("update", "names"): lambda context, typed: [*_source_names(context, typed)][3:],
    ("remove", "name"): lambda context, typed: [*_source_names(context, typed)][3:],
}
#: Where files that no completer knows may stand, too.
FILES = (
    "model",
    "models",
    "genome",
    "regions",
    "variants",
    "config",
    "contribs",
    "genes",
    "source",
    "file",
    "paths",
    "folder",
)


def add_completers(command: click.Command) -> None:
    """Let the parameters of a command be completed; what has an own way keeps it, as choices do."""
    for one in command.params:
        own = OF_COMMAND.get((command.name, one.name)) or COMPLETERS.get(one.name or "")
        settled = one._custom_shell_complete is not None or isinstance(one.type, click.Choice | click.Path)
        if not settled and (own or one.name in FILES):
            one._custom_shell_complete = partial(_complete, own)


def _complete(
    values: Callable[[click.Context, str], Values] | None,
    context: click.Context,
    parameter: click.Parameter,
    typed: str,
) -> list[CompletionItem[Any]]:
    try:
        found = dict.fromkeys(one for one in values(context, typed) if one.startswith(typed)) if values else {}
    except Exception:  # a broken index or folder is said by the command itself, not at a TAB
        found = {}
    if not found and parameter.name in FILES:
        return [CompletionItem(typed, type="file")]
    return [CompletionItem(one) for one in list(found)[:SHOWN]]
