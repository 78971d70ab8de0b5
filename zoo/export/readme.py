"""The README of a Hugging Face repo: their metadata, made from ours, and ours whole below one key.

license, tags, library_name, model-index ...     what huggingface_hub reads
seqzoo: {...}                                    the card's front matter
seqzoo_info: {...}                               `info` of model.yaml
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from zoo.cards.read import EXPORTED, read_card
from zoo.cards.yaml_lines import load_yaml

__all__ = ["Exported", "exported_readme", "hub_metadata", "read_exported", "split_readme"]

INFO = "seqzoo_info"
# Identifiers that Hugging Face knows; others are `other` with their name.
LICENSES = {
    "mit",
    "apache-2.0",
    "bsd-2-clause",
    "bsd-3-clause",
    "gpl-2.0",
    "gpl-3.0",
    "lgpl-3.0",
    "agpl-3.0",
    "mpl-2.0",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "unlicense",
    "unknown",
}


class Exported:
    """What ``read_exported`` found: front matter and ``info`` of ours, and the prose; None where not an export."""

    def __init__(self, card: dict[str, Any] | None, info: dict[str, Any] | None, prose: str) -> None:
        self.card, self.info, self.prose = card, info, prose


def exported_readme(card: dict[str, Any], info: dict[str, Any], prose: str, library: str) -> str:
    """The text of README.md."""
    front = hub_metadata(card, info, library) | {EXPORTED: card, INFO: info}
    text = yaml.safe_dump(front, sort_keys=False, width=110, allow_unicode=True)
    return f"---\n{text}---\n\n{prose.strip()}\n"


def hub_metadata(card: dict[str, Any], info: dict[str, Any], library: str) -> dict[str, Any]:
    """Metadata of a model card as Hugging Face defines it."""
    licence = str(info.get("license") or "unknown")
    known = licence.lower() in LICENSES
    metadata: dict[str, Any] = {"license": licence.lower() if known else "other"}
    if not known:
        metadata["license_name"] = licence
    metadata |= {"library_name": library, "tags": _tags(info)}
    base = (card.get("training") or {}).get("base_model")
    if isinstance(base, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", base):
        metadata["base_model"] = base
    if card.get("evaluation"):
        results = [_result(card, item) for item in card["evaluation"]]
        metadata["model-index"] = [{"name": card["name"], "results": results}]
    return metadata


def _tags(info: dict[str, Any]) -> list[str]:
    own = [re.sub(r"[^a-z0-9.]+", "-", str(tag).lower()).strip("-") for tag in info.get("tags") or []]
    return list(dict.fromkeys(["biology", "genomics", "seqzoo", *own]))


def _result(card: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    data = (card.get("training") or {}).get("data") or []
    assembly = (card.get("genome") or {}).get("assembly")
    dataset = {
        "type": data[0].get("accession") or "genomics" if data else "genomics",
        "name": data[0]["name"] if data else f"regions of {assembly or 'a genome that is not named'}",
        "split": item["split"],
    }
    metric = {"type": item["metric"], "value": item["value"], "name": f"{item['metric']} ({item['output']})"}
    beside = {key: item[key] for key in ("ci", "n", "baseline", "command", "reported_by") if item.get(key) is not None}
    if beside:
        metric["args"] = beside
    return {"task": {"type": "genomics", "name": f"predict {item['output']}"}, "dataset": dataset, "metrics": [metric]}


def split_readme(path: Path) -> tuple[dict[str, Any], str]:
    """Front matter as plain data (empty when there is none), and the prose."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    lines = text.splitlines(keepends=True)
    ends = [i for i, line in enumerate(lines[1:], start=1) if line.strip() == "---"]
    if not lines or lines[0].strip() != "---" or not ends:
        return {}, text
    front = load_yaml(path, "".join(lines[1 : ends[0]]), first_line=2).data
    return front if isinstance(front, dict) else {}, "".join(lines[ends[0] + 1 :])


def read_exported(path: Path) -> Exported:
    """What a README carries of ours.

    Raises:
        ModelError: it carries a card of ours that is not valid.
    """
    front, prose = split_readme(path)
    if not isinstance(front.get(EXPORTED), dict):
        return Exported(None, None, prose)
    read_card(path)
    info = front.get(INFO)
    return Exported(front[EXPORTED], info if isinstance(info, dict) else None, prose)
