"""The way from a network to a verdict: every part of the package imports only parts that stand before it."""

import ast
from pathlib import Path

import bab_verify

ROOT = Path(bab_verify.__file__).parent
WAY = (
    *(
        "paper",
        "configs",
        "intervals",
        "graph",
        "operators",
        "rewriting",
        "frontends",
        "properties",
        "bounds",
        "search",
    ),
    *("api", "commands", "cli", "experiments"),
)


def parts_of(path):
    """The parts of the package that a module imports, functions and types included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")
            if module[0] == "bab_verify":
                yield from module[1:2] or [alias.name for alias in node.names]
            elif node.level and path.parent == ROOT:
                yield from module[:1] if module != [""] else [alias.name for alias in node.names]


def test_every_part_has_its_place():
    found = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert found - {"__init__"} == set(WAY)


def test_parts_import_only_those_before_them():
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if name != "__init__":
            before = WAY[: WAY.index(name) + 1]
            wrong += [f"{path.relative_to(ROOT)}: {part}" for part in parts_of(path) if part not in before]
    assert not wrong
