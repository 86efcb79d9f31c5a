"""Frames, voxels, cameras, meshes, and how far two shapes are apart."""
