"""Branching inside SCIP, and the search trees that it records."""
