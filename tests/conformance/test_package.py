"""Every package has the same skeleton, declares what it is, and keeps to the rules of the source tree."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from house import PACKAGES, ROOT, Package, run, script

LONGEST_MODULE = 450
PLACES = ("README.md", "CHANGELOG.md", "results/quick.json", "tests")
MODULES = ("__init__.py", "paper.py", "experiments.py", "cli.py", "py.typed")


def public(package: Package) -> dict[str, object]:
    """What `__all__` names."""
    module = importlib.import_module(package.module)
    return {name: getattr(module, name) for name in module.__all__}


def is_own(value: object, package: Package) -> bool:
    """Whether a function or class is defined in the package."""
    return (getattr(value, "__module__", None) or "").split(".")[0] == package.module


def routines(value: object) -> dict[str, object]:
    """A function under its name, or the public methods that a class defines itself."""
    if not inspect.isclass(value):
        return {value.__name__: value} if inspect.isfunction(value) else {}
    unwrapped = {
        name: getattr(item, "fget", None) or getattr(item, "__func__", item) for name, item in vars(value).items()
    }
    return {
        f"{value.__name__}.{name}": item
        for name, item in unwrapped.items()
        if inspect.isfunction(item) and (name in {"__init__", "__call__"} or not name.startswith("_"))
    }


def test_every_file_is_there(package: Package):
    absent = [place for place in PLACES if not any(package.root.glob(place))]
    for name in MODULES:
        # A module may have grown into a package.
        places = (package.source / name, package.source / name.removesuffix(".py") / "__init__.py")
        absent += [] if any(place.is_file() for place in places) else [f"src/{package.module}/{name}"]
    absent += [] if any((package.root / "tests").glob("**/test_*.py")) else ["tests/test_*.py"]
    assert not absent


def test_benchmarks_are_there_or_there_is_a_reason(package: Package):
    reason = package.pyproject.get("tool", {}).get("separata", {}).get("no-benchmarks", "")
    if reason:
        assert len(reason.split()) >= 3, "say in a sentence why nothing is to be measured"
        assert not (package.root / "benchmarks").exists()
    else:
        assert any((package.root / "benchmarks").glob("**/test_*.py"))


def test_pyproject_says_what_the_folder_says(package: Package):
    project = package.pyproject["project"]
    assert project["name"] == package.name
    assert project["scripts"][package.name] == f"{package.module}.cli:main"
    assert project["entry-points"]["separata.papers"] == {package.name: f"{package.module}.paper:PAPER"}
    assert project["requires-python"].startswith(">=")
    assert project["license"] == "Apache-2.0"
    assert project["description"]


def test_every_dependency_has_a_lower_bound_and_is_pinned_for_ci(package: Package):
    project = package.pyproject["project"]
    extras = project.get("optional-dependencies", {}).values()
    needed = [Requirement(item) for item in [*project["dependencies"], *(item for extra in extras for item in extra)]]
    assert "separata" in {requirement.name for requirement in needed}
    unbounded = [str(item) for item in needed if not {"==", ">=", "~="} & {bound.operator for bound in item.specifier}]
    assert not unbounded
    ours = {"separata", *(other.name for other in PACKAGES)}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {canonicalize_name(line.split("==")[0]) for line in lines if "==" in line}
    assert not {canonicalize_name(item.name) for item in needed} - pinned - ours, "add them to constraints.txt"


def test_the_change_log_begins_with_this_version(package: Package, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    tag = f"{package.name}-v{package.pyproject['project']['version']}"
    assert script("release").folder_of(tag) == Path("packages", package.name)


def test_dependencies_are_declared_and_used(package: Package):
    done = run("deptry", "--no-ansi", "src", cwd=package.root)
    assert done.code == 0, done.out + done.err


def test_public_names_are_documented(package: Package):
    names = public(package)
    assert names
    plain = {name: value for name, value in names.items() if inspect.isroutine(value) or inspect.isclass(value)}
    # A dataclass without a docstring gets its signature for one.
    silent = [name for name, value in plain.items() if not value.__doc__ or value.__doc__.startswith(f"{name}(")]
    assert not silent


def test_public_names_are_annotated(package: Package):
    bare = []
    for value in public(package).values():
        for name, routine in routines(value).items() if is_own(value, package) else ():
            signature = inspect.signature(routine)
            parameters = [p for key, p in signature.parameters.items() if key not in {"self", "cls"}]
            bare += [f"{name}: {p.name}" for p in parameters if p.annotation is p.empty]
            if signature.return_annotation is signature.empty and not name.endswith(".__init__"):
                bare.append(f"{name}: the value it returns")
    assert not bare


def test_modules_are_short_and_say_what_they_hold(package: Package):
    texts = {path.relative_to(package.source).as_posix(): path.read_text(encoding="utf-8") for path in package.modules}
    assert not [name for name, text in texts.items() if len(text.splitlines()) > LONGEST_MODULE]
    assert not [name for name, text in texts.items() if not ast.get_docstring(ast.parse(text))]
    assert not [name for name in texts if re.fullmatch(r"(.*/)?(utils?|helpers?|misc)(\.py|/__init__\.py)", name)]


def test_other_packages_are_used_through_their_public_names(package: Package):
    others = {other.module for other in PACKAGES} - {package.module}
    reached = []
    for path in package.modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            reached += [f"{path.name}: {name}" for name in modules if "." in name and name.split(".")[0] in others]
    assert not reached


@pytest.mark.parametrize("section", ["install", "in code", "at the shell", "claims", "how it works", "limits"])
def test_readme_has_the_section(package: Package, section: str):
    text = (package.root / "README.md").read_text(encoding="utf-8")
    headings = [line.lstrip("# ").lower() for line in text.splitlines() if re.match("#{1,6} ", line)]
    assert any(section in heading for heading in headings), headings


def test_readme_says_how_to_install_and_to_use(package: Package):
    text = (package.root / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"pip install .*{re.escape(package.name)}", text)
    assert "```python" in text
