"""Stochastic and hard neurons, estimators of their gradients, and conditional computation gated by them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
