"""Graphs as equivalent graphs that are cheaper to bound."""
