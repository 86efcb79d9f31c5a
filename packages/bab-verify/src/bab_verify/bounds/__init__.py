"""Bounds of a network over boxes and branches, sound under rounding."""
