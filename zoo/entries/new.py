"""``new``: a complete draft of an entry, from a module, a Keras file, a checkpoint, a folder or a Hugging Face repo."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.cards.kipoi_layout import shape_text
from zoo.cards.yaml_lines import component_file
from zoo.entries.add import checkpoint_in, copy_entry, entry_of_checkpoint, locate, target_of, with_exported_card
from zoo.entries.draft import MARK, Mark, draft_text, mark_yaml, open_marks
from zoo.entries.example import KEEP, Example, cut_example, random_example
from zoo.entries.own_module import TriedOutput, names_a_module, read_module, try_module
from zoo.entries.writer import EntryFiles, EntryText, finish_folder, new_folder, write_entry
from zoo.errors import UsageError
from zoo.genome.assembly import chrom_style, guess_assembly, load_assembly
from zoo.genome.fasta import open_genome
from zoo.models.entry import open_entry, with_settings
from zoo.models.file_model import describe_file
from zoo.models.load import load_entry
from zoo.models.sequence_loader import given_length
from zoo.results import replacing_folder
from zoo.words import counted

__all__ = ["Ask", "Draft", "Facts", "new"]

#: Asks a question of a person: ``(question, choices)`` -> the answer, empty where there is none.
Ask = Callable[[str, Sequence[str]], str]

AXES = ("4xL", "Lx4")
KERAS = (".h5", ".hdf5", ".keras")


@dataclass(frozen=True)
class Draft:
    """What was written: the entry's folder, and the lines that somebody must still write."""

    folder: Path
    marks: list[Mark]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the user says of the model; what is None is asked, or marked in the card.

    Attributes:
        length: bp of the window. axes: ``4xL`` or ``Lx4``, the order of the input's axes.
        output: name of the output, where the module gives none. tracks: in channel order. units: of the output.
        bin_size, offset: bp, of a profile.
        summary: one sentence. authors: names. licence: SPDX identifier of the weights' licence.
        assembly: that the model was trained on.
        train, validation, test: chromosomes.
    """

    length: int | None = None
    axes: str | None = None
    output: str | None = None
    tracks: tuple[str, ...] = ()
    units: str | None = None
    bin_size: int | None = None
    offset: int | None = None
    summary: str | None = None
    authors: tuple[str, ...] = ()
    licence: str | None = None
    assembly: str | None = None
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


def new(
    name: str,
    source: str | Path | None = None,
    *,
    weights: str | Path | None = None,
    out: str | Path | None = None,
    genome: str | Path | None = None,
    regions: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    ask: Ask | None = None,
    report: Callable[[str], None] | None = None,
    **facts: Any,
) -> Draft:
    """Write the entry ``out/name``: YAML, card with a comment at every key, module, weights, example, checksums.

    Args:
        source: ``MODULE.py:Class``, which is imported and run; a Keras ``.h5`` or ``.keras``, a gReLU ``.ckpt``, a
            folder with ``model.yaml`` or a checkpoint, or ``hf://org/repo[@rev][/file]``, of which nothing is run.
            Where it is None it is asked for.
        weights: of the module: a state dict of ``torch.save``, or safetensors; read as data.
        out: folder of the entry's folder; ``model_cards`` of the current folder, else the current folder.
        genome, regions: FASTA and BED that the example is cut from; without them it is random sequence.
        settings: arguments that the class is built with.
        force: replace an entry of that name.
        ask: asks what ``facts`` lack; None where nobody can answer.
        report: takes notes.
        **facts: of ``Facts``.

    Raises:
        UsageError: a name that cannot be one, or that is taken; a fact that is needed and not given.
        ModelError: the source cannot be used. InputError: genome or regions cannot.
    """
    known = Facts(**{key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()})
    if source is None and ask is not None:
        question = "Made from what: MODULE.py:Class, .h5, .keras, .ckpt, a folder, hf://org/repo?"
        source = _answer(ask, report, question, _source)
        if names_a_module(source) and weights is None:
            weights = _answer(ask, report, "Its weights (a state dict, or safetensors)?", _file)
    out = Path(out) if out is not None else Path("model_cards") if Path("model_cards").is_dir() else Path(".")
    target = target_of(name, out, force, [source, weights, genome, regions])
    place = _Place(name, target, genome, regions, report or (lambda _: None), ask)
    with replacing_folder(target) as made:
        _made(source, weights, dict(settings or {}), known, place, made.parent / name).rename(made)
    return Draft(target, open_marks(target))


def _answer(ask: Ask, report: Callable[[str], None] | None, question: str, read: Callable[[str], Any]) -> Any:
    """What ``read`` makes of an answer; one that it refuses is asked again."""
    while True:
        text = ask(question, ())
        try:
            return read(text)
        except UsageError as error:
            if report is not None:
                report("; ".join(part for part in (error.what, error.extent, error.fix) if part))


def _file(text: str) -> str | None:
    """A file; None for an empty answer: a module may have no weights, and one that has says so."""
    if text and not Path(text).is_file():
        raise UsageError(f"{text}: is no file")
    return text or None


def _source(text: str) -> str:
    if not text.startswith("hf://"):
        path = Path(text.rpartition(":")[0] if names_a_module(text) else text)
        if not text or not path.exists():
            raise UsageError(f"{path if text else 'an empty answer'}: is no file or folder")
    return text


@dataclass(frozen=True)
class _Place:
    """Where the entry will lie, what its example is cut from, and who is told or asked."""

    name: str
    target: Path
    genome: str | Path | None
    regions: str | Path | None
    report: Callable[[str], None]
    ask: Ask | None

    def card_text(self, front: dict[str, Any], prose: str, _: Path) -> str:
        return draft_text(front, prose, self.target)

    def example(self, length: int) -> Example:
        """Windows of the genome at the regions; random sequence without them."""
        if (self.genome is None) != (self.regions is None):
            fix = "Fix: give -g FASTA and --regions BED, or neither"
            raise UsageError("an example needs both a genome and regions", "", fix)
        if self.genome is None:
            self.report("the example is random sequence: -g FASTA --regions BED cut it from a genome")
            return random_example(length)
        return cut_example(Path(self.genome), Path(self.regions), length)

    def assembly(self, given: str | None) -> dict[str, str]:
        """``genome`` of the card: as given, or as the lengths of the FASTA's chromosomes say; empty where neither."""
        if self.genome is None:
            return {"assembly": given, "chrom_style": "ucsc"} if given else {}
        sizes = open_genome(self.genome).sizes
        found, style = guess_assembly(sizes), chrom_style(sizes)
        meant = load_assembly(given) if given else None
        if found and meant is not None and meant.name != found:
            raise UsageError(
                f"--assembly {given}: the chromosomes of {self.genome} have the lengths of {found}",
                "",
                f"Fix: --assembly {found}, or another FASTA",
            )
        style = style if style != "unknown" else "ucsc"
        return {"assembly": given or found, "chrom_style": style} if given or found else {}

    def number(self, question: str, flag: str, least: int = 1) -> int:
        """Ask for a number of bp."""
        return _answer(self.ask, self.report, question, lambda text: _number(text, flag, least))

    def of_genome(self, splits: dict[str, list[str]]) -> dict[str, list[str]]:
        """The splits, once it is seen that the FASTA has their chromosomes."""
        sizes = {} if self.genome is None else open_genome(self.genome).sizes
        unknown = [chrom for chroms in splits.values() for chrom in chroms if sizes and chrom not in sizes]
        if unknown:
            raise UsageError(
                f"--train-chroms, --validation-chroms and --test-chroms name {', '.join(unknown[:4])}",
                f"{self.genome} has {', '.join(list(sizes)[:4])}, ...",
                "Fix: names as in the FASTA",
            )
        return splits


