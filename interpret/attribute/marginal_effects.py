"""``--method marginalize``: what a motif does to the prediction when it is put into shuffled windows.

Each window is shuffled ``n`` times, keeping its dinucleotides; the motif replaces the centre of each shuffle. The
table has a row a window: the mean over its shuffles of the prediction with the motif, of that without, and of their
difference, the effect. The note gives the mean effect over windows and its standard error.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from interpret.attribute.explainer import options_signature
from interpret.attribute.options import AttributeOptions, AttributeResult
from interpret.function.check import check_function
from interpret.methods.marginalize import pattern_of, predictions_with_and_without
from interpret.module import in_full_float32
from interpret.motifs.meme import KnownMotif, MemeFile, read_meme_file
from interpret.references import parse_references
from interpret.target import choose_target, explained_module
from zoo.errors import InputError, UsageError
from zoo.genome.encode import random_windows
from zoo.models.loaded import LoadedModel, check_mirrors
from zoo.outputs import OutputSpec
from zoo.paths import refuse_url
from zoo.progress import Notes, Progress
from zoo.results.record import write_run_record
from zoo.run.file_run import FileRun
from zoo.run.job import Job, counted_notes
from zoo.words import counted, near_names
from zoo.writers import open_writer
from zoo.writers.base import WriterContext

__all__ = ["COLUMNS", "Marginalizer", "consensus", "measure", "read_motif"]

COLUMNS = ("effect", "background_prediction", "inserted_prediction")
WINDOWS_A_STEP = 16
CLEAR = 0.5  # probability from which a base is the consensus


def read_motif(text: str) -> tuple[str, str]:
    """``--motif``: letters, or ``FILE.meme`` or ``FILE.meme:NAME``.

    Returns:
        Letters A, C, G, T and N (N leaves what the background has there), and where they come from.

    Raises:
        UsageError: other letters, or a file with several motifs and none chosen. InputError: a file that is not MEME.
    """
    letters = text.upper()
    if set(letters) <= set("ACGTN") and letters.strip("N"):
        return letters, "the command line"
    refuse_url(text, UsageError, option="--motif")
    path, name = _file_and_name(text)
    if path is not None:
        found = _choose(read_meme_file(Path(path)), name, path)
        return consensus(found.probability), f"{found.id} of {path}"
    if set(letters) == {"N"}:
        raise UsageError(f"--motif {text}: has no base", "N leaves what the background has there", "Fix: add bases")
    if "." in text or "/" in text:
        raise InputError(f"--motif {text}: no such file", "", "Fix: a MEME file, or letters such as TGACTCA")
    raise UsageError(
        f"--motif {text}: holds other letters than A, C, G, T and N",
        "N leaves what the background has there",
        "Fix: --motif TGACTCA, or --motif FILE.meme:NAME for the consensus of a matrix",
    )


def _file_and_name(text: str) -> tuple[str | None, str | None]:
    """``FILE`` and ``NAME`` of ``FILE:NAME``: either may hold colons, so that the longest file that exists is taken."""
    parts = text.split(":")
    for n in range(len(parts), 0, -1):
        path = ":".join(parts[:n])
        if path and Path(path).is_file():
            return path, ":".join(parts[n:]) if n < len(parts) else None
    return None, None


def _choose(file: MemeFile, name: str | None, path: str) -> KnownMotif:
    motifs = file.motifs
    # An id is one motif's own; a factor's name may be that of several.
    chosen = (
        [m for m in motifs if m.id == name] or [m for m in motifs if m.name == name] if name is not None else motifs
    )
    if len(chosen) == 1:
        return chosen[0]
    if name in file.left_out:
        raise InputError(
            f"--motif {path}:{name}: the motif has no letter-probability matrix",
            f"{len(motifs):,} others have one",
            f"Fix: --motif {path}:{motifs[0].id}",
        )
    if not chosen:
        names = [motif.id for motif in motifs]
        near = near_names(name, [*names, *(m.name for m in motifs)]) or names[:3]
        raise UsageError(
            f"--motif {path}:{name}: no such motif",
            f"{counted(len(motifs), 'motif')}; near: {', '.join(near)}",
            f"Fix: --motif {path}:{near[0]}",
        )
    ids = [motif.id for motif in chosen]
    alone = next((id for id in ids if ids.count(id) == 1), None)
    raise UsageError(
        f"--motif {path}{'' if name is None else f':{name}'}: holds {len(chosen):,} such motifs",
        f"first: {', '.join(ids[:4])}",
        f"Fix: --motif {path}:{alone}" if alone else "Fix: give each a name of its own in the file",
    )


def consensus(probability: np.ndarray) -> str:
    """The base of each position that has half of the probability or more, else N. Args: probability (W, 4)."""
    best = probability.argmax(1)
    clear = probability.max(1) >= CLEAR
    letters = "".join("ACGT"[base] if sure else "N" for base, sure in zip(best, clear, strict=True))
    if not letters.strip("N"):
        raise InputError(
            "no position of the motif has a clear base", counted(len(letters), "position"), "Fix: give letters"
        )
    return letters


class Marginalizer:
    """What is computed of a window: the effect of a motif in its shuffles. Arguments are those of ``Explainer``."""

    outputs = (OutputSpec("marginalize", "scalar", COLUMNS),)
    step = WINDOWS_A_STEP

    def __init__(
        self, model: LoadedModel, options: AttributeOptions, device: torch.device, batch_size: int | None = None
    ) -> None:
        self.options, self.device, self.batch_size = options, device, batch_size
        self.motif, self.origin = read_motif(options.motif)
        self.pattern = pattern_of(self.motif, model.length)
        self.target = choose_target(model.outputs, options.output, options.tracks, options.bins, options.reduce)
        self.references = parse_references(options.references, options.seed, model.loader.n_value)
        module, self.notes = explained_module(model, self.target, options.explain)
        self.module, self.explained = module.to(device), module.explained
        with in_full_float32():
            check_function(self.module, random_windows(1, model.length), batch_size)
        self.mirror = None
        if options.rc_average:
            check_mirrors(model)
            other = self.target.mirrored(model.strand_pairs.get(self.target.output.name))
            self.mirror = explained_module(model, other, options.explain)[0].to(device)

    def forward(self, one_hot: np.ndarray, first: int) -> dict[str, np.ndarray]:
        """Measure windows (n, 4, L), of which the first has this number -> (n, 3) of ``COLUMNS``."""
        shuffles = self.references.of(one_hot, first).reshape(-1, *one_hot.shape[1:])
        length, width = one_hot.shape[2], self.pattern.shape[1]
        start = (length - width) // 2
        with in_full_float32():
            both = self._predictions(self.module, shuffles, self.pattern, start)
            if self.mirror is not None:
                turned = shuffles[:, ::-1, ::-1], self.pattern[::-1, ::-1]
                both = (both + self._predictions(self.mirror, *turned, length - width - start)) / 2
        inserted, background = both
        each = np.stack([inserted - background, background, inserted], 1).reshape(len(one_hot), -1, 3)
        found = each.astype(np.float64).mean(1).astype(np.float32)
        if not np.isfinite(found).all():
            raise InputError("predictions of shuffled windows are not finite", "", "Fix: check the model: zoo test")
        return {"marginalize": found}

    def _predictions(
        self, module: torch.nn.Module, shuffles: np.ndarray, pattern: np.ndarray, start: int
    ) -> np.ndarray:
        """With the motif and without, (2, shuffles)."""
        size = self.batch_size
        return np.stack(predictions_with_and_without(module, shuffles, pattern, start=start, batch_size=size))

    def signature(self) -> dict[str, Any]:
        """The options, and the letters: a file of matrices may have changed."""
        return options_signature(self.options, self.batch_size) | {"motif": self.motif}


def measure(
    job: Job,
    compute: Marginalizer,
    out: Path,
    notes: Notes,
    progress: Callable[[int, int], Progress] | None,
) -> AttributeResult:
    """Write the table and say the mean effect."""
    context = WriterContext(out, compute.outputs, job.chrom_sizes(), "mean", {}, job.options.window == "tile")
    run = FileRun(job, compute, open_writer(context), notes, progress)
    paths = run.go()
    notes.add(*counted_notes(run.counts, job))
    effects = _column(out, "effect")
    summary = _summary(effects)
    notes.add(
        f"{compute.motif} inserted into {counted(compute.references.n, 'shuffle')} of each of "
        f"{counted(len(effects), 'window')}: "
        f"mean effect {summary['mean']:+.4g}, standard error {summary['standard_error']:.2g}"
    )
    write_run_record(out, _record(job, compute, summary, notes.texts, run.seconds) | {"counts": run.counts})
    return AttributeResult(out, run.rows, notes.texts, run.seconds, paths, job.counted(run.counts))


def _summary(effects: np.ndarray) -> dict[str, Any]:
    """Over windows; one window has no standard error."""
    n = len(effects)
    error = float(effects.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return {"mean": float(effects.mean()) if n else float("nan"), "standard_error": error, "windows": n}


def _column(path: Path, name: str) -> np.ndarray:
    """A column of a finished table, (N,) float64."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        place = next(lines).rstrip("\n").lstrip("#").split("\t").index(name)
        return np.fromiter((float(line.split("\t")[place]) for line in lines), float)


def _record(job: Job, compute: Marginalizer, summary: dict[str, Any], notes: list[str], seconds: float) -> dict:
    references = compute.references
    return job.record() | {
        "method": "marginalize",
        "motif": compute.motif,
        "motif_from": compute.origin,
        "effect": summary,
        "references": {"kind": references.kind, "n": references.n, "seed": references.seed},
        "output": compute.target.output.name,
        "tracks": list(compute.target.tracks),
        "bins": compute.target.bins,
        "reduction": compute.target.reduction,
        "explained": compute.explained,
        "rc_average": compute.options.rc_average,
        "notes": notes,
        "seconds": round(seconds, 3),
    }
