"""Print, as JSON, the names of the packages: all, or those named.

Usage: python .github/packages.py [NAME ...]
"""

import json
import sys
from pathlib import Path


def names(wanted: list[str]) -> list[str]:
    """The packages of the tree, or those wanted.

    Raises:
        ValueError: if there is no package of a name.
    """
    known = sorted(path.parent.name for path in Path().glob("packages/*/pyproject.toml"))
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"there is no package {' or '.join(unknown)}")
    return wanted or known


if __name__ == "__main__":
    try:
        print(json.dumps(names(sys.argv[1:])))
    except ValueError as error:
        sys.exit(f"packages: {error}")
