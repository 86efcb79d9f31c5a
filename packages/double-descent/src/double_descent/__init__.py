"""Will the test error peak at the interpolation threshold, and will a longer run make it worse (double descent)?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
