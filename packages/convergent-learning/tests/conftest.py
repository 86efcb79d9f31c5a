"""What the tests of convergent-learning share."""

import sys
from pathlib import Path

# For `convergent_learning_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))
