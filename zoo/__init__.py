"""seqzoo: a zoo of sequence-to-function models that predict from one command.

    import zoo

    model = zoo.load_model("yeast-atac")
    model.predict(one_hot)                                           # (N, 4, 1280) -> (N, 1, 32)
    model.predict("ACGT" * 320)                                      # letters do as well -> (1, 1, 32)
    model.predict_regions("peaks.bed", "sacCer3.fa").values["atac"]  # (N, 1, 32)
    zoo.predict("yeast-atac", "peaks.bed", "sacCer3.fa", "out.bw")
    zoo.predict("yeast-atac", "peaks.bed", "sacCer3.fa").to_pandas()  # or .to_anndata(), .to_xarray()
    zoo.score_variants("yeast-atac", "chrI:100000:A>G", "sacCer3.fa").to_pandas()  # what a variant changes

Regions are a path, a pandas or polars frame with ``chrom``, ``start`` and ``end``, or a list of tuples.
``zoo.entries()`` lists the models, ``zoo.info(name)`` says what is known of one. What drives a prediction is asked of
the package ``interpret``.
Names are imported when first used, so that ``import zoo`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.public_names import offer

if TYPE_CHECKING:
    from zoo.gallery.gallery import gallery
    from zoo.model import load_model
    from zoo.run.predict import predict
    from zoo.store.registry import entries, info
    from zoo.variants.score_variants import score_variants

__all__ = ["entries", "gallery", "info", "load_model", "predict", "score_variants"]

_WHERE = {
    "entries": "zoo.store.registry:entries",
    "gallery": "zoo.gallery.gallery:gallery",
    "info": "zoo.store.registry:info",
    "load_model": "zoo.model:load_model",
    "predict": "zoo.run.predict:predict",
    "score_variants": "zoo.variants.score_variants:score_variants",
}

offer(__name__)
