"""What READMEs say to run."""

import re
import shlex
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from house import PACKAGES, Package

READY = re.compile(r"\s*(pip install|git clone|uv|cd)(\s|$)")
"""What sets up the environment that the tests run in already."""

REPRODUCE = re.compile(r"\s*(?P<name>[\w-]+) reproduce\b(?P<options>[^|&;<>$`#]*)(#.*)?$")
"""A call of a package's `reproduce` and nothing else."""

FENCE = re.compile(
    r"^ *(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*).*\n(?P<text>[\s\S]*?)(?:^ *(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of Markdown."""

    language: str
    line: int
    text: str


def fenced_blocks(markdown: str) -> list[Block]:
    """The fenced blocks of a Markdown text, in order; one that is never closed ends with the text."""
    return [
        Block(match["language"], markdown.count("\n", 0, match.start()) + 1, textwrap.dedent(match["text"]))
        for match in FENCE.finditer(markdown)
    ]


def script(blocks: Iterable[Block], language: str) -> str:
    """The blocks in a language as one script, with the lines that they stand in."""
    chosen = [block for block in blocks if block.language == language]
    return "\n".join(f"# line {block.line} of the README\n{block.text}" for block in chosen)


def commands(script: str) -> list[str]:
    """The commands of a shell script, each in one line, without those that only set things up."""
    return [line for line in script.replace("\\\n", " ").splitlines() if not READY.match(line)]


def reproduction(command: str, packages: Iterable[Package] = PACKAGES) -> tuple[str, list[str]] | None:
    """The package whose claims a command reproduces and the words after its name, or None if it does more or else."""
    match = REPRODUCE.match(command)
    if match is None or match["name"] not in {package.name for package in packages}:
        return None
    return match["name"], ["reproduce", *shlex.split(match["options"])]


def reproductions(package: Package) -> list[list[str]]:
    """How a package's README reproduces its claims: the words after the command, for each time that it does."""
    blocks = fenced_blocks((package.root / "README.md").read_text(encoding="utf-8"))
    found = [reproduction(command, [package]) for command in commands(script(blocks, "sh"))]
    return [words for _, words in filter(None, found)]
