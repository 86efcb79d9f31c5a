"""From modules and files to diagrams."""
