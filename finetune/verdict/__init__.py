"""Whether anything was gained: baselines, metrics, intervals, and the page that shows them."""
