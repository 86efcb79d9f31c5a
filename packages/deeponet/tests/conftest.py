"""What the tests of deeponet share."""

import os
import sys
from pathlib import Path

# For `known_functions` and `deeponet_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))

# DeepXDE, where it is installed, reads this when it is first imported.
os.environ.setdefault("DDE_BACKEND", "pytorch")
