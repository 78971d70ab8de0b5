"""Programs that make, measure and draw what the repository holds; none of them is installed."""
