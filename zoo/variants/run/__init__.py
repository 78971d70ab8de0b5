"""Alleles through the network: what is read once, kept, shared, and handed to a writer."""
