"""The package as users find it."""

import ast
import subprocess
import sys
from pathlib import Path

from separata import pde


def test_every_name_is_there_and_documented():
    for name in pde.__all__:
        assert getattr(pde, name).__doc__


def test_nothing_heavy_is_imported_before_a_name_is_used():
    code = "from separata import pde; import sys; print({'torch', 'scipy', 'numpy'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_scipy_is_imported_by_the_functions_that_call_it():
    for path in Path(pde.__file__).parent.glob("*.py"):
        at_top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not [node for node in at_top if "scipy" in ast.unparse(node)], path.name
