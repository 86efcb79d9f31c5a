"""How the claims of Rosenfeld and Risteski (2023) are measured."""

from .depth import depth
from .natural import natural
from .optimizers import optimizers
from .planted import planted

__all__ = ["depth", "natural", "optimizers", "planted"]
