"""``zoo predict`` for a model whose dataloader is its own: batches come from it, not from our windows.

The loader lays windows, reads genomes and orders rows as it likes; what it says of them
(``metadata``) becomes the region columns.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from zoo.errors import InputError, ModelError, UsageError
from zoo.models.foreign_loader import ForeignLoader, load_foreign_loader, loader_values
from zoo.models.kipoi_import import blame
from zoo.models.kipoi_native import flat_result
from zoo.models.load import Entry, framework_of
from zoo.predict_options import PredictOptions, PredictResult
from zoo.progress import Progress
from zoo.run_record import write_run_record
from zoo.store.checksums import sha256_of
from zoo.tracks import TrackChoice, choose_tracks
from zoo.writers import StreamWriter, open_writer
from zoo.writers.base import OutputSpec, PredictionBatch, Writer, WriterContext

__all__ = ["ForeignRun", "predict_with_own_loader"]

BATCH_SIZE = 32  # kipoi's
# The dataloader decides these: an option that asks for something else is refused, not ignored.
NOT_OURS = ("window", "stride", "edges", "strand", "rc_average", "precision", "overlap", "translate_chroms", "resume")
GENOMIC = (".bw", ".bigwig", ".bedgraph", ".bedgraph.gz", ".bg", ".bg.gz")
# HDF5 stores chromosome names in fields of fixed width; which names will come is not known before.
WIDEST_NAME = "-" * 255


@dataclass
class ForeignRun:
    """A model with its own dataloader, ready to be iterated.

    Attributes:
        entry: the model.
        module: has ``predict_on_batch``, or is a torch module.
        loader: the dataloader's class and arguments.
        hashes: file name -> sha256 of what was loaded.
    """

    entry: Entry
    module: Any
    loader: ForeignLoader
    hashes: dict[str, str]

    @classmethod
    def load(cls, entry: Entry) -> ForeignRun:
        """Load model and dataloader.

        Raises:
            TrustError: Python would run and is not trusted. ModelError, SystemStateError: see there.
        """
        loader = load_foreign_loader(entry.description, entry.trusted)
        _, reader = framework_of(entry.description)
        used = reader.files_used(entry.description, entry.trusted)
        module = reader.build_module(entry.description, entry.trusted)
        return cls(entry, module, loader, {path.name: sha256_of(path) for path in used})

    def predict(self, inputs: Any) -> dict[str, np.ndarray]:
        """Outputs by place (``a/0``; the target's name for a lone array) for one batch of the dataloader's inputs."""
        with blame(f"{self.entry.name}: predicting a batch"):
            if hasattr(self.module, "predict_on_batch"):
                result = self.module.predict_on_batch(inputs)
            else:
                result = _call_torch(self.module, inputs)
        named = flat_result(result)
        targets = self.entry.description.targets
        if list(named) == [""]:
            named = {targets[0].place if len(targets) == 1 else "preds": named[""]}
        return {place: _numbers(place, value) for place, value in named.items()}


def predict_with_own_loader(
    entry: Entry,
    regions: str,
    genome: str | None,
    out: str,
    options: PredictOptions,
    report: Callable[[str], None] | None,
    progress: Callable[[int, int], Progress] | None,
) -> PredictResult:
    """Run model and dataloader of a Kipoi folder; the arguments are those of ``zoo.predict``."""
    _check_options(options, regions, out)
    stdout = sys.stdout
    # What a model's Python prints is no part of the result, which may go to standard output.
    with contextlib.redirect_stdout(sys.stderr):
        run = ForeignRun.load(entry)
        values = loader_values(run.loader, regions, genome, options.settings)
        size = BATCH_SIZE if options.batch_size == "auto" else int(options.batch_size)
        total, batches = run.loader.batches(values, size)
        result = PredictResult(notes=[f"regions are read by the model's own dataloader {run.loader.defined_as}"])
        if report:
            report(result.notes[0])
        if options.dry_run:
            _plan(run, batches, result, total, size)
            return result
        bar = progress(total or 0, 0) if progress else Progress(total or 0)
        started = time.monotonic()
        try:
            specs = _write_all(run, batches, out, options, result, bar, stdout)
        finally:
            bar.clear()
    result.seconds = time.monotonic() - started
    result.regions = result.windows
    if result.paths:
        _record(run, Path(out), result, options, values, specs)
    return result


def _write_all(
    run: ForeignRun, batches: Iterator[Any], out: str, options: PredictOptions, result: PredictResult, bar: Progress,
    stdout: TextIO,
) -> tuple[OutputSpec, ...]:
    writer: Writer | None = None
    choice: TrackChoice | None = None
    try:
        for batch in batches:
            named = run.predict(batch["inputs"])
            if choice is None:
                choice = choose_tracks(output_specs(named, run.entry), options.tracks)
                writer = _open(out, choice, options, stdout)
            rows = _rows(batch.get("metadata"), named, result.windows, choice)
            if options.limit is not None and result.windows + len(rows) > options.limit:
                rows = _first(rows, options.limit - result.windows)
            writer.write(rows)
            result.windows += len(rows)
            bar.advance(len(rows))
            if result.windows == options.limit:
                break
        if writer is None:
            raise InputError(f"the dataloader {run.loader.defined_as} gave no sample", "", "Fix: check its files")
        result.paths = writer.finish()
    except BaseException:
        if writer is not None:
            writer.discard()
        raise
    return choice.outputs


def _open(out: str, choice: TrackChoice, options: PredictOptions, stdout: TextIO) -> Writer:
    context = WriterContext(Path(out), choice.outputs, {WIDEST_NAME: 0}, options.overlap, {})
    if out == "-":
        writer: Writer = StreamWriter(context, stdout, options.format or "tsv")
    else:
        writer = open_writer(context, options.format)
    writer.open()
    return writer


def output_specs(named: Mapping[str, np.ndarray], entry: Entry) -> tuple[OutputSpec, ...]:
    """The outputs as they came, with the labels of model.yaml where they fit."""
    labels = {target.place: target.column_labels for target in entry.description.targets}
    specs = []
    for place, value in named.items():
        n = value.shape[1] if value.ndim > 1 else 1
        given = labels.get(place) or ()
        tracks = given if len(given) == n else (place,) if n == 1 else tuple(f"{place}_{i}" for i in range(n))
        kind = "profile" if value.ndim > 2 else "scalar"
        specs.append(OutputSpec(place, kind, tuple(tracks), int(np.prod(value.shape[2:], dtype=np.int64))))
    return tuple(specs)


def _rows(metadata: Any, named: Mapping[str, np.ndarray], first: int, choice: TrackChoice) -> PredictionBatch:
    """A batch of the loader as rows: coordinates from its ranges, the name from its ids or other metadata."""
    n = len(next(iter(named.values())))
    if uneven := [place for place, value in named.items() if len(value) != n]:
        wrong = f"output {uneven[0]!r} has {len(named[uneven[0]])} rows, others {n}"
        raise ModelError(wrong, "", "Fix: tell the model's authors")
    ranges = _ranges(metadata) or {}
    start = _integers(ranges.get("start"), n)
    end = _integers(ranges.get("end"), n)
    strand = np.array([one if one in ("+", "-") else "." for one in _words(ranges.get("strand"), n)], dtype="<U1")
    values = {
        spec.name: named[spec.name].reshape(n, -1) if spec.kind == "scalar"
        else named[spec.name].reshape(n, named[spec.name].shape[1], -1) for spec in output_specs_of(named, choice)
    }
    return PredictionBatch(
        region=np.arange(first, first + n), chrom=_words(ranges.get("chr"), n), start=start, end=end,
        name=_names(metadata, ranges, n), score=np.array(["."] * n, dtype=object), strand=strand, window_start=start,
        window_end=end, reverse=np.zeros(n, dtype=bool), values=choice.apply(values),
    )


def output_specs_of(named: Mapping[str, np.ndarray], choice: TrackChoice) -> tuple[OutputSpec, ...]:
    """The chosen outputs; the model must give each of them in every batch.

    Raises:
        ModelError: one is absent.
    """
    if gone := [spec.name for spec in choice.outputs if spec.name not in named]:
        raise ModelError(f"output {gone[0]!r} is absent from a later batch", "", "Fix: tell the model's authors")
    return choice.outputs


def _ranges(metadata: Any) -> Mapping[str, Any] | None:
    """The first genomic ranges in the metadata: a mapping with chr, start and end."""
    if not isinstance(metadata, Mapping):
        return None
    if {"chr", "start", "end"} <= set(metadata):
        return metadata
    return next((found for value in metadata.values() if (found := _ranges(value))), None)


def _names(metadata: Any, ranges: Mapping[str, Any], n: int) -> np.ndarray:
    """Text metadata beside the ranges (gene, transcript, variant), joined by ``|``; else the ids of the ranges."""
    others = []
    if isinstance(metadata, Mapping) and metadata is not ranges:
        for key, value in metadata.items():
            array = np.asarray(value) if not isinstance(value, Mapping) else np.empty(0)
            if array.shape == (n,) and array.dtype.kind in "UOS" and "strand" not in str(key).lower():
                others.append(_words(value, n))
    if not others:
        return _words(ranges.get("id"), n)
    return np.array(["|".join(parts) for parts in zip(*others, strict=True)], dtype=object)


def _words(value: Any, n: int) -> np.ndarray:
    if value is None:
        return np.array(["."] * n, dtype=object)
    given = [value] * n if isinstance(value, str | bytes) or np.ndim(value) == 0 else list(value)
    texts = [one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in given]
    if len(texts) != n:
        wrong = f"the dataloader's metadata has {len(texts)} rows for {n} predictions"
        raise ModelError(wrong, "", "Fix: tell the model's authors")
    return np.array([text or "." for text in texts], dtype=object)


def _integers(value: Any, n: int) -> np.ndarray:
    """Positions; -1 where the loader gives none, as BEDTools marks an absent interval."""
    return np.broadcast_to(np.asarray(-1 if value is None else value, np.int64), (n,)).copy()


def _first(rows: PredictionBatch, n: int) -> PredictionBatch:
    columns = {name: getattr(rows, name)[:n] for name in rows.__dataclass_fields__ if name != "values"}
    return PredictionBatch(**columns, values={name: value[:n] for name, value in rows.values.items()})


def _numbers(place: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ModelError(f"output {place!r} is not numeric: {error}", "", "Fix: only numbers can be written") from None
    if array.ndim == 0:
        raise ModelError(f"output {place!r} is a single number for a batch", "", "Fix: one row a sample")
    return array


@torch.inference_mode()
def _call_torch(module: torch.nn.Module, inputs: Any) -> Any:
    """Kipoi's PyTorchModel.predict_on_batch: a dict by keyword, a list by position, an array alone."""
    dtype = next((one.dtype for one in module.parameters() if one.is_floating_point()), torch.float32)

    def tensor(value: Any) -> torch.Tensor:
        made = torch.from_numpy(np.ascontiguousarray(value))
        return made.to(dtype) if made.is_floating_point() else made

    graph = getattr(module, "graph", None)
    if isinstance(inputs, Mapping) and graph is not None:  # a converted Keras model takes its inputs in order
        result = module(*(tensor(inputs[name]) for name in graph.input_names))
    elif isinstance(inputs, Mapping):
        result = module(**{name: tensor(value) for name, value in inputs.items()})
    elif isinstance(inputs, list | tuple):
        result = module(*(tensor(value) for value in inputs))
    else:
        result = module(tensor(inputs))
    return _to_numpy(result)


def _to_numpy(result: Any) -> Any:
    if isinstance(result, Mapping):
        return {name: _to_numpy(value) for name, value in result.items()}
    if isinstance(result, list | tuple):
        return [_to_numpy(value) for value in result]
    return result.detach().cpu().numpy()


def _check_options(options: PredictOptions, regions: str, out: str) -> None:
    usual = PredictOptions()
    if other := [name for name in NOT_OURS if getattr(options, name) != getattr(usual, name)]:
        flag = "--" + other[0].replace("_", "-")
        raise UsageError(
            f"{flag}: this model's own dataloader lays windows and reads the genome", "",
            f"Fix: leave {flag} out; --set gives arguments of the dataloader",
        )
    if regions == "-":
        raise UsageError("this model's own dataloader reads a file, not standard input", "", "Fix: give a file")
    if Path(out).name.lower().endswith(GENOMIC):
        raise UsageError(
            f"{out}: where this model's outputs lie is not known", "", "Fix: write .tsv, .h5, .zarr or .parquet"
        )
    folder = Path(out).parent
    if out != "-" and not folder.is_dir():
        raise UsageError(f"{out}: the folder {folder} does not exist", "", f"Fix: mkdir -p {folder}")


def _plan(run: ForeignRun, batches: Iterator[Any], result: PredictResult, total: int | None, size: int) -> None:
    """A dry run predicts the first batch: only then the outputs are known."""
    first = next(batches, None)
    specs = output_specs(run.predict(first["inputs"]), run.entry) if first else ()
    result.regions = result.windows = total or 0
    result.counts = {
        "window_bp": 0, "device": "cpu", "batch_size": size, "outputs": {spec.name: len(spec.tracks) for spec in specs},
    }


def _record(
    run: ForeignRun, out: Path, result: PredictResult, options: PredictOptions, values: Mapping[str, Any],
    specs: tuple[OutputSpec, ...],
) -> None:
    write_run_record(out, {
        "model": {"name": run.entry.name, "sha256": run.hashes}, "dataloader": run.loader.defined_as,
        "arguments": dict(values), "options": asdict(options) | {"tracks": list(options.tracks)}, "notes": result.notes,
        "outputs": [asdict(spec) for spec in specs], "counts": {"samples": result.windows},
        "files": [str(path) for path in result.paths], "seconds": round(result.seconds, 3),
    })
