"""Networks for sub-problems."""
