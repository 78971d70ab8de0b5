"""``deepbind``: the 927 DeepBind models of Kipoi (Alipanahi et al. 2015), one group under their Kipoi names."""

from __future__ import annotations

from pathlib import Path

import zoo
from scripts.shared_entries.comparison import Comparison, compare, oracle
from scripts.shared_entries.hg38_windows import deepbind_windows

__all__ = ["LENGTH", "check"]

LENGTH = 101


def check(entry_name: str, data: Path) -> Comparison:
    """Compare an entry with TensorFlow's predictions of the same file, for four windows of hg38.

    Args:
        entry_name: ``deepbind/<Kipoi's name>``; its weights are fetched, or in the cache.
        data: folder with ``d01_hg38_windows``.
    """
    kept = oracle("deepbind")
    row = kept["ids"].tolist().index(entry_name.split("/")[-1].split("_")[0])
    found = zoo.load_model(entry_name).predict(deepbind_windows(data))
    against = "Kipoi's file under TensorFlow 2.15, Lambdas written anew, 4 windows of hg38"
    return compare("DeepBind", "Keras 2", against, {"preds": found[:, 0]}, {"preds": kept["preds"][row]})
