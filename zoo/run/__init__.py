"""The run: a BED to predictions, or to whatever stands where the model's runner does. Read `predict.py` first."""
