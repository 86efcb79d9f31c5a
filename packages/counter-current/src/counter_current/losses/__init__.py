"""Local losses between the two directions."""
