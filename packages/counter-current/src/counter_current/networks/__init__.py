"""Dual networks: layers in two directions, and how they are put together."""
