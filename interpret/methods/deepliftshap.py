"""DeepLIFT/SHAP (Lundberg & Lee 2017, arXiv:1705.07874): DeepLIFT averaged over references, on the graph.

Own code, because captum and tangermeme attach rules to modules: where a net calls ``F.relu``, multiplies two
values or normalizes, their contributions do not add up. Here each observed sequence is computed once for its
n references (n + 1 rows where both take 2n).
"""

from __future__ import annotations

import numpy as np
import torch

from interpret.deeplift.multipliers import DeepLiftGraph
from interpret.deeplift.pairs import Pairs
from interpret.explanation import MEDIAN_LIMIT, Explanation, check_complete, explain_pairs, joined
from interpret.function.gradient import check_gradient
from interpret.module import (
    batches,
    check_one_hot,
    evaluating,
    fixed_arguments,
    gradient_of,
    gradients_on,
    scalar,
)
from interpret.references import References, reference_array
from interpret.target import Explained, of_a_model
from zoo.errors import ModelError
from zoo.genome.encode import Sequences, random_windows
from zoo.models.foreign_python import blame

__all__ = ["DeepLiftShap", "deepliftshap", "explain_by_deepliftshap"]

#: Bases of sequences and references in one pass: what stays in a CPU's caches (1.9x tangermeme's CPU time on a
#: Basset-like net of 600 bp, where four times as many give 1.7x), and what fills a GPU.
BASES_A_PASS = {"cpu": 16 * 1024}
BASES_ON_A_GPU = 1 << 20
#: Of the module's numbers, and of numbers of order 1 within it: what rounding leaves between it and its graph.
SAME, ROUNDING = 1e-3, 1e-6
FIX = "--fallback integrated_gradients, or --method ism, which need no graph"


