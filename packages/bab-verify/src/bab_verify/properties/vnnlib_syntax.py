"""The syntax of VNN-LIB 1.0: from text to linear constraints."""

import re
from collections.abc import Iterable
from fractions import Fraction
from itertools import product
from math import isinf, prod
from typing import NamedTuple, TypeAlias, TypeVar

from .specification import SpecificationError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(
    rf"""
      (?P<assert> \( \s* assert \s* )?
        \( \s* (?P<op><=|>=|<|>) \s* (?P<kind>[XY])_(?P<index>\d{{1,9}}) \s+
        (?: (?P<value>{_NUMBER}) | (?P<kind2>[XY])_(?P<index2>\d{{1,9}}) ) \s* \) (?(assert) \s* \) )
    | \( \s* declare-const \s+ (?P<declared>[XY]_\d{{1,9}}) \s+ Real \s* \)
    | ;[^\n]*
    | (?P<paren>[()])
    | (?P<atom>[^\s();]+)
    """,
    re.VERBOSE,
)
_IS_NUMBER = re.compile(_NUMBER)
_VARIABLE = re.compile(r"([XY])_(\d{1,9})")
_COMPARISONS = {"<=", "<", ">=", ">", "=", "=="}
_IGNORED = {"set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"}
_MOST_CLAUSES = 100_000
_LONGEST_NUMBER = 400
"""Characters of a number that is taken exactly; of longer ones the nearest double."""


class _Linear(NamedTuple):
    """A linear expression, exact: a constant plus coefficients of X_i (key i) and Y_j (key -1 - j)."""

    terms: dict[int, Fraction]
    constant: Fraction


class Literal(NamedTuple):
    """expression <= 0, and where it stands in the text."""

    terms: dict[int, float]
    constant: float
    position: int


_Any = TypeVar("_Any")
Conjunction: TypeAlias = list[Literal]
Formula: TypeAlias = list[Conjunction]
"""A disjunction of conjunctions."""
_Item: TypeAlias = "str | _Linear | list[Conjunction] | None"


