"""Pickles become tensors, without running what is in them: one file for the reading, one for each kind of content."""
