"""What the numbers of an output are: probabilities, counts, logarithms, log-odds; read of the card's units.

Which scores an output can have, how its bins are added up, and what a deleted base counts for, follow from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from zoo.cards.schema import Card
    from zoo.outputs import OutputSpec

__all__ = ["UNKNOWN", "Described", "Kind", "Scale", "scale_of", "scales_of"]

Kind = Literal["probability", "counts", "log", "logit", "other", "unknown"]

_LOG = re.compile(r"\blog(?P<base>1p|2|10|e)?\b|\bln\b|\blogarithms?\b")
#: A logarithm that was shifted or stretched afterwards has no base any more.
_MOVED = re.compile(r"standardi[sz]ed|normali[sz]ed|z-?scored?s?\b|deviation|centred|centered|\bscaled")
#: What may be negative whatever else is said of it, or is no multiple of what was counted.
_SIGNED = re.compile(
    r"arcsinh|\basinh|-\s*log|\b[pq]-?val(ue)?s?\b|\bdifferences?\b|\bchange\b|\bdelta\b|\beffects?\b|\bresiduals?\b"
)
#: Units of the logarithm of a ratio, which is one more logarithm.
_RATIO = re.compile(r"^(log2?|log10|ln)[ (]+fold[ -]change\)?$")
_PROBABILITY = re.compile(r"probabilit|\bfractions?\b|\bpsi\b|\bproportions?\b|\bmethylation (level|rate)")
_COUNTS = re.compile(
    r"\b(counts?|reads?|cuts?|coverage|fragments?|fragment centres|tags?|insertions?|rpkm|fpkm|tpm|cpm|umis?)\b"
)
#: Units of counts that no longer grow in proportion to what was counted, as those of Borzoi's RNA tracks.
_SQUASHED = re.compile(r"\bsquash|\bsoft[- ]?clip|\bsquare root|\bsqrt\b|\bto the power\b")
_THROUGH_A_SQUASHER = {"sigmoid", "softmax"}


class Described(Protocol):
    """What of a ``zoo.models.loaded.LoadedModel`` is read."""

    name: str
    outputs: tuple[OutputSpec, ...]
    card: Card | None
    info: dict[str, Any]
    module: Any

    @property
    def length(self) -> int: ...


@dataclass(frozen=True)
class Scale:
    """What the numbers of an output are.

    Attributes:
        kind: ``probability`` (0 to 1), ``counts`` (0 or more: reads, coverage, TPM), ``log`` (a logarithm of such),
            ``logit`` (log-odds, or the logits of a profile), ``other`` (units that are none of these, which may be
            negative), ``unknown`` (no units).
        base: of a logarithm; e where it is not written.
        plus_one: whether it is the logarithm of 1 + what was counted.
        squashed: whether counts no longer grow in proportion to what was counted, in some tracks at least, so that fold
            changes are smaller than those of that.
    """

    kind: Kind
    base: float = math.e
    plus_one: bool = False
    squashed: bool = False

    @property
    def non_negative(self) -> bool:
        """Whether no number of it is below zero."""
        return self.kind in ("probability", "counts")

    def __str__(self) -> str:
        """As in a message: "probabilities"."""
        return {
            "probability": "probabilities",
            "counts": "counts",
            "log": "logarithms",
            "logit": "logits",
            "other": "numbers of their own units",
            "unknown": "numbers without units",
        }[self.kind]


UNKNOWN = Scale("unknown")


def scale_of(units: str | None, transform: str | None = None) -> Scale:
    """What ``units`` and ``transform`` of a card say.

    Args:
        units: ``probability``, ``logit``, ``log reads``, ``Tn5 cuts per bin``, ...
        transform: what the network applies last (``sigmoid``, ``softmax``, ``exp``, ``none``), or what the target went
            through before training (``log1p``, ``arcsinh``, ``sqrt``, ``scale:2+log1p``: `zoo finetune`).
    """
    text = (units or "").lower()
    steps = re.split(r"[+,:\s]+", (transform or "").lower())
    text = "" if text.startswith("todo") else text  # a draft's
    if not _THROUGH_A_SQUASHER.isdisjoint(steps):
        return Scale("probability")
    if "arcsinh" in steps or (_SIGNED.search(text) and not _RATIO.search(text)):
        return Scale("other")
    if re.search(r"\blogits?\b|\blog[- ]?odds", text):
        return Scale("other") if _MOVED.search(text) else Scale("logit")
    if found := _LOG.search(text):
        return Scale("other") if _MOVED.search(text) else _logarithm(found, text)
    if "log1p" in steps:
        return Scale("log", plus_one=True)
    if _MOVED.search(text) and not _PROBABILITY.search(text):
        return Scale("counts") if re.search(r"\bnormali[sz]ed (counts?|reads?|coverage)\b", text) else Scale("other")
    if _PROBABILITY.search(text):
        return Scale("probability")
    if _COUNTS.search(text) or (not text and "exp" in steps):
        return Scale("counts", squashed="sqrt" in steps or _SQUASHED.search(text) is not None)
    return Scale("other") if text else UNKNOWN


def _logarithm(found: re.Match[str], text: str) -> Scale:
    base = {"2": 2.0, "10": 10.0}.get(found["base"] or "", math.e)
    plus_one = found["base"] == "1p" or re.search(r"\(\s*1\s*\+|\+\s*1\s*\)", text) is not None
    return Scale("log", base, plus_one)


def scales_of(model: Described) -> Mapping[str, Scale]:
    """What the numbers of each output of a model are, by its card; of a gReLU checkpoint also by its activation."""
    found = {spec.name: scale_of(spec.units) for spec in model.outputs}
    if model.card is not None:
        for spec, output in zip(model.outputs, model.card.outputs, strict=False):
            found[spec.name] = scale_of(output.units or spec.units, output.transform)
    if model.info.get("framework") == "grelu":
        last = {"Sigmoid": "sigmoid", "Softmax": "softmax", "_Exp": "exp"}.get(
            type(getattr(model.module, "activation", None)).__name__
        )
        for spec in model.outputs:
            if found[spec.name].kind == "unknown":
                found[spec.name] = scale_of(None, last)
    return found
