"""``zoo add``: an entry folder out of a gReLU checkpoint or a model folder."""
