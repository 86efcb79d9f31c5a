"""Neural divide-and-conquer for large routing and selection problems: one solver for ten problems."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
