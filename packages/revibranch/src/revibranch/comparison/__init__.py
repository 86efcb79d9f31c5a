"""Rules compared on the same problems: outcomes, profiles and reports."""
