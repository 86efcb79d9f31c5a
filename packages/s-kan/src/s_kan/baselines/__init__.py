"""What S-KAN is compared with: networks of a single family, and plain ones."""
