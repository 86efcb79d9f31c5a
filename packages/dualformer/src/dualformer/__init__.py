"""Transformers that plan fast or slow: trained on search traces that are dropped at random (Dualformer)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
