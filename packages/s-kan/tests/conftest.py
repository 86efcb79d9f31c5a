"""What the tests of s-kan share."""

import sys
from pathlib import Path

# For `s_kan_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