def _made(
    source: str | Path | None, weights: Any, settings: dict[str, Any], facts: Facts, place: _Place, into: Path
) -> Path:
    """The entry in a scratch folder."""
    if source is None:
        raise _nothing_to_draft()
    if names_a_module(str(source)):
        entry = _of_module(str(source), None if weights is None else Path(weights), settings, facts, place)
        return _marked(write_entry(entry, into.parent))
    if weights is not None or settings:
        option = "--weights" if weights is not None else "--set"
        raise UsageError(f"{option} is for MODULE.py:Class", f"and the source is {source}", f"Fix: leave out {option}")
    path, origin = locate(source)
    if path.is_file() and path.suffix.lower() in KERAS:
        return _marked(_of_keras(path, origin, facts, place, into.parent))
    return _of_others(path, origin, facts, place, into)


def _nothing_to_draft() -> UsageError:
    return UsageError(
        "--from is missing: a draft is made of a model",
        "",
        "Fix: --from MODULE.py:Class --weights FILE, a Keras .h5 or .keras, a gReLU .ckpt, a folder with model.yaml, "
        "or hf://org/repo",
    )


def _marked(folder: Path) -> Path:
    mark_yaml(folder / "model.yaml")
    return folder


# ---------------------------------------------------------------- a module of the user's


