"""What can be asked of an attribution, and what it answers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpret.methods.registry import METHODS
from zoo.errors import UsageError
from zoo.outputs import track_patterns
from zoo.run.job import PredictOptions, options_from
from zoo.words import counted, near_names

__all__ = ["MARGINALIZE", "TABLES", "AttributeOptions", "AttributeResult", "inputs_of_options", "split_options"]

MARGINALIZE = "marginalize"
TABLES = (".tsv", ".tsv.gz")  # how effects of a motif are written
COMPARING = [*(name for name, compares in METHODS.items() if compares), MARGINALIZE]


@dataclass(frozen=True)
class AttributeOptions:
    """The options of ``zoo attribute``; each is the flag of the same name.

    Attributes:
        method: a key of ``methods.METHODS``, or ``marginalize``.
        output, tracks, bins, reduce: see ``target.choose_target``.
        references, seed: see ``references.parse_references``.
        explain: ``logits`` or ``predictions``.
        fallback: method that runs where deepliftshap has no rule.
        allow_incomplete: keep contributions that do not add up.
        rc_average: average with the attributions of the other strand.
        motif: of ``marginalize``, see ``marginal_effects.read_motif``.
    """

    method: str = "deepliftshap"
    output: str | None = None
    tracks: tuple[str, ...] = ()
    bins: str | None = None
    reduce: str = "sum"
    references: str = "20"
    seed: int = 0
    explain: str = "logits"
    fallback: str | None = None
    allow_incomplete: bool = False
    rc_average: bool = False
    motif: str | None = None

    def __post_init__(self) -> None:
        known = [*METHODS, MARGINALIZE]
        if self.method not in known:
            near = near_names(self.method, known)
            fix = f"Fix: --method {near[0]}" if near else f"Fix: one of {', '.join(known)}"
            raise UsageError(f"--method {self.method}: not known", f"methods: {', '.join(known)}", fix)
        if self.explain not in ("logits", "predictions"):
            raise UsageError(f"--explain {self.explain}: not known", "", "Fix: logits or predictions")
        if self.fallback not in (None, "ism", "integrated_gradients"):
            raise UsageError(f"--fallback {self.fallback}: not known", "", "Fix: ism or integrated_gradients")
        if self.method not in COMPARING and self.references != type(self).references:
            raise UsageError(
                f"--references {self.references}: {self.method} has no references",
                "",
                f"Fix: leave out --references, or --method {', '.join(COMPARING)}",
            )
        if self.fallback and self.method != "deepliftshap":
            raise UsageError(
                f"--fallback {self.fallback}: {self.method} needs none",
                "deepliftshap falls back where it has no rule",
                "Fix: leave out --fallback",
            )
        self._check_motif()

    def _check_motif(self) -> None:
        if self.method == MARGINALIZE and not self.motif:
            raise UsageError("--method marginalize inserts a motif", "none was given", "Fix: --motif TGACTCA, say")
        if self.method != MARGINALIZE and self.motif:
            raise UsageError(f"--motif {self.motif}: is for --method marginalize", "", "Fix: add --method marginalize")
        if self.method == MARGINALIZE and not self.references.isdecimal() and self.references != "dinucleotide":
            raise UsageError(
                f"--references {self.references}: marginalize inserts the motif into shuffles of each window",
                "",
                "Fix: --references 20, say",
            )


@dataclass(frozen=True)
class AttributeResult:
    """What a run did.

    Attributes:
        path: the file that was asked for. paths: that and the files that go with it; none in a dry run.
        windows: how many were explained, or would be. notes: sentences for the user. seconds: wall-clock time.
        counts: regions, and windows that were padded, skipped ...; of a dry run what ``zoo.predict`` tells of one, and
            the method.
    """

    path: Path
    windows: int
    notes: list[str]
    seconds: float
    paths: list[Path] = dataclasses.field(default_factory=list)
    counts: dict[str, Any] = dataclasses.field(default_factory=dict)

    def summary(self, did: str = "explained") -> str:
        """A sentence for the user."""
        return f"{counted(self.windows, 'window')} {did} in {self.seconds:.1f} s -> {', '.join(map(str, self.paths))}"


def inputs_of_options(options: AttributeOptions) -> list[str]:
    """Files that an attribution reads besides model, regions and genome: references, and a file of motifs."""
    motif = options.motif or ""
    return [name for name in (options.references, motif, motif.rpartition(":")[0]) if name]


def split_options(given: dict[str, Any]) -> tuple[AttributeOptions, PredictOptions]:
    """Options of both kinds from one mapping: what is explained, and how windows are read and run.

    Raises:
        UsageError: an option of neither, or a value that is not known or means nothing here.
    """
    own = {field.name for field in dataclasses.fields(AttributeOptions)}
    mine = {name: value for name, value in given.items() if name in own}
    mine["tracks"] = track_patterns(mine.get("tracks", ()))
    reading = options_from({k: v for k, v in given.items() if k not in own})
    if reading.precision != "float32":
        raise UsageError(
            f"--precision {reading.precision}: contributions are computed in float32",
            "with fewer bits they do not add up",
            "Fix: leave out --precision",
        )
    if reading.aggregate is not None:
        raise UsageError(
            f"aggregate={reading.aggregate!r}: contributions have a value a base",
            "",
            "Fix: leave out aggregate, which is an option of zoo.predict",
        )
    if reading.track_hub is not None:
        raise UsageError(
            f"track_hub={str(reading.track_hub)!r}: contributions have four values a base",
            "",
            "Fix: leave out track_hub, which is an option of zoo.predict",
        )
    return AttributeOptions(**mine), reading
