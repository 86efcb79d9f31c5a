"""`.github/changed.py` against small repositories."""

import json
from pathlib import Path

import pytest

from house import ROOT, python, run

SCRIPT = ROOT / ".github" / "changed.py"
AUTHOR = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
# The machine's own git configuration has no say.
AUTHOR |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


def git(tree: Path, *arguments: str) -> str:
    done = run("git", *arguments, cwd=tree, env=AUTHOR)
    assert done.code == 0, done.err
    return done.out.strip()


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


def changed(tree: Path, *arguments: str) -> list[str]:
    done = python(SCRIPT, *arguments, cwd=tree)
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four packages, of which mt-deeponet needs deeponet, and noble needs mt-deeponet as an extra."""
    add_package(tmp_path, "deeponet", "separata>=0.1", "torch")
    add_package(tmp_path, "mt-deeponet", "DeepONet>=0.1,<0.2 ; python_version > '3'")
    add_package(tmp_path, "noble", "separata", extra="mt_deeponet")
    add_package(tmp_path, "oja", "separata", "deeponet-but-another")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path)
    return tmp_path


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
    assert changed(tree, base) == environments


@pytest.mark.parametrize(
    "name",
    [
        "shared/src/separata/run.py",
        "tests/house.py",
        ".github/workflows/ci.yml",
        ".ci/run",
        "conftest.py",
        "constraints.txt",
        "pyproject.toml",
        "tox.ini",
        "toxfile.py",
    ],
)
def test_everything_stands_on_the_house(tree: Path, name: str):
    base = git(tree, "rev-parse", "HEAD")
    commit(tree, name, "packages/oja/x")
    assert changed(tree, base) == ["deeponet", "mt-deeponet", "noble", "oja", "all"]


def test_a_removed_package_is_not_tested_but_those_that_need_it_are(tree: Path):
    base = git(tree, "rev-parse", "HEAD")
    (tree / "packages/deeponet/pyproject.toml").unlink()
    commit(tree)
    assert changed(tree, base) == ["mt-deeponet", "noble"]


def test_a_moved_file_touches_where_it_was(tree: Path):
    base = commit(tree, "packages/oja/x")
    git(tree, "mv", "packages/oja/x", "packages/noble/x")
    commit(tree)
    assert changed(tree, base) == ["noble", "oja"]


def test_what_the_base_changed_since_does_not_count(tree: Path):
    git(tree, "switch", "--quiet", "--create", "branch")
    commit(tree, "packages/oja/x")
    git(tree, "switch", "--quiet", "main")
    base = commit(tree, "packages/noble/x")
    git(tree, "switch", "--quiet", "branch")
    assert changed(tree, base) == ["oja"]


@pytest.mark.parametrize("base", [[], [""], ["0" * 40], ["no-such-branch"], ["--output=x"]], ids=str)
def test_without_a_base_everything_is_tested(tree: Path, base: list[str]):
    assert changed(tree, *base)[-1] == "all"
    assert not (tree / "x...HEAD").exists()
