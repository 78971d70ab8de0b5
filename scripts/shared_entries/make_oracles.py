"""Predictions of the original programs for one stretch of hg38: ``NAME SOURCE OUT.npz``.

Run once for each model, with a Python that has what the original needs and numpy; the results are kept in
``tests/shared/oracles``.

    python make_oracles.py bpnet-k562-ctcf           <bpnet-lite 1.1.0, unpacked>          OUT.npz   # tangermeme
    python make_oracles.py ci-spliceai               <cispliceai 1.2.2, unpacked>          OUT.npz   # tensorflow
    python make_oracles.py openspliceai-mane-10000nt <openspliceai 0.0.7, unpacked>        OUT.npz   # torch
    python make_oracles.py pangolin                  <folder pangolin/ of its repository>  OUT.npz   # torch
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from shared_entries.comparison import BPNET_STRETCH
from shared_entries.hg38_windows import one_hot, oracle_sequence

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
KEPT = slice(1700, 2700)  # of the 5,000 predictions; the sequence's unknown bases lie at 2000 to 2040


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=PROGRAMS)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    x = one_hot(oracle_sequence(arguments.data))
    np.savez_compressed(arguments.out, **PROGRAMS[arguments.name](arguments.source, x, arguments.data))


def bpnet(source: Path, x: np.ndarray, data: Path) -> dict[str, np.ndarray]:
    """bpnet-lite's own class, (4, 2114) to profile (2, 1000) and counts (1,)."""
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
        profile, counts = network.eval()(torch.from_numpy(x[None, :, BPNET_STRETCH]))
    return {"profile": profile[0].numpy(), "counts": counts[0].numpy()}


def ci_spliceai(source: Path, x: np.ndarray, data: Path) -> dict[str, np.ndarray]:
    """The frozen TensorFlow graph of the package, (4, 15000) to (3, 5000)."""
    package = _import_file("cispliceai.model", source / "cispliceai" / "model.py")
    model = package.CISpliceAI.__new__(package.CISpliceAI)
    model._model = model._load_model(str(source / "cispliceai" / "data" / "CI-SpliceAI.pb"))
    return _kept(model.predict(x.T[None])[0].T)


def openspliceai(source: Path, x: np.ndarray, data: Path) -> dict[str, np.ndarray]:
    """The package's network with its zero padding and crop, (4, 15000) to (3, 5000)."""
    package = _import_file("openspliceai_network", source / "openspliceai" / "train_base" / "openspliceai.py")
    network = package.SpliceAI(32, *_widths_and_dilations())
    return _run(network, data / "m08_openspliceai" / "mane_model_10000nt_rs10.pt", x)


def pangolin(source: Path, x: np.ndarray, data: Path) -> dict[str, np.ndarray]:
    """The network of the authors' repository, (4, 15000) to (12, 5000)."""
    package = _import_file("pangolin_network", source / "model.py")
    return _run(package.Pangolin(package.L, package.W, package.AR), data / "m09_pangolin" / "final.1.0.3", x)


PROGRAMS = {
    "bpnet-k562-ctcf": bpnet,
    "ci-spliceai": ci_spliceai,
    "openspliceai-mane-10000nt": openspliceai,
    "pangolin": pangolin,
}


def _kept(predicted: np.ndarray) -> dict[str, np.ndarray]:
    return {"start": np.array(KEPT.start), "splicing": predicted[:, KEPT].astype(np.float32)}


def _run(network: torch.nn.Module, weights: Path, x: np.ndarray) -> dict[str, np.ndarray]:
    import torch

    network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    with torch.no_grad():
        return _kept(network.eval()(torch.from_numpy(x[None]))[0].numpy())


def _widths_and_dilations() -> tuple[np.ndarray, np.ndarray]:
    """Of SpliceAI-10k, which the package takes as arguments."""
    return np.repeat([11, 11, 21, 41], 4), np.repeat([1, 4, 10, 25], 4)


def _import_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
