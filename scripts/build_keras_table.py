"""Write docs/keras_layers.md: the layers of Keras that load, from the table of the code.

python scripts/build_keras_table.py
"""

from __future__ import annotations

from pathlib import Path

from zoo.models.keras.activations import activation_names
from zoo.models.keras.registry import KINDS, LayerKind
from zoo.models.keras.tensor_functions import ACTIVATIONS, KERAS, TENSORFLOW

PAGE = Path(__file__).resolve().parents[1] / "docs" / "keras_layers.md"
MASKS = {
    "passes": "goes on",
    "ends": "ends here, as in Keras",
    "used": "is used",
    "made": "is made here",
    "refused": "is refused",
}
HEAD = """# Layers of Keras that load

Files of Keras 1, 2 and 3 (`.h5`, `.keras`, JSON with weights) become torch modules; TensorFlow is not needed, and no
code of a file runs. Every layer of Keras below was compared with TensorFlow 2.15 (Keras 2.15) and TensorFlow 2.21
(Keras 3.15), in files that these wrote: `tests/keras/test_tensorflow.py`. Whatever else stands in a model is refused by
its name and class before anything is predicted. `python scripts/build_keras_table.py` writes this page.

A mask says which positions of a sequence count. A layer that has no rule for the mask that comes to it is refused.
"""
TAIL = """
## What is read where

- **Arguments of a call** (`conv(x) * 2.0`, `axis=1`, `training=True`): applied as Keras does, or refused with the name
  of the layer. Nothing is left aside but what changes no prediction: `None`, `training=False`, names. An operation over
  the first axis is refused, since windows that are predicted together would change each other.
- **Theano** reads the kernels of convolutions backwards, and begins `same` half a kernel before the sequence. Which
  backend trained a file is told by its attribute `backend`, else by the names of its arrays (`conv_W:0` TensorFlow's,
  `conv_W` Theano's), else by `backend` in the JSON. Where nothing tells, it is asked for (`backend` in model.yaml);
  a model.yaml that says otherwise than the file is an error.
- **Models within models**, to any depth and at every position (`TimeDistributed`), with frozen layers in Keras's order.
  Weights whose layers have another order than those of the architecture are refused.
- **Lambda**: the code of DeepBind, FramePool and APARENT2 is recognised by its hash, whatever Python from 3.6 to 3.13
  marshalled it; other code is refused, and none is run.
"""


def page() -> str:
    """The whole text of the page."""
    lines = [HEAD, "| Layers | Package | Not supported | A mask |", "|---|---|---|---|"]
    rows: dict[int, tuple[list[str], LayerKind]] = {}
    for name, kind in KINDS.items():
        rows.setdefault(id(kind), ([], kind))[0].append(name)
    for names, kind in rows.values():
        listed = ", ".join(f"`{name}`" for name in names)
        lines.append(f"| {listed} | {kind.source} | {kind.not_supported} | {MASKS[kind.mask]} |")
    lines += ["", "Activations, by name or as layers: " + _listed(activation_names())]
    lines += ["", "Operations of TensorFlow on tensors (Keras 2): " + _listed({*TENSORFLOW, *ACTIVATIONS})]
    lines += ["", "Operations of Keras 3 on tensors: " + _listed({*KERAS, *ACTIVATIONS})]
    return "\n".join(lines) + "\n" + TAIL


def _listed(names: object) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) + "."  # type: ignore[call-overload]


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
