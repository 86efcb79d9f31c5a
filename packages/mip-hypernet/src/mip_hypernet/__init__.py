"""Hypernetworks that train: any PyTorch network as one network for every value of a conditioning input."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
