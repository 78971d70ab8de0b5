"""Where entries and weights are: names to folders, remote files, the cache."""