class Assertions:
    """The assertions of a file, in linear time and without recursion.

    Args:
        text: The file.
        name: What to call it in messages.

    Raises:
        SpecificationError: if it is not VNN-LIB; the message names the line.
    """

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self.declared: dict[int, int] = {}
        """The variables that are declared, and where."""
        self.common: Conjunction = []
        """Constraints that hold always."""
        self.alternatives: list[Formula] = []
        """Disjunctions, one of each of which holds."""
        self.used: dict[int, int] = {}
        """The variables, and where each stands first."""
        self._read()

    def error(self, message: str, position: int | None = None) -> SpecificationError:
        """The error for a place in the text."""
        line = "" if position is None else f"line {self.text.count(chr(10), 0, position) + 1}: "
        return SpecificationError(f"{self.name}: {line}{message}")

    # From text to constraints.

    def _read(self) -> None:
        stack: list[tuple[int, list[_Item]]] = []
        for match in _TOKEN.finditer(self.text):
            kind = match.lastgroup
            if kind in {"value", "index2"}:
                literal = self._flat(match, within=bool(stack))
                if stack:
                    stack[-1][1].append([[literal]])
            elif kind == "declared":
                self._declare(match["declared"], match.start())
            elif kind == "atom":
                if not stack:
                    raise self.error(f"{match['atom'][:40]!r} stands outside of parentheses", match.start())
                stack[-1][1].append(match["atom"])
            elif kind == "paren" and match["paren"] == "(":
                stack.append((match.start(), []))
            elif kind == "paren":
                if not stack:
                    raise self.error("a parenthesis is closed that was not opened", match.start())
                position, items = stack.pop()
                item = self._reduce(items, position, top=not stack)
                if stack:
                    stack[-1][1].append(item)
        if stack:
            raise self.error("a parenthesis is not closed", stack[-1][0])

    def _flat(self, match: re.Match[str], *, within: bool) -> Literal:
        """A comparison of one variable and a number, or two variables, asserted or within an expression."""
        position = match.start()
        if within == bool(match["assert"]):
            wrong = "an assertion within an expression" if within else "a condition outside of an assertion"
            raise self.error(wrong, position)
        op, value = match["op"], match["value"]
        key = int(match["index"]) if match["kind"] == "X" else -1 - int(match["index"])
        self.used.setdefault(key, position)
        sign = 1.0 if op[0] == "<" else -1.0
        terms, constant = {key: sign}, 0.0
        if value is None:
            other = int(match["index2"]) if match["kind2"] == "X" else -1 - int(match["index2"])
            self.used.setdefault(other, position)
            terms[other] = terms.get(other, 0.0) - sign
        else:
            constant = -sign * float(value)
        literal = Literal(terms, constant, position)
        if not within:
            self.common.append(literal)
        return literal

    def _declare(self, name: str, position: int) -> None:
        key = self._variable(name, position)
        if key in self.declared:
            raise self.error(f"{name} is declared twice", position)
        self.declared[key] = position

    def _variable(self, name: str, position: int) -> int:
        match = _VARIABLE.fullmatch(name)
        if match is None:
            raise self.error(f"{name[:40]!r} is neither a number, nor X_i, nor Y_j", position)
        return int(match[2]) if match[1] == "X" else -1 - int(match[2])

    def _reduce(self, items: list[_Item], position: int, *, top: bool) -> _Item:
        """The meaning of an expression in parentheses."""
        if not items or not isinstance(items[0], str):
            if items or top:
                raise self.error("an expression does not begin with an operator", position)
            return None
        head, args = items[0], items[1:]
        if head == "assert" or head.startswith("declare-") or head in _IGNORED:
            if not top:
                raise self.error(f"{head!r} within another expression", position)
            self._command(head, args, position)
            return None
        if top:
            raise self.error(f"{head[:40]!r} is not a command of VNN-LIB", position)
        if head in {"and", "or"}:
            return self._connective(head, [self._formula(arg, position) for arg in args], position)
        if head in _COMPARISONS:
            if len(args) != 2:
                raise self.error(f"{head!r} compares two values, not {len(args)}", position)
            left, right = (self._linear(arg, position) for arg in args)
            return self._comparison(head, left, right, position)
        if head in {"+", "-", "*", "/"}:
            return self._arithmetic(head, [self._linear(arg, position) for arg in args], position)
        raise self.error(f"{head[:40]!r} is not an operator of VNN-LIB", position)

    def _command(self, head: str, args: list[_Item], position: int) -> None:
        if head in {"declare-const", "declare-fun"}:
            if not args or not isinstance(args[0], str) or args[-1] != "Real":
                raise self.error("a declaration is a name and the type Real", position)
            self._declare(args[0], position)
        elif head == "assert":
            if len(args) != 1:
                raise self.error(f"an assertion is one expression, not {len(args)}", position)
            formula = self._formula(args[0], position)
            if len(formula) == 1:
                self.common += formula[0]
            else:
                self.alternatives.append(formula)
        elif head not in _IGNORED:
            raise self.error(f"{head[:40]!r} is not a command of VNN-LIB", position)

    def _formula(self, item: _Item, position: int) -> Formula:
        if isinstance(item, list):
            return item
        if item == "true":
            return [[]]
        if item == "false":
            return []
        raise self.error("a condition was expected", position)

    def _connective(self, head: str, formulas: list[Formula], position: int) -> Formula:
        """Each formula is used once, so that the longest can be added to in place."""
        if head == "or":
            return _extended(formulas) if formulas else []
        single = [f[0] for f in formulas if len(f) == 1]
        common = _extended(single) if single else []
        several = [f for f in formulas if len(f) != 1]
        self.check_number(several, position)
        if not several:
            return [common]
        if len(several) == 1:
            for conjunction in several[0]:
                conjunction.extend(common)
            return several[0]
        return [[*(literal for part in choice for literal in part), *common] for choice in product(*several)]

    def check_number(self, formulas: list[Formula], position: int | None) -> None:
        """Refuse what would be too many conjunctions."""
        if prod(map(len, formulas)) > _MOST_CLAUSES:
            raise self.error(f"its disjunctions multiply to more than {_MOST_CLAUSES} clauses", position)

    def _comparison(self, head: str, left: _Linear, right: _Linear, position: int) -> Formula:
        signs = [sign for sign, symbols in ((1, "<="), (-1, ">=")) if head[0] in symbols]
        return [[self._literal(_sum([(left, sign), (right, -sign)]), position) for sign in signs]]

    def _literal(self, linear: _Linear, position: int) -> Literal:
        """In doubles: each number is rounded once, after all sums and products."""
        try:
            return Literal({key: float(x) for key, x in linear.terms.items()}, float(linear.constant), position)
        except OverflowError:
            raise self.error("a number is too large for double precision", position) from None

    def _linear(self, item: _Item, position: int) -> _Linear:
        if isinstance(item, _Linear):
            return item
        if not isinstance(item, str):
            raise self.error("a number or a variable was expected", position)
        if _IS_NUMBER.fullmatch(item):
            return _Linear({}, self._exact(item, position))
        key = self._variable(item, position)
        self.used.setdefault(key, position)
        return _Linear({key: Fraction(1)}, Fraction(0))

    def _exact(self, text: str, position: int) -> Fraction:
        """The number of a text; what doubles cannot tell from 0 is 0."""
        nearest = float(text)
        if isinf(nearest):
            raise self.error("a number is too large for double precision", position)
        return Fraction(text) if nearest and len(text) <= _LONGEST_NUMBER else Fraction(nearest)

    def _arithmetic(self, head: str, args: list[_Linear], position: int) -> _Linear:
        if not args:
            raise self.error(f"{head!r} needs at least one value", position)
        if head == "+":
            return _sum((arg, 1) for arg in args)
        if head == "-":
            return _sum((arg, -1 if i or len(args) == 1 else 1) for i, arg in enumerate(args))
        value = args[0]
        for arg in args[1:]:
            if head == "/" and (arg.terms or not arg.constant):
                raise self.error("only division by a number other than 0 is supported", position)
            if arg.terms and value.terms:
                raise self.error("a product of two variables is not linear", position)
            factor, other = (value, arg) if arg.terms else (arg, value)
            value = _sum([(other, 1 / factor.constant if head == "/" else factor.constant)])
        return value


def _extended(lists: list[list[_Any]]) -> list[_Any]:
    """All in one list, which is the longest of them."""
    middle = max(range(len(lists)), key=lambda i: len(lists[i]))
    longest = lists[middle]
    longest[:0] = [item for part in lists[:middle] for item in part]
    for part in lists[middle + 1 :]:
        longest += part
    return longest


def _sum(parts: Iterable[tuple[_Linear, Fraction | int]]) -> _Linear:
    terms: dict[int, Fraction] = {}
    constant = Fraction(0)
    for linear, factor in parts:
        constant += factor * linear.constant
        for key, value in linear.terms.items():
            terms[key] = terms.get(key, 0) + factor * value
    return _Linear(terms, constant)
