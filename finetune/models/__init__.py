"""What is trained: a base taken apart, frozen or given low-rank updates, with new heads and a cell's own track."""
