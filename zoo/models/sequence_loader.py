"""How one-hot windows are laid out for a model: Kipoi's dataloader arguments, as plain data.

Replaces ``kipoiseq.dataloaders.SeqIntervalDl`` (kipoiseq 0.7) for prediction: the same
arrays, made for whole batches. Our pipeline makes ``(N, 4, L)`` with channels A, C, G, T;
``arrange`` gives the layout that the model's dataloader names.

Where we differ from kipoiseq on purpose: a window that passes the end of its chromosome is padded
with N and counted (kipoiseq gives a shorter one); IUPAC codes count as N, 0.25, and are counted
(kipoiseq gives 0 in all channels, or a KeyError when the alphabet is not ACGT); chromosome names of
another style are joined when asked (kipoiseq puts ``chr`` before all names when the first lacks it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.cards.kipoi import LoaderDescription, ModelDescription
from zoo.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["ARGUMENTS", "STRING_NAMES", "SequenceLoader", "given_length", "is_replaced", "loader_from_kipoi"]

SEQ_INTERVAL_NAMES = frozenset({"kipoiseq.dataloaders.SeqIntervalDl", "kipoiseq.dataloaders.sequence.SeqIntervalDl"})
STRING_NAMES = frozenset(
    {"kipoiseq.dataloaders.StringSeqIntervalDl", "kipoiseq.dataloaders.sequence.StringSeqIntervalDl"}
)
# Arguments of the two classes in kipoiseq 0.7.1; labels are never read for a prediction.
_COMMON = (
    "intervals_file",
    "fasta_file",
    "num_chr_fasta",
    "label_dtype",
    "auto_resize_len",
    "use_strand",
    "ignore_targets",
)
ARGUMENTS = {
    **dict.fromkeys(SEQ_INTERVAL_NAMES, (*_COMMON, "alphabet_axis", "dummy_axis", "alphabet", "dtype")),
    **dict.fromkeys(STRING_NAMES, (*_COMMON, "force_upper")),
}
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
        centring: whose rule places windows on regions, ``"kipoiseq"`` or ``"grelu"``.
    """

    length: int
    n_value: float = 0.0
    use_strand: bool = False
    alphabet: str = "ACGT"
    alphabet_axis: int = 0
    dummy_axis: int | None = None
    dtype: str = "float32"
    centring: str = "kipoiseq"

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


def is_replaced(loader: LoaderDescription) -> bool:
    """Whether our own reading of regions and genome takes the place of this dataloader.

    ``force_upper: false`` keeps soft-masked letters, which one-hot does not: kipoiseq itself must run.
    """
    if loader.defined_as in STRING_NAMES:
        return loader.args.get("force_upper", True) is not False
    return loader.defined_as in SEQ_INTERVAL_NAMES


def loader_from_kipoi(loader: LoaderDescription, model: ModelDescription) -> SequenceLoader:
    """The layout that a Kipoi dataloader description asks for.

    Raises:
        ModelError: another dataloader, or arguments that this one does not take.
    """
    if not is_replaced(loader):
        raise model.document.error(
            ("default_dataloader",),
            f"the dataloader {loader.defined_as} is not one that is replaced here",
            "`zoo predict` and zoo.predict run such a model with its own dataloader",
        )
    args = loader.args
    if loader.defined_as in STRING_NAMES:  # kipoi_native turns the plain layout into letters
        return SequenceLoader(_length(args, model), KIPOISEQ_N, bool(args.get("use_strand") or False))
    alphabet = "".join(map(str, args.get("alphabet") or "ACGT"))
    if sorted(alphabet) != sorted("ACGT"):
        raise _refused(model, "alphabet", alphabet, "the letters A, C, G, T in the order of the channels")
    alphabet_axis, dummy_axis = _axes(args, model)
    return SequenceLoader(
        length=_length(args, model),
        n_value=KIPOISEQ_N,
        use_strand=bool(args.get("use_strand") or False),
        alphabet=alphabet,
        alphabet_axis=alphabet_axis,
        dummy_axis=dummy_axis,
        dtype=_dtype(args.get("dtype"), model),
    )


def _refused(model: ModelDescription, argument: str, value: Any, wanted: str) -> ModelError:
    return ModelError(
        f"{model.folder}: the dataloader's {argument} is {value!r}",
        f"kipoiseq takes {wanted}",
        f"Fix: correct {argument} in dataloader.yaml (or default_args of model.yaml)",
    )


def _axes(args: dict[str, Any], model: ModelDescription) -> tuple[int, int | None]:
    alphabet, dummy = args.get("alphabet_axis", 1), args.get("dummy_axis")
    # YAML's false is 0: Kipoi 0.8.6 takes a bare 0 for the number of an open file.
    if dummy is not None and dummy not in (0, 1, 2):
        raise _refused(model, "dummy_axis", dummy, "0, 1, 2 or nothing")
    if alphabet not in ((0, 1) if dummy is None else (0, 1, 2)) or alphabet == dummy:
        raise _refused(model, "alphabet_axis", alphabet, f"0, 1, or 2 with a dummy axis; dummy_axis is {dummy}")
    return int(alphabet), None if dummy is None else int(dummy)


def given_length(args: dict[str, Any], model: ModelDescription) -> Any:
    """``auto_resize_len``, else the one free size of the model's input, else None."""
    length = args.get("auto_resize_len")
    if length is None and len(model.inputs) == 1:
        fixed = [size for size in model.inputs[0].shape if size not in (None, 1, 4)]
        length = fixed[0] if len(fixed) == 1 else None
    return length


def _length(args: dict[str, Any], model: ModelDescription) -> int:
    length = given_length(args, model)
    if length is None:
        raise model.document.error(
            ("default_dataloader",),
            "the input length is not given",
            "set auto_resize_len in default_args, or `zoo predict --set auto_resize_len=1000`",
        )
    if not isinstance(length, int) or length < 1:
        raise _refused(model, "auto_resize_len", length, "a number of bp")
    return length


def _dtype(value: Any, model: ModelDescription) -> str:
    name = str(value or "float32").rpartition(".")[2]
    known = {
        "float32": "float32",
        "float": "float64",
        "float64": "float64",
        "float16": "float16",
        "int": "int64",
        "int32": "int32",
        "int64": "int64",
        "int8": "int8",
        "uint8": "uint8",
    }
    if name not in known:
        raise _refused(model, "dtype", value, "np.float32, for instance")
    return known[name]
