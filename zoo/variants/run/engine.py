"""Many sequences that differ from one in a single base each, predicted together: what an edit changes is followed.

What does it is the engine of ``interpret.mutagenesis``, which stands above this package. It is found by name, when it
is asked for and not before: variants never need it, since forward passes give the same numbers in more time. This is
the one seam of ``zoo`` that points up.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from zoo.errors import SystemStateError

if TYPE_CHECKING:
    from zoo.models.loaded import Runner
    from zoo.outputs import TrackChoice
    from zoo.variants.windows.aligned import Predicted

__all__ = ["ENGINE", "EditEngine", "open_engine"]

#: Where the engine is: ``module:class``, which ``open_engine`` calls.
ENGINE = "interpret.mutagenesis.engine:Engine"


class EditEngine(Protocol):
    """Predicts sequences of which most differ from one of a few in a single base."""

    def predict(self, sequences: Sequence[bytes], bases: Collection[bytes], *, to_come: int = 0) -> Iterator[Predicted]:
        """Predictions of sequences.

        Args:
            sequences: (length,) ASCII letters each, on the strand that is read; all of one length.
            bases: the sequences that others are edits of: those of REF, on each strand and at each shift that is read.
                A sequence that differs from one of them in one letter is followed; any other has its own forward
                pass, and so has every sequence where passes are cheaper.
            to_come: sequences of later calls, as far as is known: whether windows are worth what they cost first.

        Returns:
            One prediction a sequence, in order, of the chosen tracks: output name -> (tracks,) or (tracks, bins)
            float32. Some of the edits of each base are compared with forward passes; where one differs by more than
            1e-5 of the output's scale, that base's edits all come from forward passes.
        """
        ...

    def details(self) -> Mapping[str, Any]:
        """What was followed, passed and compared, for the run record."""
        ...


def open_engine(runner: Runner, choice: TrackChoice) -> EditEngine:
    """The engine for a model on its device.

    Args:
        runner: gives forward passes; float32 and one strand, else everything has its own pass.
        choice: the tracks that are given.

    Raises:
        SystemStateError: the engine is not installed.
    """
    module, _, name = ENGINE.partition(":")
    try:
        engine = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise SystemStateError(
            f"{module} is not installed: it follows what an edit changes",
            str(error),
            "Fix: pip install seqzoo, whole; or leave out --saturate and --share-window",
        ) from error
    return engine(runner, choice)