class DeepLiftShap:
    """A captured module that explains batch after batch.

    Args:
        module: (N, 4, L) -> (N,); its weights are shared, not copied.
        example: (1 or more, 4, L): a sequence, for its length.

    Raises:
        ModelError: the module cannot be captured, or an operation has no rule.
        UsageError: the module gives more than one number a sequence.
    """

    def __init__(self, module: torch.nn.Module, example: np.ndarray) -> None:
        self.module = module
        with evaluating(module) as device:
            one_hot = check_one_hot(example)[:1]
            x = torch.from_numpy(np.concatenate([one_hot, random_windows(2, one_hot.shape[2])])).to(device)
            fixed = fixed_arguments(module, x)
            with torch.no_grad():
                y = scalar(module, x, *fixed)
            self._graphs: dict[int | None, DeepLiftGraph] = {}  # by rows of the batch, or one for any
            try:
                self._graphs[None] = _graph(module, x, *fixed)
            except ModelError:
                try:  # Python that looks at the number of rows, as `range(len(x))` does, has a graph for each
                    self._graphs[len(x)] = _graph(module, x, *fixed, any_batch=False)
                except ModelError as error:
                    raise _advised(error, module, x) from error
            self._try(x, y, *fixed)

    def explain(self, one_hot: np.ndarray, references: np.ndarray, batch_size: int | None = None) -> Explanation:
        """Explain sequences (N, 4, L) against references (N, n, 4, L), some sequences a pass."""
        found = []
        with evaluating(self.module) as device, gradients_on():
            bases = BASES_A_PASS.get(device.type, BASES_ON_A_GPU)
            size = batch_size or max(1, bases // (one_hot.shape[2] * (references.shape[1] + 1)))
            size = size if None in self._graphs else 1
            for part, x in batches(one_hot, size, device):
                reference = torch.from_numpy(np.ascontiguousarray(references[part])).to(device)
                found.append(self._explain(x, reference))
        return joined(found, one_hot.shape)

    def _explain(self, x: torch.Tensor, reference: torch.Tensor) -> Explanation:
        groups, n = reference.shape[:2]
        rows = torch.cat([x[:, None], reference], 1).flatten(0, 1).requires_grad_(True)
        fixed = tuple(value.repeat_interleave(n + 1, 0) for value in fixed_arguments(self.module, x))
        y, slopes = self._slopes(n, rows, *fixed)
        y, slopes = y.detach().unflatten(0, (groups, n + 1)), slopes.unflatten(0, (groups, n + 1))
        return explain_pairs(x, reference, slopes[:, 1:], y[:, 0], y[:, 1:])

    def _slopes(self, n: int, rows: torch.Tensor, *fixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Value and multipliers of rows, each sequence's n references behind it."""
        graph, pairs = self._graphs.get(None) or self._graph_of(rows.detach(), *fixed), Pairs(len(rows), n)
        try:
            y = graph.forward(pairs, rows, *fixed).reshape(len(rows))
            try:
                slopes = gradient_of(y.unflatten(0, (-1, n + 1))[:, 1:], rows)
            except ModelError:
                graph.forward(pairs, rows, *fixed, by_step=True)  # names the operation
                raise
        except ModelError as error:
            raise _advised(error, self.module, rows[:1].detach()) from error
        return y, torch.zeros_like(rows) if slopes is None else slopes  # every operation has a rule: a constant

    def _try(self, x: torch.Tensor, y: torch.Tensor, *fixed: torch.Tensor) -> None:
        """A pass of rows that the module gave ``y``: what is wrong is told while there is a fallback."""
        if None in self._graphs:  # a sequence and one reference show it
            x, y, fixed = x[:2], y[:2], tuple(value[:2] for value in fixed)
        with gradients_on():
            found, _ = self._slopes(len(x) - 1, x.clone().requires_grad_(True), *fixed)
        apart = (found - y).abs().max()
        if apart > SAME * y.abs().max() + ROUNDING:
            row = int((found - y).abs().argmax())
            raise ModelError(
                "deepliftshap: the module's graph gives another number than the module",
                f"{float(found[row].detach()):.6g} and {float(y[row]):.6g} for the same sequence: it asks whether it "
                "is traced or whether gradients are on, or takes what is not in order (topk, sorted=False)",
                "Fix: --fallback integrated_gradients, or --method ism",
            )

    def _graph_of(self, rows: torch.Tensor, *fixed: torch.Tensor) -> DeepLiftGraph:
        if len(rows) not in self._graphs:
            self._graphs = {len(rows): _graph(self.module, rows, *fixed, any_batch=False)}
        return self._graphs[len(rows)]


def _graph(module: torch.nn.Module, *examples: torch.Tensor, any_batch: bool = True) -> DeepLiftGraph:
    with blame("deepliftshap: the module's graph", f"on an input of shape {tuple(examples[0].shape)}", FIX):
        return DeepLiftGraph(module, *examples, any_batch=any_batch)


def _advised(error: ModelError, module: torch.nn.Module, x: torch.Tensor) -> ModelError:
    """The error; where the output has no gradient at all, no method that takes one is advised."""
    try:
        check_gradient(module, x.cpu().numpy())
    except ModelError as cut:
        return ModelError(error.what, error.extent, cut.fix)
    return error


@of_a_model
def deepliftshap(
    module: Explained,
    one_hot: Sequences,
    references: np.ndarray | References | None = None,
    *,
    batch_size: int | None = None,
    limit: float = MEDIAN_LIMIT,
    allow_incomplete: bool = False,
) -> np.ndarray:
    """Hypothetical contributions, averaged over references.

    Args:
        module: what ``zoo.load_model`` returns, or a module (N, 4, L) -> (N,).
        one_hot: (N, 4, L) float32, or N strings of L letters.
        references: (N, n, 4, L), or how to make them; default 20 dinucleotide shuffles.
        batch_size: sequences (each with its references) a pass.
        limit: median completeness error that is refused.
        allow_incomplete: return what is not complete.
        output, tracks, bins, reduce, explain: of a loaded model, what is explained; as in ``zoo attribute``.

    Returns:
        (N, 4, L) float32; times ``one_hot`` it adds up to the prediction less the references' mean prediction, where
        each position of ``one_hot`` adds up to 1. An unknown base that is 0 in all channels contributes too, against
        references that are not; that share is in no product.

    Raises:
        ModelError: the module cannot be captured, or an operation has no rule; it is named.
        MismatchError: the contributions are not complete.
    """
    found = explain_by_deepliftshap(module, one_hot, references, batch_size=batch_size)
    if not allow_incomplete:
        check_complete(found.pair_error, "deepliftshap", limit)
    return found.hypothetical


def explain_by_deepliftshap(
    module: torch.nn.Module,
    one_hot: np.ndarray,
    references: np.ndarray | References | None = None,
    *,
    batch_size: int | None = None,
) -> Explanation:
    """``deepliftshap`` with predictions and completeness; refuses only operations without a rule."""
    one_hot = check_one_hot(one_hot)
    given = reference_array(references, one_hot)
    if not len(one_hot):
        return joined([], one_hot.shape)
    return DeepLiftShap(module, one_hot).explain(one_hot, given, batch_size)