def _of_module(source: str, weights: Path | None, settings: dict[str, Any], facts: Facts, place: _Place) -> EntryFiles:
    length, axes = _window(facts, place)
    place.report(f"running {source}: its file is imported, built and tried on windows of {length:,} bp")
    own = read_module(source, weights, settings)
    tried = try_module(own, length, axes)
    outputs = _outputs(tried, facts, length, place)
    example = place.example(length)
    return EntryFiles(
        name=place.name,
        module_source=own.path,
        module_class=own.name,
        module_kwargs=own.kwargs,
        state=own.module.state_dict(),
        length=length,
        targets=_targets(outputs, tried),
        info=_info(facts, place.ask, outputs, own.name),
        card=_card(facts, place, outputs, length),
        prose=_prose(outputs, f"`{own.name}` of {own.path.name}", example.origin),
        fasta=example.fasta,
        bed=example.bed,
        alphabet_axis=AXES.index(axes),
        pip=own.packages,
        keep=KEEP,
        card_text=place.card_text,
    )


def _window(facts: Facts, place: _Place) -> tuple[int, str]:
    """Length and axes of the input, which no module tells by itself."""
    length, axes = facts.length, facts.axes
    if place.ask is not None:
        length = length or place.number("Length of the input in bp?", "--length")
        axes = axes or place.ask("Axes of the input: (4, length) or (length, 4)?", AXES)
    lacking = [flag for flag, value in (("--length BP", length), ("--axes 4xL|Lx4", axes)) if not value]
    if lacking:
        raise UsageError(
            "the input of a module is not known by itself",
            f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing; "
            "4xL means windows of (4, length), Lx4 of (length, 4)",
            f"Fix: add {' '.join(lacking)}",
        )
    if axes not in AXES:
        raise UsageError(f"--axes {axes}: is not known", "", f"Fix: one of {', '.join(AXES)}")
    return _number(length, "--length"), axes


def _number(value: Any, flag: str, least: int = 1) -> int:
    text = str(value).replace(",", "").replace("_", "").strip()
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"{flag} {value or '(nothing)'}: is no number of bp", "", f"Fix: e.g. {flag} 1000")
    return int(text)


def _outputs(tried: list[TriedOutput], facts: Facts, length: int, place: _Place) -> list[dict[str, Any]]:
    """``outputs`` of the card."""
    several = len(tried) > 1
    if several and (facts.tracks or facts.output or facts.units):
        names = ", ".join(one.name for one in tried)
        raise UsageError(
            f"--output, --tracks and --units are of one output, and the model has {len(tried)}",
            names,
            "Fix: leave them out, and write them into the card",
        )
    outputs = []
    for one in tried:
        profile = len(one.shape) == 2
        made: dict[str, Any] = {
            "name": facts.output or one.name or "prediction",
            "kind": "profile" if profile else "scalar",
        }
        made["tracks"] = _tracks(one, made["name"], facts.tracks, place)
        if profile:
            made |= _bins(one, facts, length, place, made["name"])
        units = facts.units or (place.ask(f"Units of {made['name']}? (empty: later)", ()) if place.ask else "")
        made["units"] = units or f"{MARK}: what a value of {made['name']} counts or measures"
        outputs.append(made)
    return outputs


def _tracks(one: TriedOutput, name: str, given: tuple[str, ...], place: _Place) -> list[str]:
    n = one.shape[0]
    if given:
        return _named(one, name, given)
    if place.ask is not None:
        question = f"Names of the {counted(n, 'track')} of {name}, with commas? (empty: later)"
        return _answer(place.ask, place.report, question, lambda text: _named(one, name, _listed(text)))
    return _named(one, name, ())


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _named(one: TriedOutput, name: str, given: tuple[str, ...]) -> list[str]:
    """The names, once it is seen that they fit; marks where there are none."""
    n = one.shape[0]
    if not given:
        return [f"{MARK}_name_of_track_{i}" for i in range(n)]
    if len(given) != n:
        turned = len(one.shape) == 2 and one.shape[1] == len(given)
        raise UsageError(
            f"--tracks names {len(given):,}, and the model gives {n:,} of {name}",
            f"its shape after the windows is {one.shape}",
            "Fix: let forward return (windows, tracks, bins), not (windows, bins, tracks)"
            if turned
            else "Fix: one name a track, in channel order",
        )
    if len(set(given)) != n:
        raise UsageError(f"--tracks names a track twice: {', '.join(given)}", "", "Fix: names are unique")
    return list(given)


