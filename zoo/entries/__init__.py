"""Entries made, fetched, checked and given away: ``zoo new``, ``upgrade``, ``pull``, ``test``, ``push``."""
