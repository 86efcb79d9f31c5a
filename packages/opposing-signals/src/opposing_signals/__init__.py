"""Finds the training examples behind a loss spike, and whose the sharpness is (opposing signals)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
