"""A sound verifier of neural networks: branch and bound for general nonlinearities, with inferred cutting planes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
