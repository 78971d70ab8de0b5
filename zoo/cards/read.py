"""Read an entry's card: YAML front matter between ``---`` lines, then prose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from zoo.cards.schema import Card
from zoo.cards.yaml_lines import YamlDocument, load_yaml
from zoo.errors import ModelError

__all__ = ["EXPORTED", "CardFile", "read_card"]

EXPORTED = "seqzoo"


@dataclass(frozen=True)
class CardFile:
    """A card and its prose."""

    card: Card
    prose: str
    path: Path


def read_card(path: Path) -> CardFile:
    """Read and validate ``README.md`` of an entry.

    Raises:
        ModelError: no front matter, YAML that does not parse, or a field missing, unknown or wrong,
            with ``file:line``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelError(f"{path}: the entry has no card", "", "Fix: add README.md with front matter") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}", "", "Fix: save the card as UTF-8 text") from None
    front, prose = _split(text, path)
    document = load_yaml(path, front, first_line=2)
    if not isinstance(document.data, dict):
        raise document.error((), "the card's front matter is not a mapping", "write `key: value` lines")
    # The front matter of a Hugging Face repo is theirs; `zoo export` puts ours below one key of it.
    below = (EXPORTED,) if isinstance(document.data.get(EXPORTED), dict) else ()
    try:
        card = Card.model_validate(document.data[EXPORTED] if below else document.data)
    except ValidationError as error:
        raise _explain(error, document, below) from None
    return CardFile(card, prose, path)


def _split(text: str, path: Path) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        raise ModelError(
            f"{path}:1: the card has no front matter", "", "Fix: begin README.md with a line of three dashes (---)"
        )
    for i, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            return "".join(lines[1:i]), "".join(lines[i + 1 :])
    raise ModelError(f"{path}:1: the front matter does not end", "", "Fix: close it with a line of three dashes (---)")


def _explain(error: ValidationError, document: YamlDocument, below: tuple[str, ...]) -> ModelError:
    problems = error.errors()
    first = problems[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        what, fix = f"the card lacks the field `{field}`", f"add `{first['loc'][-1]}:`"
    elif first["type"] == "extra_forbidden":
        what, fix = f"the card has an unknown field `{field}`", "remove it or correct its spelling"
    else:
        what, fix = f"`{field}`: {first['msg']}", "correct the value"
    extent = f"{len(problems)} field(s) of the card are wrong" if len(problems) > 1 else ""
    return document.error((*below, *first["loc"]), what, fix, extent)
