"""Every block of every README does what a reader would have it do."""

from pathlib import Path

import pytest

from house import PACKAGES, ROOT, Package, python, run
from readmes import commands, fenced_blocks, reproduction, reproductions, script

ENV = {"SEPARATA_PRESET": "smoke"}


def run_blocks(readme: Path, folder: Path) -> None:
    """Run a README's Python blocks as one script, and then its shell blocks as another, in one folder.

    What reproduces a package's claims is run once, by the tests of the preset `smoke`.
    """
    blocks = fenced_blocks(readme.read_text(encoding="utf-8"))
    assert not [block.line for block in blocks if not block.language], "every block names its language"
    if program := script(blocks, "python"):
        (folder / "readme.py").write_text(program, encoding="utf-8")
        done = python("readme.py", cwd=folder, env=ENV)
        assert done.code == 0, done.err
    to_do = [command for command in commands(script(blocks, "sh")) if not reproduction(command)]
    if any(not command.startswith("#") for command in to_do):
        (folder / "readme.sh").write_text("\n".join(to_do), encoding="utf-8")
        done = run("bash", "-euo", "pipefail", "readme.sh", cwd=folder, env=ENV)
        assert done.code == 0, done.out + done.err


def test_the_package_s_readme(package: Package, tmp_path: Path):
    run_blocks(package.root / "README.md", tmp_path)


@pytest.mark.usefixtures("whole_tree")
@pytest.mark.parametrize("name", ["README.md", "shared/README.md"])
def test_the_house_s_readme(name: str, tmp_path: Path):
    run_blocks(ROOT / name, tmp_path)


@pytest.mark.parametrize("name", ["README.md", "shared/README.md"])
def test_what_the_house_reproduces_its_package_s_readme_does_too(name: str):
    text = (ROOT / name).read_text(encoding="utf-8")
    told = filter(None, map(reproduction, commands(script(fenced_blocks(text), "sh"))))
    shown = [(package.name, words) for package in PACKAGES for words in reproductions(package)]
    assert not [one for one in told if one not in shown]


def test_blocks_are_found_whatever_the_fence():
    text = "a\n```python\nx = 1\n```\n~~~sh\necho\n~~~\n  ```text\n  in a list\n  ```\n````text\n```\n````\n```\nbare\n"
    assert [(block.language, block.line, block.text) for block in fenced_blocks(text)] == [
        ("python", 2, "x = 1\n"),
        ("sh", 5, "echo\n"),
        ("text", 8, "in a list\n"),
        ("text", 11, "```\n"),
        ("", 14, "bare\n"),
    ]


def test_only_setup_is_left_out():
    script = "git clone x\ncd x\npip install \\\n  ./shared \\\n  ./other\nuv sync\ntool --cd \\\n  y\ncdr\n"
    assert commands(script) == ["tool --cd    y", "cdr"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("oja reproduce", ["reproduce"]),
        ("oja reproduce --only 'a claim' b  # two of them", ["reproduce", "--only", "a claim", "b"]),
        ("oja reproduce --json > found.json", None),
        ("oja reproduce && oja claims", None),
        ("oja claims", None),
        ("hebb reproduce", None),
        ("time oja reproduce", None),
    ],
)
def test_what_reproduces_claims(command: str, words: list[str] | None):
    oja = Package(ROOT / "packages" / "oja")
    assert reproduction(command, [oja]) == (words and ("oja", words))
