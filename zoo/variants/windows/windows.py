"""What the network reads of a variant: windows of the reference and of ALT, and their predictions put side by side.

**Where.** The first base of the trimmed alleles stands at index ``length // 2`` of the window, as in Kipoi, whatever
library a model comes from; with ``anchor="left"`` one before it in windows of even length, as in gReLU and Borzoi.

**ALT** is the whole chromosome with the change made. Its window begins where the reference's does: after a deletion its
right end is refilled from the genome, after an insertion cut. ``refill="left"`` is the mirror image: both windows end
at the same base. ``both`` averages what the two give once it is aligned; a bin that only one of them has is left out.
Profiles of wider bins need both windows anyway (``windows.align``) and are the same whatever ``refill`` says.

**Strand.** A model that reads a strand (``strand: sense`` of its card, or a dataloader with ``use_strand``) reads that
of the gene: windows lie as on the plus strand and are reverse-complemented, predictions are turned back. Bases outside
the gene are N where the card says so (``input.outside_gene: masked``), in both alleles alike.

**Averages.** With several ``shifts`` windows begin so much further right, and what is predicted is brought back to the
bins of the window that is not moved, then averaged; where a shift is no multiple of a bin, by the overlap of bins. Both
strands are averaged by ``zoo.models.loaded.Runner(rc_average=True)``, which predicts for the sequences. Both are means
of the outputs as the network gives them: of logits where it gives logits (a profile's, whose softmax is taken by the
score), of probabilities where it gives those; of what it ends in a softmax for, of the logits (``zoo.models.softmax``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.genome.encode import letters_met, reverse_complement
from zoo.genome.windows import center_starts
from zoo.models.scale import scales_of
from zoo.outputs import OutputSpec, TrackChoice
from zoo.variants.alleles.allele import Allele, Edit
from zoo.variants.windows.align import (
    Bins,
    Profile,
    align_bases,
    align_bins,
    common_bins,
    mean_of,
    moved_to,
    turned,
)
from zoo.variants.windows.aligned import Aligned, Pair, Predicted
from zoo.variants.windows.changes import Changes
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.cards.schema import Card
    from zoo.genome.fasta import Genome
    from zoo.models.loaded import LoadedModel
    from zoo.models.softmax import Softmax
    from zoo.variants.scores.genes import Gene

__all__ = ["PairPlan", "reads_strand"]

#: Whose rule places windows, by anchor: see ``center_starts``.
ANCHORS = {"center": "kipoiseq", "left": "grelu"}
N_BYTE = b"N"


def reads_strand(card: Card | None) -> bool:
    """Whether a variant has to be in a gene, whose strand is read: the card says ``strand: sense`` of an output."""
    return card is not None and any(output.strand == "sense" for output in card.outputs)


class PairPlan:
    """How the two windows of a variant are made for one model.

    Args:
        model: the loaded model.
        choice: the tracks that are kept of its predictions.
        anchor: ``"center"`` or ``"left"``.
        refill: ``"right"``, ``"left"`` or ``"both"``.
        edges: ``"pad"``: N outside the chromosome; ``"skip"``: the status ``past_the_edge`` where a window leaves it;
            ``"error"``.
        shifts: bp that windows are moved right by; predictions are averaged over them.

    Attributes:
        read: what predictions must have: the chosen tracks, and with several shifts those which share a softmax.

    Raises:
        UsageError: shifts that leave no bin of a profile, or of one whose bins are not placed; a chosen track whose
            partner on the other strand is not chosen, in a model that reads strands.
    """

    def __init__(
        self,
        model: LoadedModel,
        choice: TrackChoice,
        *,
        anchor: str = "center",
        refill: str = "right",
        edges: str = "pad",
        shifts: Sequence[int] = (0,),
    ) -> None:
        self.length = model.length
        self.shifts = tuple(shifts) or (0,)
        self.softmaxes = model.softmaxes if self.shifts != (0,) else {}
        self.read, self._picked = _with_whole_softmaxes(model, choice, self.softmaxes)
        self.outputs = self.read.outputs
        self.anchor, self.refill, self.edges = anchor, refill, edges
        self.name = model.name
        self.needs_gene = reads_strand(model.card)
        self._honours_strand = self.needs_gene or model.loader.use_strand
        self._masks = model.card is not None and model.card.input.outside_gene == "masked"
        self._absent = _absent(model, self.outputs)
        self._swaps = functools.cache(lambda: _swaps(model, self.read))  # asked for when a gene on '-' comes
        if self.needs_gene:
            self._swaps()
        self._wide = any(spec.kind == "profile" and spec.bin_size > 1 for spec in self.outputs)
        self._unplaced = any(spec.kind == "profile" and not spec.placed for spec in self.outputs)
        self._read_last: tuple[tuple[Genome, int, int, int], bytes] | None = None
        self._counted_last = b"", 0
        self._check_shifts()

    def _check_shifts(self) -> None:
        if self.shifts == (0,):
            return
        for spec in self.outputs:
            if spec.kind != "profile":
                continue
            if not spec.placed:
                raise UsageError(
                    f"--shifts: where the bins of {spec.name!r} lie in the window is not known",
                    "predictions of moved windows cannot be brought back",
                    "Fix: leave out --shifts",
                )
            if common_bins(Bins(0, spec.bin_size, spec.n_bins), self.shifts).n < 1:
                raise UsageError(
                    f"--shifts {','.join(map(str, self.shifts))}: moved so far, windows have no bin of {spec.name!r} "
                    "in common",
                    f"it has {counted(spec.n_bins, 'bin')} of {spec.bin_size} bp",
                    f"Fix: --shifts {-spec.bin_size},0,{spec.bin_size}"
                    if spec.n_bins > 2
                    else "Fix: leave out --shifts",
                )

    def pair(self, genome: Genome, allele: Allele, gene: Gene | None = None, centre: int | None = None) -> Pair | str:
        """What is read of an allele.

        Args:
            allele: one with an ``edit``.
            gene: whose strand is read, where the model reads one; else nothing depends on it.
            centre: 0-based position that stands in the centre, of a window that several variants share; default the
                first base of the allele.

        Returns:
            The pair; or a status, a key of ``STATUSES``: ``beyond_window``, ``past_the_edge``, ``bins_not_placed``.

        Raises:
            InputError: ``edges`` is ``error`` and a window leaves its chromosome. UsageError: no gene is given, and
                the model reads the strand of one.
        """
        edit = allele.edit
        if edit is None:
            raise ValueError("the allele has a status and nothing to score")
        written = () if allele.written is None else (allele.written,)
        centre = edit.start if centre is None else centre
        return self.pair_edits(genome, allele.contig, centre, (edit,), gene, written)

    def pair_edits(
        self,
        genome: Genome,
        contig: int,
        centre: int,
        edits: Iterable[Edit],
        gene: Gene | None = None,
        written: Iterable[Edit] = (),
    ) -> Pair | str:
        """What is read where ALT has several changes.

        Args:
            contig: number of the chromosome.
            centre: 0-based position that stands where the first base of a single change does.
            edits: in any order; they do not overlap.
            gene: as in ``pair``.
            written: alleles whose REF is written over the genome in both windows, as in ``Allele.written``.

        Returns:
            As ``pair``.

        Raises:
            InputError: two edits overlap; and as ``pair``.
        """
        if self.needs_gene and gene is None:
            raise UsageError(
                f"{self.name} reads the strand of a gene, says its card (strand: sense)",
                "no gene was given",
                "Fix: --genes FILE, a GTF or BED12",
            )
        changes = Changes(edits)
        if self._unplaced and changes.phases != (0,):
            return "bins_not_placed"
        start = int(center_starts(centre, centre + 1, self.length, ANCHORS[self.anchor]))
        if not self._fits(changes, start):
            return "beyond_window"
        if self.edges != "pad" and self._leaves(changes, start, genome.contigs[contig].length):
            if self.edges == "skip":
                return "past_the_edge"
            name, size = genome.contigs[contig].name, genome.contigs[contig].length
            raise InputError(
                f"the {self.length:,} bp window of the variant at {name}:{centre + 1} leaves its chromosome",
                f"{name} has {size:,} bp",
                "Fix: --edges pad (N outside the chromosome) or --edges skip",
            )
        return self._read(genome, contig, changes, start, gene, written)

    # ---------------- where windows lie

    def window(self, centre: int) -> tuple[int, int]:
        """0-based half-open part of the genome that all windows of the reference have, moved by whatever shift.

        Args:
            centre: 0-based first base of the change.
        """
        start = int(center_starts(centre, centre + 1, self.length, ANCHORS[self.anchor]))
        return start + max(self.shifts), start + min(self.shifts) + self.length

    def _phases(self, changes: Changes) -> tuple[int, ...]:
        """How much further right than the reference's the windows of ALT begin, each once."""
        if self._wide or changes.phases == (0,):
            return changes.phases
        return self._refills(changes)

    def _refills(self, changes: Changes) -> tuple[int, ...]:
        """The same, of the windows that scalars and single bases are taken from."""
        ends = {"right": (0,), "left": (changes.delta,), "both": (0, changes.delta)}[self.refill]
        return tuple(dict.fromkeys(ends))

    def _fits(self, changes: Changes, start: int) -> bool:
        """Whether all changes, with a base beside them on either side, lie inside each window."""
        if not changes.cores:
            return True
        low, high = start + min(self.shifts), start + max(self.shifts)
        phases = self._phases(changes)
        first, last = changes.start, changes.end  # of the reference; in ALT the latter is moved by delta
        return (
            high < first
            and last < low + self.length
            and high + max(phases) < first
            and last + changes.delta < low + min(phases) + self.length
        )

    def _leaves(self, changes: Changes, start: int, size: int) -> bool:
        low, high = start + min(self.shifts), start + max(self.shifts) + self.length
        phases = self._phases(changes)
        return low + min(0, *phases) < 0 or high > size or high + max(phases) > size + changes.delta

    # ---------------- what stands in them

    def _read(
        self, genome: Genome, contig: int, changes: Changes, start: int, gene: Gene | None, written: Iterable[Edit]
    ) -> Pair:
        phases = self._phases(changes)
        low = start + min(self.shifts) + min(0, *phases)
        high = start + max(self.shifts) + max(0, *(phase - changes.delta for phase in phases)) + self.length
        letters = self._letters(genome, contig, low, high)
        for allele in written:
            letters = _over(letters, low, allele)
        unknown = self._unknown(letters[start - low : start - low + self.length])
        if self._masks and gene is not None:
            letters, changes = _masked(letters, low, changes, gene)
        reverse = self._honours_strand and gene is not None and gene.strand == "-"
        if reverse:
            self._swaps()  # refused here, before anything is predicted
        other = changes.apply(letters, low)
        asked: dict[bytes, int] = {}
        moves = []
        for shift in self.shifts:
            begin = start + shift - low
            ref = self._ask(asked, letters[begin : begin + self.length], reverse)
            alts = {
                phase: self._ask(asked, other[begin + phase : begin + phase + self.length], reverse) for phase in phases
            }
            moves.append((shift, ref, alts))
        join = _Join(self, changes, start, reverse, tuple(moves))
        return Pair(tuple(asked), join, start, unknown)

    def _letters(self, genome: Genome, contig: int, low: int, high: int) -> bytes:
        """Bases of the genome; the last that were read are kept, for other alleles of the same window."""
        asked = (genome, contig, low, high)
        if self._read_last is None or self._read_last[0] != asked:
            found = genome.gather(np.array([contig]), np.array([low], dtype=np.int64), high - low)
            self._read_last = asked, found.tobytes().upper()
        return self._read_last[1]

    def _unknown(self, letters: bytes) -> int:
        """Bases that are not A, C, G or T; other alleles of the same window have as many."""
        if self._counted_last[0] != letters:
            met = letters_met(np.frombuffer(letters, np.uint8)[None])
            self._counted_last = letters, met.unknown if met is not None else 0
        return self._counted_last[1]

    @staticmethod
    def _ask(asked: dict[bytes, int], sequence: bytes, reverse: bool) -> int:
        if reverse:
            sequence = reverse_complement(np.frombuffer(sequence, np.uint8)[None])[0].tobytes()
        return asked.setdefault(sequence, len(asked))

    # ---------------- what is predicted of them

    def bins(self, spec: OutputSpec, start: int, reverse: bool) -> Bins:
        """The bins of a window that starts there, along the plus strand."""
        span = spec.n_bins * spec.bin_size
        offset = self.length - spec.offset - span if reverse and spec.placed else spec.offset
        return Bins(start + offset, spec.bin_size, spec.n_bins)

    def on_plus(self, spec: OutputSpec, values: np.ndarray, reverse: bool) -> np.ndarray:
        """Tracks and bins of one window as the plus strand has them."""
        if not reverse:
            return values
        order = self._swaps().get(spec.name)
        values = values if order is None else values[order]
        return values[:, ::-1] if spec.kind == "profile" else values

    def aligned(self, spec: OutputSpec, bins: Bins, changes: Changes, alts: dict[int, np.ndarray]) -> Profile:
        """A profile of ALT in the bins of the reference; ``alts`` by phase."""
        absent = self._absent.get(spec.name)
        zero = absent is not None

        def align(values: Mapping[int, np.ndarray]) -> Profile:
            if spec.bin_size > 1:
                return align_bins(bins, changes, values, zero)
            return _mean_profile(
                [align_bases(bins, changes, values[phase], phase, zero) for phase in self._refills(changes)]
            )

        return align(alts) if absent is None else turned(align, bins, changes, alts, absent)

    def scalar(self, changes: Changes, alts: dict[int, np.ndarray]) -> np.ndarray:
        """(tracks,) of ALT as ``refill`` says."""
        return mean_of([alts[phase] for phase in self._refills(changes)])

    def mean(
        self, spec: OutputSpec, several: Sequence[np.ndarray], weights: Sequence[float] | None = None
    ) -> np.ndarray:
        """The mean of windows that are moved; of a softmax, of its logits."""
        softmax = self.softmaxes.get(spec.name)
        return mean_of(several, weights) if softmax is None or len(several) == 1 else softmax.mean(several, weights)

    def chosen(self, name: str, values: np.ndarray) -> np.ndarray:
        """The chosen tracks of an output that was ``read``."""
        picked = self._picked.get(name)
        return values if picked is None else values[picked]


