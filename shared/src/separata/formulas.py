"""Formulas that a user types, such as `exp(sin(pi*x)) + y**2`: parsed into tensor operations, never run as code."""

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

LONGEST = 2_000
"""Characters of a formula."""
DEEPEST = 50
"""Operations inside one another."""

LARGEST = 1e300

CONSTANTS: Final[Mapping[str, float]] = {"pi": math.pi, "e": math.e}


def _step(x: Tensor) -> Tensor:
    return torch.heaviside(x, torch.ones((), dtype=x.dtype, device=x.device))


FUNCTIONS: Final[Mapping[str, Callable[..., Tensor]]] = {
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "log": torch.log,
    "log2": torch.log2,
    "log10": torch.log10,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "step": _step,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "erf": torch.erf,
    "j0": torch.special.bessel_j0,
    "j1": torch.special.bessel_j1,
    "gamma": lambda x: torch.where(x > 0, 1.0, torch.cos(math.pi * x.floor())) * torch.lgamma(x).exp(),
    "minimum": torch.minimum,
    "maximum": torch.maximum,
}
"""The functions of formulas; `step` is 1 from 0 on, and `log` is the natural logarithm."""
OF_TWO: Final = frozenset({"minimum", "maximum"})

_OPERATIONS: Final[Mapping[type, Callable[[Tensor, Tensor], Tensor]]] = {
    ast.Add: torch.add,
    ast.Sub: torch.sub,
    ast.Mult: torch.mul,
    ast.Div: torch.div,
    ast.Mod: torch.remainder,
    ast.Pow: torch.pow,
}


class Formula:
    """A function of one or more variables, as `parse` makes it.

    Attributes:
        text: What was typed.
        variables: Their names in natural order, x2 before x10: the columns of the argument.
    """

    def __init__(self, text: str, tree: ast.expr) -> None:
        self.text, self._tree = text, tree
        found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        self.variables: tuple[str, ...] = tuple(sorted(found - {*CONSTANTS, *FUNCTIONS}, key=_natural))

    def __call__(self, x: Float[Tensor, "batch variables"]) -> Float[Tensor, "batch"]:
        """The values at points; not a number, or infinite, where the formula has none.

        Args:
            x: A point in each row, with the variables in the order of `variables`.

        Raises:
            ValueError: if there is not one column for each variable.
        """
        if x.shape[1] != len(self.variables):
            raise ValueError(f"{self.text} is a function of {_list(self.variables)}, not of {x.shape[1]} variables")
        columns = dict(zip(self.variables, x.unbind(1), strict=True))
        return _value(self._tree, columns, x.new_zeros(())).expand(len(x)).clone()

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"


def parse(text: str) -> Formula:
    """Read a formula.

    Numbers, the constants pi and e, variables of any name, + - * / % and ** (or ^), parentheses, and `FUNCTIONS`.

    Raises:
        ValueError: if it is anything else; one sentence that says what.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a formula may have {LONGEST:,} characters, not {len(text):,}")
    try:
        tree = ast.parse(text.replace("^", "**").strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(f"{_short(text)} is not a formula such as exp(-x**2)*sin(6*pi*y)") from None
    if _depth(tree) > DEEPEST:
        raise ValueError(f"{_short(text)} has more than {DEEPEST} operations inside one another")
    _check(tree, text)
    formula = Formula(text, tree)
    if not formula.variables:
        raise ValueError(f"{_short(text)} has no variable, such as x")
    return formula


def _depth(tree: ast.AST) -> int:
    """How many parts stand inside one another, found level by level, since a recursion could go too deep."""
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _check(node: ast.expr, text: str) -> None:
    """See that a formula is made of nothing but what a formula is made of."""
    for child in _parts(node, text):
        _check(child, text)


def _parts(node: ast.expr, text: str) -> Iterator[ast.expr]:
    """The operands of a part of a formula."""
    match node:
        case ast.Constant(value=bool() | complex()):
            pass
        case ast.Constant(value=int() | float() as value):
            if abs(value) > LARGEST:
                raise ValueError(f"{_short(text)} has a number beyond {LARGEST:.0e}")
            return
        case ast.Name(id=name):
            if name in FUNCTIONS:
                raise ValueError(f"{_short(text)}: {name} is a function, and needs its argument in parentheses")
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            yield from (left, right)
            return
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            yield operand
            return
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if not any(
            isinstance(one, ast.Starred) for one in args
        ):
            if name not in FUNCTIONS:
                raise ValueError(f"{_short(text)}: there is no function {name}; there are {', '.join(FUNCTIONS)}")
            if len(args) != (wanted := 2 if name in OF_TWO else 1):
                raise ValueError(f"{_short(text)}: {name} takes {wanted} argument{'s'[: wanted - 1]}, not {len(args)}")
            yield from args
            return
    raise ValueError(
        f"{_short(text)}: {_short(ast.unparse(node))} is no part of a formula, which has numbers, variables, "
        "+ - * / % ** and functions"
    )


def _value(node: ast.expr, columns: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """The value of a part of a formula that `_check` has passed."""
    match node:
        case ast.Constant(value=value):
            return like + float(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return columns[name] if name in columns else like + CONSTANTS[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATIONS[type(op)](_value(left, columns, like), _value(right, columns, like))
        case ast.UnaryOp(op=op, operand=operand):
            inner = _value(operand, columns, like)
            return -inner if isinstance(op, ast.USub) else inner
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(_value(one, columns, like) for one in args))
    raise AssertionError(ast.dump(node))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that puts x2 before x10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _list(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return f'"{text}"' if len(text) <= 60 else f'"{text[:60]}..."'
