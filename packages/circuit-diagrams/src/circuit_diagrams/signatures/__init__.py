"""What each operation does to its axes."""
