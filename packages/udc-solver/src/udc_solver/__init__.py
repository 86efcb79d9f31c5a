"""The first principal component, learned by a single linear neuron (Oja's rule)."""  # TODO: what the package is for.

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
