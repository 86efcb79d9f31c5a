"""Align the units of neural networks: which recur, which subspaces are shared, and how to merge networks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
