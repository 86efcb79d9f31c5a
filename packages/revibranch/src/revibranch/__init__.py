"""Branching rules for SCIP, learned by deep reinforcement learning on revived search-tree paths (ReviBranch)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
