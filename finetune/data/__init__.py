"""What a model is trained on: tracks, windows, splits, batches, in the order of their making."""
