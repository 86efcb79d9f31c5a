"""Kolmogorov-Arnold networks against multilayer perceptrons at equal cost, on built-in tasks or your own data."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
