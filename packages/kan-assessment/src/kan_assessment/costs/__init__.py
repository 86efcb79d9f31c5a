"""What a network costs, and networks of equal cost."""
