"""``load_model``: a registry name, an entry or Kipoi folder, or a gReLU checkpoint -> a model that predicts.

What ``zoo.models`` loads knows nothing of regions; the two classes here add what needs a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.models.array_model import ArrayModel
from zoo.models.entry import has_own_loader, open_entry
from zoo.models.load import load_entry
from zoo.models.loaded import LoadedModel, Runner

if TYPE_CHECKING:
    import numpy as np

    from zoo.genome.encode import Sequences
    from zoo.genome.region_table import Regions
    from zoo.run.predictions import Predictions

__all__ = ["Model", "OwnLoaderModel", "load_model"]


class Model(LoadedModel):
    """What ``zoo.load_model`` returns: a function of sequence, and of regions."""

    def predict(
        self,
        sequences: Sequences,
        *,
        batch_size: int | str = "auto",
        device: str = "auto",
        precision: str = "float32",
        rc_average: bool = False,
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Predict from sequences.

        Args:
            sequences: (N, 4, L) float32, channels A, C, G, T; or N strings of L letters, of which N and the other
                IUPAC codes are unknown bases, lower case as upper. L is the model's length, or another that the network
                takes, as those without dense layers over positions do; a profile then has as many bins as come out.
                One string, of the model's length, is the same as a list of one: N is 1 in what is returned.
            batch_size: windows a forward pass, or ``"auto"``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            precision: ``float32``, ``bfloat16`` or ``float16``.
            rc_average: average with the prediction for the reverse complement, bins flipped and
                stranded tracks swapped.

        Returns:
            (N, tracks) or (N, tracks, bins) float32; a dict of such by output name when the model has
            several outputs.

        Raises:
            UsageError: another shape, strings of several lengths, or a length that the network does not take; one
                string that is not of the model's length.
            InputError: a letter that is no base.
        """
        runner = Runner(self, device=device, precision=precision, rc_average=rc_average, batch_size=batch_size)
        return runner.predict_array(sequences)

    def predict_regions(self, regions: Regions, fasta: str | Path, **options: Any) -> Predictions:
        """Predict for regions; keeps all predictions in memory.

        Args:
            regions: BED3-BED12 or narrowPeak, plain or gzip; or a frame or tuples, as in ``zoo.predict``.
            fasta: plain or bgzip FASTA.
            **options: ``window, stride, edges, strand, rc_average, device, batch_size, precision,
                tracks, limit, report, progress`` as in ``zoo.predict``. Without ``report``, notes are warnings of
                Python (``zoo.progress.ZooWarning``).
        """
        from zoo.run.predict import predict_regions

        return predict_regions(self, regions, fasta, **options)


class OwnLoaderModel(ArrayModel):
    """What ``zoo.load_model`` returns for a model whose dataloader is its own: a function of what that makes."""

    def predict_regions(
        self, regions: str | Path | None, fasta: str | Path | None = None, **options: Any
    ) -> Predictions:
        """Run the model's own dataloader and predict; keeps all predictions in memory.

        Args:
            regions: BED (or whatever file the dataloader reads).
            fasta: genome, where the dataloader takes one.
            **options: ``settings`` (arguments of the dataloader by name), ``batch_size, tracks, limit`` as in
                ``zoo.predict``; ``report`` as well.

        Raises:
            TrustError: the dataloader is Python that is not trusted. UsageError: an argument is missing or unknown.
        """
        from zoo.run.own_loader import predict_regions_with_own_loader

        return predict_regions_with_own_loader(self, regions, fasta, options)


def load_model(name: str | Path, *, trust: bool = False) -> Model | OwnLoaderModel:
    """Load a model by registry name (``name`` or ``name@version``) or path.

    A model of a Kipoi folder whose dataloader is its own (not kipoiseq's reader of sequence) comes as an
    ``OwnLoaderModel``: it predicts from the arrays that its dataloader makes.

    Args:
        name: registry name, path of a folder with ``model.yaml``, of a gReLU ``.ckpt`` or
            of a Keras model (``.h5``, ``.keras``), or ``hf://org/repo``.
        trust: allow Python files of a folder that is not bundled with this package.

    Raises:
        ModelError: unknown name, broken folder, card or weights. FetchError: a checksum differs.
    """
    entry = open_entry(name, trust=trust)
    if has_own_loader(entry):
        return OwnLoaderModel.load(entry)
    return Model(**vars(load_entry(entry)))
