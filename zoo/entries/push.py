"""``push``: an entry as a repository of Hugging Face, written as ``export --to hf`` writes it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.entries.export import export, known_licence
from zoo.errors import ModelError, UsageError
from zoo.models.entry import Entry, open_entry
from zoo.store.hub import SCHEME, pushing
from zoo.words import counted

__all__ = ["Pushed", "check_metadata", "check_redistribution", "push"]

REPO = re.compile(rf"{SCHEME}(?P<repo>[\w][\w.-]*/[\w][\w.-]*)/?")
FORBIDS = re.compile(r"\b(not|no|never|without)\b[^.;]*\b(redistribut|re-distribut|distribut|shar|publish)", re.I)


@dataclass(frozen=True)
class Pushed:
    """What was written, or would be.

    Attributes:
        repo: ``org/repo``. commit: of the repo that holds it; None where nothing was sent.
        files: path in the repo -> bytes.
    """

    repo: str
    commit: str | None
    files: dict[str, int]

    @property
    def name(self) -> str:
        """What `zoo predict` takes."""
        return f"{SCHEME}{self.repo}" + (f"@{self.commit}" if self.commit else "")


def push(
    model: str | Path,
    repo: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    trust: bool = False,
    report: Callable[[str], None] | None = None,
) -> Pushed:
    """Upload an entry; ``zoo predict hf://org/repo`` runs it then.

    The token is found where huggingface_hub finds it: ``hf auth login`` or its environment variable.

    Args:
        model: name or folder of an entry with a card.
        repo: ``hf://org/repo``; it is made if it is not there. Files of it that the entry has not are left.
        private: make the repo private, where it is made.
        dry_run: send nothing.
        trust: as for `export`, which compares a gReLU checkpoint with the entry's own module.

    Raises:
        UsageError: no name of a repo. ModelError: the entry cannot be given away: no card, weights whose licence does
            not permit it, or metadata that Hugging Face would refuse. FetchError: no connection, or no permission.
    """
    match = REPO.fullmatch(str(repo))
    if match is None:
        raise UsageError(
            f"{repo!r} is no name of a repository to push to",
            "a revision or a file cannot be named: the whole entry is written to its main branch",
            f"Fix: {SCHEME}org/repo",
        )
    entry = open_entry(model, trust=trust)
    if entry.card is None:
        extent = "a Hugging Face repo is described by what the card says"
        raise ModelError(f"{entry.name}: has no card", extent, "Fix: make an entry of it, `zoo new` drafts one")
    check_redistribution(entry)
    with tempfile.TemporaryDirectory(prefix="zoo-push-") as scratch:
        folder = export(model, "hf", Path(scratch) / match["repo"].partition("/")[2], trust=trust)
        check_metadata((folder / "README.md").read_text(encoding="utf-8"))
        files = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        if dry_run:
            return Pushed(match["repo"], None, files)
        if report:
            size = f"{counted(len(files), 'file')}, {counted(sum(files.values()), 'byte')}"
            report(f"sending {size}, to {SCHEME}{match['repo']}")
        commit = pushing(match["repo"], folder, f"{entry.card.name} {entry.card.version}", private=private)
    return Pushed(match["repo"], commit, files)


def check_redistribution(entry: Entry) -> None:
    """Refuse to give away weights that lie in the entry and whose licence does not permit it, or is not known.

    Weights that lie elsewhere are not sent: the card says where they are fetched from.
    """
    if entry.description is None or not (own := _own_weights(entry)):
        return
    licence, note = entry.description.info.get("license"), entry.card.licence_note if entry.card else None
    if note and FORBIDS.search(note):
        raise ModelError(
            f"{entry.name}: its weights may not be given away: {note}",
            f"{', '.join(own)} would be sent; licence_note of the card says so",
            "Fix: correct licence_note if it says something else; else let `files` name where they are published",
        )
    if known_licence(licence) in (None, "unknown"):
        raise ModelError(
            f"{entry.name}: the licence of its weights is {licence or 'not stated'}, none that permits sharing",
            f"{', '.join(own)} would be sent",
            "Fix: write the SPDX identifier of their licence, such as MIT, into info.license of model.yaml",
        )


def _own_weights(entry: Entry) -> list[str]:
    """Files in the folder that ``args`` of model.yaml name, without its Python."""
    names = {value for value in entry.description.args.values() if isinstance(value, str)}
    return sorted(name for name in names if not name.endswith(".py") and (entry.folder / name).is_file())


def check_metadata(readme: str) -> None:
    """Refuse a README whose front matter is not what Hugging Face takes for a model card.

    What huggingface_hub checks without a connection: the YAML, the types of its parts, ``model-index``.
    """
    from zoo.store.hub import hub_module

    hub = hub_module()
    try:
        data: Any = hub.ModelCard(readme, ignore_metadata_errors=False).data
        problem = _wrong_part(data.to_dict())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = " ".join(str(error).split())[:200]
    if problem:
        raise ModelError(
            f"the metadata of the card are not what Hugging Face takes: {problem}",
            "nothing was sent",
            "Fix: correct the card, or `info` of model.yaml",
        )


def _wrong_part(data: dict[str, Any]) -> str | None:
    licence, tags = data.get("license"), data.get("tags")
    if known_licence(licence) != licence and licence != "other":
        return f"license {licence!r} is no identifier that it knows"
    if licence == "other" and not data.get("license_name"):
        return "license is other, and license_name is missing"
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        return "tags is no list of texts"
    return None if data.get("library_name") else "library_name is missing"
