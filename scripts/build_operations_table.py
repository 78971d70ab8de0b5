"""Write docs/attribution_operations.md: what DeepLIFT/SHAP takes of torch, from ``torch_operations.py``.

python -m scripts.build_operations_table
"""

from __future__ import annotations

from pathlib import Path

from scripts.torch_operations import GROUPS, Operation, operations

PAGE = Path(__file__).resolve().parents[1] / "docs" / "attribution_operations.md"
HEAD = """# Operations that deepliftshap explains

`zoo attribute --method deepliftshap` follows a module operation by operation. Each class and function of torch below
was put into a net of its own: either its contributions are **complete**, so that they add up to the difference between
the predictions of a sequence and of its references, or it is **refused** at once, by its name, module and source line.
What is not in the table is refused too. `tests/interpret/attributions/test_operations.py` checks every row;
`python -m scripts.build_operations_table` writes this page.

The other methods need no rules: `--method ism` and `ablation` only predict, `integrated_gradients`, `saliency` and
`inputxgradient` need gradients.
"""
TAIL = """
## How

- **Linear** operations: their own gradient. **Elementwise** functions: the change of the output over that of the input
  (DeepLIFT's rescale rule, arXiv:1704.02685), also where they jump (`sign`, `heaviside`, `hardshrink`).
- **Products** of two values that both vary, in attention too: each factor's change times the mean of the other.
  `prod` and `cumprod` are products of pairs.
- **Maxima**: to the places that held the larger one. `sort`, `topk`, `median`, `quantile`: a network of maxima and
  minima of two. The places themselves (`argmax`, indices) have no rule.
- **LSTM, GRU, RNN**, layers and cells, in one or both directions, with `proj_size` and given states: the rules of their
  gates, step by step, on all references at once. Packed sequences cannot be captured: `--method ism`, or a gradient.
- **A condition on the sequence** (`where`, `masked_fill`): where condition and values are made of one tensor.
- **Over the batch** (`x.mean(0)`, `nn.Softmax()` without `dim`): refused, as sequences would change each other.
"""
TITLES = {
    **GROUPS,
    "pointwise": "Elementwise functions of `torch`",
    "axis": "Functions of `torch` along an axis",
    "further": "Others",
}


def page() -> str:
    """The whole text of the page."""
    found: dict[str, list[Operation]] = {}
    for operation in operations():
        found.setdefault(operation.group, []).append(operation)
    lines = [HEAD, "| | Complete | Refused |", "|---|---|---|"]
    for group, members in found.items():
        complete = _listed(o.name for o in members if o.refused is None)
        refused = _listed(o.name for o in members if o.refused is not None)
        lines.append(f"| {TITLES[group]} | {complete} | {refused} |")
    return "\n".join(lines) + "\n" + TAIL


def _listed(names: object) -> str:
    return ", ".join(f"`{name}`" for name in names)  # type: ignore[attr-defined]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
