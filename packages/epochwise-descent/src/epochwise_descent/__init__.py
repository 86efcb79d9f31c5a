"""Epoch-wise double descent: predicted in closed form for features of two scales, and found in any learning curve."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
