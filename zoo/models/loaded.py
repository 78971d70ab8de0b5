"""A model that is ready to predict: module, layout of its input, names of its outputs; and how it runs on a device."""

from __future__ import annotations

import functools
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo.errors import ModelError, SystemStateError, UsageError
from zoo.genome.encode import Sequences, as_one_hot
from zoo.models.foreign_python import call_module
from zoo.models.sequence_loader import SequenceLoader
from zoo.models.softmax import Softmax, softmaxes_of
from zoo.notebook import card_html
from zoo.outputs import OutputSpec, first_of, tracks_first
from zoo.words import counted, did_you_mean

if TYPE_CHECKING:
    from zoo.cards.schema import Card

__all__ = [
    "PRECISIONS",
    "LoadedModel",
    "Runner",
    "auto_batch_size",
    "check_mirrors",
    "device_of",
    "full_float32",
    "pick_device",
    "processor_name",
]

DEVICES = ("auto", "cpu", "cuda", "mps")


#: Outputs that ``repr`` lists.
SHOWN = 8
#: Of the table of outputs in a card.
HEADS = ("output", "shape", "tracks", "bins", "units")


@dataclass(repr=False)
class LoadedModel:
    """A module with what is known of its input and outputs.

    Attributes:
        name: name or path the model was asked for by.
        module: the ``torch.nn.Module`` in eval mode; takes what ``loader.arrange`` gives
            (``(N, 4, L)`` float32 for our own models), usable as is by tangermeme and captum.
        loader: layout of the input.
        outputs: the named outputs, in the module's order.
        card: the card, or None for a bare Kipoi folder or checkpoint.
        folder: the entry folder or checkpoint path.
        strand_pairs: output name -> permutation of its tracks on the other strand.
        hashes: file name -> sha256 of what was loaded.
        info: plain facts for the run record.
        notes: sentences that who predicts should read: what nothing says and was assumed.
    """

    name: str
    module: torch.nn.Module
    loader: SequenceLoader
    outputs: tuple[OutputSpec, ...]
    card: Card | None = None
    folder: Path | None = None
    strand_pairs: dict[str, np.ndarray] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def places_bins(self) -> bool:
        """Whether bin size and offset of all profiles are known, so that bins have coordinates."""
        return all(spec.placed for spec in self.outputs)

    @property
    def length(self) -> int:
        """bp of sequence that the model sees."""
        return self.loader.length

    @property
    def softmaxes(self) -> dict[str, Softmax]:
        """Output -> its softmax, of those that have one: asked once, by a forward pass."""
        return self._asked_softmaxes[0]

    @property
    def unseen_softmaxes(self) -> dict[str, Softmax]:
        """Outputs that sum to one as a softmax does, and none was seen: their averages are of what they are."""
        return self._asked_softmaxes[1]

    @functools.cached_property
    def _asked_softmaxes(self) -> tuple[dict[str, Softmax], dict[str, Softmax]]:
        return softmaxes_of(self, Runner(self, str(device_of(self.module))).one_strand)

    def __repr__(self) -> str:
        """Name, version, input, assembly, and a line an output."""
        version = f" {self.card.version}" if self.card else ""
        assembly = f" of {self.card.genome.assembly}" if self.card and self.card.genome else ""
        lines = [f"<{type(self).__name__} {self.name}{version}", f"  input (4, {self.length}){assembly}"]
        lines += [f"  output {spec}" for spec in self.outputs[:SHOWN]]
        if len(self.outputs) > SHOWN:
            lines.append(f"  and {len(self.outputs) - SHOWN:,} more outputs")
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        """The same, with what the card says, for a notebook."""
        card = self.card
        facts = [
            ("", card.summary if card else ""),
            ("genome", card.genome.assembly if card and card.genome else ""),
            ("input", f"{self.length:,} bp of sequence: .predict([sequence, ...]) or .predict_regions(bed, fasta)"),
            *(("note", note) for note in self.notes),
        ]
        return card_html(self.name, card.version if card else "", facts, HEADS, outputs_rows(self.outputs))

    def named(self, result: Any, any_bins: bool = False) -> dict[str, Any]:
        """Give the module's raw result its output names; scalars become (N, tracks), profiles (N, tracks, bins).

        Args:
            any_bins: take any number of bins: the sequence had another length than the model's.

        Raises:
            ModelError: the number of outputs or a shape is not what the card or model.yaml says.
        """
        parts = as_list(result, self.outputs)
        if len(parts) != len(self.outputs):
            raise ModelError(
                f"{self.name}: the module returns {counted(len(parts), 'output')}",
                f"its description names {len(self.outputs)}",
                "Fix: correct `outputs` of the card (or schema.targets of model.yaml)",
            )
        return {spec.name: self._shaped(spec, part, any_bins) for spec, part in zip(self.outputs, parts, strict=True)}

    def _shaped(self, spec: OutputSpec, part: torch.Tensor, any_bins: bool) -> torch.Tensor:
        n, shape = part.shape[0], tuple(part.shape[1:])
        part = tracks_first(part, spec.axis) if part.ndim > spec.axis + 1 else part
        if part.ndim > 3 and spec.kind == "profile":
            part = part.flatten(2)
        wanted = spec.shape
        if any_bins and spec.kind == "profile" and (part.ndim == 3 or (part.ndim == 2 and wanted[0] == 1)):
            wanted = (wanted[0], part.shape[-1])
        squeezed = tuple(size for size in part.shape[1:] if size != 1)
        if squeezed != tuple(size for size in wanted if size != 1):
            raise ModelError(
                f"{self.name}: output {spec.name!r} has shape {shape} a window",
                f"its description says {wanted}",
                "Fix: correct tracks, n_bins or the input length in the card",
            )
        return part.reshape(n, *wanted)


