"""One DeepONet for several equations or geometries, with masked domains and transfer to new shapes (MT-DeepONet)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
