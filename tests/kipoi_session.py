"""What unmodified Kipoi does with an entry, in one process: ``kipoi_session.py ENTRY CARDS OUT``.

Run by ``test_kipoi_client.py``; HOME must be a folder that may be written to, as Kipoi keeps its settings there.
Writes ``arrays.npz`` and ``facts.json`` into OUT, and the files of Kipoi's commands.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import kipoi
import kipoi.__main__
import numpy as np
from kipoi.sources import LocalSource

ENTRY, CARDS, OUT = map(Path, sys.argv[1:4])
FILES = {
    "intervals_file": str(ENTRY / "example" / "regions.bed"), "fasta_file": str(ENTRY / "example" / "genome.fa"),
}  # fmt: skip


def command(*words) -> str:
    """Kipoi's command line, as ``python -m kipoi`` runs it; returns standard output."""
    sys.argv = ["kipoi", *map(str, words)]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        kipoi.__main__.main()
    return output.getvalue()


def with_hook(model, layer, x):
    """A layer's output by torch itself, to compare ``-l`` with."""
    import torch

    kept = []
    handle = model.model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.no_grad():
        model.model(torch.from_numpy(x))
    handle.remove()
    return kept[0].numpy()


def gradient(model, x):
    """Of the sum of all predictions, by torch itself."""
    import torch

    x = torch.from_numpy(x).requires_grad_()
    (found,) = torch.autograd.grad(model.model(x).sum(), x)
    return found.numpy()


model = kipoi.get_model(str(ENTRY), source="dir")
layer = [name for name, _ in model.model.named_modules()][-1]
inputs = np.concatenate([batch["inputs"] for batch in model.default_dataloader(**FILES).batch_iter(4)])
arrays = {
    "inputs": inputs,
    "example": model.pipeline.predict_example(),
    "predicted": model.pipeline.predict(FILES, batch_size=5),
    "workers": np.concatenate(list(model.pipeline.predict_generator(FILES, batch_size=5, num_workers=2))),
    "gradient": model.input_grad(inputs[:3], avg_func="sum"),
    "gradient_by_torch": gradient(model, inputs[:3]),
    "layer_by_torch": with_hook(model, layer, inputs),
}

given = ("--source", "dir", "--dataloader_args", json.dumps(FILES))
command("predict", ENTRY, *given, "--keep_metadata", "-o", OUT / "predicted.tsv")
command("predict", ENTRY, *given, "-n", 2, "-l", layer, "-o", OUT / "layer.tsv")
facts = {
    "compatible": model.schema.compatible_with_schema(model.default_dataloader.get_output_schema()),
    "info": command("info", ENTRY, "--source", "dir"),
    "example": command("get-example", ENTRY, "--source", "dir", "-o", OUT / "example"),
    "listed": LocalSource(str(CARDS)).list_models()["model"].tolist(),
}
command("env", "export", ENTRY, "--source", "dir", "-o", OUT / "environment.yaml")
np.savez(OUT / "arrays.npz", **arrays)
(OUT / "facts.json").write_text(json.dumps(facts))
