"""What ``predict`` computes of the windows of a run: the model's own predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel
    from zoo.outputs import TrackChoice
    from zoo.run.job import PredictOptions

__all__ = ["Prediction", "windows_a_step"]

# Bases a step holds: 4 MB of float32 one-hot, enough to make numpy's per-call cost vanish.
STEP_BASES = 256 * 1024


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
