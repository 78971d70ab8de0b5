"""The windows of REF and ALT, and their predictions side by side in coordinates of the reference."""
