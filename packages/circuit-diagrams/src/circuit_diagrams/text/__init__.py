"""Diagrams as text that people write and read."""
