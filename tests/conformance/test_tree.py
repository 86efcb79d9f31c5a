"""What holds for every file of the source tree."""

import re

import pytest

from house import ROOT, run

HOME = re.compile(r"(?<![\w.:}~$-])/(?:work|root|home/\w+|tmp|Users/\w+)/\S")
"""A path that exists on somebody's machine only; one in an address or below a variable is none."""


def tracked() -> list[str]:
    """The files that are in git, or would be after `git add`."""
    done = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if done.code:
        pytest.skip("not a git clone")
    return [name for name in done.out.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_path_of_one_machine():
    found = []
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" in data[:8192]:
            continue
        lines = data.decode("utf-8", "replace").splitlines()
        found += [f"{name}:{number}: {line[:100]}" for number, line in enumerate(lines, 1) if HOME.search(line)]
    assert not found


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("open('/" + "home/me/data')", True),
        ("/" + "tmp/out.json", True),
        ("https://example.org/" + "home/me/data", False),
        ("$HOME/" + "work/data", False),
        ("a/" + "tmp/b", False),
        ("mktemp below /" + "tmp", False),
    ],
)
def test_only_such_paths_are_found(line: str, is_found: bool):
    assert bool(HOME.search(line)) == is_found
