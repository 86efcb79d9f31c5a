"""What the tests of kan-assessment share."""

import sys
from pathlib import Path

# For `assessment_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
