"""What the tests of relinear share."""

import sys
from pathlib import Path

# For `relinear_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
