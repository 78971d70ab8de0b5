"""``zoo test``: run a model on its own example and compare with the expected predictions."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.entries.kept import read_bins, restrict
from zoo.errors import InputError, MismatchError, ModelError, UsageError, ZooError
from zoo.models.entry import Entry, has_own_loader, open_entry, withdrawn_error
from zoo.models.load import load_entry
from zoo.models.loaded import LoadedModel
from zoo.outputs import OutputSpec, PredictionBatch, tracks_first
from zoo.results.check_out import check_out
from zoo.run.predict import predict_regions
from zoo.words import counted_of

__all__ = ["ExampleReport", "NothingToTest", "OutputComparison", "check_example", "run_example", "save_predictions"]

RTOL, ATOL = 1e-4, 1e-5
EXAMPLE = "example"  # the folder of an entry that holds its example


class NothingToTest(ModelError):
    """An unverified entry without an example, or one that was withdrawn: nobody claims that it works."""


@dataclass(frozen=True)
class OutputComparison:
    """One output of the example beside what was expected.

    Of ``predicted`` elements, ``elements`` were compared: those of which the expected file holds a value.
    ``worst`` names the element that is furthest beyond the tolerance, or nearest to it.
    """

    output: str
    elements: int
    predicted: int
    beyond: int
    largest_difference: float
    worst: str


@dataclass(frozen=True)
class ExampleReport:
    """What a check found; ``predictions`` are the (N, ...) arrays by output name."""

    model: str
    windows: int
    comparisons: list[OutputComparison]
    saved: Path | None
    predictions: dict[str, np.ndarray]

    @property
    def ok(self) -> bool:
        return not any(item.beyond for item in self.comparisons)


def check_example(
    model: str | Path,
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    trust: bool = False,
    save: Path | None = None,
    device: str = "cpu",
) -> ExampleReport:
    """Predict the entry's example and compare: ``|got - expected| <= atol + rtol * |expected|``.

    Args:
        model: name or folder.
        save: where to save what was predicted (HDF5, ``preds`` as in the expected file). When None,
            it is saved as ``<name>.got.h5`` in the current folder if it differs.

    Raises:
        ModelError: the entry has no example, its expected file cannot be read, or a file of the example is not the one
            that the card's ``files`` record.
        MismatchError: a prediction differs; the worst element is named.
    """
    entry = open_entry(model, trust=trust, withdrawn=True)
    if entry.card is not None and entry.card.withdrawn is not None:
        error = withdrawn_error(entry)
        raise NothingToTest(error.what, error.extent, error.fix)
    if save is not None:
        read = [entry.path, entry.description.expect if entry.description else None]
        save = check_out(save, inputs=read, suffixes=(".h5", ".hdf5"), what="predictions", option="--save")
    _require_example(entry)
    _refuse_changed(entry)
    expected_path = _expected_path(entry)
    loaded, batch = run_example(entry, device)
    expected = _read_expected(expected_path, loaded, entry.description.member if entry.description else None)
    comparisons = [
        _compare(spec, batch, batch.values[spec.name], expected[spec.name], rtol, atol, expected_path)
        for spec in loaded.outputs
    ]
    failed = [item for item in comparisons if item.beyond]
    if save is not None:
        save_predictions(save, loaded, batch)
    elif failed:
        save = _save_somewhere(f"{Path(loaded.name).name}.got.h5", loaded, batch)
    report = ExampleReport(loaded.name, len(batch), comparisons, save, batch.values)
    if failed:
        raise _mismatch(report, max(failed, key=lambda item: item.largest_difference), expected_path, rtol, atol)
    return report


@contextlib.contextmanager
def _naming_the_example(entry: Entry) -> Iterator[None]:
    """What is wrong with the example's files is the entry's fault: a user of ``zoo test`` gave none of them."""
    try:
        yield
    except InputError as error:
        raise ModelError(
            f"{entry.name}: its example cannot be predicted: {error.what}",
            error.extent,
            "Fix: correct the example of the entry, or fetch the entry again",
        ) from error


@dataclass(frozen=True)
class PredictedModel:
    """What of a model is needed here, where its own dataloader made the batches."""

    name: str
    outputs: tuple[OutputSpec, ...]


def run_example(entry: Entry, device: str = "cpu") -> tuple[LoadedModel | PredictedModel, PredictionBatch]:
    """The model and its predictions for all rows of its example.

    Raises:
        ModelError: the entry has no example, or it cannot be predicted.
    """
    if has_own_loader(entry):
        from zoo.run.own_loader import predict_example

        outputs, batch = predict_example(entry, device)
        return PredictedModel(entry.name, outputs), batch
    regions, fasta = _example_files(entry)
    loaded = load_entry(entry)
    # The example is cut from its genome, so that no assembly can be recognised.
    with _naming_the_example(entry):
        return loaded, predict_regions(loaded, regions, fasta, any_genome=True, device=device, report=_to_nobody)


def _to_nobody(note: str) -> None:
    """What may be said of the predictions of an example: they are compared, and not read."""


def _require_example(entry: Entry) -> None:
    """Refuse an entry that nobody gave an example."""
    if entry.path.is_file():
        raise ModelError(f"{entry.name}: a file alone has no example", "", "Fix: make an entry of it first")
    checked = entry.card.verification if entry.card is not None else None
    if _has_example(entry) or checked is None or checked.status != "unverified":
        return
    raise NothingToTest(
        f"{entry.name}: nothing to test, the entry is unverified",
        " ".join(checked.note.split()),
        f"Fix: `zoo pull {entry.name}` fetches its weights and `zoo predict {entry.name} ...` runs them",
    )


def _refuse_changed(entry: Entry) -> None:
    """Refuse an example that was changed since its checksums were recorded: predictions of another agree with nothing.

    What the model itself is made of is checked where it is loaded.
    """
    from zoo.files import sha256_of

    recorded = [one for one in (entry.card.files if entry.card is not None else ()) if one.sha256]
    example = [one for one in recorded if one.path.split("/")[0] == EXAMPLE and (entry.folder / one.path).is_file()]
    found = {one.path: sha256_of(entry.folder / one.path) for one in example}
    changed = [one for one in example if found[one.path] != one.sha256]
    if not changed:
        return
    path = entry.folder / changed[0].path
    raise ModelError(
        f"{path}: is not the file of the card",
        f"of the example {counted_of(len(changed), len(example), 'recorded file', 'differ')}: "
        + "; ".join(f"{one.path}, sha256 {found[one.path][:16]}... instead of {one.sha256[:16]}..." for one in changed),
        f"Fix: restore it (`git checkout`); if you made it anew, record `sha256: {found[changed[0].path]}` and "
        f"`bytes: {path.stat().st_size}` in `files` of README.md",
    )


def _has_example(entry: Entry) -> bool:
    return entry.description.expect is not None or entry.description.expect_remote is not None


def _expected_path(entry: Entry) -> Path:
    from zoo.models.foreign_loader import local_value

    description = entry.description
    path = description.expect
    if description.expect_remote is not None:
        path = Path(local_value(description.expect_remote, description.folder, description))
    if path is None:
        raise ModelError(
            f"{entry.path}: the entry has no expected predictions",
            "it has neither example/expected.h5 nor `test.expect` in model.yaml",
            "Fix: make them with `zoo test --save`, or ask its authors",
        )
    if not path.is_file():
        raise _incomplete(path)
    return path


def _incomplete(path: Path) -> ModelError:
    return ModelError(
        f"{path}: no such file",
        "the entry's example is incomplete",
        "Fix: fetch the entry again; for one that you add, CONTRIBUTING.md says how its example is made",
    )


def _example_files(entry: Entry) -> tuple[Path, Path]:
    """The regions and the genome of the example."""
    examples = entry.description.loader.examples
    found = [examples.get("intervals_file"), examples.get("fasta_file")]
    if not all(isinstance(item, str) for item in found):
        raise ModelError(
            f"{entry.path}: the entry has no example",
            "it needs `example` for intervals_file and fasta_file in dataloader.yaml, and example/expected.h5",
            "Fix: add a small BED, FASTA and expected.h5",
        )
    regions, fasta = (entry.folder / item for item in found)
    for path in (regions, fasta):
        if not path.is_file():
            raise _incomplete(path)
    return regions, fasta


@dataclass(frozen=True)
class _Expected:
    """Expected values of an output; ``bins`` are those of which they are, of ``n_bins``, where not of all."""

    values: np.ndarray
    bins: np.ndarray | None = None
    n_bins: int | None = None


class _NoRow(Exception):
    """A file that the models of a group share has nothing of one of them."""


def _read_expected(path: Path, model: LoadedModel | PredictedModel, member: str | None) -> dict[str, _Expected]:
    """Expected values by output; the models of a group may share a file, with a group of HDF5 or a row each."""
    import h5py

    try:
        with h5py.File(path) as handle:
            if member is not None and "models" in handle:  # a row a model
                names = handle["models"].asstr()[()].tolist()
                if member not in names:
                    raise _NoRow
                values = handle["preds"][names.index(member)]
                return {model.outputs[0].name: _Expected(values.astype(np.float64))}
            if member is not None and member not in handle and "preds" not in handle:
                raise _NoRow
            preds = handle[f"{member}/preds" if member is not None and member in handle else "preds"]
            if isinstance(preds, h5py.Dataset):
                datasets: dict[str, Any] = {model.outputs[0].name: preds}
            else:
                names: list[str] = []
                preds.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
                datasets = {name: preds[name] for name in names}
            arrays = {
                name: _Expected(dataset[()].astype(np.float64), *(read_bins(dataset) or ()))
                for name, dataset in datasets.items()
            }
    except _NoRow:
        what, fix = f"{path}: holds no predictions of {member!r}", "predict its example too, and add them"
        raise ModelError(what, "the models of a group share this file", f"Fix: {fix}") from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: cannot be read as expected predictions: {error}",
            "",
            "Fix: an HDF5 file with the dataset or group `preds`",
        ) from None
    missing = [spec.name for spec in model.outputs if spec.name not in arrays]
    if missing:
        raise ModelError(f"{path}: holds no output {missing[0]!r}", f"it has {', '.join(arrays)}", "Fix: make it again")
    return arrays


def _compare(
    spec: OutputSpec,
    batch: PredictionBatch,
    got: np.ndarray,
    kept: _Expected,
    rtol: float,
    atol: float,
    path: Path,
) -> OutputComparison:
    expected, predicted = kept.values, got.size
    if kept.bins is not None and (got.ndim != 3 or got.shape[2] != kept.n_bins):
        raise MismatchError(
            f"{path}: output {spec.name!r} has {counted_of(len(kept.bins), kept.n_bins, 'bin')}",
            f"the model predicts {got.shape}",
            "Fix: the example's regions and expected predictions must belong together",
        )
    got = restrict(got, kept.bins)
    # Kipoi keeps predictions as the model gives them; what `zoo test --save` wrote has the tracks first.
    if (
        kept.bins is None
        and spec.axis
        and expected.ndim > spec.axis + 1
        and expected.shape[spec.axis + 1] == got.shape[1]
    ):
        expected = tracks_first(expected, spec.axis)
    if expected.size != got.size or expected.shape[:1] != got.shape[:1]:
        raise MismatchError(
            f"{path}: output {spec.name!r} has shape {expected.shape}",
            f"the model predicts {got.shape}",
            "Fix: the example's regions and expected predictions must belong together",
        )
    expected = expected.reshape(got.shape)
    difference = np.abs(got - expected)
    # NaN against a number is a difference; NaN where NaN is expected is none.
    difference = np.where(np.isnan(got) & np.isnan(expected), 0.0, np.nan_to_num(difference, nan=np.inf))
    excess = difference - (atol + rtol * np.abs(np.nan_to_num(expected)))
    at = np.unravel_index(int(np.argmax(excess)), got.shape)
    return OutputComparison(
        output=spec.name,
        elements=got.size,
        predicted=predicted,
        beyond=int((excess > 0).sum()),
        largest_difference=float(difference.max()),
        worst=_name_element(spec, batch, at, kept.bins) + f": got {got[at]:.6g}, expected {expected[at]:.6g}",
    )


def _name_element(spec: OutputSpec, batch: PredictionBatch, at: tuple[int, ...], bins: np.ndarray | None) -> str:
    row = int(at[0])
    place = f"{batch.chrom[row]}:{batch.start[row]}-{batch.end[row]}"
    label = place if batch.name[row] == "." else f"{batch.name[row]} ({place})"
    track = spec.tracks[int(at[1])]
    bin_number = int(at[2] if bins is None else bins[at[2]]) if len(at) > 2 else None
    return f"{label}, {track}" + (f", bin {bin_number}" if bin_number is not None else "")


def _save_somewhere(name: str, model: LoadedModel | PredictedModel, batch: PredictionBatch) -> Path | None:
    """Save in the current folder, or in the temporary one where that is read-only; None when neither is writable."""
    for folder in (Path(), Path(tempfile.gettempdir())):
        with contextlib.suppress(ZooError):
            save_predictions(folder / name, model, batch)
            return folder / name
    return None


def save_predictions(path: Path, model: LoadedModel | PredictedModel, batch: PredictionBatch) -> None:
    """Write predictions as HDF5, ``preds`` as in an expected file.

    Raises:
        UsageError: the file cannot be written.
    """
    from zoo.writers import WriterContext, open_writer

    sizes = {str(chrom): int(batch.window_end.max()) for chrom in dict.fromkeys(batch.chrom)}
    writer = open_writer(WriterContext(path, model.outputs, sizes, "mean", {}), "h5")
    try:
        writer.open()
        writer.write(batch)
        writer.finish()
    except OSError as error:
        writer.discard()
        raise UsageError(
            f"{path}: what was predicted cannot be saved: {error.strerror or error}",
            "",
            "Fix: choose another folder",
        ) from None


def _mismatch(report: ExampleReport, worst: OutputComparison, path: Path, rtol: float, atol: float) -> MismatchError:
    beyond = sum(item.beyond for item in report.comparisons)
    elements = sum(item.elements for item in report.comparisons)
    return MismatchError(
        f"{report.model}: predictions differ from {path}; worst: {worst.output}, {worst.worst}",
        f"{counted_of(beyond, elements, 'element', 'are')} beyond rtol {rtol:g} + atol {atol:g}; "
        + (f"what was got is in {report.saved}" if report.saved else "what was got could be saved nowhere"),
        "Fix: restore weights and example (`git checkout`), or compare versions with `zoo doctor`",
    )
