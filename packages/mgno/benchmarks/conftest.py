"""What the benchmarks of mgno share."""

import sys
from pathlib import Path

# For `mgno_steps`: each module of tests is imported on its own.
sys.path.append(str(Path(__file__).parent))
