"""A new package's frame: the example package of the source tree under another name."""

import json
import keyword
import re
import shutil
import sys
import tempfile
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from .arguments import Option

EXAMPLE = Path("shared/example")
"""Where the example package stands in a source tree."""

LEFT = "TODO"
"""The word that marks what only an author can write."""

NAME, MODULE = "oja-rule", "oja_rule"
TITLE, YEAR, DOI = "A simplified neuron model as a principal component analyzer", "1982", "10.1007/BF00275687"
SKIPPED = ("results", "__pycache__", ".*")


def new(
    name: str,
    /,
    *,
    title: Annotated[str, Option("TITLE")] = "",
    year: Annotated[int | None, Option("YEAR")] = None,
    arxiv: Annotated[str, Option("NUMBER")] = "",
    module: Annotated[str, Option("MODULE")] = "",
    root: Path = Path(),
) -> None:
    """Write the frame of a new package to packages/NAME.

    It is a small package that works: Oja's rule, which finds the first principal component. Lines marked TODO say what
    to put in its place.

    Args:
        name: The paper's short name, in lower case with hyphens: folder, distribution and command.
        title: Title of the paper.
        year: Year of publication.
        arxiv: arXiv number, such as 2402.11984.
        module: Import name, where it is not the name with underscores for hyphens.
        root: The source tree.
    """
    module = module or name.replace("-", "_")
    check(name, module, root)
    if not re.fullmatch(r"[\w./-]*", arxiv):
        raise ValueError(f"an arXiv number looks like 2402.11984, not like '{arxiv}'")
    folder = write(root, name, module, {"title": " ".join(title.split()), "year": str(year or ""), "arxiv": arxiv})
    print("\n  ".join([f"{folder}\n\nNext:", *_next(name, folder)]))  # noqa: T201


def check(name: str, module: str, root: Path) -> None:
    """Check that a package of this name can be.

    Raises:
        ValueError: if it cannot; one sentence says why.
    """
    if not (root / EXAMPLE).is_dir() or not (root / "packages").is_dir():
        raise ValueError(f"{root.resolve()} is no Separata source tree; go there, or name it with --root")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"the name must be of lower-case letters, digits and single hyphens, not '{name}'")
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", module) or keyword.iskeyword(module):
        raise ValueError(f"Python cannot import '{module}'; give another name with --module")
    for taken in (root / "packages" / name, *root.glob(f"packages/*/src/{module}")):
        if taken.exists():
            raise ValueError(f"there is {taken} already")
    if module in sys.stdlib_module_names or find_spec(module):
        raise ValueError(f"another package is imported as '{module}'; give another name with --module")


def write(root: Path, name: str, module: str, paper: dict[str, str]) -> Path:
    """Write the frame, whole or not at all, and return its folder."""
    folder = root / "packages" / name
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as place:
        part = Path(place) / name
        shutil.copytree(root / EXAMPLE, part, ignore=shutil.ignore_patterns(*SKIPPED))
        (part / "src" / MODULE).rename(part / "src" / module)
        for path in part.rglob("*"):
            if path.is_file():
                text = path.read_text(encoding="utf-8").replace(NAME, name).replace(MODULE, module)
                path.write_text(text, encoding="utf-8")
        for path, edits in _edits(part, name, module, paper).items():
            text = path.read_text(encoding="utf-8")
            for old, replacement in edits.items():
                text = _replaced(text, old, replacement)
            path.write_text(text, encoding="utf-8")
        part.rename(folder)
    return folder


def _edits(folder: Path, name: str, module: str, paper: dict[str, str]) -> dict[Path, dict[str, str]]:
    """What is said of the example's paper, and what takes its place."""
    title, year, arxiv = (paper[key] for key in ("title", "year", "arxiv"))
    own_module = f'    module="{module}",\n' if module != name.replace("-", "_") else ""
    return {
        folder / f"src/{module}/paper.py": {
            f'    title="{TITLE}",\n': f"{own_module}    title={_quoted(title)},{_mark(title)}\n",
            f"    year={YEAR},\n": f"    year={year or YEAR},{_mark(year)}\n",
            '    authors=("Erkki Oja",),\n': f'    authors=("Given Family",),{_mark()}\n',
            '    venue="Journal of Mathematical Biology",\n': f'    venue="",{_mark()}\n',
            f'    doi="{DOI}",\n': f'    arxiv="{arxiv}",{_mark(arxiv)}\n',
        },
        folder / "README.md": {f"*{TITLE}* ({YEAR})": f"*{title or LEFT}* ({year or LEFT})"},
    }


def _mark(given: str = "") -> str:
    """A comment on what was not given."""
    return "" if given else f"  # {LEFT}"


def _quoted(text: str) -> str:
    """The text as the formatter writes it in an argument: in double quotes where it can, in lines of 120 columns."""
    lines = textwrap.wrap(text, 100, drop_whitespace=False) or [""]
    strings = [
        f"'{line}'" if '"' in line and "'" not in line else json.dumps(line, ensure_ascii=False) for line in lines
    ]
    return strings[0] if len(strings) == 1 else "(\n{}    )".format("".join(f"        {one}\n" for one in strings))


def _string(line: str) -> str:
    return f"'{line}'" if '"' in line and "'" not in line else json.dumps(line, ensure_ascii=False)


def _replaced(text: str, old: str, replacement: str) -> str:
    if text.count(old) != 1:
        raise ValueError(f"the example package has {old.strip()!r} {text.count(old)} times, where once is expected")
    return text.replace(old, replacement)


def _next(name: str, folder: Path) -> list[str]:
    """The commands that come next."""
    return [
        f"pip install -c constraints.txt -e {folder}",
        f"{name} reproduce --preset smoke",
        f"grep -rn {LEFT} {folder}    # what is yours to write; see CONTRIBUTING.md",
    ]
