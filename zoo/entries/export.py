"""``export``: a model into a folder for gReLU, Hugging Face (with its README) or Kipoi."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from zoo.cards.card import EXPORTED, INFO
from zoo.cards.yaml_lines import component_file
from zoo.errors import ModelError, UsageError
from zoo.results.check_out import check_folder
from zoo.results.whole import replacing_folder

if TYPE_CHECKING:
    from zoo.models.entry import Entry

__all__ = ["export", "exported_readme", "hub_metadata", "known_licence"]

OURS, STOCK = "grelu.ckpt", "model.ckpt"
EXAMPLE = ("example/genome.fa", "example/regions.bed", "example/expected.h5")
WINDOWS = 4  # compared before a gReLU checkpoint is given away as the model


def export(model: str | Path, to: str, folder: Path, *, trust: bool = False, force: bool = False) -> Path:
    """Write ``folder`` and return it.

    Args:
        model: registry name, folder, gReLU ``.ckpt`` or ``hf://`` name.
        to: ``grelu``, ``hf`` or ``kipoi``.
        trust: whether Python of a folder that is not bundled may run; ``grelu`` and ``hf`` compare
            the entry's own module with its gReLU checkpoint.
        force: replace ``folder``.

    Raises:
        UsageError: ``folder`` exists. ModelError: the model has no such form, with the reason.
    """
    from zoo.models.entry import open_entry

    target = Path(folder)
    if target.is_dir() and not force and any(target.iterdir()):
        raise UsageError(f"{target} exists", "nothing was changed", "Fix: another folder, or --force to replace it")
    check_folder(target, inputs=[model], replaced=True, option="DIR")
    entry = open_entry(model, trust=trust)
    target = check_folder(target, inputs=[entry.path], replaced=True, option="DIR")
    with replacing_folder(target) as made:
        if entry.description is None:
            entry = _drafted(entry, target.name, made.parent)
        _refuse_groups(entry)
        {"grelu": _to_grelu, "hf": _to_hf, "kipoi": _to_kipoi}[to](entry, made)
    return target


def _drafted(entry: Entry, name: str, scratch: Path) -> Entry:
    """A checkpoint as an entry, as ``zoo add`` drafts it."""
    from zoo.entries.add import add
    from zoo.models.entry import open_entry

    return open_entry(add(entry.path, name, scratch / ".drafted"), trust=True)


def _refuse_groups(entry: Entry) -> None:
    if entry.path.is_file():
        raise ModelError(
            f"{entry.name}: is a file, and entries are exported", "", "Fix: export a model with a folder and model.yaml"
        )
    if component_file(entry.path, "model") is None:
        raise ModelError(
            f"{entry.name}: is one of a group of models that share files",
            "it has no folder of its own",
            "Fix: export a model with a folder and model.yaml",
        )


def _to_kipoi(entry: Entry, made: Path) -> None:
    from zoo.entries.add import copy_entry

    copy_entry(entry.path, made, entry.card.name if entry.card else entry.path.name)


def _to_hf(entry: Entry, made: Path) -> None:
    _to_kipoi(entry, made)
    library = "pytorch"
    card, prose = _card_data(entry)
    if (made / OURS).is_file():
        library = "pytorch-lightning"
        checkpoint = _checked_checkpoint(entry, made / OURS)
        (made / OURS).unlink()
        (made / STOCK).write_bytes(checkpoint)
        card["files"] = [_stock_file(item, made) for item in card.get("files") or []]
    _write_readme(entry, made, card, prose, library)


def _to_grelu(entry: Entry, made: Path) -> None:
    stock = _checkpoint_of(entry)
    if stock is None:
        module = entry.description.args.get("module_class") or entry.description.defined_as
        raise ModelError(
            f"{entry.name}: gReLU cannot load this model",
            f"its architecture ({module}) is none of grelu.model.models, and the entry holds no {OURS}",
            "Fix: --to kipoi or --to hf",
        )
    made.mkdir()
    (made / STOCK).write_bytes(_checked_checkpoint(entry, stock))
    card, prose = _card_data(entry)
    names = [*EXAMPLE, *(output["tracks_file"] for output in card.get("outputs", []) if output.get("tracks_file"))]
    for name in names:
        if (entry.path / name).is_file():
            (made / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(entry.path / name, made / name)
    if card:
        card["files"] = [
            item
            for item in map(lambda item: _stock_file(item, made), card.get("files") or [])
            if (made / item["path"]).is_file()
        ]
    _write_readme(entry, made, card, prose, "pytorch-lightning")


def _checkpoint_of(entry: Entry) -> Path | None:
    """The entry's gReLU checkpoint: the model itself, or beside it; fetched where it lies elsewhere."""
    from zoo.models.files import argument_path
    from zoo.models.load import GRELU

    if entry.description.defined_as == GRELU:
        return argument_path(entry.description, "checkpoint")
    return next((entry.path / name for name in (OURS, STOCK) if (entry.path / name).is_file()), None)


