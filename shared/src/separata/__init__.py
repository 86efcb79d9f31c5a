"""The shared core of Separata: what a paper claims, as data, and one command that measures it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
