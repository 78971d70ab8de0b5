"""Mistakes in a configuration, said so that they can be corrected: the key, its line, and what may stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from zoo.cards.yaml_lines import YamlDocument
from zoo.errors import UsageError
from zoo.words import near_names

__all__ = ["explain", "refuse_twice", "rule"]

UNKNOWN_KEY = ("extra_forbidden", "invalid_key")


def rule(what: str, fix: str, place: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """An error of a rule of ours, with its fix and, below where it is found, the key that it is about."""
    return PydanticCustomError("rule", what.replace("{", "{{"), {"fix": fix, "place": place})


def explain(error: ValidationError, document: YamlDocument, sets: Sequence[str], model: type[BaseModel]) -> UsageError:
    """The first mistake of a file in three lines: its key and line (or its ``--set``), and what may stand there.

    Args:
        document: of the file. sets: ``key=value`` each, which came over it. model: of the whole file.
    """
    problems = _own_problems(error)
    first = _misspelt(problems) or problems[0]
    place = _place(first) + tuple(first.get("ctx", {}).get("place", ()))
    field = ".".join(map(str, place))
    typed = next((text for text in reversed(sets) if _concerns(text, field)), None)
    where = f"--set {typed}" if typed else f"{document.path}:{document.line(place)}"
    extent = f"{len(problems)} keys are wrong" if len(problems) > 1 else ""
    if first["type"] == "missing":
        return UsageError(f"{where}: `{field}` is missing", extent, f"Fix: add `{place[-1]}:`")
    if first["type"] in UNKNOWN_KEY:
        known = _keys_beside(model, place)
        near = near_names(str(place[-1]), known)
        written = ".".join(map(str, (*place[:-1], near[0]))) if near and typed else (near or [""])[0]
        fix = f"Fix: write `{written}`" if near else f"Fix: remove it; known are {', '.join(known)}"
        return UsageError(f"{where}: `{field}` is no key of a run", extent, fix)
    return UsageError(f"{where}: `{field}`: {_what_is_wrong(first)}", extent, f"Fix: {_right(first, place, model)}")


def _own_problems(error: ValidationError) -> list[dict[str, Any]]:
    """Without what only follows from a part that is wrong: a list whose only item is, is too short besides."""
    problems: dict[tuple[str | int, ...], dict[str, Any]] = {}
    for one in error.errors():
        problems.setdefault(_place(one), one)
    return [
        one for place, one in problems.items() if not any(other[: len(place)] == place != other for other in problems)
    ]


def _misspelt(problems: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The first unknown key that may have been meant for one that is missing beside it: one mistake, not two."""
    missing = [_place(one) for one in problems if one["type"] == "missing"]
    for one in problems:
        if one["type"] in UNKNOWN_KEY:
            *part, key = _place(one)
            if near_names(str(key), [str(name) for *beside, name in missing if beside == part]):
                return one
    return None


def _place(problem: dict[str, Any]) -> tuple[str | int, ...]:
    """The keys to it, without the names that pydantic gives to the kinds of value that were tried."""
    return tuple(part for part in problem["loc"] if not re.fullmatch(r"int|float|str|(literal|tuple)\[.*", str(part)))


def _concerns(text: str, field: str) -> bool:
    key = text.partition("=")[0]
    return field == key or field.startswith(f"{key}.")


def _what_is_wrong(problem: dict[str, Any]) -> str:
    kind, given = problem["type"], _short(problem["input"])
    if kind == "literal_error":
        return f"{given} is none of what it may be"
    if kind.endswith(("_type", "_parsing", "_from_float")):
        return f"{given} is not of the kind that it must be"
    if kind.endswith("too_short"):
        return "is empty"
    if kind == "rule":
        return problem["msg"]
    return f"{given}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict) else "a mapping"
    return text if len(text) <= 60 else f"{text[:57]}..."


#: Of the kinds that a value can have, one that may be typed.
_EXAMPLES = {
    "model": "`{key}:` with its own keys below it",
    "tuple": "{key}: a list, [A, B]",
    "dict": "{key}: a mapping, {{A: B}}",
    "string": "{key}: a text; in quotes where it looks like a number or is empty",
    "int": "{key}: a whole number",
    "float": "{key}: a number",
    "bool": "{key}: true or false",
}


def _right(problem: dict[str, Any], place: tuple[str | int, ...], model: Any) -> str:
    """What may stand there."""
    kind, context = problem["type"], problem.get("ctx", {})
    key = ".".join(map(str, place))
    if kind == "rule":
        return context["fix"]
    if kind == "literal_error":
        known = _words_of(model, place)
        near = near_names(str(problem["input"]), known)
        return f"{key}: {near[0]}" if near else f"{key}: one of {', '.join(known)}"
    if kind.endswith("too_short"):
        return f"give `{key}` at least one item" if kind == "too_short" else f"give `{key}`"
    for word, text in _EXAMPLES.items():
        if kind in (f"{word}_type", f"{word}_parsing", f"{word}_from_float", f"{word}_attributes_type"):
            return text.format(key=key)
    for word, text in (
        ("greater_than_equal", "ge"),
        ("greater_than", "gt"),
        ("less_than_equal", "le"),
        ("less_than", "lt"),
    ):
        if kind == word:
            side = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}[text]
            return f"{key}: a number {side} {context[text]:g}"
    return f"correct `{key}`"


def _words_of(model: Any, place: tuple[str | int, ...]) -> list[str]:
    """What a key with a fixed choice may be."""
    names = [part for part in place if isinstance(part, str)]
    field = _model_of(model, place[: place.index(names[-1])]).model_fields[names[-1]]
    return [word for word in _literals(field.annotation) if isinstance(word, str)]


def _literals(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from _literals(part)


def _keys_beside(model: Any, place: tuple[str | int, ...]) -> list[str]:
    return list(getattr(_model_of(model, place[:-1]), "model_fields", {}))


def _model_of(model: Any, place: tuple[str | int, ...]) -> Any:
    """The class of the part of the file at a place."""
    for part in place:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = _inner(model.model_fields[part].annotation)
    return model


def _inner(annotation: Any) -> Any:
    """The part's class within ``tuple[Part, ...]`` or ``Part | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := _inner(part):
            return found
    return None


def refuse_twice(node: yaml.Node | None, path: Path) -> None:
    """YAML keeps the last of two equal keys without a word.

    Raises:
        UsageError: a key is given twice; both lines are named.
    """
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            refuse_twice(item, path)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if lines.setdefault(str(key.value), line) != line:
                raise UsageError(
                    f"{path}:{line}: `{key.value}` is given a second time",
                    f"the first stands in line {lines[key.value]}",
                    "Fix: remove one of the two",
                )
            refuse_twice(value, path)
