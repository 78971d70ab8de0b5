"""Fine-tuning to new cell types. Nothing is implemented in this version; the name is the project's."""
