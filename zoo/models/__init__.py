"""From an entry folder or checkpoint to a model that predicts: load -> loaded."""
