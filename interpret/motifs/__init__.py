"""Motifs of a contributions file: TF-MoDISco patterns, their places in the genome, known motifs, instances.

Read in this order: ``find.py`` (the whole way), ``contributions.py`` (input), ``discover.py`` (modisco-lite),
``pattern.py`` (what a pattern is), ``places.py``, ``databases.py``, ``match.py``, ``hits.py`` and ``compete.py``
(instances), ``enrichment.py``, ``partners.py``, ``model_again.py`` and ``measure_effects.py`` (what a pattern does),
``motifs_file.py`` (output), ``exports.py`` (MEME, TSV, BED).
"""
