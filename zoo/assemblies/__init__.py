"""Genomes fetched and kept by the name of their assembly; how they are found again is in ``zoo.genome.library``."""
