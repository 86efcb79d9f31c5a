"""Scenes as files."""
