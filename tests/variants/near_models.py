"""Networks that see 10 bp on either side of a base, in whole numbers: float32 is exact, and nothing acts from afar."""

from __future__ import annotations

import numpy as np
import torch

from zoo.cards.schema import Card
from zoo.genome.encode import one_hot
from zoo.models.loaded import LoadedModel, Runner
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec, choose_tracks
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.windows.aligned import Aligned, Pair

__all__ = ["REACH", "Near", "allele_of", "near_model", "predicted"]

REACH = 10


class Near(torch.nn.Module):
    """Two tracks a bin, and two scalars: sums over bases of squares of a filter of 21 bp, or of G and T."""

    def __init__(self, crop: int, bin_size: int, linear: bool) -> None:
        super().__init__()
        self.crop, self.bin_size, self.linear = crop, bin_size, linear
        filters = torch.randint(-1, 2, (2, 4, 2 * REACH + 1), generator=torch.Generator().manual_seed(3))
        self.filters = torch.nn.Parameter(filters.float(), requires_grad=False)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        bases = x[:, 2:] if self.linear else torch.conv1d(x, self.filters, padding=REACH) ** 2
        inside = bases[:, :, self.crop : x.shape[2] - self.crop]
        return {"profile": inside.reshape(len(x), 2, -1, self.bin_size).sum(3), "total": bases.sum(2)}


def near_model(
    length: int,
    bin_size: int = 1,
    crop: int = REACH,
    *,
    linear: bool = False,
    units: str = "reads",
    strand: object = "unstranded",
    outside_gene: str | None = None,
) -> LoadedModel:
    """A loaded model; unknown bases are 0 in all channels."""
    profile = OutputSpec("profile", "profile", ("a", "b"), (length - 2 * crop) // bin_size, bin_size, crop, units)
    total = OutputSpec("total", "scalar", ("a", "b"), units=units)
    card = Card(
        name="near",
        version="1.0.0",
        summary="",
        input={"length": length, "outside_gene": outside_gene},
        outputs=[
            {
                "name": "profile",
                "kind": "profile",
                "tracks": ["a", "b"],
                "bin_size": bin_size,
                "offset": crop,
                "units": units,
                "strand": strand,
            },
            {"name": "total", "kind": "scalar", "tracks": ["a", "b"], "units": units, "strand": strand},
        ],
        training={"data": [{"name": "none", "licence": "MIT"}]},
    )
    pairs = {} if isinstance(strand, str) else dict.fromkeys(("profile", "total"), np.array([1, 0]))
    module = Near(crop, bin_size, linear).eval()
    return LoadedModel("near", module, SequenceLoader(length), (profile, total), card, strand_pairs=pairs)


def predicted(model: LoadedModel, pairs: list[Pair], rc_average: bool = False) -> list[Aligned]:
    """Each pair's sequences through the network, joined."""
    runner = Runner(model, device="cpu", rc_average=rc_average)
    known = list(dict.fromkeys(sequence for pair in pairs for sequence in pair.sequences))
    encoded = one_hot(np.frombuffer(b"".join(known), np.uint8).reshape(len(known), -1), model.loader.n_value)
    parts = [runner.forward(encoded[i : i + 256]) for i in range(0, len(encoded), 256)]
    values = choose_tracks(model.outputs, ()).apply(
        {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    )
    rows = {sequence: {name: array[i] for name, array in values.items()} for i, sequence in enumerate(known)}
    return [pair.join([rows[sequence] for sequence in pair.sequences]) for pair in pairs]


def allele_of(contig: int, start: int, ref: str, alt: str, written: Edit | None = None) -> Allele:
    """An allele that is trimmed already."""
    record = Record(0, 1, "chr", start, ".", ref, (alt,), None, ())
    return Allele(record, 0, contig, Edit(start, ref, alt), written=written)
