"""Fine-tuning: an existing model, a new cell type, and a verdict that cannot flatter.

    import finetune

    run = finetune.finetune("run.yaml", "RUN")       # what `zoo finetune run.yaml -o RUN` does
    run.verdict.sentence                             # what was gained over the best baseline, or that nothing was
    finetune.evaluate("yeast-atac", "run.yaml")      # the same verdict on any model
    finetune.tune("run.yaml", trials=16)             # settings chosen on validation, judged once on test

The parts, in the order in which a run takes them, to build one's own of: ``config`` (what a run is), ``data`` (tracks,
windows, splits, batches), ``models`` (a base taken apart, with new heads), ``training`` and ``verdict``, and
``package``, which makes an entry of the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.public_names import offer

if TYPE_CHECKING:
    from finetune.config_file import load_config
    from finetune.data.prepare import prepare
    from finetune.evaluate import evaluate
    from finetune.finetune import finetune
    from finetune.models.base import open_base
    from finetune.tune import tune

__all__ = ["evaluate", "finetune", "load_config", "open_base", "prepare", "tune"]

_WHERE = {
    "evaluate": "finetune.evaluate:evaluate",
    "finetune": "finetune.finetune:finetune",
    "load_config": "finetune.config_file:load_config",
    "open_base": "finetune.models.base:open_base",
    "prepare": "finetune.data.prepare:prepare",
    "tune": "finetune.tune:tune",
}

offer(__name__)
