"""All that can change a bit of a score, beside the variant and its gene: what scores that are kept are kept under."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError
from zoo.files import sha256_of

if TYPE_CHECKING:
    import torch

    from zoo.models.loaded import LoadedModel
    from zoo.variants.options import VariantOptions

__all__ = ["NUMBERS", "check_model", "conditions", "differences", "machine_of"]

#: Raised whenever a change of this package changes a score in any bit.
NUMBERS = 2
#: Options that leave a score as it is; what they choose is in the columns, in the entry's key, or no number.
WITHOUT_EFFECT = {
    "score",
    "tracks",
    "genes",
    "ref_mismatch",
    "normalise",
    "max_length",
    "regions",
    "background",
    "seed",
    "haplotypes",
    "store",
    "device",
    "batch_size",
    "prefix",
    "resume",
    "dry_run",
    "translate_chroms",
    "any_genome",
    "trust",
    "format",
    "limit",
}


def check_model(model: LoadedModel) -> None:
    """Refuse a model whose scores nobody would find again.

    Raises:
        UsageError: it was not loaded from files.
    """
    if not model.hashes:
        raise UsageError(
            f"--store: {model.name} was not loaded from a file, so that it may be another model by now",
            "",
            "Fix: leave out --store",
        )


def conditions(
    model: LoadedModel,
    options: VariantOptions,
    columns: Sequence[Any],
    genome_sha256: str,
    *,
    batch_size: int,
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """All that can change a bit of a score, beside the variant and its gene.

    Args:
        columns: of the scores, with ``name``, ``score``, ``output`` and ``track``.
        batch_size: of every forward pass, see ``zoo.variants.run.steady``.
        machine: what computes, see ``machine_of``.
    """
    chosen = {name: value for name, value in vars(options).items() if name not in WITHOUT_EFFECT}
    return json.loads(
        json.dumps(
            {
                "numbers": NUMBERS,
                "model": model.name,
                "files": dict(sorted(model.hashes.items())),
                "described": _description_of(model),
                "genome": genome_sha256,
                "genes": sha256_of(Path(options.genes)) if options.genes is not None else None,
                "options": dict(sorted(chosen.items())),
                "columns": [[column.name, column.score, column.output, column.track] for column in columns],
                "batch_size": batch_size,
                "machine": dict(sorted(machine.items())),
            },
            default=str,
        )
    )


def _description_of(model: LoadedModel) -> str:
    """sha256 of what is said of input and outputs: units, bins, strands and the like make numbers of predictions."""
    said: list[Any] = [asdict(model.loader), *map(asdict, model.outputs)]
    if model.card is not None:
        said += [model.card.input.model_dump(), *(output.model_dump() for output in model.card.outputs)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def machine_of(device: torch.device) -> dict[str, Any]:
    """What computes: the last bits of a sum depend on all of it."""
    import torch  # a second's import, which waits until the rows are checked

    from zoo.models.loaded import processor_name

    cpu = device.type == "cpu"
    return {
        "device": device.type,
        "processor": processor_name(device),
        "instructions": torch.backends.cpu.get_cpu_capability() if cpu else "",
        "threads": torch.get_num_threads() if cpu else 0,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """``torch 2.6.0, now 2.7.1``: what differs between two sets of conditions, nested ones by their own names."""
    found = []
    for name in sorted({*theirs, *ours}):
        one, other = theirs.get(name), ours.get(name)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict) and name != "files":
            found += differences(one, other)
        elif isinstance(one, str | int | float | bool) and isinstance(other, str | int | float | bool):
            found.append(f"{name} {_short(one)}, now {_short(other)}")
        else:
            found.append(f"other {name}")
    return found


def _short(value: Any) -> str:
    return str(value) if len(str(value)) <= 40 else f"{str(value)[:12]}..."
