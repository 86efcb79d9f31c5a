"""`.github/release.py` against a small source tree."""

from pathlib import Path

import pytest

from house import ROOT, python, script

SCRIPT = script("release")


def add(folder: Path, name: str, version: str, changes: str) -> None:
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "{version}"\n')
    (folder / "CHANGELOG.md").write_text(changes)


@pytest.fixture
def release(tree, monkeypatch, capsys):
    """The script's exit code, output and errors in the tree."""
    monkeypatch.chdir(tree)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = SCRIPT.main(list(arguments))
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    add(tmp_path / "shared", "separata", "0.2.0", "# Changes\n\n## 0.2.0 (2026-02-01)\n\n- More.\n\n## 0.1.0\n")
    add(tmp_path / "packages/oja", "oja", "1.0.0rc1", "# Changes\n\n## [1.0.0rc1] - 2026-02-01\n")
    add(tmp_path / "packages/a-v2", "a-v2", "3.1", "## v3.1\n")
    add(tmp_path / "packages/stale", "stale", "0.2", "## 0.1\n\n## 0.2\n")
    add(tmp_path / "packages/silent", "silent", "0.2", "# Changes\n")
    add(tmp_path / "packages/renamed", "another", "0.2", "## 0.2\n")
    return tmp_path


@pytest.mark.parametrize(
    ("tag", "folder"),
    [("separata-v0.2.0", "shared"), ("oja-v1.0.0rc1", "packages/oja"), ("a-v2-v3.1", "packages/a-v2")],
)
def test_the_folder_of_a_good_tag(release, tag: str, folder: str):
    assert release(tag) == (0, f"{folder}\n", "")


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("v0.2.0", "form"),
        ("oja-1.0.0rc1", "form"),
        ("oja-vnext", "form"),
        ("../shared-v0.2.0", "form"),
        ("Oja-v1.0.0rc1", "form"),
        ("hebb-v1.0", "no package"),
        ("shared-v0.2.0", "no package"),
        ("oja-v1.0.0", "pyproject.toml"),
        ("separata-v0.1.0", "pyproject.toml"),
        ("renamed-v0.2", "pyproject.toml"),
        ("stale-v0.2", "CHANGELOG.md"),
        ("silent-v0.2", "CHANGELOG.md"),
    ],
)
def test_a_bad_tag_costs_one_line(release, tag: str, reason: str):
    code, out, err = release(tag)
    assert (code, out) == (1, "")
    assert reason in err
    assert len(err.splitlines()) == 1


def test_a_package_without_a_change_log_is_not_released(release, tree: Path):
    (tree / "packages/oja/CHANGELOG.md").unlink()
    assert release("oja-v1.0.0rc1")[0] == 1


def test_usage(release):
    assert release()[0] == 2
    assert release("oja-v1", "separata-v1")[0] == 2


def test_as_a_script(tree: Path):
    done = python(ROOT / ".github" / "release.py", "oja-v1.0.0", cwd=tree)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("release: ")
