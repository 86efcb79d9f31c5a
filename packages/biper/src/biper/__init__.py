"""Networks with weights of one bit, by a periodic binarization (BiPer)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