def _bins(one: TriedOutput, facts: Facts, length: int, place: _Place, name: str) -> dict[str, int]:
    """Size and place of the bins of a profile, which no shape tells."""
    size, offset, n = facts.bin_size, facts.offset, one.shape[1]
    if place.ask is not None and (size is None or offset is None):
        return _asked_bins(size, offset, n, length, place, name)
    lacking = [flag for flag, value in (("--bin-size BP", size), ("--offset BP", offset)) if value is None]
    if lacking:
        raise UsageError(
            f"{name} is a profile of {n:,} bins in a window of {length:,} bp: where they lie is not known by itself",
            f"{' and '.join(lacking)} missing; the offset is from the window's start to the start of the first bin",
            f"Fix: add {' '.join(lacking)}",
        )
    return _fitting(size, offset, n, length, name)


def _asked_bins(size: int | None, offset: int | None, n: int, length: int, place: _Place, name: str) -> dict[str, int]:
    """Asks for what is missing, until the bins lie in the window."""
    _fitting(size or 1, offset or 0, n, length, name)  # else no answer would do
    while True:
        one = size or place.number(f"{name} has {n:,} bins: of how many bp each?", "--bin-size")
        start = offset
        if start is None:
            start = place.number("Where does the first begin, in bp from the window's start?", "--offset", 0)
        try:
            return _fitting(one, start, n, length, name)
        except UsageError as error:
            place.report("; ".join((error.what, error.extent)))


def _fitting(size: int, offset: int, n: int, length: int, name: str) -> dict[str, int]:
    if offset + n * size > length:
        raise UsageError(
            f"{name}: {n:,} bins of {size:,} bp from base {offset:,} end past the window of {length:,} bp",
            f"{offset:,} + {n:,} x {size:,} = {offset + n * size:,}",
            "Fix: correct --bin-size or --offset; a profile is (windows, tracks, bins)",
        )
    return {"bin_size": size, "offset": offset}


def _targets(outputs: list[dict[str, Any]], tried: list[TriedOutput]) -> Any:
    """``schema.targets`` of model.yaml."""
    made = [
        {"name": out["name"], "shape": str(one.shape), "doc": "one row a track, see the card"}
        for out, one in zip(outputs, tried, strict=True)
    ]
    return made[0] if len(made) == 1 else {one["name"]: one for one in made}


# ---------------------------------------------------------------- a Keras file


def _of_keras(path: Path, origin: str, facts: Facts, place: _Place, scratch: Path) -> Path:
    entry = open_entry(path)
    if facts.axes is not None:
        raise UsageError("--axes is for MODULE.py:Class", "a Keras file says its axes", "Fix: leave it out")
    if facts.length is not None:
        entry = with_settings(entry, {"auto_resize_len": facts.length})
    elif not isinstance(given_length(entry.description.loader.args, entry.description), int):
        if place.ask is None:
            raise UsageError(f"{path}: takes windows of any length", "", "Fix: add --length BP")
        asked = place.number("Length of the input in bp?", "--length")
        entry = with_settings(entry, {"auto_resize_len": asked})
    loaded = load_entry(entry)
    tried = [
        TriedOutput(spec.name, (len(spec.tracks), spec.n_bins) if spec.kind == "profile" else (len(spec.tracks),))
        for spec in loaded.outputs
    ]
    outputs = _outputs(tried, facts, loaded.length, place)
    targets = [  # Keras has channels last: a profile is (bins, tracks)
        {"name": out["name"], "shape": shape_text(one.shape[::-1]), "doc": "see the card"}
        for out, one in zip(outputs, tried, strict=True)
    ]
    example = place.example(loaded.length)
    file = f"model{path.suffix.lower()}"
    text = EntryText(
        name=place.name,
        length=loaded.length,
        targets=targets[0] if len(targets) == 1 else targets,
        info=_info(facts, place.ask, outputs, "a Keras model"),
        card=_card(facts, place, outputs, loaded.length),
        prose=_prose(outputs, origin, example.origin),
        fasta=example.fasta,
        bed=example.bed,
        alphabet_axis=int(bool(entry.description.loader.args.get("alphabet_axis", 1))),
        keep=KEEP,
        card_text=place.card_text,
    )
    folder = new_folder(text, scratch)
    shutil.copyfile(path, folder / file)
    return finish_folder(
        text,
        folder,
        [file],
        defined_as="kipoi.model.KerasModel",
        args={"weights": file},
        dependencies={"conda": ["python>=3.11"], "pip": ["tensorflow", "kipoiseq", "pybedtools"]},
    )


# ---------------------------------------------------------------- a checkpoint of gReLU, a folder, a repo

ONLY_MODULES = ("length", "axes", "output", "tracks", "bin_size", "offset")


