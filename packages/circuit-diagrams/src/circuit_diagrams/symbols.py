"""Sizes as polynomials in those that the user named."""

from collections.abc import Mapping
from dataclasses import dataclass

from .sizes import Polynomial

Path = tuple[int | str, ...]
"""Where a number stands among the arguments of an operation: its number, the argument's name, places in lists."""


@dataclass(frozen=True)
class Symbols:
    """How the sizes of a diagram depend on the sizes of its inputs.

    Args:
        base: The sizes for which it was traced, by the names of axes.
        steps: What sizes may differ by: multiples of this.
        axes: Sizes of axes that are not always the same, by the number of the axis.
        numbers: Arguments of operations that are not always the same.
        fixed: Named axes whose size the module does not let vary.
        is_exact: Whether all arguments are known at other sizes; where not, such as the square root of one, the
            diagram has shapes and costs there but cannot be computed.
    """

    base: Mapping[str, int]
    steps: Mapping[str, int]
    axes: Mapping[int, Polynomial]
    numbers: Mapping[Path, Polynomial]
    fixed: tuple[str, ...] = ()
    is_exact: bool = True

    def complete(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """All sizes, those that are not given as they were traced.

        Raises:
            ValueError: if one is no symbol, or has a size at which nothing is known.
        """
        for name, size in sizes.items():
            if name in self.fixed:
                raise ValueError(f"the module does not let {name} vary")
            if name not in self.base:
                raise ValueError(f"there is no size {name}; the symbols are {', '.join(self.base)}")
            if size < 1 or (size - self.base[name]) % self.steps[name]:
                step = self.steps[name]
                least = self.base[name] % step or step
                told = f"{least}, {least + step}, ..."
                raise ValueError(f"{name} may be {told}, not {size}")
        return {**self.base, **sizes}
