"""Scores among those of variants of like kind."""
