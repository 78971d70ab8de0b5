"""Predictions of the original programs, for one stretch of hg38 and for examples of entries: ``NAME SOURCE OUT.npz``.

Run once for each model, with a Python that has what the original needs and numpy; the results are kept in
``tests/shared/oracles``.

    python make_oracles.py bpnet-k562-ctcf    <bpnet-lite 1.1.0, unpacked>          OUT.npz   # tangermeme
    python make_oracles.py spliceai           <spliceai 1.3.1, unpacked>            OUT.npz   # tensorflow 2.15
    python make_oracles.py ci-spliceai        <cispliceai 1.2.2, unpacked>          OUT.npz   # tensorflow
    python make_oracles.py openspliceai-...   <openspliceai 0.0.7, unpacked>        OUT.npz   # torch
    python make_oracles.py pangolin           <folder pangolin/ of its repository>  OUT.npz   # torch
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.shared_entries import bpnet_ctcf
from scripts.shared_entries.hg38_windows import one_hot, oracle_sequence
from scripts.shared_entries.splice_entry import KEPT, MODELS, example_windows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
KEPT_OF_HG38 = slice(1700, 2700)  # of the 5,000 predictions; the sequence's unknown bases lie at 2000 to 2040


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["bpnet-k562-ctcf", *SPLICING])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    if arguments.name in SPLICING:
        predicted = splicing(arguments.name, arguments.source, arguments.data)
    else:
        predicted = bpnet(arguments.source, arguments.data)
    np.savez_compressed(arguments.out, **predicted)


def bpnet(source: Path, data: Path) -> dict[str, np.ndarray]:
    """Profile (4, 2, 1000) and counts (4, 1) of bpnet-lite's own class: a window of hg38, and the entry's example."""
    import torch

    sys.path.insert(0, str(source))
    from bpnetlite.bpnet import BPNet

    network = BPNet(n_filters=64, n_layers=8, n_outputs=2, n_control_tracks=0, trimming=557)
    state = torch.load(data / "m02_bpnet_ctcf_k562" / "state_dict.pt", weights_only=True)
    # The class counts iterations and losses in buffers that the converted weights lack.
    missing, unexpected = network.load_state_dict(state, strict=False)
    if unexpected or any("conv" in name or "linear" in name for name in missing):
        raise SystemExit(f"the weights do not fit: missing {missing}, unexpected {unexpected}")
    with torch.no_grad():
        profile, counts = network.eval()(torch.from_numpy(bpnet_ctcf.compared_windows(data)))
    return {"profile": profile.numpy(), "counts": counts.numpy()}


def spliceai(source: Path, data: Path) -> Predict:
    """The five Keras models of the package, whose predictions it averages."""
    from tensorflow import keras

    files = sorted((source / "spliceai" / "models").glob("spliceai?.h5"))
    models = [keras.models.load_model(file, compile=False) for file in files]
    return lambda x: np.mean([model.predict(x.T[None], verbose=0)[0].T for model in models], axis=0)


def ci_spliceai(source: Path, data: Path) -> Predict:
    """The frozen TensorFlow graph of the package."""
    package = _import_file("cispliceai.model", source / "cispliceai" / "model.py")
    model = package.CISpliceAI(source / "cispliceai" / "data" / "CI-SpliceAI.pb")
    return lambda x: model.predict(x.T[None])[0].T


def openspliceai(file: str, context: int) -> Program:
    """The package's network, with its zero padding and crop."""

    def program(source: Path, data: Path) -> Predict:
        package = _import_file("openspliceai_network", source / "openspliceai" / "train_base" / "openspliceai.py")
        n_units = 4 * (1 + [80, 400, 2000, 10_000].index(context))
        widths, dilations = np.repeat([11, 11, 21, 41], 4)[:n_units], np.repeat([1, 4, 10, 25], 4)[:n_units]
        return _of_network(package.SpliceAI(32, widths, dilations), data / "m08_openspliceai" / file)

    return program


def pangolin(source: Path, data: Path) -> Predict:
    """The network of the authors' repository."""
    package = _import_file("pangolin_network", source / "model.py")
    return _of_network(package.Pangolin(package.L, package.W, package.AR), data / "m09_pangolin" / "final.1.0.3")


def splicing(name: str, source: Path, data: Path) -> dict[str, np.ndarray]:
    """Predictions (tracks, 5000), of which a part is kept, for the entries' example and for hg38."""
    predict = SPLICING[name](source, data)
    windows = example_windows(MODELS[name].context)
    kept = {"example": np.stack([predict(window) for window in windows])[:, :, KEPT]}
    if name in ON_HG38:
        predicted = predict(one_hot(oracle_sequence(data)))
        kept |= {"start": np.array(KEPT_OF_HG38.start), "hg38": predicted[:, KEPT_OF_HG38]}
    return {key: array.astype(np.float32) if key != "start" else array for key, array in kept.items()}


Predict = Callable[[np.ndarray], np.ndarray]  # (4, 5000 + context) to (tracks, 5000)
Program = Callable[[Path, Path], Predict]
SPLICING: dict[str, Program] = {
    "spliceai": spliceai,
    "ci-spliceai": ci_spliceai,
    "openspliceai-mane-80nt": openspliceai("mane_model_80nt_rs10.pt", 80),
    "openspliceai-mane-400nt": openspliceai("mane_model_400nt_rs10.pt", 400),
    "openspliceai-mane-2000nt": openspliceai("mane_model_2000nt_rs10.pt", 2000),
    "openspliceai-mane-10000nt": openspliceai("mane_model_10000nt_rs10.pt", 10_000),
    "openspliceai-mouse-400nt": openspliceai("mouse_400nt_rs10.pt", 400),
    "openspliceai-arabidopsis-400nt": openspliceai("arabidopsis_400nt_rs10.pt", 400),
    "pangolin": pangolin,
}
ON_HG38 = ["ci-spliceai", "openspliceai-mane-10000nt", "pangolin", "spliceai"]


def _of_network(network: torch.nn.Module, weights: Path) -> Predict:
    import torch

    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    network.eval()

    def predict(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(x[None]))[0].numpy()

    return predict


def _import_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
