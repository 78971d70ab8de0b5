"""The card of an entry: YAML front matter of its ``README.md``, then prose.

Many a README has front matter that is no card (Hugging Face's metadata, a web page's). A card is a mapping with the key
``schema_version`` or with all of ``ALWAYS``, or with a mapping below the key ``seqzoo``, where `zoo export` puts ours
beside Hugging Face's. One of an older version is upgraded as it is read (`zoo.cards.upgrade`).
Only what is one is checked field by field, by `zoo.cards.schema` (pydantic: 0.1 s that a bare folder does not need).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.upgrade import KEY, fault_of, upgraded
from zoo.errors import ModelError

if TYPE_CHECKING:
    from pydantic import ValidationError

    from zoo.cards.kipoi_groups import Group
    from zoo.cards.schema import Card, Output
    from zoo.cards.yaml_lines import YamlDocument

__all__ = [
    "EXPORTED",
    "INFO",
    "README",
    "CardFile",
    "Exported",
    "card_of",
    "checked_card",
    "front_matter_of",
    "is_card",
    "read_card",
    "read_exported",
    "read_names",
    "read_tracks",
    "read_uses",
    "split_readme",
]

README = "README.md"
USES = {"use_for": "use it for", "not_for": "do not use it for"}  # headings of a card, in lower case
EXPORTED, INFO = "seqzoo", "seqzoo_info"  # in a README of Hugging Face: the card, and `info` of model.yaml
ALWAYS = {"name", "version", "summary", "input", "outputs", "training"}  # keys that every card has
# In front matter that cannot be parsed, such a line says that it was meant as a card.
MEANT = re.compile(rf"(?m)^({KEY}|{EXPORTED})[ \t]*:")


@dataclass(frozen=True)
class CardFile:
    """A card and its prose."""

    card: Card
    prose: str
    path: Path


@dataclass(frozen=True)
class Exported:
    """What a README of an export carries: front matter and ``info`` of ours (None where it is no export), and prose."""

    card: dict[str, Any] | None
    info: dict[str, Any] | None
    prose: str


def card_of(folder: Path, required: bool = False) -> Card | None:
    """The card of a folder; None where it has no README, or one that is no card.

    Args:
        folder: that of an entry; of a model of a group it is the name, and the card is the group's README with its row.
        required: a folder without a card is an error, as for a bundled entry.

    Raises:
        ModelError: the card does not parse, or a field is missing, unknown or wrong, with ``file:line``.
    """
    group = None if folder.is_dir() else _group_of(folder)
    document, _ = _front_matter((group[0].folder if group else folder) / README, required, group)
    if document is None or not (required or is_card(document.data)):
        return None
    return _validated(document)


def read_card(path: Path) -> CardFile:
    """Read and validate ``README.md`` of an entry, which must be a card.

    Raises:
        ModelError: no front matter, YAML that does not parse, or a field missing, unknown or wrong,
            with ``file:line``.
    """
    document, prose = _front_matter(path, required=True)
    return CardFile(_validated(document), prose, path)


def split_readme(path: Path) -> tuple[dict[str, Any], str]:
    """Front matter as plain data, whosever it is (empty when there is none that can be read), and the prose.

    Raises:
        ModelError: a card of ours that does not parse.
    """
    document, prose = _front_matter(path)
    return ({} if document is None else document.data), prose


def read_uses(folder: Path) -> dict[str, list[str]]:
    """What a card says that a model is for (``use_for``) and not for (``not_for``): the items below its two headings.

    Headings are ``## Use it for`` and ``## Do not use it for`` (``them``, of a group); empty lists where the folder has
    no README, or one without them.
    """
    try:
        text = (folder / README).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {key: [] for key in USES}
    sections = {}
    for section in re.split(r"(?m)^## +", _split(text)[1] or text)[1:]:
        heading, _, body = section.partition("\n")
        sections[heading.strip().lower().replace("use them for", "use it for")] = body
    return {key: _items(sections.get(heading, "")) for key, heading in USES.items()}


def _items(text: str) -> list[str]:
    """The items of a list in Markdown, each in one line."""
    return [" ".join(item.split()) for item in re.split(r"(?m)^- ", text)[1:]]


def read_exported(path: Path) -> Exported:
    """What a README carries of ours below the keys of an export.

    Raises:
        ModelError: it carries a card of ours that is not valid.
    """
    document, prose = _front_matter(path)
    if document is None or not isinstance(document.data.get(EXPORTED), dict):
        return Exported(None, None, prose)
    _validated(document)
    info = document.data.get(INFO)
    return Exported(document.data[EXPORTED], info if isinstance(info, dict) else None, prose)


def _group_of(component: Path) -> tuple[Group, str] | None:
    """Group and name of a model that has no folder of its own."""
    from zoo.cards.kipoi_groups import find_group  # jinja2: only groups need it

    return find_group(component, "model")


def is_card(data: dict[str, Any]) -> bool:
    """Whether front matter is a card of ours, or carries one below the key of an export."""
    return KEY in data or data.keys() >= ALWAYS or isinstance(data.get(EXPORTED), dict)


def _front_matter(
    path: Path, required: bool = False, group: tuple[Group, str] | None = None
) -> tuple[YamlDocument | None, str]:
    """Front matter that is a mapping, and the prose after it.

    Args:
        group: of which the front matter is a template, and the name of one of its models.

    Returns:
        None, and the whole text, where there is none or where it is broken and nothing says that it is ours;
        where it is ``required``, that is an error.
    """
    try:
        raw = path.read_bytes() if required or path.is_file() else b""
    except FileNotFoundError:
        raise ModelError(f"{path}: the entry has no card", "", "Fix: add README.md with front matter") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}", "", "Fix: check the file") from None
    text = raw.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    front, prose = _split(text)
    try:
        if group is not None and front is not None and MEANT.search(front):
            front = group[0].rendered(group[1], path, front)
        return _parsed(path, raw, front, prose), text if prose is None else prose
    except ModelError:
        if required or (front is not None and MEANT.search(front)):
            raise
        return None, text


def front_matter_of(path: Path, member: str | None = None) -> tuple[str, str]:
    """The text of a card's front matter, and what follows its second line of dashes.

    Args:
        member: of a group whose card it is: the text for that model.

    Raises:
        ModelError: there is no front matter, or none that ends.
    """
    text = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    front, prose = _split(text)
    if front is None or prose is None:
        what = "the card has no front matter" if front is None else "the front matter does not end"
        raise ModelError(f"{path}:1: {what}", "", "Fix: write it between two lines of three dashes (---)")
    if member is not None:
        from zoo.cards.kipoi_groups import read_group

        front = read_group(path.parent).rendered(member, path, front)
    return front, prose


def _split(text: str) -> tuple[str | None, str | None]:
    """What stands between the first line and the next of three dashes, and what stands after it.

    The first is None where the text does not begin so. The second is None where no line ends it: then the first ends
    at an empty line.
    """
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return None, None
    for i, line in enumerate(lines[1:], start=1):
        if line.rstrip() == "---":
            return "".join(f"{one}\n" for one in lines[1:i]), "\n".join(lines[i + 1 :])
    return text.partition("\n")[2].partition("\n\n")[0], None


def _parsed(path: Path, raw: bytes, front: str | None, prose: str | None) -> YamlDocument:
    from zoo.cards.yaml_lines import load_yaml  # which what a model is for does not need

    dashes = "a line of three dashes (---)"
    if front is None:
        raise ModelError(f"{path}:1: the card has no front matter", "", f"Fix: begin README.md with {dashes}")
    if prose is None:
        raise ModelError(f"{path}:1: the front matter does not end", "", f"Fix: close it with {dashes}")
    document = load_yaml(path, front, first_line=2)
    if not isinstance(document.data, dict):
        raise document.error((), "the card's front matter is not a mapping", "write `key: value` lines")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ModelError(f"{path}:{line}: cannot be read: {error}", "", "Fix: save the card as UTF-8 text") from None
    return document


def _validated(document: YamlDocument) -> Card:
    from pydantic import ValidationError

    from zoo.cards.schema import Card

    # The front matter of a Hugging Face repo is theirs; `zoo export` puts ours below one key of it.
    below = (EXPORTED,) if isinstance(document.data.get(EXPORTED), dict) else ()
    front = document.data[EXPORTED] if below else document.data
    if fault := fault_of(front):
        raise document.error((*below, KEY), *fault)
    try:
        return Card.model_validate(upgraded(front))
    except ValidationError as error:
        raise _explain(error, document, below) from None


def checked_card(folder: Path, member: str | None = None) -> tuple[YamlDocument | None, Card | None, list[ModelError]]:
    """A card that somebody writes: its document for line numbers, the card, and every problem of it at once.

    Args:
        folder: that of an entry, which must have a card.
        member: of a group, whose row is put into the front matter.
    """
    from pydantic import ValidationError

    try:
        document, _ = _front_matter(folder / README, True, _group_of(folder / member) if member else None)
    except ModelError as error:
        return None, None, [error]
    try:
        return document, _validated(document), []
    except ModelError as error:
        cause = error.__context__
        if not isinstance(cause, ValidationError):
            return document, None, [error]
        below = (EXPORTED,) if isinstance(document.data.get(EXPORTED), dict) else ()
        return document, None, [_told(problem, document, below) for problem in cause.errors()]


def _explain(error: ValidationError, document: YamlDocument, below: tuple[str, ...]) -> ModelError:
    problems = error.errors()
    first = _told(problems[0], document, below)
    if len(problems) > 1:
        first.extent = f"{len(problems):,} fields of the card are wrong"
    return first


def _told(first: Any, document: YamlDocument, below: tuple[str, ...]) -> ModelError:
    """One problem that pydantic found, at its line."""
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        what, fix = f"the card lacks the field `{field}`", f"add `{first['loc'][-1]}:`"
    elif first["type"] == "extra_forbidden":
        what, fix = f"the card has an unknown field `{field}`", "remove it or correct its spelling"
    else:
        what, fix = f"`{field}`: {first['msg']}", "correct the value"
    return document.error((*below, *first["loc"]), what, fix)


def read_tracks(folder: Path, output: Output) -> tuple[str, ...]:
    """Names in channel order; numbers where the entry does not hold the names.

    Raises:
        ModelError: the file is missing.
    """
    if output.tracks is not None:
        return tuple(output.tracks)
    path = folder / (output.tracks_file or "")
    if path.is_file():
        return read_names(path)
    if output.n_tracks is not None:
        return tuple(f"{output.name}_{i}" for i in range(output.n_tracks))
    raise ModelError(f"{path}: no such file", f"tracks_file of output {output.name!r}", "Fix: add it, a name a line")


def read_names(path: Path) -> tuple[str, ...]:
    """One name a line, the first tab-separated column; a repeated name becomes ``name.2``, ``name.3`` ..."""
    lines = path.read_text(encoding="utf-8").splitlines()
    names, count = [], Counter()
    for name in (line.split("\t")[0].strip() for line in lines if line.strip()):
        count[name] += 1
        names.append(name if count[name] == 1 else f"{name}.{count[name]}")
    return tuple(names)
