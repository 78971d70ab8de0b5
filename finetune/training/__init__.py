"""How it is trained: losses, the run, the search for its settings."""
