"""Aligned predictions to scores: which fit which output, over which bins, of which gene."""
