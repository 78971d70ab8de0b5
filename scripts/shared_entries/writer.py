"""The writer of entry folders, shared with ``zoo add``."""

from zoo.add.entry_writer import EntryFiles, write_entry

__all__ = ["EntryFiles", "write_entry"]
