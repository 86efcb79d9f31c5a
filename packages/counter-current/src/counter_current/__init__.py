"""Counter-current learning: train deep networks with layer-local losses between two opposite networks (CCL)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
