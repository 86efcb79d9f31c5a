"""What the tests of modular-addition share."""

import sys
from pathlib import Path

# For `modular_addition_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
