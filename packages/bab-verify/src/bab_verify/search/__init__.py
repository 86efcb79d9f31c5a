"""Attack and branch and bound."""
