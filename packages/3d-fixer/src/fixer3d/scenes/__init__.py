"""Scenes: made from parametric objects, rendered, read from files and kept in folders."""
