"""Kolmogorov-Arnold layers at the parameter count of a linear layer, in place of nn.Linear (AF-KAN)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
