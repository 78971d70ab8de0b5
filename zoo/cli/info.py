"""``zoo info MODEL``: what is known of a model, without loading it."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

import click

from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT
from zoo.cli.tables import print_json
from zoo.store.entry_facts import where_windows_stand
from zoo.store.registry import info
from zoo.store.speed import speed_line
from zoo.words import counted

__all__ = ["command"]


@click.command("info", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model")
@as_json_option
def command(model: str, as_json: bool) -> None:
    """Show what is known about MODEL: a name of `zoo list`, source/name, a folder with model.yaml, or a file.

    A file is a gReLU .ckpt or a Keras model (.h5, .keras), which is built to see what it gives.
    """
    facts = _facts(model)
    if as_json:
        print_json(facts)
        return
    text = _text(facts)
    click.echo(_folded(text, shutil.get_terminal_size().columns) if sys.stdout.isatty() else text)


def _folded(text: str, width: int) -> str:
    """Long lines broken between words, their rest below the text that they begin with."""
    lines = []
    for line in text.split("\n"):
        labelled = re.match(r"[a-z]+ {2,}(?=\S)", line)
        indent = len(labelled[0]) if labelled else len(line) - len(line.lstrip()) + 2
        first = len(line[indent:].partition(" ")[0]) if labelled else 0  # a label is not left alone
        room = max(width, indent + max(20, first))
        rest = {"subsequent_indent": " " * indent, "break_long_words": False, "break_on_hyphens": False}
        lines += textwrap.wrap(line, room, **rest) or [""]
    return "\n".join(lines)


def _facts(model: str) -> dict[str, Any]:
    path = Path(model)
    if path.is_file() and path.name not in ("model.yaml", "model.yml"):
        from zoo.models.describe import describe_model_file  # torch: what a file is stands in no YAML

        return describe_model_file(path)
    return info(model)


def _text(facts: dict[str, Any]) -> str:
    lines = [f"{facts['name']} {facts['version']}: {facts['summary']}", ""]
    for label, value in (
        ("genome", facts["assembly"]),
        ("network", ", ".join(facts.get("architecture") or ())),
        ("cells", ", ".join(facts.get("cell_types") or ())),
        ("input", _input(facts)),
        ("loader", facts.get("dataloader")),
        ("authors", ", ".join(facts["authors"])),
        ("licence", _licence(facts)),
        ("cite", facts["cite_as"]),
        ("tags", ", ".join(facts["tags"])),
        ("framework", facts["framework"]),
        ("folder", facts.get("folder")),
        ("versions", ", ".join(facts.get("versions") or ())),
        ("fetched", _remote(facts.get("remote") or [], facts.get("wheels") or {})),
        ("checked", _verification(facts.get("verification"))),
        ("parameters", f"{facts['parameters']:,}" if "parameters" in facts else ""),
        *(("speed", speed_line(run)) for run in facts.get("benchmark", ())),
    ):
        if value:
            lines.append(f"{label:<11}{value}")
    if facts["outputs"]:
        lines += ["", "outputs"] + [f"  {_output(out)}" for out in facts["outputs"]]
    notes = [*facts.get("notes", ()), *(out["assumed"] for out in facts["outputs"] if out.get("assumed"))]
    if notes:
        lines += ["", "notes"] + [f"  {text}" for text in notes]
    for heading, key in (("use it for", "use_for"), ("do not use it for", "not_for")):
        if facts.get(key):
            lines += ["", heading] + [f"  {text}" for text in facts[key]]
    if facts["evaluation"]:
        lines += ["", "evaluation"] + [f"  {_evaluation(item)}" for item in facts["evaluation"]]
    if facts.get("withdrawn"):
        lines[1:1] = [f"withdrawn: {facts['withdrawn']} (it is neither run nor fetched)"]
    if facts["deprecated"]:
        lines[1:1] = [_deprecated(facts["deprecated"])]
    return "\n".join(lines)


def _deprecated(about: dict[str, Any]) -> str:
    since = f" since {about['since']}" if about.get("since") else ""
    instead = f"; use {about['by']}" if about.get("by") else ""
    return f"deprecated{since}: {about['reason']}{instead}"


def _licence(facts: dict[str, Any]) -> str | None:
    note = facts.get("licence_note")
    return f"{facts['license'] or 'not stated'}: {note}" if note else facts["license"]


def _verification(checked: dict[str, Any] | None) -> str:
    """How far the entry was checked against what its authors published."""
    if checked is None:
        return ""
    note = " ".join(checked.get("note", "").split())
    if checked["status"] == "unverified":
        return f"unverified: {note}"
    part = f" ({note})" if note else ""
    return (
        f"{checked['status']} against {checked['against']} on {checked['date']}{part}: largest difference "
        f"{checked['largest_difference']:.2g}; {checked['command']}"
    )


def _remote(files: list[dict[str, Any]], wheels: dict[str, int]) -> str:
    """Which files are not part of the entry; of several from one place, how many."""
    from zoo.progress import human_bytes

    places: dict[str, list[dict[str, Any]]] = {}
    for one in files:
        places.setdefault(one["hosts"], []).append(one)
    described = []
    for hosts, found in places.items():
        sizes = [one["bytes"] for one in found]
        size = f" ({human_bytes(sum(sizes))})" if all(sizes) else ""
        names = [one["name"] for one in found]
        which = ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more"
        described.append(f"{which}{size} from {hosts}")
    whole = f", {human_bytes(sum(wheels.values()))} as a whole" if wheels else ""
    return ", ".join(described) + f"{whole} (on first use, or by `zoo pull`)" if files else ""


def _input(facts: dict[str, Any]) -> str:
    if "inputs" in facts:
        return ", ".join(f"{one['name']} {_shape(one['shape'])}" for one in facts["inputs"])
    if not facts["input_length"]:
        return ""
    return f"{facts['input_length']} bp of one-hot sequence{where_windows_stand(facts)}"


def _shape(shape: list[int | None]) -> str:
    return " x ".join("any" if size is None else str(size) for size in shape) or "text"


def _output(out: dict[str, Any]) -> str:
    known = out.get("n_tracks", len(out["tracks"]))
    n = known or len(out["tracks"])
    if known is None or n != len(out["tracks"]):
        tracks = f"{'any number of' if known is None else f'{n:,}'} tracks without names"
    else:
        tracks = ", ".join(out["tracks"][:4]) + (f", ... ({counted(n, 'track')})" if n > 4 else "")
    sense = "; of the strand that is read" if out.get("strand") == "sense" else ""
    return f"{out['name']} ({out['kind']}): {tracks}{_bins(out)}; units {out['units'] or 'not given'}{sense}"


def _bins(out: dict[str, Any]) -> str:
    if out["kind"] != "profile":
        return ""
    if out["bin_size"] is not None:
        return f"; bins of {out['bin_size']} bp from base {out['offset']}"
    n = out.get("n_bins")
    return f"; {'any number of' if n is None else f'{n:,}'} bins, whose size and offset are not known"


def _evaluation(item: dict[str, Any]) -> str:
    ci = f" [{item['ci'][0]:.3f}, {item['ci'][1]:.3f}]" if item.get("ci") else ""
    base = item.get("baseline")
    beside = f"; {base['name']}: {base['value']:.3f}" if base else ""
    by = f"; reported by {item['reported_by']}" if item.get("reported_by") else ""
    return f"{item['metric']} {item['value']:.3f}{ci} on {item['split']}{beside}{by}"
