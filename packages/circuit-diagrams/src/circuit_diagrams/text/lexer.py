"""Words of the text language, each with its line and column."""

import re
from dataclasses import dataclass

PATTERN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)
    |(?P<newline>\n|;)
    |(?P<arrow>->)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<number>-?(?:\d+\.\d*(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?|\d+))
    |(?P<name>[A-Za-z_%][A-Za-z0-9_.%′]*)
    |(?P<mark>[=:,()\[\]{}@*+/])""",
    re.VERBOSE,
)


class TextError(ValueError):
    """What is wrong in a text, and where."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line, self.column = line, column


@dataclass(frozen=True)
class Token:
    """A word.

    Args:
        kind: "name", "number", "string", "arrow", "mark", "newline" or "end".
        text: As it is written.
        line: Counted from 1.
        column: Counted from 1.
    """

    kind: str
    text: str
    line: int
    column: int

    @property
    def told(self) -> str:
        """What an error calls it."""
        return {"newline": "the end of the line", "end": "the end of the text"}.get(self.kind, repr(self.text))


def tokens_of(text: str) -> list[Token]:
    """The words of a text; the last one is its end. Breaks inside brackets are none.

    Raises:
        TextError: if a character has no place in the language.
    """
    found, line, start, at, depth = [], 1, 0, 0, 0
    while at < len(text):
        match = PATTERN.match(text, at)
        column = at - start + 1
        if match is None:
            raise TextError(f"{text[at]!r} has no place here", line, column)
        kind, word = match.lastgroup or "space", match.group()
        depth += (word in "([{") - (word in ")]}") if kind == "mark" else 0
        if kind != "space" and not (kind == "newline" and depth > 0 and word == "\n"):
            found.append(Token(kind, word, line, column))
        at = match.end()
        if word == "\n":
            line, start = line + 1, at
    found.append(Token("end", "", line, at - start + 1))
    return found
