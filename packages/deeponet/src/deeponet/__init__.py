"""Deep operator networks: learn maps between functions from data, and evaluate them anywhere (DeepONet)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
