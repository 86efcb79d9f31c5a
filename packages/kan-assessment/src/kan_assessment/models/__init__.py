"""Networks that are compared, and the registry of their families."""
