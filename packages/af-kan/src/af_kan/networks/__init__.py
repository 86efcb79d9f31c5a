"""Networks of layers, how they come into a network of the user's own, and what they cost."""
