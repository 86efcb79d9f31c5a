"""Nonlinear low-rank branches (NOBLE, CosNet) for the linear layers of any transformer."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
