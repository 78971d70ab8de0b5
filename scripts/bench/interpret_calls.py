"""The calls that ``interpret.py`` measures, ours and the peers', each on the same module and sequences.

    python -m scripts.bench.interpret_calls CASE WHO NET N OUT.npy
    python -m scripts.bench.interpret_calls "in turn" REPEATS NET N -

The first makes the sequences, runs the call once on little to warm up, runs it again with the clock on, saves its array
and prints the CPU-seconds (user and system, children included) as JSON. A call turns ``(module, sequences)`` into an
array. The second runs ``ism`` and its forward passes in turn, in one process, and prints the seconds of both.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from scripts.bench import nets

REFERENCES = 20  # of DeepLIFT/SHAP
STEPS = 50  # of integrated gradients: captum's own default
SHUFFLES, STRETCH = 5, 50  # of ablation
SAMPLE = 128  # full forward passes that stand for all 3L + 1
MOTIF = "GCCACCAGGGGGCGC"  # CTCF's
NETS = {
    "basset": nets.basset_like,
    "beluga": nets.beluga_like,
    "bpnet": nets.bpnet_like,
    "recurrent": nets.recurrent,
    "recurrent-gru": lambda: nets.recurrent(cell=torch.nn.GRU),
    "recurrent-96": lambda: nets.recurrent(width=96),
    "recurrent-gru-96": lambda: nets.recurrent(cell=torch.nn.GRU, width=96),
    "bpnet-profile": lambda: nets.bpnet_like(head="profile"),
}

Call = Callable[[torch.nn.Module, np.ndarray], np.ndarray]


class Column(torch.nn.Module):
    """(N,) as (N, 1), which tangermeme and captum take; with a third axis as gReLU's models have it."""

    def __init__(self, module: torch.nn.Module, axes: int = 2) -> None:
        super().__init__()
        self.module, self.axes = module, axes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x).reshape(-1, *[1] * (self.axes - 1))


def sequences(n: int, length: int, seed: int = 0) -> np.ndarray:
    """(n, 4, length) float32, random."""
    letters = np.random.default_rng(seed).integers(0, 4, (n, length))
    return np.ascontiguousarray(np.eye(4, dtype=np.float32)[letters].transpose(0, 2, 1))


def references(x: np.ndarray) -> np.ndarray:
    from interpret.references import References

    return References(n=REFERENCES).of(x)


