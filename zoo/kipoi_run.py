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
from zoo.kipoi_rows import first_rows, join_rows, output_specs, rows_of
from zoo.models.foreign_loader import ForeignLoader, example_values, load_foreign_loader, loader_values
from zoo.models.kipoi_import import blame
from zoo.models.kipoi_native import PICKLES, flat_result
from zoo.models.load import Entry, framework_of
from zoo.models.runner import pick_device
from zoo.predict_job import check_out
from zoo.predict_options import PredictOptions, PredictResult
from zoo.progress import Progress
from zoo.run_record import write_run_record
from zoo.store.checksums import sha256_of
from zoo.store.lock import hold_lock
from zoo.store.sources import refuse_pointers
from zoo.tracks import TrackChoice, choose_tracks
from zoo.writers import StreamWriter, check_format, open_writer
from zoo.writers.base import OutputSpec, PredictionBatch, Writer, WriterContext

__all__ = ["ForeignRun", "predict_example", "predict_with_own_loader"]

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
        device: where a torch module runs; a class of the folder decides itself.
    """

    entry: Entry
    module: Any
    loader: ForeignLoader
    hashes: dict[str, str]
    device: torch.device

    @classmethod
    def load(cls, entry: Entry, device: str = "auto") -> ForeignRun:
        """Load model and dataloader.

        Raises:
            TrustError: Python would run and is not trusted. ModelError, SystemStateError: see there.
        """
        _, reader = framework_of(entry.description)
        if entry.description.defined_as in PICKLES:  # the user trusts a pickle by its checksum, not a file of Python
            reader.files_used(entry.description, entry.trusted)
        loader = load_foreign_loader(entry.description, entry.trusted)
        used = reader.files_used(entry.description, entry.trusted)
        refuse_pointers(used)
        where = pick_device(device)
        module = reader.build_module(entry.description, entry.trusted).to(where)
        return cls(entry, module, loader, {path.name: sha256_of(path) for path in used}, where)

    def predict(self, inputs: Any) -> dict[str, np.ndarray]:
        """Outputs by place (``a/0``; the target's name for a lone array) for one batch of the dataloader's inputs."""
        with blame(f"{self.entry.name}: predicting a batch"):
            if hasattr(self.module, "predict_on_batch"):
                result = self.module.predict_on_batch(inputs)
            else:
                result = _call_torch(self.module, inputs, self.device)
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
    _check_options(options, regions, genome, out)
    stdout = sys.stdout
    # What a model's Python prints is no part of the result, which may go to standard output.
    with contextlib.redirect_stdout(sys.stderr):
        run = ForeignRun.load(entry, options.device)
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
            with _alone(out):
                specs = _write_all(run, batches, out, options, result, bar, stdout)
        finally:
            bar.clear()
    result.seconds = time.monotonic() - started
    result.regions = result.windows
    if result.paths:
        _record(run, Path(out), result, options, values, specs)
    return result


@contextlib.contextmanager
def _alone(out: str) -> Iterator[None]:
    """Two runs never write the same result."""
    if out == "-":
        yield
        return

    def refuse(holder: str) -> None:
        raise UsageError(
            f"{out}: is being written by another run", f"{holder} holds its lock",
            "Fix: wait for it, stop it, or give another name with -o",
        )

    with hold_lock(Path(f"{out}.partial.lock"), refuse):
        yield


def predict_example(entry: Entry, device: str = "cpu") -> tuple[tuple[OutputSpec, ...], PredictionBatch]:
    """Predict the example that a model's own dataloader comes with.

    Returns:
        The outputs, and all rows.

    Raises:
        ModelError: it has no example.
    """
    with contextlib.redirect_stdout(sys.stderr):
        run = ForeignRun.load(entry, device)
        _, batches = run.loader.batches(example_values(run.loader, entry.description), BATCH_SIZE)
        parts: list[PredictionBatch] = []
        choice: TrackChoice | None = None
        for batch in batches:
            named = run.predict(batch["inputs"])
            choice = choice or choose_tracks(output_specs(named, entry), ())
            parts.append(rows_of(batch.get("metadata"), named, sum(map(len, parts)), choice))
    if choice is None:
        raise ModelError(f"{entry.name}: its example has no sample", "", "Fix: tell its authors")
    return choice.outputs, join_rows(parts)


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
            rows = rows_of(batch.get("metadata"), named, result.windows, choice)
            if options.limit is not None and result.windows + len(rows) > options.limit:
                rows = first_rows(rows, options.limit - result.windows)
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


def _numbers(place: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ModelError(f"output {place!r} is not numeric: {error}", "", "Fix: only numbers can be written") from None
    if array.ndim == 0:
        raise ModelError(f"output {place!r} is a single number for a batch", "", "Fix: one row a sample")
    return array


@torch.inference_mode()
def _call_torch(module: torch.nn.Module, inputs: Any, device: torch.device) -> Any:
    """Kipoi's PyTorchModel.predict_on_batch: a dict by keyword, a list by position, an array alone."""
    dtype = next((one.dtype for one in module.parameters() if one.is_floating_point()), torch.float32)

    def tensor(value: Any) -> torch.Tensor:
        made = torch.from_numpy(np.ascontiguousarray(value)).to(device)
        return made.to(dtype) if made.is_floating_point() else made

    names = getattr(getattr(module, "graph", module), "input_names", None)
    if isinstance(inputs, Mapping) and names:  # a converted Keras model takes its inputs in its own order
        result = module(*(tensor(inputs[name]) for name in names))
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


def _check_options(options: PredictOptions, regions: str, genome: str | None, out: str) -> None:
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
    check_format(out, options.format)
    if out != "-":
        check_out(Path(out), Path(regions), genome)


def _plan(run: ForeignRun, batches: Iterator[Any], result: PredictResult, total: int | None, size: int) -> None:
    """A dry run predicts the first batch: only then the outputs are known."""
    first = next(batches, None)
    specs = output_specs(run.predict(first["inputs"]), run.entry) if first else ()
    result.regions = result.windows = total or 0
    result.counts = {
        "window_bp": 0, "device": str(run.device), "batch_size": size,
        "outputs": {spec.name: len(spec.tracks) for spec in specs},
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
