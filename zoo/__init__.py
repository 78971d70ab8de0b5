"""seqzoo: a zoo of sequence-to-function models that predict from one command.

    import zoo
    model = zoo.load_model("yeast-atac")
    model.predict(one_hot)                      # (N, 4, 1024) -> (N, 1, 32)
    model.predict_regions("peaks.bed", "sacCer3.fa").values["atac"]
    zoo.predict("yeast-atac", "peaks.bed", "sacCer3.fa", "out.bw")

Names are imported when first used, so that ``import zoo`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.model import load_model
    from zoo.run.predict import predict
    from zoo.store.registry import entries

__all__ = ["entries", "load_model", "predict"]

_WHERE = {"load_model": "zoo.model", "predict": "zoo.run.predict", "entries": "zoo.store.registry"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
