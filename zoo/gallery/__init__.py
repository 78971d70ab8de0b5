"""``zoo gallery``: the entries as a static site that opens from disk or any host, without a framework or the network."""
