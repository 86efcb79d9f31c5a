"""Reference numerics for operator learning: random fields, solvers and error measures, batched over samples.

One module for each equation. The first axis of a tensor is the samples, randomness comes from a `torch.Generator`, and
results have the type and the device of what is given; use float64, which is what fields are drawn in. Points are
`x_i = i/(m - 1)` with both ends for Dirichlet and Neumann problems, and `x_i = i/m` for periodic ones.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