def given_references(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(references(x))


def grelu_model(module: torch.nn.Module):
    """gReLU's LightningModel around the module."""
    from grelu.lightning import LightningModel

    model = LightningModel(
        model_params={"model_type": "ConvModel", "n_tasks": 1, "stem_channels": 4, "n_conv": 0},
        train_params={"task": "regression", "loss": "mse"},
    )
    model.model = Column(module, 3)
    return model.eval()


def grelu_attributions(method: str, **more) -> Call:
    def call(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
        from grelu.interpret.score import get_attributions

        given = {k: v(x) if callable(v) else v for k, v in more.items()}
        # deep_lift_shap takes (N, outputs); the others take what a gReLU model gives.
        model = grelu_model(module)
        if method == "deepshap":
            model.model = Column(module, 2)
        return get_attributions(model, torch.from_numpy(x), method=method, **given)

    return call


def tangermeme_saliency(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from tangermeme.saliency import saliency

    return saliency(Column(module), torch.from_numpy(x), hypothetical=True, device="cpu").numpy()


def our_saliency(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.gradients import saliency

    return saliency(module, x)


def our_inputxgradient(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.gradients import inputxgradient

    return inputxgradient(module, x)


def our_integrated_gradients(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.integrated_gradients import integrated_gradients

    zeros = np.zeros((len(x), 1, *x.shape[1:]), np.float32)
    return integrated_gradients(module, x, zeros, steps=STEPS, allow_incomplete=True) * x


def our_deepliftshap(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.deepliftshap import deepliftshap

    return deepliftshap(module, x, references(x))


def tangermeme_deepliftshap(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from tangermeme.deep_lift_shap import deep_lift_shap

    given = given_references(x)
    return deep_lift_shap(
        Column(module), torch.from_numpy(x), references=given, hypothetical=True, device="cpu"
    ).numpy()


def our_ism(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.ism import ism

    return ism(module, x)


def our_ism_unchecked(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.ism import ism

    return ism(module, x, check=False)


def our_opening(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """What capturing the module's graph costs, once for all sequences."""
    from interpret.methods.ism import Mutagenesis

    report = Mutagenesis(module, x.shape[2], fast=True).report
    return np.array([report.path == "fast", report.whole_from is None])


def tangermeme_ism(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    with torch.no_grad():
        raw = saturation_mutagenesis(Column(module), torch.from_numpy(x), raw_outputs=True, device="cpu")
    return centred(raw[1].reshape(x.shape).numpy())


def grelu_ism(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from grelu.interpret.score import ISM_predict

    strings = ["".join("ACGT"[i] for i in row) for row in x.argmax(1)]
    found = ISM_predict(strings, grelu_model(module), devices="cpu", num_workers=1, return_df=False)
    return centred(np.asarray(found).reshape(len(x), x.shape[2], 4).transpose(0, 2, 1))


def full_forwards(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """A sample of the forward passes of edited sequences, 64 a batch; the time is scaled to all 3L + 1."""
    edited = torch.from_numpy(x[:1]).repeat(SAMPLE, 1, 1)
    with torch.inference_mode():
        return torch.cat([module(part) for part in edited.split(64)]).numpy()


def our_edits(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.ism import mutate_all

    return mutate_all(module, x)


def all_forwards(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """All 3L + 1 forward passes of each sequence in one batch."""
    with torch.inference_mode():
        return np.stack([module(torch.from_numpy(one[None]).repeat(3 * x.shape[2] + 1, 1, 1)).numpy() for one in x])


def centred(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean(1, keepdims=True)).astype(np.float32)


def our_ablation(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.ablation import ablation
    from interpret.references import References

    return ablation(module, x, References(n=SHUFFLES), width=STRETCH)


def tangermeme_ablation(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """A call a stretch: it shuffles the stretch itself, so that its numbers are its own."""
    from tangermeme.ablate import ablate

    found = []
    for start in range(0, x.shape[2], STRETCH):
        before, after = ablate(
            Column(module), torch.from_numpy(x), start, min(start + STRETCH, x.shape[2]), n=SHUFFLES, device="cpu"
        )
        found.append((before[:, None] - after).mean(1).numpy())
    return np.stack(found, 1)


def our_marginalize(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from interpret.methods.marginalize import marginalize

    return marginalize(module, x, MOTIF)


def tangermeme_marginalize(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    from tangermeme.marginalize import marginalize

    start = (x.shape[2] - len(MOTIF)) // 2  # theirs would be a base further
    before, after = marginalize(Column(module), torch.from_numpy(x), MOTIF, start=start, device="cpu")
    return (after - before).numpy()[:, 0]


#: Case -> who -> call; peers' arrays are compared with ours where both give the same quantity.
CALLS: dict[str, dict[str, Call]] = {
    "saliency": {
        "ours": our_saliency,
        "tangermeme": lambda m, x: np.abs(tangermeme_saliency(m, x)),
        "gReLU": lambda m, x: np.abs(grelu_attributions("saliency", correct_grad=True)(m, x)),
    },
    "inputxgradient": {
        "ours": lambda m, x: our_inputxgradient(m, x),
        "tangermeme": tangermeme_saliency,
        "gReLU": grelu_attributions("inputxgradient"),
    },
    "integrated_gradients": {"ours": our_integrated_gradients, "gReLU": grelu_attributions("integratedgradients")},
    "deepliftshap": {
        "ours": our_deepliftshap,
        "tangermeme": tangermeme_deepliftshap,
        "gReLU": grelu_attributions("deepshap", hypothetical=True, references=given_references),
    },
    "ism": {
        "ours": our_ism,
        "unchecked": our_ism_unchecked,
        "opening": our_opening,
        "tangermeme": tangermeme_ism,
        "gReLU": grelu_ism,
        "full": full_forwards,
        "all forwards": all_forwards,
    },
    "ablation": {"ours": our_ablation, "tangermeme": tangermeme_ablation},
    "marginalize": {"ours": our_marginalize, "tangermeme": tangermeme_marginalize},
}


def cpu_seconds() -> float:
    return sum(os.times()[:4])


def in_turn(net: str, n: int, repeats: int) -> tuple[list[float], ...]:
    """CPU-seconds a sequence of ``ism``, of its edits alone, and of all their forward passes, in turn in this process.

    The edits alone are ``ism`` without the question whether the net is a function of one sequence.

    Between processes of one call each the same passes differ by a fifth, more than the limit leaves.
    """
    module, length = NETS[net]()
    calls = (our_ism, our_edits, all_forwards)
    found: tuple[list[float], ...] = ([], [], [])
    for repeat in range(-1, repeats):  # the first warms up
        x = sequences(n if repeat >= 0 else 1, length, seed=repeat + 1)
        for call, times in zip(calls, found, strict=True):
            begin = time.process_time()
            call(module, x)
            if repeat >= 0:
                times.append((time.process_time() - begin) / n)
    return found


def main() -> None:
    case, who, net, n, out = sys.argv[1:]
    torch.set_num_threads(1)
    if case == "in turn":
        print(json.dumps(in_turn(net, int(n), int(who))))
        return
    call = CALLS[case][who]
    if case == "ism":  # a whole sequence of the large nets would double the time
        small, length = NETS["basset"]()
        call(small, sequences(1, length, seed=1))
    module, length = NETS[net]()
    if case != "ism":
        call(module, sequences(1 if net == "beluga" else 2, length, seed=1))
    x = sequences(int(n), length)
    begin = cpu_seconds()
    found = call(module, x)
    seconds = cpu_seconds() - begin
    np.save(out, found)
    scale = (3 * length + 1) / SAMPLE * len(x) if who == "full" else 1
    print(json.dumps({"seconds": seconds * scale / len(x)}))


if __name__ == "__main__":
    main()
