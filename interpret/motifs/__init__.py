"""Motifs of a contributions file: TF-MoDISco patterns, their places in the genome, known motifs, instances.

Read in this order: ``find.py`` (the whole way), ``discover.py`` (modisco-lite), ``pattern.py`` (what a pattern is and
where its seqlets lie), ``databases.py`` (known motifs, and those that a pattern matches; files by ``meme.py``, p-values
with ``chance.py``), ``grades.py`` (whether the name is earned), ``hits.py`` (instances), ``enrichment.py``,
``effects.py`` (what a pattern does to the prediction), ``explained.py`` (how much all of them explain, with
``held_out.py``), ``motifs_file.py`` (output), ``exports.py`` (MEME, TSV, BED). Input is
``interpret/contribs/central.py``.
"""
