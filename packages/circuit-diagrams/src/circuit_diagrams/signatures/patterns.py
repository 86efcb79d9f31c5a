"""Signatures as users write them: "* i, O I -> * O"."""

import re
from collections.abc import Sequence
from math import prod

from circuit_diagrams.elements import Kind

from .call import Call, Rule

LETTER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Pattern:
    """What a signature says of an operator, as a rule for its calls.

    Arrays are separated by commas, axes by blanks. Axes of one name are one axis; of two that differ in case alone,
    the capital one is that of a learned array, and so gets no identity of its own. `*` stands for any number of axes
    over which the operator is broadcast; an array may hold it once, and in all that do it is the same.

    Args:
        text: The signature.
        kind: How the operator treats its axes.

    Raises:
        ValueError: if the text is no signature.
    """

    def __init__(self, text: str, kind: Kind) -> None:
        self.text, self.kind = text, kind
        left, arrow, right = text.partition("->")
        if not arrow or "->" in right:
            raise ValueError(f'a signature is written as "* i, O I -> * O", with one arrow, not {text!r}')
        self.inputs, self.outputs = _words(left, text), _words(right, text)
        known = {name.lower() for word in self.inputs for name in word}
        if "*" not in known and any("*" in word for word in self.outputs):
            raise ValueError(f"{text!r} has * on the right, but no * on the left")

    def __call__(self, call: Call) -> Rule:
        """The rule of one call.

        Raises:
            ValueError: if its tensors have other axes than the signature says.
        """
        if len(call.operands) != len(self.inputs) or len(call.shapes) != len(self.outputs):
            raise ValueError(
                f"{call.name} takes {len(call.operands)} tensors and gives {len(call.shapes)}, not as in {self.text!r}"
            )
        rule = Rule(self.kind, [call.new(k) for k in range(len(call.shapes))])
        axes: dict[str, int] = {}
        stars: list[list[tuple[int, int]]] = []
        for i, word in enumerate(self.inputs):
            operand = call.operands[i]
            named, passed = self._places(word, len(operand.axes))
            for name, place in named:
                self._meet(call, axes, name, operand.axes[place])
            if "*" in word:
                stars = stars or [[] for _ in passed]
                if len(stars) != len(passed):
                    raise ValueError(f"* of {self.text!r} stands for {len(stars)} axes and for {len(passed)}")
                for ends, place in zip(stars, passed, strict=True):
                    ends.append((i, place))
                    call.table.unite(call.operands[ends[0][0]].axes[ends[0][1]], operand.axes[place])
        links: list[list[tuple[int, int]]] = [[] for _ in stars]
        for k, word in enumerate(self.outputs):
            named, passed = self._places(word, len(call.shapes[k]))
            for name, place in named:
                rule.outputs[k][place] = self._meet(call, axes, name, rule.outputs[k][place])
            for ends, outs, place in zip(stars, links, passed, strict="*" in word):
                rule.outputs[k][place] = call.operands[ends[0][0]].axes[ends[0][1]]
                outs.append((k, place))
        rule.groups = [(ends, outs) for ends, outs in zip(stars, links, strict=True) if outs]
        return rule

    def _places(self, word: Sequence[str], rank: int) -> tuple[list[tuple[str, int]], list[int]]:
        """Named axes with their places, and the places of the star."""
        n = rank - (len(word) - ("*" in word))
        if n < 0 or ("*" not in word and n):
            raise ValueError(f"{' '.join(word)} of {self.text!r} has {len(word)} axes, but the tensor has {rank}")
        at = word.index("*") if "*" in word else len(word)
        named = [(name, i if i < at else i + n - 1) for i, name in enumerate(word) if name != "*"]
        return named, list(range(at, at + n))

    def _meet(self, call: Call, axes: dict[str, int], name: str, axis: int) -> int:
        """The axis of a name, which this one now is too."""
        table, first = call.table, axes.setdefault(name, axis)
        if table.size[first] != table.size[axis]:
            raise ValueError(f"{name} of {self.text!r} has the sizes {table.size[first]} and {table.size[axis]}")
        other = axes.get(name.swapcase())
        if other is not None and table.size[other] != table.size[axis]:
            raise ValueError(f"{name} of {self.text!r} has the sizes {table.size[other]} and {table.size[axis]}")
        if other is not None and name != name.lower():
            table.tie(other, axis)
        elif name == name.lower():
            table.unite(first, axis)
        return first if name == name.lower() else axis

    def count(self, formula: str, shapes: Sequence[Sequence[int]]) -> int:
        """The value of a formula of sizes, such as "2 * i O + O", for inputs of given shapes."""
        sizes: dict[str, int] = {}
        for word, shape in zip(self.inputs, shapes, strict=True):
            named, passed = self._places(word, len(shape))
            sizes.update({name: shape[place] for name, place in named})
            if "*" in word:
                sizes["*"] = prod(shape[place] for place in passed)
        return sum(
            prod(int(factor) if factor.isdigit() else sizes[factor] for factor in term.split())
            for term in formula.split("+")
        )

    def check_formula(self, formula: str) -> None:
        """Nothing, if a formula is one of this signature's sizes.

        Raises:
            ValueError: if it is not.
        """
        known = {name for word in self.inputs for name in word}
        for term in formula.split("+"):
            factors = term.split()
            if wrong := [f for f in factors if not f.isdigit() and f not in known]:
                raise ValueError(f"{wrong[0]} in the cost {formula!r} is no axis of the inputs of {self.text!r}")
            if not factors:
                raise ValueError(f'a cost is written as "2 * i O + O", not {formula!r}')


def _words(text: str, whole: str) -> list[list[str]]:
    found = []
    for part in text.split(","):
        word = part.split()
        if wrong := [name for name in word if name != "*" and not LETTER.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} in the signature {whole!r} is no name of an axis; separate names by blanks")
        if len(set(word)) != len(word):
            raise ValueError(f"{' '.join(word)!r} in the signature {whole!r} has an axis twice")
        found.append(word)
    return found
