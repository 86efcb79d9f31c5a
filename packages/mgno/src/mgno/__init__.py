"""Learn maps between functions on grids with linear operators that are multigrid cycles (MgNO)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
