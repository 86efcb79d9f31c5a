"""Rectified flow: training targets, sampling, and alignment of features."""
