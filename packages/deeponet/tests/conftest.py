"""What the tests of deeponet share."""

import os

# DeepXDE, where it is installed, reads this when it is first imported.
os.environ.setdefault("DDE_BACKEND", "pytorch")