def outputs_rows(outputs: Sequence[OutputSpec]) -> list[tuple[str, ...]]:
    """Cells of ``HEADS`` for the first outputs, and how many more there are."""
    rows = [
        (
            spec.name,
            str(spec.shape),
            first_of(spec.tracks),
            "" if spec.kind == "scalar" else f"{spec.bin_size} bp from {spec.offset}" if spec.placed else "not placed",
            spec.units or "not given",
        )
        for spec in outputs[:SHOWN]
    ]
    more = len(outputs) - SHOWN
    return [*rows, (f"and {more:,} more", "", "", "", "")] if more > 0 else rows


def as_list(result: Any, outputs: Sequence[Any]) -> list[torch.Tensor]:
    """The module's raw result as a list: a dict in the order of the named ``outputs``, if it has just their names.

    Raises:
        ModelError: it holds something else than tensors.
    """
    if isinstance(result, Mapping):
        names = [spec.name for spec in outputs]
        parts = [result[name] for name in names] if set(names) == set(result) else list(result.values())
    else:
        parts = list(result) if isinstance(result, list | tuple) else [result]
    for part in parts:
        if not isinstance(part, torch.Tensor):
            raise ModelError(
                f"the module returns {type(part).__name__} where a tensor is expected",
                "",
                "Fix: forward returns a tensor, or a list or dict of tensors",
            )
    return parts


# ---------------- batches on a device: precision, batch size, both strands


PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Runner:
    """A model on a device, in eval mode under ``inference_mode``.

    Args:
        model: the loaded model; its module is moved to the device.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: a key of ``PRECISIONS``; other than float32 runs under autocast.
        rc_average: average with the reverse complement.
        batch_size: windows a forward pass, or ``"auto"``.

    Raises:
        SystemStateError: the device is absent.
        UsageError: unknown precision, or ``rc_average`` for outputs that do not mirror (see ``check_mirrors``).
    """

    def __init__(
        self,
        model: LoadedModel,
        device: str = "auto",
        precision: str = "float32",
        rc_average: bool = False,
        batch_size: int | str = "auto",
    ) -> None:
        if precision not in PRECISIONS:
            raise UsageError(f"precision {precision!r} is not known", "", f"Fix: one of {', '.join(PRECISIONS)}")
        self.model = model
        self.device = pick_device(device)
        self.autocast = PRECISIONS[precision]
        self.rc_average = rc_average
        if rc_average:
            check_mirrors(model)
        self.module = model.module.to(self.device).eval()
        self.batch_size = auto_batch_size(model.length, self.device) if batch_size == "auto" else int(batch_size)
        self._swap = {name: torch.from_numpy(order) for name, order in model.strand_pairs.items()}

    def forward(self, one_hot: np.ndarray | torch.Tensor) -> dict[str, np.ndarray]:
        """(n, 4, L) float32 -> output name -> float32 (n, tracks) or (n, tracks, bins). Halves on CUDA OOM."""
        batch = torch.as_tensor(one_hot)
        try:
            return self._forward(batch)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise SystemStateError(
                    f"the {self.device} has not enough memory for one window of {self.model.length:,} bp",
                    "",
                    "Fix: --device cpu, or `zoo predict --precision bfloat16`, which takes half of it",
                ) from None
            torch.cuda.empty_cache()
            self.batch_size = max(1, len(batch) // 2)
            halves = [self.forward(part) for part in batch.split(self.batch_size)]
            return {name: np.concatenate([half[name] for half in halves]) for name in halves[0]}

    def _forward(self, batch: torch.Tensor) -> dict[str, np.ndarray]:
        with torch.inference_mode(), full_float32():
            return self._both_strands(batch)

    def _both_strands(self, batch: torch.Tensor) -> dict[str, np.ndarray]:
        batch = batch.to(self.device, non_blocking=True)
        named = self.one_strand(batch)
        if self.rc_average:
            other = self.one_strand(batch.flip(1, 2))
            named = {
                spec.name: self.mean_of_strands(spec, named[spec.name], other[spec.name]) for spec in self.model.outputs
            }
        return {name: value.to("cpu", torch.float32).numpy() for name, value in named.items()}

    def one_strand(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """(n, 4, L) on the device -> all outputs as the module gives them for the strand that is read, there."""
        arranged = self.model.loader.arrange(batch)
        if self.model.loader.dtype != "float32":
            arranged = arranged.to(getattr(torch, self.model.loader.dtype))
        if self.autocast is None:
            return self._named(arranged, batch)
        with torch.autocast(self.device.type, dtype=self.autocast):
            named = self._named(arranged, batch)
        return {name: value.float() for name, value in named.items()}

    def _named(self, arranged: torch.Tensor, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        n, another = len(batch), batch.shape[2] != self.model.length
        named = self.model.named(call_module(self.module, arranged, self.model.name), any_bins=another)
        if another and any(len(value) != n for value in named.values()):
            # A network that folds its input into rows of a fixed length makes other rows of it.
            raise ModelError(f"{self.model.name}: gives other rows than the {n:,} that it was given", "", "")
        return named

    def mean_of_strands(self, spec: OutputSpec, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """The mean of predictions for both strands, ``other`` as the other strand has it; of a softmax, of logits."""
        other = self.mirror(spec, other)
        softmax = self.model.softmaxes.get(spec.name)
        if softmax is None:
            return (one + other) / 2
        return torch.from_numpy(
            softmax.mean([value.detach().to("cpu", torch.float32).numpy() for value in (one, other)])
        )

    def mirror(self, spec: OutputSpec, value: torch.Tensor) -> torch.Tensor:
        """Bring a prediction for the other strand into this strand's bins and tracks."""
        if spec.kind == "profile":
            value = value.flip(2)
        order = self._swap.get(spec.name)
        return value if order is None else value[:, order.to(value.device)]

    def predict_array(self, sequences: Sequences) -> np.ndarray | dict[str, np.ndarray]:
        """Predict for (N, 4, L) or letters in batches; see ``zoo.model.Model.predict``."""
        model = self.model
        if isinstance(sequences, str):
            sequences = [_one_window(sequences, model)]
        one_hot = as_one_hot(sequences, None, model.loader.n_value, model.name)
        array = torch.as_tensor(one_hot, dtype=torch.float32)
        if len(array) == 0:
            parts = [{spec.name: np.empty((0, *spec.shape), np.float32) for spec in model.outputs}]
        elif array.shape[2] == model.length:
            parts = [self.forward(part) for part in array.split(self.batch_size)]
        else:
            parts = self._of_another_length(array)
        joined = {spec.name: np.concatenate([part[spec.name] for part in parts]) for spec in model.outputs}
        return joined if len(joined) > 1 else next(iter(joined.values()))

    def _of_another_length(self, array: torch.Tensor) -> list[dict[str, np.ndarray]]:
        """What the network itself makes of sequences that are not of the model's length, where it takes them.

        Raises:
            UsageError: it does not; or both strands are averaged and its bins do not mirror at this length.
        """
        model, length = self.model, array.shape[2]
        size = min(self.batch_size, auto_batch_size(length, self.device))
        try:
            parts = [self.forward(part) for part in array.split(size)]
        except ModelError as error:
            raise UsageError(
                f"{model.name}: does not take sequences of {length:,} bp; it sees {model.length:,} bp",
                error.what,
                f"Fix: give {model.length:,} bp: cut them, or pad them with N",
            ) from error
        for spec in model.outputs:
            if self.rc_average and spec.kind == "profile":
                self._check_mirrors_at(spec, parts[0][spec.name].shape[2], length)
        return parts

    def _check_mirrors_at(self, spec: OutputSpec, n_bins: int, length: int) -> None:
        """``check_mirrors`` for sequences of another length, of which the network crops as much as of its own."""
        lost = length - n_bins * spec.bin_size
        if spec.placed and lost != 2 * spec.offset:
            raise UsageError(
                f"rc_average: output {spec.name!r} is not centred in sequences of {length:,} bp",
                f"{counted(n_bins, 'bin')} of {spec.bin_size} bp, {lost} bp beside them",
                "Fix: leave out rc_average, or give sequences whose length the bins divide",
            )


def _one_window(sequence: str, model: LoadedModel) -> str:
    """One string is one window: who types a sequence of another length has cut it wrongly.

    Raises:
        UsageError: it is of another length.
    """
    if len(sequence) != model.length:
        raise UsageError(
            f"{model.name}: the sequence has {len(sequence):,} letters; the model sees {model.length:,} bp",
            "",
            f"Fix: give {model.length:,} letters: cut it, or pad it with N; a list, [sequence], asks for what the "
            "network makes of another length, where it takes one",
        )
    return sequence


@contextmanager
def full_float32() -> Iterator[None]:
    """Within this block float32 means float32.

    gReLU's ``predict_on_dataset`` lowers matrix products of the whole process to bfloat16 (an error of 1e-3 of scale).
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def check_mirrors(model: LoadedModel) -> None:
    """Refuse to average both strands where the other strand's prediction is not of the same thing.

    Raises:
        UsageError: the card says that an output belongs to the strand that is read; or a profile is not centred in
            the window, so that flipped bins would not land on bins.
    """
    for output in model.card.outputs if model.card else ():
        if output.strand == "sense":
            raise UsageError(
                f"--rc-average: output {output.name!r} belongs to the strand that is read",
                f"{model.name} predicts something else from the other strand, says its card (strand: sense)",
                "Fix: leave out --rc-average; a region has the strand of its sixth column, a variant that of its gene",
            )
    for spec in model.outputs:
        if spec.kind == "profile" and model.places_bins:
            after = model.length - spec.offset - spec.n_bins * spec.bin_size
            if after != spec.offset:
                raise UsageError(
                    f"--rc-average: output {spec.name!r} is not centred in the window",
                    f"{spec.offset} bp before it, {after} bp after",
                    "Fix: leave out --rc-average",
                )


def device_of(module: torch.nn.Module) -> torch.device:
    """Where the module's parameters are; the CPU where it has none."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def pick_device(name: str) -> torch.device:
    """The torch device for ``auto``, ``cpu``, ``cuda[:n]`` or ``mps``.

    Raises:
        SystemStateError: the device is absent. UsageError: the name is unknown.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(
            f"--device {name}: no such device", did_you_mean(name, DEVICES), "Fix: auto, cpu, cuda or mps"
        ) from None
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(device.type, False):
        raise SystemStateError(
            f"--device {name}: PyTorch finds no such device on this machine",
            f"torch {torch.__version__}",
            "Fix: --device auto (or cpu); for CUDA install a CUDA build of torch",
        )
    return device


def processor_name(device: torch.device) -> str:
    """The name of the GPU, or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if found:
            return found
    return platform.processor() or platform.machine()


def auto_batch_size(length: int, device: torch.device) -> int:
    """Windows a forward pass: about 64 kb of sequence on a CPU (its caches), 4 Mb on a GPU."""
    budget = 64 * 1024 if device.type == "cpu" else 4 << 20
    return max(1, min(512, budget // max(length, 1)))
