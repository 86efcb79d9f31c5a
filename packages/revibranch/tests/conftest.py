"""What the tests of revibranch share."""

import sys
from pathlib import Path

# For `bipartite`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
