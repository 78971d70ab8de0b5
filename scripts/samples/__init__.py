"""Parts of ``build_samples.py``: inputs of the reports, pictures of them."""
