"""``zoo test MODEL...``: examples against their expected predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.options import FilePath, as_json_option, trust_option
from zoo.cli.shared import COMMAND, CONTEXT, long_run, note
from zoo.cli.tables import Column, RowPrinter, width_of_terminal
from zoo.errors import UsageError
from zoo.store.registry import entries, members_of
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.entries.check import ExampleReport
    from zoo.entries.check_many import ExampleResult

__all__ = ["command"]

COLUMNS = [
    Column("model"),
    Column("result"),
    Column("values", right=True),
    Column("difference", right=True),
    Column("seconds", right=True),
]


@click.command("test", cls=COMMAND, context_settings=CONTEXT)
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--all", "all", is_flag=True, help="Test all bundled models.")
@click.option("--rtol", type=click.FloatRange(min=0), default=1e-4, show_default=True, help="Relative tolerance.")
@click.option("--atol", type=click.FloatRange(min=0), default=1e-5, show_default=True, help="Absolute tolerance.")
@click.option(
    "--save",
    type=FilePath(),
    metavar="FILE.h5",
    help="Save the predictions; without it they are saved only when they differ, as MODEL.got.h5.",
)
@click.option(
    "--record",
    is_flag=True,
    help="First make the expected predictions again on the same example, after new weights, and record all checksums.",
)
@click.option("--device", default="cpu", show_default=True, metavar="auto|cpu|cuda|mps", help="Where to run.")
@trust_option
@as_json_option
def command(
    models: tuple[str, ...],
    all: bool,
    rtol: float,
    atol: float,
    save: Path | None,
    record: bool,
    device: str,
    trust: bool,
    as_json: bool,
) -> None:
    """Run MODEL on its bundled example and compare with the expected predictions.

    Exit code 6 when they differ. Of several models, or a group, a table says what came of each and how long it took;
    one that fails does not keep the others from being run, and the exit code is that of the first failure.

    \b
    zoo test yeast-atac
    zoo test my-model --record
    """
    if record and (all or len(models) != 1):
        raise UsageError("--record writes into one entry", "", "Fix: zoo test NAME --record")
    with long_run(quiet=False):
        from zoo.entries.check_many import check_examples, failure_among

        if record:
            _record(models[0], trust)
        several = all or len(models) > 1 or any(map(members_of, models))
        table = _Table(models, as_json) if several or as_json else None
        options = {"rtol": rtol, "atol": atol, "trust": trust, "save": save, "device": device}
        results = check_examples(models, all=all, done=table.add if table else None, **options)
        if table is None:
            _tell(results[0].report)
            return
        table.finish()
        table.lines.finish()
        if error := failure_among(results):
            raise error


def _record(model: str, trust: bool) -> None:
    from zoo.check.record import record_expected

    done = record_expected(model, trust=trust)
    if done.difference == 0:
        note(f"{done.path}: made again, and the same as before")
        return
    than = "made again" if done.difference is None else f"made again, up to {done.difference:.2g} from what was there"
    note(f"{done.path}: {than}; recorded {', '.join(done.files)}")
    note("predictions that change are a new `version` of the card, where the old one was published")


def _tell(report: ExampleReport) -> None:
    for item in report.comparisons:
        compared = (
            "" if item.elements == item.predicted else f"compared {item.elements:,} of {item.predicted:,} values, "
        )
        click.echo(
            f"{report.model}: {item.output}: {counted(report.windows, 'window')}, "
            f"{compared}{counted(item.elements, 'element agrees', 'elements agree')} "
            f"(largest difference {item.largest_difference:.2g})"
        )
    if report.saved:
        click.echo(f"saved {report.saved}", err=True)


class _Table:
    """A row a model as it is done, tab-separated in a pipe; the models of a group that agree have one together."""

    def __init__(self, models: tuple[str, ...], as_json: bool) -> None:
        self.groups = {one["name"]: one["group"] for one in entries() if one["group"]}
        names = models or [self.groups.get(one["name"], one["name"]) for one in entries()]
        width = max(len(name) for name in ("model", *names))
        self.as_json = as_json
        self.lines = RowPrinter(COLUMNS, (min(width, max(20, width_of_terminal() - 58)), 15, 16, 10, 7), as_json)
        self.group: list[ExampleResult] = []

    def add(self, result: ExampleResult) -> None:
        group = self.groups.get(result.model)
        if self.group and group != self.groups[self.group[0].model]:
            self.finish()
        if group and result.status == "agrees" and not self.as_json:
            self.group.append(result)
            return
        self._row(result.model, result.status, [result])
        if result.error is not None and result.status != "nothing to test":
            note("; ".join(part for part in (result.error.what, result.error.extent) if part))

    def finish(self) -> None:
        """Say what came of the models of the last group."""
        if self.group:
            self._row(self.groups[self.group[0].model], f"{len(self.group):,} agree", self.group)
            self.group = []

    def _row(self, name: str, status: str, results: list[ExampleResult]) -> None:
        self.lines.add(_facts(results[0]), (name, status, *_numbers(results)))


def _facts(result: ExampleResult) -> dict[str, Any]:
    """What came of a model, for --json."""
    found = result.report.comparisons if result.report else ()
    error = result.error
    return {
        "model": result.model,
        "result": result.status,
        "seconds": result.seconds,
        "outputs": [
            {
                "output": one.output,
                "values": one.elements,
                "of": one.predicted,
                "largest_difference": float(one.largest_difference),
            }
            for one in found
        ],
        "error": error and {"what": error.what, "extent": error.extent, "fix": error.fix},
    }


def _numbers(results: list[ExampleResult]) -> tuple[str, str, str]:
    """Values that were compared (of how many, where not all), the largest difference, and seconds."""
    items = [item for result in results if result.report for item in result.report.comparisons]
    compared, predicted = sum(item.elements for item in items), sum(item.predicted for item in items)
    values = f"{compared:,}" + (f" of {predicted:,}" if predicted > compared else "")
    largest = f"{max(item.largest_difference for item in items):.1g}" if items else "-"
    return values if items else "-", largest, f"{sum(result.seconds for result in results):.1f}"
