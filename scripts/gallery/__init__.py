"""Parts of ``build_gallery.py``: inputs of the reports, pictures of them."""
