"""``attribute``: a model, regions and a genome in; ``contribs.h5`` out.

The order of work is that of ``zoo.prediction``: check everything, load the model, choose what is explained,
then read, explain and write block by block.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interpret.completeness import MEDIAN_LIMIT, check_complete, completeness_note
from interpret.contribs import ContribsWriter
from interpret.methods import METHODS, Method, open_method
from interpret.multipliers import Explanation
from interpret.references import References, parse_references
from interpret.target import Target, choose_target, explained_module
from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.pipeline import Block
from zoo.predict_job import PredictJob, prepare
from zoo.predict_options import PredictOptions, options_from
from zoo.progress import Progress
from zoo.run_record import genome_fingerprint
from zoo.store.checksums import sha256_of
from zoo.store.lock import hold_lock

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = ["AttributeOptions", "AttributeResult", "attribute"]

#: Windows explained between two writes.
WINDOWS_A_STEP = 16


@dataclass(frozen=True)
class AttributeOptions:
    """The options of ``zoo attribute``; each is the flag of the same name.

    Attributes:
        method: a key of ``methods.METHODS``.
        output, tracks, bins, reduce: see ``target.choose_target``.
        references, seed: see ``references.parse_references``.
        explain: ``logits`` or ``predictions``.
        fallback: method that runs where deepliftshap has no rule.
        allow_incomplete: keep contributions that do not add up.
        rc_average: average with the attributions of the other strand.
    """

    method: str = "deepliftshap"
    output: str | None = None
    tracks: tuple[str, ...] = ()
    bins: str | None = None
    reduce: str = "sum"
    references: str = "20"
    seed: int = 0
    explain: str = "logits"
    fallback: str | None = None
    allow_incomplete: bool = False
    rc_average: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"--method {self.method}: not known", "", f"Fix: one of {', '.join(METHODS)}")
        if self.explain not in ("logits", "predictions"):
            raise UsageError(f"--explain {self.explain}: not known", "", "Fix: logits or predictions")
        if self.fallback not in (None, "ism", "integrated_gradients"):
            raise UsageError(f"--fallback {self.fallback}: not known", "", "Fix: ism or integrated_gradients")
        if not METHODS[self.method] and self.references != type(self).references:
            raise UsageError(
                f"--references {self.references}: {self.method} has no references", "",
                f"Fix: leave out --references, or --method {', '.join(name for name, has in METHODS.items() if has)}",
            )


@dataclass(frozen=True)
class AttributeResult:
    """What a run did: the file, how many windows, sentences for the user, seconds."""

    path: Path
    windows: int
    notes: list[str]
    seconds: float


def attribute(
    model: str | Path | LoadedModel,
    regions: str | Path,
    genome: str | Path | None = None,
    out: str | Path = "contribs.h5",
    *,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int, int], Progress] | None = None,
    **options: Any,
) -> AttributeResult:
    """Attribute a model's output to the bases of regions and write ``contribs.h5``.

    Args:
        model, regions, genome: as in ``zoo.predict``.
        out: the file, ``.h5``.
        report: called with each note for the user.
        progress: ``(total, done) -> Progress``.
        **options: of ``AttributeOptions``, and of ``PredictOptions`` for regions, genome and device.

    Raises:
        ZooError: nothing bears the final name.
        MismatchError: contributions that do not add up.
    """
    chosen, reading = _options(options)
    out = Path(out)
    if out.suffix.lower() not in (".h5", ".hdf5"):
        raise UsageError(f"{out}: contributions are written as HDF5", "", "Fix: -o contribs.h5")
    say = report or (lambda note: None)
    # What a model's Python prints is no part of the result.
    with RegionFile(regions) as region_file, contextlib.redirect_stdout(sys.stderr):
        job = prepare(model, region_file, genome, reading, str(out))
        if not job.summary.regions:
            raise InputError(f"{region_file.label}: holds no region", "", "Fix: a BED with regions")

        def refuse(holder: str) -> None:
            raise UsageError(f"{out}: is being written by another run", f"{holder} holds its lock", "Fix: wait for it")

        with hold_lock(out.with_name(f"{out.name}.partial.lock"), refuse):
            return _Run(job, out, chosen, say).go(progress)


def _options(given: dict[str, Any]) -> tuple[AttributeOptions, PredictOptions]:
    own = {field.name for field in dataclasses.fields(AttributeOptions)}
    mine = {name: value for name, value in given.items() if name in own}
    mine["tracks"] = tuple([mine["tracks"]] if isinstance(mine.get("tracks"), str) else mine.get("tracks", ()))
    return AttributeOptions(**mine), options_from({k: v for k, v in given.items() if k not in own})


class _Run:
    """One file being made."""

    def __init__(self, job: PredictJob, out: Path, options: AttributeOptions, say: Callable[[str], None]) -> None:
        self.job, self.options, self.say = job, options, say
        self.notes = list(job.notes)
        for note in self.notes:
            say(note)
        model = job.model
        self.target = choose_target(model.outputs, options.output, options.tracks, options.bins, options.reduce)
        self.references = parse_references(options.references, options.seed, model.loader.n_value)
        self.writer = ContribsWriter(out, model.length)
        module, notes = explained_module(model, self.target, options.explain)
        self.explained = module.explained
        self.method = self._open(module.to(job.runner.device))
        self.other = self._other_strand() if options.rc_average else None
        for note in [*notes, *filter(None, [self.method.note])]:
            self._note(note)
        self.pair_errors: list[np.ndarray] = []

    def _note(self, note: str) -> None:
        self.notes.append(note)
        self.say(note)

    def _open(self, module: Any) -> Method:
        return open_method(self.options.method, module, self.job.model.length, self.references, self.options.fallback)

    def _other_strand(self) -> Method:
        model = self.job.model
        mirrored: Target = self.target.mirrored(model.strand_pairs.get(self.target.output.name))
        return self._open(explained_module(model, mirrored, self.options.explain)[0].to(self.job.runner.device))

    def go(self, progress: Callable[[int, int], Progress] | None) -> AttributeResult:
        total = self.job.count_windows()
        bar = progress(total, 0) if progress else Progress(total)
        try:
            self.writer.open()
            for block in self.job.reader():
                self._explain_block(block, bar)
            if not self.writer.rows:
                raise InputError("no window was explained", "every window leaves its chromosome", "Fix: --edges pad")
            errors = np.concatenate(self.pair_errors)
            self._refuse(errors)
            if note := completeness_note(errors):
                self._note(note)
            path = self.writer.finish(self._record(bar.seconds))
        except BaseException:
            self.writer.discard()
            raise
        finally:
            bar.clear()
        return AttributeResult(path, self.writer.rows, self.notes, bar.seconds)

    def _explain_block(self, block: Block, bar: Progress) -> None:
        for start in range(0, len(block.batch), WINDOWS_A_STEP):
            part = slice(start, start + WINDOWS_A_STEP)
            one_hot = np.ascontiguousarray(block.one_hot[part])
            found = self._explain(one_hot)
            if not np.isfinite(found.hypothetical).all():
                row = start + int(np.flatnonzero(~np.isfinite(found.hypothetical).all((1, 2)))[0])
                raise InputError(
                    f"the contributions of {block.batch.chrom[row]}:{block.batch.start[row]}-{block.batch.end[row]} "
                    "are not finite", "", "Fix: check the model on this region with `zoo predict`",
                )
            batch = dataclasses.replace(block.batch, **{
                field.name: getattr(block.batch, field.name)[part]
                for field in dataclasses.fields(block.batch) if field.name != "values"
            })
            self.pair_errors.append(found.pair_error)
            if len(self.pair_errors) == 1:  # found after seconds, not after hours
                self._refuse(found.pair_error)
            self.writer.write(batch, one_hot, found.hypothetical, **{
                name: getattr(found, name)
                for name in ("prediction", "reference_prediction", "completeness_error", "pair_error")
            })
            bar.advance(len(one_hot))

    def _explain(self, one_hot: np.ndarray) -> Explanation:
        from zoo.models.runner import full_float32

        with full_float32():  # else nothing adds up after somebody lowered the process's matrix products
            return self._explain_strands(one_hot)

    def _explain_strands(self, one_hot: np.ndarray) -> Explanation:
        first = self.writer.rows
        found = self.method.explain(one_hot, first)
        if self.other is None:
            return found
        turned = self.other.explain(np.ascontiguousarray(one_hot[:, ::-1, ::-1]), first)
        turned = dataclasses.replace(turned, hypothetical=turned.hypothetical[:, ::-1, ::-1])
        return Explanation(*(
            (getattr(found, f.name) + getattr(turned, f.name)) / 2 for f in dataclasses.fields(Explanation)
        ))

    def _refuse(self, errors: np.ndarray) -> None:
        if self.method.complete and not self.options.allow_incomplete:
            check_complete(errors, self.method.name)

    def _record(self, seconds: float) -> dict[str, Any]:
        job, options, references = self.job, self.options, self.references
        return {
            "command": sys.argv,
            "model": {"name": job.model.name, "version": getattr(job.model.card, "version", None), **job.model.info,
                      "sha256": job.model.hashes},
            "method": self.method.name, "references": _named(references) if METHODS[self.method.name] else None,
            "seed": references.seed, "output": self.target.output.name, "tracks": list(self.target.tracks),
            "bins": self.target.bins, "reduction": self.target.reduction, "explained": self.explained,
            "genome": genome_fingerprint(job.genome.sizes, job.genome.path),
            "assembly": job.model.card.genome.assembly if job.model.card and job.model.card.genome else None,
            "regions": {"path": str(job.regions.label), "sha256": sha256_of(job.regions.path)},
            "versions": _versions(),
            "options": dataclasses.asdict(options) | {"reading": dataclasses.asdict(job.options)},
            "completeness_threshold": MEDIAN_LIMIT, "notes": self.notes, "windows": self.writer.rows,
            "seconds": round(seconds, 3), "one_hot_n_value": job.model.loader.n_value,
        }


def _named(references: References) -> dict[str, Any]:
    return {"kind": references.kind, "n": references.n, "seed": references.seed}


def _versions() -> dict[str, str]:
    found = {}
    for name in ("seqzoo", "torch", "numpy", "captum", "tangermeme"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return json.loads(json.dumps(found))
