"""A locomotion policy with four weights: the swimming circuit of C. elegans as an architectural prior (NCAP)."""

import lazy_loader

from .registration import register as _register

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_register()
