"""What only some users of a package install: its extras."""

import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec


class MissingExtraError(ModuleNotFoundError):
    """Something needs an extra that is not installed; the message says how to install it."""


def require(*modules: str, extra: str) -> None:
    """Refuse to begin what needs modules that are not installed, before anything is written.

    Args:
        modules: Names of top-level modules, `onnx`.
        extra: What to install for them, `ncap-swimmer[onnx]`.

    Raises:
        MissingExtraError: if one of them is not there; the message names it and says what to install.
    """
    absent = [name for name in modules if not _is_there(name)]
    if absent:
        raise MissingExtraError(f"this needs {' and '.join(absent)}; pip install '{extra}'", name=absent[0])


def _is_there(module: str) -> bool:
    return sys.modules[module] is not None if module in sys.modules else find_spec(module) is not None


def advice(distribution: str, module: str) -> str | None:
    """What to install for a module, `ncap-swimmer[onnx]`, where an extra of the distribution provides it."""
    try:
        requirements = requires(distribution) or []
    except PackageNotFoundError:
        return None
    wanted = _normal(module.split(".", maxsplit=1)[0])
    found = []
    for requirement in requirements:
        name, extra = re.match(r"[\w.-]*", requirement), re.search(r"""extra *== *['"]([\w.-]+)['"]""", requirement)
        if name and extra and _normal(name[0]) == wanted:
            found.append(extra[1])
    # Of several extras the smallest thing to install, which `all` is not.
    found.sort(key="all".__eq__)
    return f"{distribution}[{found[0]}]" if found else None


def _normal(name: str) -> str:
    """A name of a distribution or module in the form in which two are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()
