"""Every block of every README does what a reader would have it do."""

import re
from pathlib import Path

import pytest

from house import ROOT, Block, Package, fenced_blocks, python, run

READY = re.compile(r"\s*(pip install|git clone|uv|cd)(\s|$)")
"""What sets up the environment that the tests run in already."""


def without_setup(script: str) -> str:
    """A shell script without the commands that only set things up."""
    whole_commands = script.replace("\\\n", " ").splitlines()
    return "".join(f"{line}\n" for line in whole_commands if not READY.match(line))


def run_blocks(readme: Path, folder: Path) -> None:
    """Run a README's Python blocks as one script, and then its shell blocks as another, in one folder."""
    blocks = fenced_blocks(readme.read_text(encoding="utf-8"))
    assert not [block.line for block in blocks if not block.language], "every block names its language"
    scripts = {language: [block for block in blocks if block.language == language] for language in ("python", "sh")}
    env = {"SEPARATA_PRESET": "smoke"}
    if scripts["python"]:
        (folder / "readme.py").write_text(_joined(scripts["python"]), encoding="utf-8")
        done = python("readme.py", cwd=folder, env=env)
        assert done.code == 0, done.err
    if scripts["sh"]:
        (folder / "readme.sh").write_text(without_setup(_joined(scripts["sh"])), encoding="utf-8")
        done = run("bash", "-euo", "pipefail", "readme.sh", cwd=folder, env=env)
        assert done.code == 0, done.out + done.err


def _joined(blocks: list[Block]) -> str:
    return "\n".join(f"# line {block.line} of the README\n{block.text}" for block in blocks)


def test_the_package_s_readme(package: Package, tmp_path: Path):
    run_blocks(package.root / "README.md", tmp_path)


@pytest.mark.usefixtures("whole_tree")
@pytest.mark.parametrize("name", ["README.md", "shared/README.md"])
def test_the_house_s_readme(name: str, tmp_path: Path):
    run_blocks(ROOT / name, tmp_path)


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
    assert without_setup(script) == "tool --cd    y\ncdr\n"
