"""In-silico mutagenesis: every base of every position tried.

A single-base edit changes a window of each layer (fastISM, Nair et al. 2022, doi:10.1093/bioinformatics/btac135).
Here only the difference that it makes is followed through those windows (``mutagenesis.edits``), where that is cheaper
than full forward passes: a trial on a few edits says (``mutagenesis.trial``), which with all that it prepares takes
less than a tenth of them. A random 1% of the edits is checked against full forward passes; a sequence that differs is
computed by them, and the report says so. So is everything where the module cannot be captured.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from interpret.function.check import Stranger, check_function
from interpret.module import batches, check_one_hot, declared, evaluating, fixed_arguments, scalar
from interpret.mutagenesis.edits import MutagenesisGraph
from interpret.mutagenesis.trial import BATCH, SMALL, TRIAL_SHARE, Passes, foresee, seconds, takes_steps
from interpret.target import Explained, of_a_model
from zoo.errors import ModelError
from zoo.genome.encode import Sequences
from zoo.models.loaded import device_of

__all__ = ["Mutagenesis", "MutagenesisReport", "ism", "mutate_all"]

#: Of the output's scale: what another order of additions may change.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}
CHECKED = 0.01  # of the edits of each sequence
#: Of those, by the module itself; the rest by the captured graph, which leaves out outputs that are not explained.
BY_MODULE = 0.125
EDITS_AT_ONCE = 1 << 13
#: Of the passes to come, what may be spent on asking whether the module is a function by passes of their own.
ASKED = 0.05


@dataclass(frozen=True)
class MutagenesisReport:
    """How edits were predicted.

    Attributes:
        path: ``fast``: windows to the end; ``partly fast``: whole tensors from ``whole_from`` on; ``full``: forward
            passes.
        whole_from: operation, module and source line.
        reason: why forward passes ran.
        sequences: how many were explained; ``recomputed``: of them by forward passes after a failed check;
            ``before``: by forward passes before windows were found to be cheaper.
        checked: edits that were compared with forward passes.
        largest_difference: between the two, of the output's scale: the largest of what forward passes give and of
            the range of all edits of the sequence.
    """

    path: str
    whole_from: str | None = None
    reason: str | None = None
    sequences: int = 0
    recomputed: int = 0
    before: int = 0
    checked: int = 0
    largest_difference: float = 0.0


@functools.partial(of_a_model, asks_itself=True)
def ism(
    module: Explained,
    one_hot: Sequences,
    *,
    batch_size: int | None = None,
    fast: bool | None = None,
    check: bool = True,
) -> np.ndarray:
    """Prediction with each base at each position, less the mean over the four bases there.

    Args:
        module: what ``zoo.load_model`` returns, or a module (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32, or N strings of L letters.
        batch_size: edited sequences a forward pass; default what suits the device.
        fast: True follows what an edit changes only, wherever that is possible; False runs full forward passes; None
            takes what a trial on a few edits finds cheaper.
        check: compare 1% of the edits of each sequence with full forward passes (a fifth of the time, or so).
        output, tracks, bins, reduce, explain: of a loaded model, what is explained; as in ``zoo attribute``.

    Returns:
        (N, 4, L) float32; its value at the observed base is the projected track.
    """
    one_hot = check_one_hot(one_hot)
    asks = fast is None and batch_size is None and declared(module, "fixed") is None
    if not asks:
        check_function(module, one_hot, method="ism")
    chosen = Mutagenesis(module, one_hot.shape[2], batch_size=batch_size, fast=fast, check=check, asks=asks)
    return _centred(chosen.mutate_all(one_hot))


def mutate_all(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    *,
    batch_size: int | None = None,
    fast: bool | None = None,
    check: bool = True,
) -> np.ndarray:
    """The prediction with each base at each position, (N, 4, L) float64.

    An observed base is not predicted again; at an unknown base, a column that is not one-hot, all four are.
    """
    one_hot = check_one_hot(one_hot)
    return Mutagenesis(module, one_hot.shape[2], batch_size=batch_size, fast=fast, check=check).mutate_all(one_hot)


def _in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _centred(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean(1, keepdims=True)).astype(np.float32)


def _edited(x: torch.Tensor, rows: torch.Tensor, places: torch.Tensor, bases: torch.Tensor) -> torch.Tensor:
    """Rows of ``x``, each with one base put at one place."""
    edited = x[rows]
    edited[torch.arange(len(edited)), :, places] = 0
    edited[torch.arange(len(edited)), bases, places] = 1
    return edited


class Mutagenesis:
    """In-silico mutagenesis of one module, captured once for any number of sequences.

    Args:
        module: (N, 4, length) -> (N,); its weights must not change afterwards.
        length: bp.
        batch_size: edited sequences a forward pass; default what suits the device.
        fast: True follows what an edit changes only; False runs full forward passes; None decides while it runs.
        check: compare 1% of the edits of each sequence with full forward passes.
        asks: ask, with the first passes, whether the module is a function of one sequence (``interpret.function``).
            They must be plain ones: ``fast`` is None, and no second argument is declared.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        length: int,
        *,
        batch_size: int | None = None,
        fast: bool | None = None,
        check: bool = True,
        asks: bool = False,
    ) -> None:
        self.module, self.length, self.batch_size, self.check = module, length, batch_size, check
        self.graph: MutagenesisGraph | None = None
        self._undecided, self._chosen, self._foreseen = fast is None, False, None
        self._asks = asks
        self._last: torch.Tensor | None = None  # what the pass before gave
        self._passes = Passes(length, device_of(module), batch_size, takes_steps(module))
        reason = "full forward passes were chosen"
        if fast is None:
            reason = "the edits are few: forward passes take less than planning would"
        self.report = MutagenesisReport("full", reason=reason)
        if fast:
            self._open()

    def _open(self) -> None:
        """Capture the module, or say why not."""
        self.graph, reason = self._captured()
        if self.graph is None:
            self.report = dataclasses.replace(self.report, reason=reason)
        else:
            whole_from = self.graph.whole_from
            path = "partly fast" if whole_from else "fast"
            self.report = dataclasses.replace(self.report, path=path, whole_from=whole_from, reason=None)

    def _captured(self) -> tuple[MutagenesisGraph | None, str | None]:
        with evaluating(self.module) as device, torch.inference_mode(False):
            plausible = torch.eye(4, device=device)[torch.arange(2 * self.length, device=device) % 4]
            x = plausible.reshape(2, self.length, 4).transpose(1, 2).contiguous()
            with torch.no_grad():
                fixed = fixed_arguments(self.module, x)
                dtype = scalar(self.module, x, *fixed).dtype
            if dtype not in TOLERANCE:
                return None, f"the module computes in {dtype}"
            try:
                graph = MutagenesisGraph(self.module, x, *fixed, batch_size=self.batch_size or BATCH)
                if graph.chooses:
                    return None, f"rounding would decide what is chosen among equal values: {graph.chooses}"
                return graph, None
            except ModelError as error:
                return None, error.what
            except Exception as error:  # whatever a module does: forward passes are always right
                return None, f"its graph is not understood: {type(error).__name__}: {error}"[:300]

    def __call__(self, one_hot: np.ndarray) -> np.ndarray:
        """The scores that ``ism`` gives."""
        return _centred(self.mutate_all(one_hot))

    def details(self) -> dict[str, Any]:
        """The report as plain data."""
        return dataclasses.asdict(self.report)

    def mutate_all(self, one_hot: np.ndarray) -> np.ndarray:
        """The predictions that the function ``mutate_all`` gives; ``report`` counts what ran."""
        one_hot = check_one_hot(one_hot)
        scores = np.empty(one_hot.shape, np.float64)
        done = 0
        with evaluating(self.module) as device, torch.inference_mode(False), torch.no_grad():
            while done < len(one_hot):
                ((_, x),) = batches(one_hot[done : done + self._at_once], self._at_once, device)
                fixed = fixed_arguments(self.module, x)
                found = self._fast(x, fixed) if self.graph else self._full(x, fixed, len(one_hot) - done - 1)
                if found is None:
                    continue
                scores[done : done + len(x)] = found.cpu().numpy()
                done += len(x)
        return scores

    @property
    def _at_once(self) -> int:
        """Sequences that are followed together."""
        if self.graph is None:
            return 1
        at_once = max(1, EDITS_AT_ONCE // (3 * self.length))
        return min(at_once, max(1, (self.batch_size or BATCH) // 3)) if self.graph.whole_from else at_once

    # Whether the module is a function of one sequence.

    def _ask(self, x: torch.Tensor, company: tuple[torch.Tensor, int] | None = None) -> None:
        if self._asks:
            check_function(self.module, x[:1].float().cpu().numpy(), method="ism", company=company)
            self._asks = False

    def _ask_again(
        self, x: torch.Tensor, stranger: Stranger, company: torch.Tensor, found: torch.Tensor, to_come: float
    ) -> None:
        """Predict a row of the first pass again; where enough is to come, ask all there is to ask before it.

        Args:
            company: (n, 4, L) of that pass. found: (n,) what it gave.
            to_come: seconds of the passes that are left.
        """
        stranger.again(functools.partial(seconds, x.device), company, found)
        if Stranger.AS_LONG * stranger.seconds <= ASKED * to_come:
            self._ask(x)

    def _look_for_repeats(self, x: torch.Tensor, found: torch.Tensor) -> None:
        """Ask where a pass gives the numbers of the one before: a module may keep them for each shape."""
        last, self._last = self._last, found
        if last is not None and torch.equal(last, found) and bool((found != found[0]).any()):
            check_function(self.module, x[:1].float().cpu().numpy(), method="ism")

    # Which way is cheaper.

    def _cheaper(self, x: torch.Tensor, fixed: tuple[torch.Tensor, ...], edits: int) -> bool:
        """Whether windows are, for that many edits to come; looks no further than that is worth."""
        passes = self._passes
        total = passes.spent + passes.rate * edits
        if total < SMALL:
            return False
        if self._foreseen is None:
            two = x.repeat(2, 1, 1)
            self._foreseen = foresee(
                lambda: scalar(self.module, two, *(f.repeat(2, *[1] * (f.ndim - 1)) for f in fixed))
            )
        if not self._foreseen.worth(total, passes.settled):
            return False
        self._undecided = False
        before = self.report.sequences
        self._open()
        if self.graph is None:
            return False
        each = 3 * self.length
        positions = max(1, int(TRIAL_SHARE * edits / 3))
        checked = CHECKED if self.check else 0.0
        for _ in range(2):  # what runs for the first time may take longer
            try:
                prepared, rate = self.graph.trial(x, *fixed, positions=positions)
            except Exception as error:  # whatever a module does: forward passes are always right
                self._give_up(f"following windows failed: {_in_short(error)}")
                return False
            by_windows = prepared + rate * each + checked * each * passes.rate
            if by_windows < passes.rate * each * (1 if passes.settled else 0.5):
                self.report, self._chosen = dataclasses.replace(self.report, before=before), True
                return True
        self._give_up(
            f"in a trial windows took {by_windows:.2g} s a sequence, forward passes {passes.rate * each:.2g} s"
        )
        return False

    def _give_up(self, reason: str) -> None:
        self.graph = None
        self.report = dataclasses.replace(self.report, path="full", whole_from=None, reason=reason)

    def _fast(self, x: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> torch.Tensor:
        begin = seconds(x.device)
        try:
            _, found = self.graph.predict(x, *fixed)
        except Exception as error:  # whatever a module does: forward passes are always right
            self._give_up(f"following windows failed: {_in_short(error)}")
            return torch.cat([self._full(x[i : i + 1], tuple(f[i : i + 1] for f in fixed)) for i in range(len(x))])
        took = seconds(x.device) - begin
        if not self.check:
            self._count(len(x), 0, 0, 0.0)
            self._watch(took, len(x))
            return found
        rows, places, bases, full = self._sample(x, fixed)
        tolerance = TOLERANCE[full.dtype]
        full, predicted = full.double(), found[rows, bases, places]
        recomputed, largest = 0, 0.0
        for row in range(len(x)):
            own = rows == row
            span = found[row].max() - found[row].min()
            scale = max(float(full[own].abs().max()), float(span)) or 1.0
            difference = float((full[own] - predicted[own]).abs().max()) / scale
            largest = max(largest, difference) if math.isfinite(difference) else difference
            if not difference <= tolerance:
                found[row : row + 1] = self._full(x[row : row + 1], tuple(f[row : row + 1] for f in fixed))
                recomputed += 1
        self._count(len(x), recomputed, len(rows), largest)
        self._watch(took, len(x))
        return found

    def _watch(self, took: float, sequences: int) -> None:
        """Leave windows that a trial chose, where they take longer than it said and than forward passes do."""
        if self._chosen and took > self._passes.rate * 3 * self.length * sequences:
            self._give_up("windows took longer than in a trial, and than forward passes")

    def _count(self, sequences: int, recomputed: int, checked: int, largest: float) -> None:
        before = self.report
        largest = max(largest, before.largest_difference) if math.isfinite(largest) else largest
        self.report = dataclasses.replace(
            before,
            sequences=before.sequences + sequences,
            recomputed=before.recomputed + recomputed,
            checked=before.checked + checked,
            largest_difference=largest,
        )

    def _sample(self, x: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """A random 1% of the edits of each sequence: sequence, position, base, and what full forward passes give."""
        length = x.shape[2]
        draw = np.random.default_rng(self.report.sequences)
        count = math.ceil(CHECKED * 3 * length)
        drawn = np.concatenate([draw.choice(3 * length, count, replace=False) for _ in range(len(x))])
        rows = torch.arange(len(x)).repeat_interleave(count).to(x.device)
        edits = torch.from_numpy(drawn).to(x.device)
        places = edits % length
        bases = (x[rows, :, places].argmax(1) + 1 + edits // length) % 4
        by_module = (torch.arange(count, device=x.device) < math.ceil(BY_MODULE * count)).repeat(len(x))
        full = torch.empty(len(rows), dtype=x.dtype, device=x.device)
        for module, own in ((self.module, by_module), (self.graph.captured.graph_module, ~by_module)):
            if own.any():
                found = self._predict(x, fixed, rows[own], places[own], bases[own], module)
                full = full.to(found.dtype)
                full[own] = found
        return rows, places, bases, full

    def _predict(
        self,
        x: torch.Tensor,
        fixed: tuple[torch.Tensor, ...],
        rows: torch.Tensor,
        places: torch.Tensor,
        bases: torch.Tensor,
        module: torch.nn.Module | None = None,
    ) -> torch.Tensor:
        """Full forward passes of edits by the module, or by its graph, (edits,)."""
        found, done = [], 0
        while done < len(rows):
            chunk = slice(done, done + self._passes.most)
            edited = _edited(x, rows[chunk], places[chunk], bases[chunk])
            own, beside = module or self.module, [f[rows[chunk]] for f in fixed]
            with torch.inference_mode():  # a twentieth of the time of a recurrent net, whose steps are many and small
                found.append(self._passes.run(functools.partial(scalar, own, edited, *beside), len(edited)))
            done += len(edited)
        return torch.cat(found)

    def _full(self, x: torch.Tensor, fixed: tuple[torch.Tensor, ...], later: int = 0) -> torch.Tensor | None:
        """All edits of one sequence by full forward passes; None where windows are found to be cheaper meanwhile.

        Args:
            later: sequences that are still to come after this one.
        """
        observed = (x == 1) & ((x == 0) | (x == 1)).all(1, keepdim=True) & (x.sum(1, keepdim=True) == 1)
        edits = torch.nonzero(~observed)
        own = torch.nonzero(observed)[:1]  # the sequence as it is, as if its first base were put where it stands
        edits = torch.cat([own, edits])
        asked, given, stranger = edits, x, None
        if self._asks:
            stranger = Stranger(self.module, x)
            given = torch.cat([x, stranger.window])
            ride = torch.tensor([[len(x), int(stranger.window[0, :, 0].argmax()), 0]], device=x.device)
            asked = torch.cat([edits[:1], ride, edits[1:]])
        found, values, done = x.new_zeros(x.shape, dtype=torch.float64), [], 0
        while done < len(asked):
            to_come = len(asked) - done
            rows, bases, places = asked[done : done + self._passes.next_rows(to_come, to_come + later * len(edits))].T
            values.append(self._predict(given, fixed, rows, places, bases).double())
            self._look_for_repeats(x, values[-1])
            done += len(rows)
            to_come += later * len(edits) - len(rows)
            if self._asks and len(values) == 1:
                company = _edited(given, rows, places, bases)
                self._ask_again(x, stranger, company, values[0], self._passes.rate * to_come)
            if self._undecided and self._cheaper(x, fixed, to_come):
                self._ask(x)
                return None
        predicted = torch.cat(values)
        if stranger is not None:
            if self._asks and stranger.differs(values[0]):
                self._ask(x, stranger.company)
            self._asks = False
            predicted = torch.cat([predicted[:1], predicted[2:]])
        found[tuple(edits.T)] = predicted
        found[observed] = predicted[0]
        if self.graph is None:
            self._count(len(x), 0, 0, 0.0)
        return found
