"""Spiking networks that learn task after task without forgetting: Hebbian orthogonal projection (HLOP)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
