"""Where entries and weights are found: the registry, checksums, and (later) the cache."""
