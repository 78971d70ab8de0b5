"""What drives a prediction: contributions of bases, the motifs they make, and a page that shows both.

    import interpret
    import zoo

    model = zoo.load_model("yeast-atac")
    interpret.deepliftshap(model, one_hot)                 # (N, 4, 1280) -> (N, 4, 1280)
    interpret.ism(model, one_hot, bins="12:20")            # of these bins only
    interpret.marginalize(model, one_hot, "TTACCCG")       # what a motif adds to each sequence: (N,)
    interpret.attribute("yeast-atac", "peaks.bed", "sacCer3.fa", "contribs.h5")

``attribute``, ``motifs`` and ``report`` are the commands of their names as functions. The methods ``deepliftshap``,
``integrated_gradients``, ``ism``, ``ablation``, ``saliency``, ``inputxgradient`` and ``marginalize`` take a loaded
model, or a ``torch.nn.Module`` that turns (N, 4, L) into (N,), and one-hot sequences or letters; of a model with
several outputs or tracks ``output=``, ``tracks=``, ``bins=`` and ``reduce=`` choose the number that is explained.
Each name is that function whatever was imported before (``zoo.public_names`` says how), and costs nothing until used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.public_names import offer

if TYPE_CHECKING:
    from interpret.attribute.attribute import attribute
    from interpret.methods.ablation import ablation
    from interpret.methods.deepliftshap import deepliftshap
    from interpret.methods.gradients import inputxgradient, saliency
    from interpret.methods.integrated_gradients import integrated_gradients
    from interpret.methods.ism import ism
    from interpret.methods.marginalize import marginalize
    from interpret.motifs.find import find_motifs as motifs
    from interpret.report.report import report

__all__ = [
    "ablation",
    "attribute",
    "deepliftshap",
    "inputxgradient",
    "integrated_gradients",
    "ism",
    "marginalize",
    "motifs",
    "report",
    "saliency",
]

_WHERE = {
    "ablation": "interpret.methods.ablation:ablation",
    "attribute": "interpret.attribute.attribute:attribute",
    "deepliftshap": "interpret.methods.deepliftshap:deepliftshap",
    "inputxgradient": "interpret.methods.gradients:inputxgradient",
    "integrated_gradients": "interpret.methods.integrated_gradients:integrated_gradients",
    "ism": "interpret.methods.ism:ism",
    "marginalize": "interpret.methods.marginalize:marginalize",
    "motifs": "interpret.motifs.find:find_motifs",
    "report": "interpret.report.report:report",
    "saliency": "interpret.methods.gradients:saliency",
}

offer(__name__)
