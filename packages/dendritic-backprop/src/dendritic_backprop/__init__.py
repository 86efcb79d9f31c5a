"""Dendrites for any PyTorch network: units that learn to correlate with a neuron's remaining error."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
