"""Training of the stages."""
