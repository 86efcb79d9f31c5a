"""What a text says, line by line: declarations and calls."""

import json
from dataclasses import dataclass, field
from typing import Any

from .lexer import TextError, Token, tokens_of

ROLES = {"input": "data", "parameter": "parameter", "buffer": "buffer", "constant": "constant"}
CONSTANTS: dict[str, Any] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True)
class Name:
    """An array that is referred to."""

    name: str
    token: Token


@dataclass(frozen=True)
class Declaration:
    """`input x: b c h=8 float32` or an array that a call gives."""

    role: str
    name: str
    axes: tuple[tuple[str, int | None, Token], ...]
    dtype: str | None
    label: str
    token: Token


@dataclass(frozen=True)
class Call:
    """`y: b k = linear[m -> k](x, weight, p=1) @ "path"`."""

    outputs: tuple[Declaration, ...]
    name: str
    pattern: tuple[tuple[str, ...], tuple[str, ...]] | None
    positional: tuple[Any, ...]
    named: dict[str, Any]
    region: str
    token: Token


@dataclass
class Module:
    """A whole text."""

    name: str = "diagram"
    sizes: dict[str, int] = field(default_factory=dict)
    declared: list[Declaration] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    outputs: tuple[Name, ...] = ()
    is_single: bool = True
    classes: dict[str, str] = field(default_factory=dict)
    token: Token | None = None


class Reader:
    """Reads statements from words."""

    def __init__(self, text: str) -> None:
        self.tokens, self.at = tokens_of(text), 0

    @property
    def now(self) -> Token:
        """The next word."""
        return self.tokens[self.at]

    def take(self, *texts: str, kind: str | None = None) -> Token:
        """The next word, which must be one of these, or of a kind."""
        token = self.now
        if (texts and token.text not in texts) or (kind is not None and token.kind != kind):
            wanted = (
                " or ".join(map(repr, texts))
                or {"name": "a name", "number": "a number", "string": "a string"}[str(kind)]
            )
            raise TextError(f"expected {wanted}, not {token.told}", token.line, token.column)
        self.at += 1
        return token

    def accepts(self, text: str) -> bool:
        """Take the next word if it is this one."""
        if self.now.text == text and self.now.kind not in ("string", "end"):
            self.at += 1
            return True
        return False

    def module(self) -> Module:
        """The whole text.

        Raises:
            TextError: if it does not keep to the grammar.
        """
        found = Module()
        while self.now.kind != "end":
            if self.now.kind == "newline":
                self.at += 1
                continue
            self._statement(found)
            if self.now.kind not in ("newline", "end"):
                raise TextError(f"expected the end of the line, not {self.now.told}", self.now.line, self.now.column)
        found.token = self.now
        return found

    def _statement(self, found: Module) -> None:
        token = self.now
        following = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else token
        if token.text == "diagram" and following.kind == "string":
            self.at += 1
            found.name = _string(self.take(kind="string"))
        elif token.text == "size" and following.kind == "name":
            self.at += 1
            while True:
                name = self.take(kind="name").text
                self.take("=")
                found.sizes[name] = _whole(self.take(kind="number"))
                if not self.accepts(","):
                    break
        elif token.text == "module" and following.kind == "string":
            self.at += 1
            path = _string(self.take(kind="string"))
            found.classes[path] = self.take(kind="name").text
        elif token.text in ROLES and following.kind == "name":
            self.at += 1
            found.declared.append(self._declaration(ROLES[token.text]))
            while self.accepts(","):
                found.declared.append(self._declaration(ROLES[token.text]))
        elif token.text in ("return", "returns"):
            self.at += 1
            found.outputs, found.is_single = self._outputs()
        else:
            found.calls.append(self._call())

    def _outputs(self) -> tuple[tuple[Name, ...], bool]:
        names = [self.take(kind="name")]
        is_single = True
        while self.accepts(","):
            is_single = False
            if self.now.kind != "name":
                break
            names.append(self.take(kind="name"))
        return tuple(Name(token.text, token) for token in names), is_single

    def _declaration(self, role: str) -> Declaration:
        token = self.take(kind="name")
        axes: list[tuple[str, int | None, Token]] = []
        dtype = label = None
        if self.accepts(":"):
            while self.now.kind in ("name", "number"):
                word = self.now
                self.at += 1
                if word.kind == "number":
                    axes.append((word.text, _whole(word), word))
                elif self.now.text == "=" and self.tokens[self.at + 1].kind == "number":
                    self.at += 1
                    axes.append((word.text, _whole(self.take(kind="number")), word))
                else:
                    axes.append((word.text, None, word))
        if self.accepts("{"):
            dtype = self.take(kind="name").text
            self.take("}")
        if self.now.kind == "string":
            label = _string(self.take(kind="string"))
        return Declaration(role, token.text, tuple(axes), dtype, label or "", token)

    def _call(self) -> Call:
        outputs = [self._declaration("data")]
        while self.accepts(","):
            outputs.append(self._declaration("data"))
        self.take("=")
        token = self.take(kind="name")
        pattern = self._pattern() if self.now.text == "[" else None
        self.take("(")
        positional, named = self._arguments()
        region = _string(self.take(kind="string")) if self.accepts("@") else ""
        return Call(tuple(outputs), token.text, pattern, positional, named, region, token)

    def _pattern(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        self.take("[")
        sides: list[list[str]] = [[], []]
        side = 0
        while not self.accepts("]"):
            token = self.now
            if token.kind == "arrow" and side == 0:
                side = 1
            elif token.kind in ("name", "number"):
                sides[side].append(token.text)
            else:
                raise TextError(f"expected an axis, '->' or ']', not {token.told}", token.line, token.column)
            self.at += 1
        return tuple(sides[0]), tuple(sides[1]) if side else tuple(sides[0])

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        positional: list[Any] = []
        named: dict[str, Any] = {}
        while not self.accepts(")"):
            token = self.now
            following = self.tokens[self.at + 1]
            if token.kind == "name" and following.text == "=":
                self.at += 2
                if token.text in named:
                    raise TextError(f"{token.text} is given twice", token.line, token.column)
                named[token.text] = self._value()
            else:
                positional.append(self._value())
            if not self.accepts(","):
                self.take(")")
                break
        return tuple(positional), named

    def _value(self) -> Any:  # noqa: ANN401 - whatever an argument can be
        token = self.now
        self.at += 1
        if token.kind == "string":
            return _string(token)
        if token.kind == "number":
            return float(token.text) if set(token.text) & set(".eE") else int(token.text)
        if token.kind == "name":
            if token.text in CONSTANTS:
                return CONSTANTS[token.text]
            if token.text in ("dtype", "device", "layout", "memory_format", "float") and self.now.text == "(":
                self.take("(")
                value = _string(self.take(kind="string"))
                self.take(")")
                return {token.text: value}
            return Name(token.text, token)
        if token.text == "[":
            items = []
            while not self.accepts("]"):
                items.append(self._value())
                if not self.accepts(","):
                    self.take("]")
                    break
            return items
        raise TextError(f"expected a value, not {token.told}", token.line, token.column)


def _whole(token: Token) -> int:
    if not token.text.isdigit():
        raise TextError(f"a size is a whole number, not {token.text}", token.line, token.column)
    return int(token.text)


def _string(token: Token) -> str:
    try:
        return str(json.loads(token.text))
    except json.JSONDecodeError:
        raise TextError(f"{token.text} is no string as JSON has them", token.line, token.column) from None
