"""No two modules of a package, and no two of its folders, import each other, however long the way between them."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from house import Package

Graph = Mapping[str, set[str]]
"""The modules that each module imports."""


def name_of(path: Path, source: Path) -> str:
    """The dotted name of a module, the package's own name first."""
    parts = path.relative_to(source.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(text: str, name: str, *, is_package: bool) -> Iterator[tuple[str, str]]:
    """What a module imports anywhere in it: the module that is named, and what is taken from it, if anything.

    Imports in functions count, and so do those for type checkers alone.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".")
            # One dot is the package that the module is in, which is itself if it is a package.
            here = parts[: len(parts) - node.level + is_package] if node.level else []
            module = ".".join([*here, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def graph_of(source: Path) -> Graph:
    """The imports among the modules of a package."""
    files = {name_of(path, source): path for path in sorted(source.rglob("*.py"))}
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        text = path.read_text(encoding="utf-8")
        pairs = imported(text, name, is_package=path.stem == "__init__")
        whole = {f"{module}.{item}" if f"{module}.{item}" in files else module for module, item in pairs}
        found[name] = {module for module in whole if module in files} - {name}
    return found


def folders_of(graph: Graph) -> Graph:
    """The imports among the folders of a package; a module beside them is one by itself."""

    def folder(name: str) -> str:
        return ".".join(name.split(".")[:2])

    found: dict[str, set[str]] = {}
    for name, others in graph.items():
        found.setdefault(folder(name), set()).update(map(folder, others))
    return {name: others - {name} for name, others in found.items()}


def circle(graph: Graph) -> list[str]:
    """A way from a module back to itself, or nothing if there is none."""
    done: set[str] = set()
    for start in sorted(graph):
        way: list[str] = []
        rest = [iter([start])]
        while rest:
            name = next(rest[-1], None)
            if name is None:
                rest.pop()
                if way:
                    done.add(way.pop())
            elif name in way:
                return [*way[way.index(name) :], name]
            elif name not in done:
                way.append(name)
                rest.append(iter(sorted(graph[name])))
    return []


def test_no_modules_import_each_other_in_a_circle(package: Package):
    assert not (found := circle(graph_of(package.source))), " -> ".join(found)


def test_no_folders_import_each_other_in_a_circle(package: Package):
    assert not (found := circle(folders_of(graph_of(package.source)))), " -> ".join(found)


CASES = {
    "straight": (
        {"__init__": "from . import a", "a": "from .b import x", "b": "from . import c", "c": ""},
        "",
    ),
    "of two": ({"a": "from .b import x", "b": "from .a import y"}, "p.a -> p.b -> p.a"),
    "in a function": ({"a": "def f():\n    from . import b", "b": "from p.a import y"}, "p.a -> p.b -> p.a"),
    "for types": (
        {"a": "if TYPE_CHECKING:\n    from p.b import X", "b": "from .c import x", "c": "import p.a"},
        "p.a -> p.b -> p.c -> p.a",
    ),
    "through the package": ({"__init__": "from .a import x", "a": "from . import x"}, "p -> p.a -> p"),
    "of folders": (
        {"low/a": "", "low/b": "from p.high.a import x", "high/a": "", "high/b": "from p.low.a import x"},
        "p.high -> p.low -> p.high",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_circles_are_found(case: str, tmp_path: Path):
    files, expected = CASES[case]
    for name, text in files.items():
        path = tmp_path / "p" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    graph = graph_of(tmp_path / "p")
    assert " -> ".join(circle(folders_of(graph) if case == "of folders" else graph)) == expected
    assert case != "of folders" or not circle(graph)
