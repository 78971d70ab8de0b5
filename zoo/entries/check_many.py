"""``zoo test`` of several models, or of all that are bundled: one that fails does not keep others from being run."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from zoo.entries.check import ATOL, RTOL, ExampleReport, NothingToTest, check_example
from zoo.errors import FetchError, MismatchError, UsageError, ZooError
from zoo.store.registry import entries, members_of
from zoo.words import counted

__all__ = ["ExampleResult", "check_examples", "failure_among"]


@dataclass(frozen=True)
class ExampleResult:
    """What came of one model.

    Attributes:
        model: its name.
        seconds: that it took, with the time to fetch and to load it.
        report: the comparison; None where there is none.
        error: why the model failed, or could not be run; None where its predictions agree.
    """

    model: str
    seconds: float
    report: ExampleReport | None
    error: ZooError | None

    @property
    def status(self) -> str:
        """``agrees``, ``differs``, ``failed``, ``not fetched`` or ``nothing to test``."""
        kinds = {NothingToTest: "nothing to test", MismatchError: "differs", FetchError: "not fetched"}
        if self.error is None:
            return "agrees"
        return next((status for kind, status in kinds.items() if isinstance(self.error, kind)), "failed")


def check_examples(
    models: str | Path | Iterable[str | Path] = (),
    *,
    all: bool = False,
    rtol: float = RTOL,
    atol: float = ATOL,
    trust: bool = False,
    save: Path | None = None,
    device: str = "cpu",
    done: Callable[[ExampleResult], None] | None = None,
) -> list[ExampleResult]:
    """Run models on their own examples, as `check_example` does one.

    Args:
        models: names or folders; that of a group stands for all its models.
        all: all that are bundled. An entry that was never verified and has no example is no failure then, nor is one
            whose weights cannot be fetched silent: it is among the results with its error.
        save: where to save what was predicted, of one model.
        done: takes each result when it is there.

    Returns:
        A result a model, in order.

    Raises:
        UsageError: no model and not all, or both; ``save`` with several.
        ZooError: that of the model, where one was given. With several, nothing is raised: the results tell.
    """
    given = [models] if isinstance(models, str | Path) else list(models)
    if bool(given) == all:
        raise UsageError(
            "no model is named" if not all else "--all tests all models, and some are named beside it",
            "",
            "Fix: `zoo test yeast-atac`, or `zoo test --all`",
        )
    names = (
        [one["name"] for one in entries()]
        if all
        else [one for name in given for one in members_of(str(name)) or [name]]
    )
    if save is not None and len(names) > 1:
        raise UsageError(
            f"--save {save}: {counted(len(names), 'model')}", "", "Fix: test them one by one to save predictions"
        )
    results = []
    for name in names:
        result = _checked(name, rtol=rtol, atol=atol, trust=trust, save=save, device=device)
        if result.error is not None and not all and len(names) == 1:
            raise result.error
        results.append(result)
        if done:
            done(result)
    return results


def _checked(name: str | Path, **options: object) -> ExampleResult:
    started = time.monotonic()
    report, error = None, None
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a model's Python prints is no part of the answer
            report = check_example(name, **options)
    except ZooError as problem:
        error = problem
    return ExampleResult(str(name), time.monotonic() - started, report, error)


def failure_among(results: Iterable[ExampleResult]) -> ZooError | None:
    """The first failure, whose ``extent`` counts and names the others; weights that are not there come last.

    A difference that one model shows also stands where others could not be run. An entry of which nothing can be
    tested is no failure.
    """
    failed = [one for one in results if one.status not in ("agrees", "nothing to test")]
    failed.sort(key=lambda one: one.status == "not fetched")
    if not failed:
        return None
    error = failed[0].error
    if len(failed) > 1:
        which = ", ".join(one.model for one in failed[:8]) + (", ..." if len(failed) > 8 else "")
        first = error.extent or error.what
        error.extent = f"{len(failed):,} models failed or were not fetched: {which}; first: {first}"
    return error
