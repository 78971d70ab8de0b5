"""A run in thirty lines of Python, to copy: a head on a base's embedding, and whether it gained anything.

    python -m scripts.finetune.thirty_lines RUN.yaml FOLDER

The same as ``zoo finetune RUN.yaml -o FOLDER`` without its entry: take a part out and put one's own in its place.
"""

from __future__ import annotations

import sys
from pathlib import Path

from finetune.config_file import load_config
from finetune.data.batches import Batches
from finetune.data.prepare import prepare
from finetune.models.adapt import adapt
from finetune.models.base import open_base
from finetune.training.losses import loss_of
from finetune.training.train import train
from finetune.verdict.page import page
from finetune.verdict.sides import BaseTracks, Predictor, judged_tracks
from finetune.verdict.verdict import judge
from zoo.models.loaded import pick_device


def main(path: str, folder: str) -> str:
    """Train and judge; returns the verdict in words."""
    config, device = load_config(path), pick_device("auto")
    base = open_base(config.base)
    data = prepare(config, base, report=print)
    batches = Batches(data, config, base.n_value)
    model = adapt(base, config, {"main": data}, {"main": None}, print)
    trained = train(
        model,
        batches.train,
        lambda: batches.side("validation"),
        config.train,
        {"main": loss_of(config.train.loss)},
        Path(folder),
        len(batches),
    )
    frozen = BaseTracks(open_base(config.base), data, device)
    verdict = judge(judged_tracks(data, Predictor(model, batches, device), base=frozen), config.verdict)
    Path(folder, "verdict.html").write_text(page(verdict, trained.history), encoding="utf-8")
    return verdict.sentence


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
