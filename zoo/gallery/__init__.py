"""``zoo gallery``: the entries as a static site that opens from disk or any host and loads nothing from elsewhere."""
