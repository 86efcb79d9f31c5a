"""Completion of scenes: from images and weights to objects in place."""
