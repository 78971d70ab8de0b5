"""Attributions, motifs and reports. Nothing is implemented in this version; the name is the project's."""
