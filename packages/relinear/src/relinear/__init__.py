"""Quadratic neurons for PyTorch, and ReLinear, the strategy that trains them without collapse."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
