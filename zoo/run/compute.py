"""The seam of a run: what is computed of its windows. The model itself, or what stands in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel
    from zoo.outputs import OutputSpec, TrackChoice
    from zoo.run.job import PredictOptions

__all__ = ["Compute", "Prediction", "windows_a_step"]

# Bases a step holds: 4 MB of float32 one-hot, enough to make numpy's per-call cost vanish.
STEP_BASES = 256 * 1024


class Compute(Protocol):
    """Windows in, named arrays out: what a run calls and a writer stores.

    Attributes:
        outputs: what ``forward`` gives, in order.
        step: windows that are read, computed and written at once; an interrupted run goes on behind a whole step.
    """

    outputs: tuple[OutputSpec, ...]
    step: int

    def forward(self, one_hot: np.ndarray, first: int) -> dict[str, np.ndarray]:
        """Compute consecutive windows.

        Args:
            one_hot: (n, 4, L) float32, at most ``step`` of them.
            first: number of the first of them among all windows of the regions file, whatever part of it is run.

        Returns:
            Output name -> (n, ...) float32.
        """

    def signature(self) -> dict[str, Any]:
        """What of it must be equal for an interrupted run to go on, as JSON takes it."""


class Prediction:
    """The model's own predictions of the chosen tracks.

    Raises:
        SystemStateError: the device is absent. UsageError: the options do not fit the model, see ``Runner``.
    """

    def __init__(self, model: LoadedModel, choice: TrackChoice, options: PredictOptions) -> None:
        from zoo.models.loaded import Runner  # torch: not before the regions are checked

        self.choice, self.options, self.outputs = choice, options, choice.outputs
        self.runner = Runner(model, options.device, options.precision, options.rc_average, options.batch_size)
        self.step = windows_a_step(self.runner.batch_size, model.length)

    def forward(self, one_hot: np.ndarray, first: int) -> dict[str, np.ndarray]:
        """Values of the chosen tracks, in batches of the runner's size."""
        size = self.runner.batch_size
        parts = [self.runner.forward(one_hot[low : low + size]) for low in range(0, len(one_hot), size)]
        if len(parts) == 1:
            return self.choice.apply(parts[0])
        return self.choice.apply({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def signature(self) -> dict[str, Any]:
        """Options that change numbers."""
        return {
            "rc_average": self.options.rc_average,
            "precision": self.options.precision,
            "batch_size": self.runner.batch_size,
            "tracks": [[spec.name, list(spec.tracks)] for spec in self.outputs],
        }


def windows_a_step(batch_size: int, length: int) -> int:
    """Whole batches of windows of ``length`` bp, about a quarter of a megabase."""
    return batch_size * max(1, STEP_BASES // (batch_size * length))
