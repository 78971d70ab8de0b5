"""Rows of a variants file to alleles: compared with the genome, trimmed, placed."""
