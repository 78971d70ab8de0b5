"""How one-hot windows are laid out for a model: Kipoi's dataloader arguments, as plain data.

Replaces ``kipoiseq.dataloaders.SeqIntervalDl`` (kipoiseq 0.7) for prediction: the same
arrays, made for whole batches. Our pipeline makes ``(N, 4, L)`` with channels A, C, G, T;
``arrange`` gives the layout that the model's dataloader names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.cards.kipoi import LoaderDescription, ModelDescription
from zoo.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["SequenceLoader", "loader_from_kipoi"]

SEQ_INTERVAL_NAMES = frozenset(
    {"kipoiseq.dataloaders.SeqIntervalDl", "kipoiseq.dataloaders.sequence.SeqIntervalDl"}
)
KIPOISEQ_N = 0.25  # kipoiseq.transforms.OneHot: neutral_value


@dataclass(frozen=True)
class SequenceLoader:
    """Layout of the model's input.

    Attributes:
        length: bp of a window.
        n_value: value of the four channels at an unknown base.
        use_strand: whether regions on ``-`` are reverse-complemented.
        alphabet: order of the channels.
        alphabet_axis: 0 for ``(4, L)``, 1 for ``(L, 4)`` (before a dummy axis is put in).
        dummy_axis: where an axis of length 1 is put in, or None.
        dtype: numpy name of the dtype.
    """

    length: int
    n_value: float = 0.0
    use_strand: bool = False
    alphabet: str = "ACGT"
    alphabet_axis: int = 0
    dummy_axis: int | None = None
    dtype: str = "float32"

    def arrange(self, batch: torch.Tensor) -> torch.Tensor:
        """(N, 4, L) A,C,G,T -> the model's layout; views where possible."""
        if self.alphabet != "ACGT":
            batch = batch[:, ["ACGT".index(base) for base in self.alphabet]]
        # The steps of kipoiseq's ReorderedOneHot, one axis further for the batch.
        batch = batch.transpose(1, 2)
        existing = 1
        if self.dummy_axis is not None:
            batch = batch.unsqueeze(self.dummy_axis + 1)
            existing = 2 if self.dummy_axis < 2 else 1
        return batch if existing == self.alphabet_axis else batch.transpose(existing + 1, self.alphabet_axis + 1)


def loader_from_kipoi(loader: LoaderDescription, model: ModelDescription) -> SequenceLoader:
    """The layout that a Kipoi dataloader description asks for.

    Raises:
        ModelError: another dataloader, or arguments that this one does not take.
    """
    if loader.defined_as not in SEQ_INTERVAL_NAMES:
        raise model.document.error(
            ("default_dataloader",),
            f"the dataloader {loader.defined_as} is not one that is replaced here",
            "use kipoiseq.dataloaders.SeqIntervalDl, or predict from Python with load_model(...).predict(one_hot)",
        )
    args = loader.args
    return SequenceLoader(
        length=_length(args, model),
        n_value=KIPOISEQ_N,
        use_strand=bool(args.get("use_strand") or False),
        alphabet="".join(args.get("alphabet") or "ACGT"),
        alphabet_axis=int(args.get("alphabet_axis", 1)),
        dummy_axis=None if args.get("dummy_axis") is None else int(args["dummy_axis"]),
        dtype=_dtype(args.get("dtype"), model),
    )


def _length(args: dict[str, Any], model: ModelDescription) -> int:
    length = args.get("auto_resize_len")
    if length is None and len(model.inputs) == 1:
        fixed = [size for size in model.inputs[0].shape if size not in (None, 1, 4)]
        length = fixed[0] if len(fixed) == 1 else None
    if length is None:
        raise model.document.error(
            ("default_dataloader",), "the input length is not given", "set auto_resize_len in default_args"
        )
    return int(length)


def _dtype(value: Any, model: ModelDescription) -> str:
    name = str(value or "float32").rpartition(".")[2]
    known = {"float32": "float32", "float": "float64", "float64": "float64", "float16": "float16",
             "int": "int64", "int32": "int32", "int64": "int64", "int8": "int8", "uint8": "uint8"}
    if name not in known:
        raise ModelError(f"{model.folder}: dataloader dtype {value!r} is not known", "", "Fix: dtype: np.float32")
    return known[name]
