"""Kolmogorov-Arnold networks that choose, for each node, the family of functions it is made of (S-KAN)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
