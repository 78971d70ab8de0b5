"""``zoo export``: a model of the zoo for gReLU, Hugging Face or Kipoi."""
