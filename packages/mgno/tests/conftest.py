"""What the tests of mgno share."""

import sys
from pathlib import Path

# For `mgno_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
