"""Neural circuit diagrams of PyTorch modules: every axis, what each operation is broadcast over, what it costs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
