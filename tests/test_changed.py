"""`.github/changed.py` against small repositories."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from house import ROOT, python, script

SCRIPT = script("changed")
AUTHOR = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
# The machine's own git configuration has no say.
AUTHOR |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


def git(tree: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=tree, env={**os.environ, **AUTHOR}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(tree: Path, *names: str) -> str:
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        with (tree / name).open("a") as file:
            file.write("changed\n")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "change")
    return git(tree, "rev-parse", "HEAD")


def add_package(tree: Path, name: str, *dependencies: str, extra: str = "") -> None:
    folder = tree / "packages" / name
    folder.mkdir(parents=True)
    lines = ["[project]", f'name = "{name}"', f"dependencies = {list(dependencies)}"]
    lines += ["[project.optional-dependencies]", f'more = ["{extra}"]'] if extra else []
    (folder / "pyproject.toml").write_text("\n".join(lines))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four packages, of which mt-deeponet needs deeponet, and noble needs mt-deeponet as an extra."""
    monkeypatch.chdir(tmp_path)
    for name, value in AUTHOR.items():
        monkeypatch.setenv(name, value)
    add_package(tmp_path, "deeponet", "separata>=0.1", "torch")
    add_package(tmp_path, "mt-deeponet", "DeepONet>=0.1,<0.2 ; python_version > '3'", "SciPy>=1")
    add_package(tmp_path, "noble", "separata", extra="mt_deeponet")
    add_package(tmp_path, "oja", "separata", "deeponet-but-another", "mujoco")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/pyproject.toml").write_text('[project]\ndependencies = ["numpy", "torch"]\n')
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\ntest = ["pytest"]\nlint = ["ruff>=0"]\n')
    (tmp_path / "constraints.txt").write_text(PINS)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_compositions.py").write_text('@pytest.mark.composes("noble", "oja")\ndef test(): ...\n')
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path)
    return tmp_path


PINS = """# The core
numpy==2.0
torch==2.13
# The packages
mujoco==4.0  # draws
scipy==1.17
# Others
pytest==9.0
networkx==3
ruff==0.17
"""


def changed(*base: str) -> list[str]:
    return SCRIPT.plan(*base)["environments"]


@pytest.mark.parametrize(
    ("names", "environments"),
    [
        (["packages/oja/src/oja/rules.py"], ["oja"]),
        (["packages/oja/README.md", "packages/noble/x"], ["noble", "oja"]),
        (["packages/deeponet/x"], ["deeponet", "mt-deeponet", "noble"]),
        (["packages/mt-deeponet/x"], ["mt-deeponet", "noble"]),
        (["README.md", "CONTRIBUTING.md"], []),
        (["packages/README.md"], []),
        (["packages/oja/ein Bild ü.svg"], ["oja"]),
        ([], []),
    ],
    ids=str,
)
def test_only_what_a_change_touches(tree: Path, names: list[str], environments: list[str]):
    base = git(tree, "rev-parse", "HEAD")
    commit(tree, *names)
    assert changed(base) == environments


@pytest.mark.parametrize(
    "name",
    [
        "shared/src/separata/run.py",
        "tests/house.py",
        ".github/workflows/ci.yml",
        ".ci/run",
        "conftest.py",
        "pyproject.toml",
        "tox.ini",
        "toxfile.py",
    ],
)
def test_everything_stands_on_the_house(tree: Path, name: str):
    base = git(tree, "rev-parse", "HEAD")
    commit(tree, name, "packages/oja/x")
    assert changed(base) == ["deeponet", "mt-deeponet", "noble", "oja", "all"]


def test_a_removed_package_is_not_tested_but_those_that_need_it_are(tree: Path):
    base = git(tree, "rev-parse", "HEAD")
    (tree / "packages/deeponet/pyproject.toml").unlink()
    commit(tree)
    assert changed(base) == ["mt-deeponet", "noble"]


def test_a_moved_file_touches_where_it_was(tree: Path):
    base = commit(tree, "packages/oja/x")
    git(tree, "mv", "packages/oja/x", "packages/noble/x")
    commit(tree)
    assert changed(base) == ["noble", "oja"]


def test_what_the_base_changed_since_does_not_count(tree: Path):
    git(tree, "switch", "--quiet", "--create", "branch")
    commit(tree, "packages/oja/x")
    git(tree, "switch", "--quiet", "main")
    base = commit(tree, "packages/noble/x")
    git(tree, "switch", "--quiet", "branch")
    assert changed(base) == ["oja"]


@pytest.mark.parametrize("base", ["", "0" * 40, "no-such-branch", "--output=x"], ids=str)
def test_without_a_base_everything_is_tested(tree: Path, base: str):
    assert changed(base)[-1] == "all"
    assert not (tree / "x...HEAD").exists()


EVERYTHING = ["deeponet", "mt-deeponet", "noble", "oja", "all"]


@pytest.mark.parametrize(
    ("old", "new", "environments"),
    [
        ("mujoco==4.0", "mujoco==4.1", ["oja"]),
        ("scipy==1.17", "SciPy==1.18", ["mt-deeponet", "noble"]),
        ("scipy==1.17\n", "", ["mt-deeponet", "noble"]),
        ("# Others", "deeponet-but_another==1  # new", ["oja"]),
        ("ruff==0.17", "ruff==0.18", []),
        ("# Others", "# Tools, and others", []),
        ("torch==2.13", "torch==2.14", EVERYTHING),
        ("numpy==2.0", "numpy==2.1", EVERYTHING),
        ("pytest==9.0", "pytest==9.1", EVERYTHING),
        ("networkx==3", "networkx==4", EVERYTHING),
        ("# Others", "unheard-of==1", EVERYTHING),
    ],
    ids=str,
)
def test_a_pin_calls_for_those_that_need_it(tree: Path, old: str, new: str, environments: list[str]):
    base = git(tree, "rev-parse", "HEAD")
    (tree / "constraints.txt").write_text(PINS.replace(old, new))
    commit(tree)
    assert changed(base) == environments


@pytest.mark.parametrize(
    ("names", "compositions"),
    [
        (["packages/oja/x"], ["oja"]),
        (["packages/mt-deeponet/x"], ["noble"]),
        (["packages/deeponet/x", "packages/oja/x"], ["noble", "oja"]),
        (["README.md"], []),
        (["shared/x"], []),
    ],
    ids=str,
)
def test_the_compositions_of_what_is_tested_are_tested_too(tree: Path, names: list[str], compositions: list[str]):
    base = git(tree, "rev-parse", "HEAD")
    commit(tree, *names)
    assert SCRIPT.plan(base)["compositions"] == compositions


def test_the_compositions_of_this_tree_are_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    assert {"bab-verify", "ncap-swimmer"} <= SCRIPT.composing()


def test_as_a_script(tree: Path):
    commit(tree, "packages/oja/x")
    done = python(ROOT / ".github" / "changed.py", "HEAD~1", cwd=tree)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"environments": ["oja"], "compositions": ["oja"]}
