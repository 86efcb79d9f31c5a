"""What the tests of epochwise-descent share."""

import sys
from pathlib import Path

# For `descent_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
