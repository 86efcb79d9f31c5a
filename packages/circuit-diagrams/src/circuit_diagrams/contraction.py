"""The order in which the arrays of an Einstein sum are multiplied, two at a time."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from math import prod

MOST_EXACT = 7
"""Arrays up to which all orders are tried; of more, the cheapest pair is always taken next."""
Path = tuple[tuple[int, int], ...]
"""Pairs of places; each pair is taken out of the list, and its product put at the end."""


def sizes_of(words: Sequence[str], shapes: Sequence[Sequence[int]]) -> dict[str, int]:
    """Sizes of the letters of an Einstein sum; of an axis that is repeated, the larger one."""
    found: dict[str, int] = {}
    for word, shape in zip(words, shapes, strict=True):
        for letter, size in zip(word, shape, strict=True):
            found[letter] = max(found.get(letter, 1), size)
    return found


def path_macs(words: Sequence[str], output: str, sizes: Mapping[str, int], path: Path) -> int:
    """Multiply-adds of an order.

    A product of two arrays costs the product of the sizes of all its axes. What only one array has, and nothing else
    needs, is summed before.
    """
    left, total = [frozenset(word) for word in words], 0
    for i, j in path:
        first, second = left[i], left[j]
        left = [one for k, one in enumerate(left) if k not in (i, j)]
        needed = frozenset(output).union(*left)
        total += _macs(first, second, needed, sizes)
        left.append((first | second) & needed)
    return total


def _macs(first: frozenset[str], second: frozenset[str], needed: frozenset[str], sizes: Mapping[str, int]) -> int:
    return prod(sizes[letter] for letter in (first & second) | ((first | second) & needed))


def as_written(n: int) -> Path:
    """The order from left to right, which PyTorch takes if it is not told another one: the first two first."""
    return tuple((0, 1) if k == 0 else (0, n - 1 - k) for k in range(n - 1))


def best_path(words: Sequence[str], output: str, sizes: Mapping[str, int]) -> Path:
    """The order with the fewest multiply-adds; of equals, the one that is nearest to what is written."""
    n = len(words)
    if n > MOST_EXACT:
        return _greedy(words, output, sizes)

    @cache
    def least(left: tuple[frozenset[str], ...]) -> tuple[int, Path]:
        if len(left) < 2:
            return 0, ()
        found: list[tuple[int, Path]] = []
        for i, j in combinations(range(len(left)), 2):
            rest = tuple(one for k, one in enumerate(left) if k not in (i, j))
            needed = frozenset(output).union(*rest)
            first = _macs(left[i], left[j], needed, sizes)
            after, path = least((*rest, (left[i] | left[j]) & needed))
            found.append((first + after, ((i, j), *path)))
        return min(found)

    return least(tuple(frozenset(word) for word in words))[1]


def _greedy(words: Sequence[str], output: str, sizes: Mapping[str, int]) -> Path:
    left, path = [frozenset(word) for word in words], []
    while len(left) > 1:

        def cost(pair: tuple[int, int], left: Sequence[frozenset[str]] = tuple(left)) -> tuple[int, tuple[int, int]]:
            needed = frozenset(output).union(*(one for k, one in enumerate(left) if k not in pair))
            return _macs(left[pair[0]], left[pair[1]], needed, sizes), pair

        i, j = min(combinations(range(len(left)), 2), key=cost)
        first, second = left[i], left[j]
        left = [one for k, one in enumerate(left) if k not in (i, j)]
        left.append((first | second) & frozenset(output).union(*left))
        path.append((i, j))
    return tuple(path)


def flat(path: Path) -> list[int]:
    """The order as `torch.einsum` takes it."""
    return [place for pair in path for place in pair]


def paired(numbers: Sequence[int]) -> Path:
    """The order of `torch.einsum`, in pairs."""
    return tuple((min(a, b), max(a, b)) for a, b in zip(numbers[::2], numbers[1::2], strict=True))
