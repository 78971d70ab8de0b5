"""The options of ``zoo variants``; each is the flag of the same name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.outputs import track_patterns
from zoo.paths import refuse_urls
from zoo.run.job import check_batch_size
from zoo.words import did_you_mean

__all__ = ["VariantOptions", "variant_options"]

_CHOICES = {
    "anchor": ("center", "left"),
    "refill": ("right", "left", "both"),
    "edges": ("pad", "skip", "error"),
    "ref_mismatch": ("stop", "skip", "as-given"),
}


@dataclass(frozen=True)
class VariantOptions:
    """What a run of ``zoo variants`` may be told.

    Attributes:
        score: scores by name; empty means those of the output's kind and units.
        span: bp around the variant that a score of a profile is taken over; None is all bins.
        genes: GTF or BED12 with the genes that variants are scored in.
        splicing: score gain and loss of acceptors and donors, as SpliceAI does.
        distance: bp on either side of a variant that ``splicing`` looks at.
        mask: of splicing, leave out gains of known and losses of unknown sites.
        anchor: ``center``: the first trimmed base stands at ``length // 2``; ``left``: one before that in windows of
            even length.
        refill: where the window of ALT takes bases from after a deletion: ``right``, ``left`` or ``both``, averaged.
        edges: ``pad``, ``skip`` or ``error`` for windows that leave their chromosome.
        rc_average: average predictions of both strands, then score.
        shifts: bp that windows are moved by; predictions are averaged over them, then scored.
        tracks: names, globs or numbers; empty means all.
        ref_mismatch: ``stop``, ``skip`` or ``as-given`` where REF is not the genome's.
        normalise: move insertions and deletions as far left as they go.
        max_length: bp of an allele beyond which it is not scored; None is what the window holds.
        regions: ``chrom:start-end`` or a BED: only variants in these.
        background: number of variants of each kind, or a VCF, among which scores are ranked kind by kind.
        seed: of the shuffled background.
        haplotypes: sample whose phased variants of one window are scored together.
        store: folder that keeps scores, so that no variant is scored twice.
        saturate: BED of loci of which every substitution is scored.
        share_window: bp within which neighbouring variants share one window; None is a window each.
        device, batch_size, precision: how to run.
        prefix: what the names of INFO fields begin with in a VCF.
        resume: go on with an interrupted run.
        dry_run: check everything, write nothing.
        translate_chroms: join chromosome names of different styles.
        any_genome: accept a FASTA that is not the assembly of the model's card.
        trust: run Python of a model folder that is not bundled.
        format: output format when the suffix does not tell.
        limit: only the first rows.
        settings: arguments of the model's dataloader (``--set NAME=VALUE``).
    """

    score: tuple[str, ...] = ()
    span: int | None = None
    genes: str | Path | None = None
    splicing: bool = False
    distance: int = 50
    mask: bool = False
    anchor: str = "center"
    refill: str = "right"
    edges: str = "pad"
    rc_average: bool = False
    shifts: tuple[int, ...] = (0,)
    tracks: tuple[str, ...] = ()
    ref_mismatch: str = "stop"
    normalise: bool = False
    max_length: int | None = None
    regions: str | Path | None = None
    background: int | str | None = None
    seed: int = 0
    haplotypes: str | None = None
    store: str | Path | None = None
    saturate: str | Path | None = None
    share_window: int | None = None
    device: str = "auto"
    batch_size: int | str = "auto"
    precision: str = "float32"
    prefix: str | None = None
    resume: bool = False
    dry_run: bool = False
    translate_chroms: bool = False
    any_genome: bool = False
    trust: bool = False
    format: str | None = None
    limit: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if (given := getattr(self, name)) not in allowed:
                raise UsageError(
                    f"--{name.replace('_', '-')} {given}: is not known",
                    did_you_mean(str(given), allowed),
                    f"Fix: one of {', '.join(allowed)}",
                )
        check_batch_size(self.batch_size)
        for name, least in (("span", 1), ("distance", 0), ("max_length", 1), ("share_window", 1), ("limit", 1)):
            given, flag = getattr(self, name), name.replace("_", "-")
            if given is not None and not isinstance(given, Integral):
                raise UsageError(f"--{flag} {given}: is no whole number", "", f"Fix: --{flag} {max(least, 50)}, say")
            if given is not None and given < least:
                raise UsageError(f"--{flag} {given}: is less than {least}", "", f"Fix: --{flag} {max(least, 50)}, say")
        if not self.shifts or not all(isinstance(shift, Integral) for shift in self.shifts):
            raise UsageError(
                f"--shifts {','.join(map(str, self.shifts))}: is no list of whole numbers",
                "",
                "Fix: --shifts -8,0,8, say",
            )
        if self.mask and not self.splicing:
            raise UsageError("--mask is for splicing", "", "Fix: add --splicing --genes FILE, or leave out --mask")
        if self.distance != VariantOptions.distance and not self.splicing:
            fix = "Fix: add --splicing, or leave out --distance; bins around a variant are chosen by --span"
            raise UsageError("--distance is for splicing", "", fix)
        refuse_urls(self.settings, "--set")


def variant_options(given: Mapping[str, Any]) -> VariantOptions:
    """Options from keywords, as Python and the command line give them: one name may stand for a list of one.

    Raises:
        UsageError: an option that does not exist, or a value that does not fit.
    """
    known = VariantOptions.__dataclass_fields__
    for name in given:
        if name not in known:
            raise UsageError(
                f"{name}: is no option of zoo.score_variants",
                did_you_mean(name, known),
                f"Fix: one of {', '.join(known)}",
            )
    found = dict(given)
    if "score" in found:
        found["score"] = (found["score"],) if isinstance(found["score"], str) else tuple(found["score"] or ())
    if "tracks" in found:
        found["tracks"] = track_patterns(found["tracks"])
    if "shifts" in found:
        shifts = found["shifts"]
        found["shifts"] = tuple(shifts) if isinstance(shifts, Iterable) and not isinstance(shifts, str) else (shifts,)
        found["shifts"] = tuple(map(_plain, found["shifts"]))
    return VariantOptions(**{name: _plain(value) for name, value in found.items()})


def _plain(value: Any) -> Any:
    """A whole number of numpy as Python's, which JSON takes."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value
