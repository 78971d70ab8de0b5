"""Predicts sequences that differ from one in a single base, for ``zoo variants``: by windows or by forward passes.

``zoo.variants.run.engine`` says what is asked, and finds ``Engine`` by name. Which way is cheaper is found out on edits
that are asked for anyway (``trial``); a sample of what windows give is compared with forward passes before it is given.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from interpret.module import evaluating, in_full_float32
from interpret.mutagenesis.tracks import Observed, TracksGraph
from interpret.mutagenesis.trial import SMALL, Passes, foresee, seconds
from zoo.errors import ZooError
from zoo.genome.encode import BASES, one_hot
from zoo.models.loaded import Runner
from zoo.outputs import TrackChoice
from zoo.variants.run.steady import Forward

__all__ = ["Engine", "EngineReport"]

#: Of the output's scale: what another order of additions may change.
TOLERANCE = 1e-5
#: Of the edits: those that are compared with forward passes; and how many of the first that are followed.
CHECKED, FIRST_CHECKED = 1 / 800, 4
#: Of the edits to come: those that a trial follows.
TRIAL_SHARE, SMALLEST_TRIAL = 0.01, 6
#: Bytes of predictions that are made before any is given.
PIECE_BYTES = 1 << 26
A_LOOK = 8  # edits of the first forward pass: so few that windows, where they pay, are begun with soon
MOST_SEQUENCES = 2048  # of a piece
OBSERVED_AT_ONCE = 2
UPPER = np.uint8(0xDF)  # clears the bit that marks ASCII lower case

Prediction = dict[str, np.ndarray]


@dataclass(frozen=True)
class EngineReport:
    """How sequences were predicted.

    Attributes:
        path: ``windows``, ``passes``, or ``undecided`` while there is too little to do for a trial.
        reason: why everything has forward passes.
        whole_from: the operation from which on whole tensors are computed for each edit; None where none is.
        followed, passed: sequences.
        checked: followed ones that were compared with forward passes.
        recomputed: of the followed, those that were passed after all, as a sample of them differed.
        largest_difference: between the two, of the output's scale.
    """

    path: str = "undecided"
    reason: str | None = None
    whole_from: str | None = None
    followed: int = 0
    passed: int = 0
    checked: int = 0
    recomputed: int = 0
    largest_difference: float = 0.0


class _Tracks(torch.nn.Module):
    """A loaded model as a module (N, 4, L) -> a tuple of tracks of its chosen outputs, (N, tracks[, bins]).

    Where both strands are averaged these are all tracks, as those of a pair change places.
    """

    def __init__(self, runner: Runner, choice: TrackChoice) -> None:
        super().__init__()
        self.module, self._runner = runner.module, runner
        chosen = {spec.name for spec in choice.outputs}
        self.specs = [spec for spec in runner.model.outputs if spec.name in chosen]
        self._channels = [None if runner.rc_average else _listed(choice.channels[spec.name]) for spec in self.specs]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        named = self._runner.one_strand(x)
        values = (named[spec.name] for spec in self.specs)
        return tuple(v if some is None else v[:, some] for v, some in zip(values, self._channels, strict=True))


def _listed(channels: np.ndarray | None) -> list[int] | None:
    return None if channels is None else [int(channel) for channel in channels]


@dataclass(eq=False)
class _Base:
    """A sequence that others are edits of.

    Attributes:
        letters: (length,) uint8, upper case.
        prediction: its own, once it is known.
        observed: what its edits are followed from, of each strand that is read; None before, or where they are not.
        differs: a sample of its edits did.
    """

    letters: np.ndarray
    prediction: Prediction | None = None
    observed: list[Observed] | None = None
    differs: bool = False


@dataclass
class _Edits:
    """Edits of one base: rows of the piece, positions, and the bases that stand there then, 0 to 3."""

    rows: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Sequence[int]) -> _Edits:
        """Some of them."""
        return _Edits(*([those[i] for i in chosen] for those in (self.rows, self.positions, self.codes)))

    def split(self, count: int) -> tuple[_Edits, _Edits]:
        """The first, and the others."""
        return self.take(range(min(count, len(self)))), self.take(range(min(count, len(self)), len(self)))


class Engine:
    """Predicts sequences, most of which differ from one of a few in a single base (``zoo.variants.run.engine``).

    Args:
        runner: gives forward passes. Where it computes in less than float32, everything has a forward pass.
        choice: the tracks that are given.
        fast: True follows edits wherever that is possible; False never does; None does what is cheaper.
    """

    def __init__(self, runner: Forward, choice: TrackChoice, *, fast: bool | None = None) -> None:
        self.runner, self.choice, self.report = runner, choice, EngineReport()
        self._own: Runner = getattr(runner, "runner", runner)
        self._device, self._length = self._own.device, self._own.model.length
        self._tracks = _Tracks(self._own, choice)
        self._passes = Passes(self._length, self._device, runner.batch_size)
        self._graph: TracksGraph | None = None
        self._undecided, self._foreseen, self._trials = fast is None, None, 0
        self._always = fast is True
        self._prepared = self._rate = math.inf  # seconds to observe a base, and to follow an edit
        self._last: dict[bytes, _Base] = {}  # whose edits may go on in the next call
        self._draw = np.random.default_rng(0)
        if self._own.autocast is not None:
            self._give_up("less than float32 is computed in: each sequence has its forward pass")
        elif fast:
            self._open()
        elif fast is False:
            self._give_up("forward passes were chosen")

    def details(self) -> dict[str, Any]:
        """The report as plain data."""
        return dataclasses.asdict(self.report)

    def predict(
        self, sequences: Sequence[bytes], bases: Collection[bytes], *, to_come: int = 0
    ) -> Iterator[Prediction]:
        """Predictions of sequences in order; see ``zoo.variants.run.engine.EditEngine``."""
        by_letters = {base: self._last.get(base) or _Base(_letters([base])[0]) for base in bases}
        known = list(by_letters.values())
        each = 4 * sum(math.prod(spec.shape) for spec in self.choice.outputs)
        size = max(1, min(MOST_SEQUENCES, PIECE_BYTES // each))
        for start in range(0, len(sequences), size):
            piece = sequences[start : start + size]
            yield from self._piece(piece, known, to_come + len(sequences) - start - len(piece))
        self._last = {letters: base for letters, base in by_letters.items() if base.observed is not None}

    # One piece.

    def _piece(self, sequences: Sequence[bytes], bases: list[_Base], to_come: int) -> list[Prediction]:
        place = {sequence: row for row, sequence in enumerate(dict.fromkeys(sequences))}
        letters = _letters(list(place))
        found: list[Prediction] = [{}] * len(place)
        same, edits, others = _kinds(letters, bases)
        left = sum(map(len, edits.values())) + to_come
        waiting = list(edits)
        with torch.inference_mode(False), torch.no_grad(), in_full_float32():
            self._pass(letters, others, found)
            for base, own in edits.items():
                left -= len(own)
                self._edits(base, own, letters, found, left, waiting)
                waiting.remove(base)
                if waiting:  # the last may go on in the next piece
                    base.observed = None
            for row, base in same.items():
                found[row] = self._of_base(base)
        return [found[place[sequence]] for sequence in sequences]

    def _edits(
        self,
        base: _Base,
        edits: _Edits,
        letters: np.ndarray,
        found: list[Prediction],
        to_come: int,
        waiting: Sequence[_Base],
    ) -> None:
        """Predict the edits of a base, the cheaper way as far as it is known."""
        while self._undecided and len(edits):
            some, edits = edits.split(
                min(self.runner.batch_size, A_LOOK) if self._passes.rate is None else self.runner.batch_size
            )
            self._pass(letters, some.rows, found)
            self._decide(base, len(edits) + to_come)
        if self._graph is None or base.differs or not len(edits) or not self._pays(len(edits)):
            self._pass(letters, edits.rows, found)
            return
        # Those whose windows line up come together.
        period = self._graph.parts.period
        order = sorted(range(len(edits)), key=lambda i: (edits.positions[i] % period, edits.positions[i]))
        edits = edits.take(order)
        try:
            self._observe(base, waiting)
            while self._on_trial and len(edits):
                some, edits = edits.split(max(SMALLEST_TRIAL, int(TRIAL_SHARE * (len(edits) + to_come))))
                self._follow(base, some, letters, found)
                self._end_trial(len(edits) + len(some))
            if self._graph is not None and len(edits) and not base.differs:
                self._follow(base, edits, letters, found)
                return
        except (ZooError, KeyboardInterrupt):
            raise
        except Exception as error:  # whatever a module does: forward passes are always right
            self._give_up(f"following edits failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
            base.observed = None
        self._pass(letters, [row for row in edits.rows if not found[row]], found)

    # Forward passes.

    def _pass(self, letters: np.ndarray, rows: Sequence[int], found: list[Prediction]) -> None:
        for start in range(0, len(rows), self.runner.batch_size):
            chosen = list(rows[start : start + self.runner.batch_size])
            for row, prediction in zip(chosen, self._forward(letters[chosen]), strict=True):
                found[row] = prediction
        self._count(passed=len(rows))

    def _forward(self, letters: np.ndarray) -> list[Prediction]:
        encoded = one_hot(letters, self._own.model.loader.n_value)
        made = self._passes.run(lambda: self.runner.forward(encoded), len(letters))
        return self._rows(made, len(letters))

    def _rows(self, made: dict[str, np.ndarray], count: int) -> list[Prediction]:
        values = self.choice.apply(made)
        return [{name: array[row] for name, array in values.items()} for row in range(count)]

    def _of_base(self, base: _Base) -> Prediction:
        """A base's own prediction: by its graph where edits are followed, so that what they leave alone is the same."""
        if base.prediction is None:
            (base.prediction,) = self._forward(base.letters[None])
            self._count(passed=1)
        return base.prediction

    # Which way is cheaper.

    def _decide(self, base: _Base, to_come: int) -> None:
        """Capture the module, where that is worth it for so many edits to come."""
        total = self._passes.spent + self._passes.rate * to_come
        if total < SMALL:
            return
        if self._foreseen is None:
            two = self._encoded([base, base])
            self._foreseen = foresee(lambda: self._tracks(two))
        if self._foreseen.worth(total, self._passes.settled):
            self._undecided = False
            self._open()
            self._trials = 2 if self._graph is not None else 0

    @property
    def _on_trial(self) -> bool:
        return self._trials > 0 and self._graph is not None

    def _end_trial(self, edits: int) -> None:
        """Whether following a base's edits takes less than passes; what runs for the first time may take longer."""
        self._trials -= 1
        by_windows = self._prepared / edits + self._rate + CHECKED * self._passes.rate
        if by_windows < self._passes.rate:
            self._trials = 0
        elif not self._trials:
            self._give_up(f"in a trial windows took {by_windows:.2g} s an edit, passes {self._passes.rate:.2g} s")

    def _pays(self, edits: int) -> bool:
        """Whether so few edits are worth observing their base for."""
        if self._always or math.isinf(self._rate) or math.isinf(self._prepared) or self._passes.rate is None:
            return True
        return self._prepared + edits * self._rate < edits * self._passes.rate

    def _open(self) -> None:
        try:
            with evaluating(self._own.module), torch.inference_mode(False), torch.no_grad(), in_full_float32():
                plausible = torch.eye(4, device=self._device)[torch.arange(2 * self._length, device=self._device) % 4]
                x = plausible.reshape(2, self._length, 4).transpose(1, 2).contiguous()
                made = self._tracks(x)
                if wrong := {str(one.dtype) for one in made} - {"torch.float32", "torch.float64"}:
                    return self._give_up(f"the module computes in {', '.join(sorted(wrong))}")
                graph = TracksGraph(self._tracks, x, max(1, self.runner.batch_size))
                if graph.chooses:
                    return self._give_up(f"rounding would decide what is chosen among equal values: {graph.chooses}")
        except ZooError as error:
            return self._give_up(error.what)
        except Exception as error:  # whatever a module does: forward passes are always right
            return self._give_up(f"its graph is not understood: {type(error).__name__}: {error}"[:300])
        self._graph = graph
        self.report = dataclasses.replace(self.report, path="windows", whole_from=graph.whole_from)

    def _give_up(self, reason: str) -> None:
        self._graph, self._undecided, self._trials = None, False, 0
        self.report = dataclasses.replace(self.report, path="passes", reason=reason, whole_from=None)

    # Windows.

    def _encoded(self, bases: Sequence[_Base]) -> torch.Tensor:
        encoded = one_hot(np.stack([base.letters for base in bases]), self._own.model.loader.n_value)
        return torch.from_numpy(encoded).to(self._device)

    def _observe(self, base: _Base, waiting: Sequence[_Base]) -> None:
        """Run a base; and the one after it, as a graph runs two as soon as one."""
        if base.observed is not None:
            return
        begin = seconds(self._device)
        several = [base, *(other for other in waiting if other is not base and other.observed is None)][
            :OBSERVED_AT_ONCE
        ]
        x = self._encoded(several)
        strands = [self._graph.observe(x)]
        if self._own.rc_average:
            strands.append(self._graph.observe(x.flip(1, 2)))
        for number, one in enumerate(several):
            one.observed = [strand[number] for strand in strands]
            outputs = self._joined([[value[None] for value in strand.outputs] for strand in one.observed])
            one.prediction = {name: array[0] for name, array in outputs.items()}
        self._prepared = min(self._prepared, (seconds(self._device) - begin) / len(several))
        self._count(followed=len(several))

    def _joined(self, strands: list[list[torch.Tensor]]) -> dict[str, np.ndarray]:
        """Outputs of each strand that is read, (n, ...) -> the chosen tracks of their mean."""
        specs = self._tracks.specs
        if len(strands) == 1:
            return {spec.name: _array(value) for spec, value in zip(specs, strands[0], strict=True)}
        means = {
            spec.name: _array(self._own.mean_of_strands(spec, one, other))
            for spec, one, other in zip(specs, *strands, strict=True)
        }
        return self.choice.apply(means)

    def _follow(self, base: _Base, edits: _Edits, letters: np.ndarray, found: list[Prediction]) -> None:
        """Predict edits by windows, and compare some with passes, by which all are predicted where one differs."""
        begin = seconds(self._device)
        strands = [base.observed[0].follow(edits.positions, edits.codes)]
        if len(base.observed) == 2:
            positions = [self._length - 1 - place for place in edits.positions]
            strands.append(base.observed[1].follow(positions, [3 - code for code in edits.codes]))
        values = self._joined(strands)
        self._rate = min(self._rate, (seconds(self._device) - begin) / len(edits))
        drawn = self._drawn(len(edits))
        encoded = one_hot(letters[[edits.rows[i] for i in drawn]], self._own.model.loader.n_value)
        passed = self._rows(self._own.forward(encoded), len(drawn)) if drawn else []  # as few as they are
        differs = 0.0
        for i, prediction in zip(drawn, passed, strict=True):
            for name, full in prediction.items():
                scale = max(float(np.abs(full).max()), float(np.abs(base.prediction[name]).max())) or 1.0
                difference = float(np.abs(values[name][i] - full).max()) / scale
                differs = difference if math.isnan(difference) else max(differs, difference)
        largest = max(self.report.largest_difference, differs)
        self._count(followed=len(edits), checked=len(drawn))
        self.report = dataclasses.replace(self.report, largest_difference=largest)
        if not differs <= TOLERANCE:
            base.differs = True
            self._count(recomputed=len(edits))
            self._pass(letters, edits.rows, found)
            return
        for number, row in enumerate(edits.rows):
            found[row] = {name: array[number] for name, array in values.items()}

    def _drawn(self, edits: int) -> list[int]:
        """Which of them are compared: as many as are due of all so far, at random."""
        due = CHECKED * edits + (self._draw.random() if self.report.checked else FIRST_CHECKED)
        count = min(edits, int(due))
        return sorted(self._draw.choice(edits, count, replace=False).tolist())

    def _count(self, **more: int) -> None:
        counts = {name: getattr(self.report, name) + count for name, count in more.items()}
        self.report = dataclasses.replace(self.report, **counts)