def _of_others(path: Path, origin: str, facts: Facts, place: _Place, into: Path) -> Path:
    if given := [name for name in ONLY_MODULES if getattr(facts, name) not in (None, ())]:
        flag = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"{flag}: {origin} says it itself", "", f"Fix: leave out {flag}, and correct the card after")
    if path.is_file() and path.name in ("model.yaml", "model.yml"):
        path = path.parent
    if path.is_dir() and component_file(path, "model") is not None:
        from zoo.entries.loadable import check_loadable

        check_loadable(path)
        if facts != Facts():
            place.report("model.yaml and card are taken as they are: correct them in the new folder")
        return copy_entry(path, into, place.name)
    if path.is_file() and path.suffix.lower() != ".ckpt":
        describe_file(path)  # of what is no model, it says what to do instead
    file = checkpoint_in(path) if path.is_dir() else path
    entry = entry_of_checkpoint(file, place.name, origin, place.genome, place.regions)
    entry = with_exported_card(entry, path) if path.is_dir() else entry
    card = dict(entry.card)
    if facts.summary:
        card["summary"] = facts.summary
    if facts.units:
        card["outputs"] = [output | {"units": facts.units} for output in card["outputs"]]
    if "genome" not in card and (genome := place.assembly(facts.assembly)):
        card["genome"] = genome
    if splits := _splits(facts):
        card["training"] = card["training"] | {"splits": place.of_genome(splits)}
    info = entry.info | _people(facts)
    return _marked(write_entry(replace(entry, card=card, info=info, card_text=place.card_text), into.parent))


# ---------------------------------------------------------------- what the card and model.yaml say


def _people(facts: Facts) -> dict[str, Any]:
    made: dict[str, Any] = {"authors": [{"name": one} for one in facts.authors]} if facts.authors else {}
    return made | ({"license": facts.licence} if facts.licence else {})


def _info(facts: Facts, ask: Ask | None, outputs: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """``info`` of model.yaml. Kipoi takes a missing licence for MIT, hence ``unknown``."""
    if ask is not None:
        authors = facts.authors or _listed(ask("Its authors, with commas? (empty: later)", ()))
        licence = facts.licence or ask("Licence of the weights, such as MIT (SPDX)? (empty: later)", ()) or None
        facts = replace(facts, authors=authors, licence=licence)
    doc = facts.summary or f"{', '.join(out['name'] for out in outputs)}, predicted from DNA sequence by {what}"
    return {"authors": [], "license": "unknown", "doc": doc, "tags": []} | _people(facts)


def _splits(facts: Facts) -> dict[str, list[str]]:
    parts = {"train": facts.train, "validation": facts.validation, "test": facts.test}
    given = {name for name, chroms in parts.items() if chroms}
    if not given:
        return {}
    if lacking := [name for name in parts if name not in given]:
        flags = " ".join(f"--{name}-chroms" for name in lacking)
        raise UsageError(f"a split has three parts, and {', '.join(lacking)} is missing", "", f"Fix: add {flags}")
    twice = sorted({c for a in parts for b in parts if a < b for c in set(parts[a]) & set(parts[b])})
    if twice:
        raise UsageError(f"{', '.join(twice)}: in two parts of the split", "", "Fix: a chromosome is in one part")
    return {name: list(chroms) for name, chroms in parts.items()}


def _card(facts: Facts, place: _Place, outputs: list[dict[str, Any]], length: int) -> dict[str, Any]:
    """Front matter without version of the format, name, input and files."""
    summary = facts.summary
    if not summary and place.ask:
        summary = place.ask("What does it predict, in one sentence? (empty: later)", ())
    card: dict[str, Any] = {
        "version": "0.1.0",
        "summary": summary or f"{MARK}: what is predicted from {length:,} bp of sequence, of which species or cells",
    }
    if genome := place.assembly(facts.assembly):
        card["genome"] = genome
    training: dict[str, Any] = {"data": []}
    if splits := _splits(facts):
        training["splits"] = place.of_genome(splits)
    return card | {"outputs": outputs, "training": training}


def _prose(outputs: list[dict[str, Any]], source: str, example: str) -> str:
    names = " and ".join(f"`{out['name']}`" for out in outputs)
    return f"""\
## What it predicts

{MARK}: say in words what a value of {names} means, and on what scale.

## Use it for

- {MARK}: a task for which the model was shown to work.

## Do not use it for

- {MARK}: a known limit: other species, cells, lengths.

## Training

{MARK}: the data and how they were processed, the network, the loss; enough to train it again.

## Evaluation

{MARK}: on which sequences the metrics above were measured, and what the baseline is.

## Files and licences

Drafted by `zoo new` from {source}. {MARK}: licences of weights and training data.

Example: {example}.
"""
