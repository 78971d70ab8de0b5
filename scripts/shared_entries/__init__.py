"""Entries that are built from published weights in a data folder beside the repository."""