@dataclass(frozen=True)
class _Join:
    """Predictions of a pair's sequences -> both alleles aligned.

    Attributes:
        moves: of each shift: itself, the number of the sequence of the reference, and those of ALT by phase.
    """

    plan: PairPlan
    changes: Changes
    start: int
    reverse: bool
    moves: tuple[tuple[int, int, dict[int, int]], ...]

    def __call__(self, predictions: Sequence[Predicted]) -> Aligned:
        if self.changes.phases == (0,) and self.plan.shifts == (0,) and not self.reverse:
            return self._straight(predictions)
        ref, alt, shared, first = {}, {}, {}, {}
        for spec in self.plan.outputs:
            several = [self._values(spec, predictions, move) for move in self.moves]
            if spec.kind == "scalar":
                ref[spec.name] = self._mean(spec, [values for values, _ in several])
                alt[spec.name] = self._mean(spec, [self.plan.scalar(self.changes, alts) for _, alts in several])
                continue
            bins = self.plan.bins(spec, self.start, self.reverse)
            wanted = common_bins(bins, self.plan.shifts)
            pairs = [
                self._aligned(spec, wanted, move[0], values, alts)
                for move, (values, alts) in zip(self.moves, several, strict=True)
            ]
            ref[spec.name] = self._mean(spec, [one for one, _ in pairs])
            alt[spec.name] = self._mean(spec, [other.values for _, other in pairs])
            shared[spec.name] = np.logical_and.reduce([other.shared for _, other in pairs])
            if spec.placed:
                first[spec.name] = wanted.first
        return Aligned(ref, alt, shared, first)

    def _mean(self, spec: OutputSpec, several: Sequence[np.ndarray]) -> np.ndarray:
        return self.plan.chosen(spec.name, self.plan.mean(spec, several))

    def _straight(self, predictions: Sequence[Predicted]) -> Aligned:
        """What changes no length, in one window each, lies as it is."""
        ((_, ref, alts),) = self.moves
        shared, first = {}, {}
        for spec in self.plan.outputs:
            if spec.kind != "scalar":
                shared[spec.name] = _all_of(spec.n_bins)
                if spec.placed:
                    first[spec.name] = self.plan.bins(spec, self.start, self.reverse).first
        names = [spec.name for spec in self.plan.outputs]
        of_ref, of_alt = predictions[ref], predictions[alts[0]]
        return Aligned({name: of_ref[name] for name in names}, {name: of_alt[name] for name in names}, shared, first)

    def _values(
        self, spec: OutputSpec, predictions: Sequence[Predicted], move: tuple[int, int, dict[int, int]]
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Of the reference, and of ALT by phase, along the plus strand."""
        _, ref, alts = move
        found = {
            number: self.plan.on_plus(spec, predictions[number][spec.name], self.reverse)
            for number in (ref, *alts.values())
        }
        return found[ref], {phase: found[number] for phase, number in alts.items()}

    def _aligned(
        self, spec: OutputSpec, wanted: Bins, shift: int, values: np.ndarray, alts: dict[int, np.ndarray]
    ) -> tuple[np.ndarray, Profile]:
        """Both alleles in the wanted bins."""
        bins = self.plan.bins(spec, self.start + shift, self.reverse)
        other = self.plan.aligned(spec, bins, self.changes, alts)
        if bins == wanted:
            return values, other
        whole = Profile(values, np.ones(bins.n, dtype=bool))
        mean = functools.partial(self.plan.mean, spec)
        return moved_to(wanted, bins, whole, mean).values, moved_to(wanted, bins, other, mean)


@functools.cache
def _all_of(bins: int) -> np.ndarray:
    """(bins,) True, not to be written to."""
    found = np.ones(bins, dtype=bool)
    found.flags.writeable = False
    return found


def _mean_profile(several: Sequence[Profile]) -> Profile:
    """Mean of profiles in the same bins, where all have a value."""
    if len(several) == 1:
        return several[0]
    shared = np.logical_and.reduce([one.shared for one in several])
    return Profile(mean_of([one.values for one in several]), shared)


def _over(letters: bytes, low: int, written: Edit) -> bytes:
    """Letters of the genome with the reference allele as it was written."""
    start, end = max(written.start, low), min(written.end, low + len(letters))
    if start >= end:
        return letters
    allele = written.ref.upper().encode()[start - written.start : end - written.start]
    return letters[: start - low] + allele + letters[end - low :]


def _masked(letters: bytes, low: int, changes: Changes, gene: Gene) -> tuple[bytes, Changes]:
    """Letters and changes with N for what lies outside the gene; an inserted base lies where the one before it does."""
    high = low + len(letters)
    start, end = min(max(gene.start, low), high), min(max(gene.end, low), high)
    masked = N_BYTE * (start - low) + letters[start - low : max(end, start) - low] + N_BYTE * (high - max(end, start))
    if not changes.cores or (gene.start <= changes.start - 1 and changes.end <= gene.end):
        return masked, changes
    return masked, Changes(_masked_edit(edit, gene) for edit in changes.cores)


def _masked_edit(edit: Edit, gene: Gene) -> Edit:
    last = max(edit.end - 1, edit.start if edit.ref else edit.start - 1)
    places = [min(edit.start + i, last) for i in range(len(edit.alt))]
    alt = "".join(base if gene.start <= at < gene.end else "N" for at, base in zip(places, edit.alt, strict=True))
    ref = "".join(base if gene.start <= at < gene.end else "N" for at, base in enumerate(edit.ref, edit.start))
    return Edit(edit.start, ref, alt)


def _absent(model: LoadedModel, outputs: Sequence[OutputSpec]) -> dict[str, np.ndarray]:
    """Outputs that are probabilities, whose deleted bases are 0: (tracks,) bool, those of which they are 1."""
    named = {output.name: set(output.absent or ()) for output in model.card.outputs} if model.card else {}
    probabilities = {name for name, scale in scales_of(model).items() if scale.kind == "probability"}
    return {
        spec.name: np.array([track in named.get(spec.name, ()) for track in spec.tracks], dtype=bool)
        for spec in outputs
        if spec.name in probabilities
    }


def _with_whole_softmaxes(
    model: LoadedModel, choice: TrackChoice, softmaxes: Mapping[str, Softmax]
) -> tuple[TrackChoice, dict[str, np.ndarray]]:
    """A choice with all tracks of outputs whose tracks share a softmax; of these, where the chosen ones are."""
    picked = {
        name: channels
        for name, channels in choice.channels.items()
        if channels is not None and name in softmaxes and softmaxes[name].crosses_tracks
    }
    whole = {spec.name: spec for spec in model.outputs if spec.name in picked}
    outputs = tuple(whole.get(spec.name, spec) for spec in choice.outputs)
    return TrackChoice(outputs, {**choice.channels, **dict.fromkeys(picked)}), picked


def _swaps(model: LoadedModel, choice: TrackChoice) -> dict[str, np.ndarray]:
    """Output -> order of its chosen tracks on the other strand, where the card pairs them.

    Raises:
        UsageError: a chosen track is one of a pair whose other is not.
    """
    found = {}
    for spec in choice.outputs:
        if (order := model.strand_pairs.get(spec.name)) is None:
            continue
        chosen = choice.channels[spec.name]
        chosen = np.arange(len(order)) if chosen is None else chosen
        place = {int(channel): i for i, channel in enumerate(chosen)}
        lacking = [int(order[channel]) for channel in chosen if int(order[channel]) not in place]
        if lacking:
            tracks = next(output for output in model.outputs if output.name == spec.name).tracks
            raise UsageError(
                f"--tracks: {tracks[lacking[0]]} of {spec.name!r} is not among them",
                "on the other strand a chosen track is predicted in its place",
                f"Fix: add {spec.name}/{tracks[lacking[0]]} to --tracks",
            )
        found[spec.name] = np.array([place[int(order[channel])] for channel in chosen])
    return found
