"""Check that a release tag, the package's pyproject.toml and its CHANGELOG.md agree; print the package's folder.

Usage: python .github/release.py TAG

The tag of a package is <name>-v<version>, that of the core separata-v<version>.
"""

import re
import sys
import tomllib
from pathlib import Path


def folder_of(tag: str) -> Path:
    """The folder, relative to the root, of the package that `tag` releases.

    Raises:
        ValueError: if the tag is malformed, or names another package or version than the files do.
    """
    match = re.fullmatch(r"([a-z0-9][a-z0-9-]*)-v(\d\S*)", tag)
    if match is None:
        raise ValueError(f"a release tag has the form <package>-v<version>, not {tag!r}")
    name, version = match.groups()
    folder = Path("shared") if name == "separata" else Path("packages", name)
    if not (folder / "pyproject.toml").is_file():
        raise ValueError(f"there is no package {name!r}: {folder}/pyproject.toml is missing")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if (project["name"], project["version"]) != (name, version):
        raise ValueError(
            f"{folder}/pyproject.toml is for {project['name']} {project['version']}, the tag for {name} {version}"
        )
    if (changed := changelog_version(folder / "CHANGELOG.md")) != version:
        raise ValueError(
            f"the first entry of {folder}/CHANGELOG.md is for {changed or 'no version'}, the tag for {version}"
        )
    return folder


def changelog_version(path: Path) -> str | None:
    """The version that the first entry (`## 1.2.3`, `## [1.2.3] - 2026-01-31`) of a change log describes, if any."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    heading = re.search(r"^## +\[?v?([^\s\]]+)", text, flags=re.MULTILINE)
    return heading[1] if heading else None


def main(arguments: list[str]) -> int:
    """Print the folder, or the reason against the release."""
    if len(arguments) != 1:
        print("usage: release.py TAG", file=sys.stderr)
        return 2
    try:
        print(folder_of(arguments[0]).as_posix())
    except ValueError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
