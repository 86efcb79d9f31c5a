"""What the tests of mt-deeponet share."""

import sys
from pathlib import Path

# For `mt_shell` and `tiny`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