def _array(value: torch.Tensor) -> np.ndarray:
    return value.to("cpu", torch.float32).numpy()


def _letters(sequences: Sequence[bytes]) -> np.ndarray:
    """(n, length) uint8, upper case."""
    found = np.frombuffer(b"".join(sequences), np.uint8).reshape(len(sequences), -1)
    return found & UPPER


_CODES = np.full(256, -1)
_CODES[[ord(base) for base in BASES]] = range(4)


def _kinds(letters: np.ndarray, bases: Sequence[_Base]) -> tuple[dict[int, _Base], dict[_Base, _Edits], list[int]]:
    """Rows that are a base, those that differ from one in one letter, and the others."""
    same: dict[int, _Base] = {}
    edits: dict[_Base, _Edits] = {}
    left = np.arange(len(letters))
    for base in bases:
        if not len(left):
            break
        differ = letters[left] != base.letters
        counts = differ.sum(1)
        same |= dict.fromkeys(left[counts == 0].tolist(), base)
        places = differ.argmax(1)
        codes = _CODES[letters[left, places]]
        of_base = (counts == 1) & (codes >= 0)
        if of_base.any():
            edits[base] = _Edits(left[of_base].tolist(), places[of_base].tolist(), codes[of_base].tolist())
        left = left[(counts > 0) & ~of_base]
    return same, edits, left.tolist()
