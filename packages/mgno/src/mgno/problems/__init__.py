"""Equations whose solution operators are learned, with their random coefficients and reference solvers."""
