"""``new``: a complete draft of an entry, from a module, a Keras file, a checkpoint, a folder or a Hugging Face repo."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.cards.kipoi_layout import shape_text
from zoo.cards.yaml_lines import component_file
from zoo.entries.add import checkpoint_in, copy_entry, entry_of_checkpoint, locate, target_of, with_exported_card
from zoo.entries.asked import AXES, Ask, Facts, Place, answer_of, listed, outputs_of, targets_of, window_of
from zoo.entries.draft import MARK, Mark, mark_yaml, open_marks
from zoo.entries.example import KEEP
from zoo.entries.own_module import TriedOutput, names_a_module, read_module, try_module
from zoo.entries.writer import EntryFiles, EntryText, finish_folder, new_folder, write_entry
from zoo.errors import UsageError
from zoo.models.entry import open_entry, with_settings
from zoo.models.file_model import describe_file
from zoo.models.load import load_entry
from zoo.models.sequence_loader import given_length
from zoo.results.whole import replacing_folder

__all__ = ["Draft", "new"]

KERAS = (".h5", ".hdf5", ".keras")


@dataclass(frozen=True)
class Draft:
    """What was written: the entry's folder, and the lines that somebody must still write."""

    folder: Path
    marks: list[Mark]


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
        source = answer_of(ask, report, question, _source)
        if names_a_module(source) and weights is None:
            weights = answer_of(ask, report, "Its weights (a state dict, or safetensors)?", _file)
    out = Path(out) if out is not None else Path("model_cards") if Path("model_cards").is_dir() else Path(".")
    target = target_of(name, out, force, [source, weights, genome, regions])
    place = Place(name, target, genome, regions, report or (lambda _: None), ask)
    with replacing_folder(target) as made:
        _made(source, weights, dict(settings or {}), known, place, made.parent / name).rename(made)
    return Draft(target, open_marks(target))


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


def _made(
    source: str | Path | None, weights: Any, settings: dict[str, Any], facts: Facts, place: Place, into: Path
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


def _of_module(source: str, weights: Path | None, settings: dict[str, Any], facts: Facts, place: Place) -> EntryFiles:
    length, axes = window_of(facts, place)
    place.report(f"running {source}: its file is imported, built and tried on windows of {length:,} bp")
    own = read_module(source, weights, settings)
    tried = try_module(own, length, axes)
    outputs = outputs_of(tried, facts, length, place)
    example = place.example(length)
    return EntryFiles(
        name=place.name,
        module_source=own.path,
        module_class=own.name,
        module_kwargs=own.kwargs,
        state=own.module.state_dict(),
        length=length,
        targets=targets_of(outputs, tried),
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


# ---------------------------------------------------------------- a Keras file


def _of_keras(path: Path, origin: str, facts: Facts, place: Place, scratch: Path) -> Path:
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
    outputs = outputs_of(tried, facts, loaded.length, place)
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


def _of_others(path: Path, origin: str, facts: Facts, place: Place, into: Path) -> Path:
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
        authors = facts.authors or listed(ask("Its authors, with commas? (empty: later)", ()))
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


def _card(facts: Facts, place: Place, outputs: list[dict[str, Any]], length: int) -> dict[str, Any]:
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
