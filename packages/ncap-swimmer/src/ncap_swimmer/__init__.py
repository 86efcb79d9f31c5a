"""A locomotion policy with four weights: the swimming circuit of C. elegans as an architectural prior (NCAP)."""

import sys

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

if "gymnasium" in sys.modules:  # whoever has not loaded it finds the tasks registered with `make_env`
    from . import registration as registration
