"""Entries made, fetched, checked and given away: ``zoo add``, ``pull``, ``test`` and ``export``."""
