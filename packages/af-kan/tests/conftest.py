"""What the tests of af-kan share."""

import sys
from pathlib import Path

# For `af_kan_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
