"""What the tests of double-descent share."""

import sys
from pathlib import Path

# For `double_descent_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