def _stock_file(item: dict[str, Any], made: Path) -> dict[str, Any]:
    """The card's line of a file; the checkpoint's under its new name, with the checksum it has now."""
    if item["path"] != OURS:
        return item
    from zoo.files import sha256_of

    return item | {"path": STOCK, "sha256": sha256_of(made / STOCK), "bytes": (made / STOCK).stat().st_size}


def _card_data(entry: Entry) -> tuple[dict[str, Any], str]:
    """The card's front matter as written, and its prose; empty where the entry has none."""
    from zoo.cards.card import read_exported, split_readme

    exported = read_exported(entry.path / "README.md")
    if exported.card is not None:
        return dict(exported.card), exported.prose
    front, prose = split_readme(entry.path / "README.md")
    return (dict(front), prose) if entry.card is not None else ({}, prose)


def _write_readme(entry: Entry, made: Path, card: dict[str, Any], prose: str, library: str) -> None:

    if not card:
        raise ModelError(
            f"{entry.name}: has no card",
            "a Hugging Face repo is described by what the card says",
            "Fix: add README.md with front matter, or --to kipoi",
        )
    (made / "README.md").write_text(exported_readme(card, entry.description.info, prose, library), encoding="utf-8")


def _checked_checkpoint(entry: Entry, path: Path) -> bytes:
    """The gReLU checkpoint as a file that loads with gReLU's defaults, once it is shown to be this entry's model.

    Raises:
        ModelError: its predictions are not those of the entry's module.
    """
    import torch

    from zoo.entries.grelu import slim_bytes
    from zoo.models.grelu import build_module, read_checkpoint
    from zoo.models.load import load_entry

    checkpoint = read_checkpoint(path)
    theirs, ours = build_module(checkpoint), load_entry(entry)
    codes = torch.randint(4, (WINDOWS, ours.length), generator=torch.Generator().manual_seed(0))
    windows = torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float()
    with torch.inference_mode():
        expected = ours.named(ours.module(ours.loader.arrange(windows)))
        found = ours.named(theirs(windows))
    for name, values in expected.items():
        difference = float((values - found[name]).abs().max())
        if not difference <= 1e-6 * max(1.0, float(values.abs().max())):
            raise ModelError(
                f"{path}: does not predict what the entry's module does",
                f"{name} differs by up to {difference:.3g}",
                "Fix: make the checkpoint of the entry's weights again",
            )
    return path.read_bytes() if _loads_by_default(path, checkpoint) else slim_bytes(checkpoint)


def _loads_by_default(path: Path, checkpoint: Any) -> bool:
    """Whether gReLU's ``load_model`` takes the file as it is: plain tensors and values, no download, no trainer."""
    import pickle

    import torch

    try:
        raw = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        return False
    needed = {"state_dict", "hyper_parameters", "data_params", "performance", "pytorch-lightning_version"}
    return needed <= set(raw) and not raw.get("optimizer_states") and checkpoint.recorded_type == checkpoint.model_type


# ---------------- the README of a Hugging Face repo: their metadata, and ours below one key


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
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "unlicense",
    "unknown",
}


def exported_readme(card: dict[str, Any], info: dict[str, Any], prose: str, library: str) -> str:
    """The text of README.md."""
    front = hub_metadata(card, info, library) | {EXPORTED: card, INFO: info}
    text = yaml.safe_dump(front, sort_keys=False, width=110, allow_unicode=True)
    return f"---\n{text}---\n\n{prose.strip()}\n"


def known_licence(licence: Any) -> str | None:
    """The identifier of Hugging Face for a licence, however it is written; None where it has none."""
    text = "-".join(str(licence or "unknown").lower().split())
    return text if text in LICENSES else None


def hub_metadata(card: dict[str, Any], info: dict[str, Any], library: str) -> dict[str, Any]:
    """Metadata of a model card as Hugging Face defines it."""
    licence = str(info.get("license") or "unknown")
    known = known_licence(licence)
    metadata: dict[str, Any] = {"license": known or "other"}
    if known is None:
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
