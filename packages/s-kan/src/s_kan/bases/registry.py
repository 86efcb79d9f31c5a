"""Families by name, those of users among them."""

from collections.abc import Callable

from .base import Basis
from .bspline import BSpline
from .chebyshev import Chebyshev
from .fourier import Fourier
from .legendre import Legendre
from .monomial import Monomial
from .rbf import RBF
from .relu_kan import ReLUKAN
from .wavelet import MexicanHat

MakeBasis = Callable[[int], Basis]
"""Makes a family of so many functions; its class does."""

_BASES: dict[str, MakeBasis] = {
    "bspline": BSpline,
    "rbf": RBF,
    "chebyshev": Chebyshev,
    "fourier": Fourier,
    "wavelet": MexicanHat,
    "relu_kan": ReLUKAN,
    "legendre": Legendre,
    "monomial": Monomial,
}


def available_bases() -> tuple[str, ...]:
    """The names of all families."""
    return tuple(_BASES)


def register_basis(name: str, make: MakeBasis | None = None) -> Callable[[MakeBasis], MakeBasis]:
    """Give a family of your own a name, by which pools, commands and folders of trainings know it.

    As a decorator, `@register_basis("hat")` above its class, or as a call, `register_basis("hat", Hat)`.

    Args:
        name: The name; letters, digits and underscores.
        make: Makes a family of so many functions: its class, or a function.

    Raises:
        ValueError: if the name cannot be one, or another family has it.
    """
    if not name.isidentifier():
        raise ValueError(f"a basis is named by letters, digits and underscores, not '{name}'")

    def register(make: MakeBasis) -> MakeBasis:
        known = _BASES.get(name)
        # The same class defined again, as in a notebook, takes the place of the earlier one.
        if known is not None and _origin(known) != _origin(make):
            raise ValueError(f"there already is a basis {name}; choose another name")
        _BASES[name] = make
        return make

    if make is not None:
        register(make)
    return register


def _origin(make: MakeBasis) -> tuple[str, str]:
    return getattr(make, "__module__", ""), getattr(make, "__qualname__", repr(make))


def make_basis(basis: str | MakeBasis, n: int = 8) -> Basis:
    """A family of functions.

    Args:
        basis: Its name, or what makes it.
        n: Number of functions.

    Raises:
        ValueError: if there is none of the name, or it cannot have as many functions.
    """
    if not isinstance(basis, str):
        return _checked(basis(n), n)
    if basis not in _BASES:
        raise ValueError(f"there is no basis '{basis}'; the bases are {', '.join(_BASES)}")
    made = _checked(_BASES[basis](n), n)
    made.name = basis
    return made


def _checked(made: Basis, n: int) -> Basis:
    if made.n != n:
        raise ValueError(f"the basis {made.name} has {made.n} functions where {n} were asked for")
    return made
