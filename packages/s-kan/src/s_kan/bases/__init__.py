"""Families of univariate functions: a module for each, and how to add one."""
