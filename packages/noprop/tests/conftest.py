"""What the tests of noprop share."""

import sys
from pathlib import Path

# For `noprop_own` and `noprop_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
