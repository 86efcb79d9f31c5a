"""Train deep classifiers without back-propagation through their depth: each block denoises labels alone (NoProp)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
