"""Files of contributions: ``contribs.h5`` and the formats of other tools.

Read in this order: ``file.py`` (what ``contribs.h5`` holds, read in blocks), ``writer.py`` (spooled while a run goes
on), ``formats.py`` (which format, by suffix), then a module a format; ``central.py`` is what motifs are found in.
"""
