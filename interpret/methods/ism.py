"""In-silico mutagenesis: every base of every position tried.

A single-base edit changes a window of each layer (fastISM, Nair et al. 2022, doi:10.1093/bioinformatics/btac135).
Here only the difference that it makes is followed through those windows (``mutagenesis.graph``). A random 1% of the
edits is checked against full forward passes; a sequence that differs is computed by them, and the report says so. So is
everything where the module cannot be captured.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from interpret.module import batches, check_one_hot, evaluating, fixed_arguments, scalar
from interpret.mutagenesis.edits import MutagenesisGraph
from interpret.target import Explained, of_a_model
from zoo.errors import ModelError
from zoo.genome.encode import Sequences

__all__ = ["Mutagenesis", "MutagenesisReport", "ism", "mutate_all"]

#: Of the output's scale: what another order of additions may change.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}
BATCH = 128
BATCH_ON_CPU = 32  # forward passes of more fall out of the cache
CHECKED = 0.01  # of the edits of each sequence
#: Of those, by the module itself; the rest by the captured graph, which leaves out outputs that are not explained.
BY_MODULE = 0.125
EDITS_AT_ONCE = 1 << 13
#: Below this many multiplications and additions, about a second's, capturing a module costs more than it saves.
SMALL_JOB = 5e10
WORTHWHILE = 0.25  # of a forward pass's operations must be spared where whole tensors follow


@dataclass(frozen=True)
class MutagenesisReport:
    """How edits were predicted.

    Attributes:
        path: ``fast``: windows to the end; ``partly fast``: whole tensors from ``whole_from`` on; ``full``: forward
            passes.
        whole_from: operation, module and source line.
        reason: why forward passes ran.
        sequences: how many were explained; ``recomputed``: of them by forward passes after a failed check.
        checked: edits that were compared with forward passes.
        largest_difference: between the two, of the output's scale: the largest of what forward passes give and of
            the range of all edits of the sequence.
    """

    path: str
    whole_from: str | None = None
    reason: str | None = None
    sequences: int = 0
    recomputed: int = 0
    checked: int = 0
    largest_difference: float = 0.0


@of_a_model
def ism(
    module: Explained,
    one_hot: Sequences,
    *,
    batch_size: int | None = None,
    fast: bool = True,
    check: bool = True,
) -> np.ndarray:
    """Prediction with each base at each position, less the mean over the four bases there.

    Args:
        module: what ``zoo.load_model`` returns, or a module (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32, or N strings of L letters.
        batch_size: edited sequences a forward pass; default what suits the device.
        fast: follow what an edit changes only, where that pays.
        check: compare 1% of the edits of each sequence with full forward passes (a fifth of the time, or so).
        output, tracks, bins, reduce, explain: of a loaded model, what is explained; as in ``zoo attribute``.

    Returns:
        (N, 4, L) float32; its value at the observed base is the projected track.
    """
    return _centred(mutate_all(module, one_hot, batch_size=batch_size, fast=fast, check=check))


def mutate_all(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    *,
    batch_size: int | None = None,
    fast: bool = True,
    check: bool = True,
) -> np.ndarray:
    """The prediction with each base at each position, (N, 4, L) float64.

    An observed base is not predicted again; at an unknown base, a column that is not one-hot, all four are.
    """
    one_hot = check_one_hot(one_hot)
    if fast and len(one_hot):
        fast = _work(module, torch.from_numpy(one_hot[:1])) * 3 * one_hot.shape[2] * len(one_hot) > SMALL_JOB
    return Mutagenesis(module, one_hot.shape[2], batch_size=batch_size, fast=fast, check=check).mutate_all(one_hot)


def _centred(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean(1, keepdims=True)).astype(np.float32)


def _work(module: torch.nn.Module, x: torch.Tensor) -> float:
    """Multiplications and additions of a forward pass of ``x``."""
    from torch.utils.flop_counter import FlopCounterMode

    with evaluating(module) as device, torch.no_grad():
        x = x.to(device)
        fixed = fixed_arguments(module, x)
        with FlopCounterMode(display=False) as counter:
            scalar(module, x, *fixed)
    return float(counter.get_total_flops())


class Mutagenesis:
    """In-silico mutagenesis of one module, captured once for any number of sequences.

    Args:
        module: (N, 4, length) -> (N,); its weights must not change afterwards.
        length: bp.
        batch_size: edited sequences a forward pass; default what suits the device.
        fast: follow what an edit changes only; else full forward passes.
        check: compare 1% of the edits of each sequence with full forward passes.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        length: int,
        *,
        batch_size: int | None = None,
        fast: bool = True,
        check: bool = True,
    ) -> None:
        self.module, self.batch_size, self.check = module, batch_size, check
        self.graph, reason = self._open(length) if fast else (None, "full forward passes were chosen")
        if self.graph is None:
            self.report = MutagenesisReport("full", reason=reason)
        else:
            whole_from = self.graph.whole_from
            self.report = MutagenesisReport("partly fast" if whole_from else "fast", whole_from)

    def _open(self, length: int) -> tuple[MutagenesisGraph | None, str | None]:
        with evaluating(self.module) as device, torch.inference_mode(False):
            plausible = torch.eye(4, device=device)[torch.arange(2 * length, device=device) % 4]
            x = plausible.reshape(2, length, 4).transpose(1, 2).contiguous()
            with torch.no_grad():
                fixed = fixed_arguments(self.module, x)
                dtype = scalar(self.module, x, *fixed).dtype
            if dtype not in TOLERANCE:
                return None, f"the module computes in {dtype}"
            try:
                graph = MutagenesisGraph(self.module, x, *fixed, batch_size=self.batch_size or BATCH)
            except ModelError as error:
                return None, error.what
            except Exception as error:  # whatever a module does: forward passes are always right
                return None, f"its graph is not understood: {type(error).__name__}: {error}"[:300]
        if graph.whole_from is None:
            return graph, None
        share = 2 * graph.spared / max(_work(self.module, x[:1]), 1.0)
        if share < WORTHWHILE:
            return None, f"windows would spare {share:.0%} of the operations, up to {graph.whole_from}"
        return graph, None

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
        at_once = max(1, EDITS_AT_ONCE // (3 * one_hot.shape[2]))
        if self.graph is None:
            at_once = 1
        elif self.graph.whole_from:
            at_once = min(at_once, max(1, (self.batch_size or BATCH) // 3))
        with evaluating(self.module) as device, torch.inference_mode(False), torch.no_grad():
            for part, x in batches(one_hot, at_once, device):
                fixed = fixed_arguments(self.module, x)
                found = self._full(x, fixed) if self.graph is None else self._fast(x, fixed)
                scores[part] = found.cpu().numpy()
        return scores

    def _fast(self, x: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> torch.Tensor:
        try:
            _, found = self.graph.predict(x, *fixed)
        except Exception as error:  # whatever a module does: forward passes are always right
            self.graph, detail = None, " ".join(str(error).split())[:200]
            reason = f"following windows failed: {type(error).__name__}: {detail}"
            self.report = dataclasses.replace(self.report, path="full", whole_from=None, reason=reason)
            return self._full(x, fixed)
        if not self.check:
            self._count(len(x), 0, 0, 0.0)
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
        return found

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
        found = []
        size = self.batch_size or (BATCH if x.is_cuda else BATCH_ON_CPU)
        for chunk in torch.arange(len(rows), device=x.device).split(size):
            edited = x[rows[chunk]]
            edited[torch.arange(len(chunk)), :, places[chunk]] = 0
            edited[torch.arange(len(chunk)), bases[chunk], places[chunk]] = 1
            found.append(scalar(module or self.module, edited, *(f[rows[chunk]] for f in fixed)))
        return torch.cat(found)

    def _full(self, x: torch.Tensor, fixed: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """All edits of one sequence by full forward passes."""
        known = ((x == 0) | (x == 1)).all(1, keepdim=True) & (x.sum(1, keepdim=True) == 1)
        observed = scalar(self.module, x, *fixed).double()
        found = observed[:, None, None].expand(x.shape).clone()
        rows, bases, places = torch.nonzero(~(known & (x == 1)), as_tuple=True)
        if len(rows):
            found[rows, bases, places] = self._predict(x, fixed, rows, places, bases).double()
        if self.graph is None:
            self._count(len(x), 0, 0, 0.0)
        return found
