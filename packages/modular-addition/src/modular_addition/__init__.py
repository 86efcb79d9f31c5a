"""Fourier features of networks on the integers mod p: diagnosis, ideal networks, the lottery, grokking."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
